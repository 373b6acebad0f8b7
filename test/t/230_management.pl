# The Management API's tables against the simulated service: every table read and every writable one written as the
# description has it (through Prism where STACK_CONTRACT_URL is set), rate limits, faults of the service and of the
# network, how many requests a statement makes, and what an OAuth grant may not.
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

my $stack = Stack->running;
my $api = simulator($stack);
my $contract = $ENV{STACK_CONTRACT_URL};
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 20);


my %ref;    # of a project's name
sub start_afresh {
  my (%size) = @_;
  %ref = map { $_->{name} => $_->{ref} } @{control('reset', \%size)->{projects}};
}
start_afresh();

# Requests since `clear`, by filters of the audit.
sub clear { control('requests', undef, 'DELETE') }
sub requests { my ($filter) = @_; return @{control('requests?' . ($filter // ''))->{requests}} }
sub calls { return join ' ', map { "$_->{method} $_->{operation}" } requests(@_) }

my $database = $stack->database();
my $session = $stack->session($database);
# A management server with its tables in a schema of its name.
sub management {
  my ($name, $url, $options, $user) = @_;
  my $token = $stack->env('MANAGEMENT_TOKEN');
  $user //= "access_token '$token'";
  $session->value("CREATE SERVER $name TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$url'$options)");
  $session->value("CREATE USER MAPPING FOR postgres SERVER $name OPTIONS ($user)") if $user;
  $session->value("CREATE SCHEMA $name");
  $session->value("IMPORT FOREIGN SCHEMA management FROM SERVER $name INTO $name");
}
management('judged', $contract // $api, ", destructive 'true', max_retries '0'");
management('mgmt', $api, ", destructive 'true', max_retries '3'");
management('once', $api, ", max_retries '0'");

# A value, or nothing for an error: state and message are the session's.
sub try_value { my ($sql) = @_; my $value = eval { $session->value($sql) }; return $value // '' }
# A statement that fails, clearly, and gives no row.
sub fails {
  my ($sql, $state, $message, $name) = @_;
  $session->run($sql);
  is($session->output . $session->state, $state, $name);
  like($session->message, $message, "$name: message");
}

# --- as described ---------------------------------------------------------------------------------------------------
# The simulator refuses a request that is not as described, and says which of its answers are not; Prism judges both
# on its own.
control('answers', {check => JSON::PP::true});
control('plan', {gates => JSON::PP::false});
{
  note($contract ? 'through Prism' : 'not through Prism: STACK_CONTRACT_URL is not set');
  my $columns = $session->value(q{SELECT string_agg(concat_ws('.', table_name, (SELECT column_name FROM information_schema.columns c
      WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND column_name IN ('project_ref', 'organization_slug')
      ORDER BY column_name <> 'organization_slug' LIMIT 1)), ' ' ORDER BY table_name)
    FROM information_schema.tables t WHERE table_schema = 'judged'});
  my @tables = split / /, $columns;
  is(scalar @tables, 54, 'tables of the Management API');
  for (@tables) {
    my ($table, $column) = split /\./;
    my $parent = $column && $table ne 'projects' && $table ne 'snippets' ? " WHERE $column = '" . ($column eq 'project_ref' ? $ref{shop} : 'acme') . "'" : '';
    clear();
    $session->run("CREATE TEMP TABLE copy AS SELECT * FROM judged.$table$parent; DROP TABLE copy");
    is($session->state, '00000', "$table is read") or diag($session->message);
    my @refused = grep { $_->{status} != 200 && $_->{status} != 201 && $_->{status} != 404 } requests();
    ok(requests() > 0 && !@refused, '... by requests that are as described') or diag(encode_json(\@refused), $session->message);
  }
}

# [statement, what it gives, server]: in the order in which they can be run
my $shop = "project_ref = '$ref{shop}'";
my $at = "'$ref{shop}'";
my $user = try_value(q{SELECT min(user_id::text) FROM mgmt.organization_members WHERE organization_slug = 'acme'});
my @writes = (
  ["INSERT INTO secrets (project_ref, name, value) VALUES ($at, 'A', '1'), ($at, 'B', '2') RETURNING name", "A\nB"],
  ["UPDATE secrets SET value = 'new' WHERE $shop AND name = 'A' RETURNING name", 'A'],
  ["DELETE FROM secrets WHERE $shop AND name IN ('A', 'B') RETURNING name", "A\nB"],
  ["UPDATE auth_config SET smtp_host = 'mail.example.com', smtp_pass = 's3cret' WHERE $shop RETURNING smtp_host", 'mail.example.com'],
  ["UPDATE projects SET name = 'shop2', db_pass = 'longpassword1' WHERE ref = $at RETURNING name", 'shop2'],
  ["INSERT INTO api_keys (project_ref, type, name) VALUES ($at, 'secret', 'extra') RETURNING name, type", 'extra|secret'],
  ["UPDATE api_keys SET description = 'x' WHERE $shop AND name = 'extra' RETURNING description", 'x'],
  ["DELETE FROM api_keys WHERE $shop AND name = 'extra' RETURNING name", 'extra'],
  ["UPDATE legacy_api_keys SET enabled = false WHERE $shop RETURNING enabled", 'f'],
  ["UPDATE postgres_config SET work_mem = '8MB', max_connections = 100 WHERE $shop RETURNING work_mem, max_connections", '8MB|100'],
  ["UPDATE postgres_config SET work_mem = NULL WHERE $shop RETURNING work_mem, max_connections", '|100'],
  ["UPDATE storage_config SET vector_buckets_enabled = true WHERE $shop RETURNING vector_buckets_enabled", 't'],
  ["UPDATE disk SET size_gb = 16 WHERE $shop RETURNING size_gb", '16'],
  ["UPDATE network_restrictions SET allowed_cidrs = '{203.0.113.0/24}' WHERE $shop RETURNING allowed_cidrs", '{203.0.113.0/24}'],
  ["INSERT INTO network_restriction_cidrs (project_ref, cidr) VALUES ($at, '198.51.100.0/24'), ($at, '2001:db8::/32')"],
  ["DELETE FROM network_restriction_cidrs WHERE $shop AND type = 'v6' RETURNING cidr", undef],
  ["DELETE FROM network_bans WHERE $shop"],
  # Prism takes no list of files for one part
  ["INSERT INTO edge_functions (project_ref, slug, name, entrypoint_path, body) VALUES ($at, 'hello', 'hello', 'index.ts', 'Deno.serve()') RETURNING slug", 'hello', 'mgmt'],
  ["UPDATE edge_functions SET verify_jwt = false WHERE $shop AND slug = 'hello' RETURNING verify_jwt", 'f'],
  ["DELETE FROM edge_functions WHERE $shop AND slug = 'hello' RETURNING slug", 'hello'],
  ["UPDATE addons SET variant = 'ci_small' WHERE $shop AND type = 'compute_instance' RETURNING variant", 'ci_small'],
  ["UPDATE ssl_enforcement SET database = true WHERE $shop RETURNING database", 't'],
  ["UPDATE realtime_config SET max_concurrent_users = 50 WHERE $shop RETURNING max_concurrent_users", '50'],
  ["UPDATE postgrest_config SET max_rows = 500 WHERE $shop RETURNING max_rows", '500'],
  ["UPDATE pooler_config SET default_pool_size = 20 WHERE $shop RETURNING default_pool_size", "20\n20"],
  ["INSERT INTO sso_providers (project_ref, metadata_url, domains) VALUES ($at, 'https://idp.example.com/m', '{a.example.com}') RETURNING domains", '{a.example.com}'],
  ["UPDATE sso_providers SET domains = '{b.example.com,c.example.com}' WHERE $shop AND domains = '{a.example.com}' RETURNING domains", '{b.example.com,c.example.com}'],
  ["DELETE FROM sso_providers WHERE $shop AND domains = '{b.example.com,c.example.com}' RETURNING domains", '{b.example.com,c.example.com}'],
  ["INSERT INTO third_party_auth (project_ref, oidc_issuer_url) VALUES ($at, 'https://issuer.example.com') RETURNING oidc_issuer_url", 'https://issuer.example.com'],
  ["DELETE FROM third_party_auth WHERE $shop AND oidc_issuer_url = 'https://issuer.example.com' RETURNING oidc_issuer_url", 'https://issuer.example.com'],
  ["UPDATE signing_keys SET status = 'in_use' WHERE project_ref = '$ref{blog}' AND status = 'standby' RETURNING status", 'in_use'],
  ["INSERT INTO signing_keys (project_ref, algorithm) VALUES ('$ref{blog}', 'ES256') RETURNING algorithm", 'ES256'],
  ["INSERT INTO branches (project_ref, name) VALUES ($at, 'extra') RETURNING name", 'extra'],
  ["UPDATE branches SET git_branch = 'f' WHERE $shop AND name = 'extra' RETURNING git_branch", 'f'],
  ["DELETE FROM branches WHERE $shop AND name = 'extra' RETURNING name", 'extra'],
  ["INSERT INTO migrations (project_ref, query, name) VALUES ($at, 'SELECT 1', 'm1') RETURNING name", 'm1'],
  ["UPDATE migrations SET name = 'm2' WHERE $shop AND name = 'm1' RETURNING name", 'm2'],
  [qq{INSERT INTO jit_access (project_ref, user_id, user_roles) VALUES ('$ref{blog}', '$user', '[{"role": "postgres"}]') RETURNING user_id}, $user],
  [qq{UPDATE jit_access SET user_roles = '[{"role": "postgres"}]' WHERE project_ref = '$ref{blog}' AND user_id = '$user' RETURNING user_id}, $user],
  ["DELETE FROM jit_access WHERE project_ref = '$ref{blog}' AND user_id = '$user' RETURNING user_id", $user],
  ["UPDATE jit_config SET state = 'enabled' WHERE $shop RETURNING state", 'enabled'],
  ["INSERT INTO addons (project_ref, type, variant) VALUES ('$ref{blog}', 'custom_domain', 'cd_default') RETURNING type", 'custom_domain'],
  ["INSERT INTO custom_hostnames (project_ref, custom_hostname) VALUES ('$ref{blog}', 'db.example.com') RETURNING custom_hostname", 'db.example.com'],
  ["DELETE FROM custom_hostnames WHERE project_ref = '$ref{blog}' RETURNING custom_hostname", 'db.example.com'],
  ["INSERT INTO vanity_subdomains (project_ref, vanity_subdomain) VALUES ('$ref{blog}', 'myblog')"],
  ["DELETE FROM vanity_subdomains WHERE project_ref = '$ref{blog}'"],
  ["UPDATE backup_schedule SET schedule_for = '03:00:00' WHERE $shop RETURNING schedule_for", '03:00:00'],
  ["INSERT INTO organizations (name) VALUES ('New Org') RETURNING name", 'New Org'],
  ["UPDATE pgsodium_config SET root_key = repeat('ab', 32) WHERE $shop"],
  ["INSERT INTO projects (name, organization_slug, region) VALUES ('made', 'acme', 'eu-central-1') RETURNING name", 'made'],
  ["DELETE FROM projects WHERE ref = '$ref{blog}' RETURNING name", 'blog'],
);
clear();
for (@writes) {
  my ($sql, $gives, $server) = @$_;
  $server //= 'judged';
  (my $name = $sql) =~ s/^(\w+(?: INTO| FROM)? \w+).*/$1/s;
  $sql =~ s/^(INSERT INTO |UPDATE |DELETE FROM )/$1$server./;
  $session->run($sql);
  is($session->state, '00000', $name) or diag("$sql\n", $session->message);
  is(join("\n", sort split /\n/, $session->output), $gives, "$name: RETURNING") if defined $gives;
}
{
  my @refused = grep { $_->{status} >= 400 && $_->{status} != 404 } requests();
  is(scalar @refused, 0, 'no request was refused') or diag(encode_json(\@refused));
  is_deeply(control('requests?count=only')->{bugs}, [], 'no request is a known mistake');
  my $violations = control('answers')->{violations};
  is_deeply($violations, [], 'no answer is a violation') or diag(encode_json($violations));
}

# --- how many requests ----------------------------------------------------------------------------------------------
start_afresh();
sub counts {
  my ($sql, $expected, $name) = @_;
  clear();
  $session->run($sql);
  is($session->state, '00000', $name) or diag($session->message);
  is(calls(), $expected, "$name: requests");
  return requests();
}
counts("SELECT * FROM (VALUES ('$ref{shop}'), ('$ref{blog}')) v (ref) JOIN mgmt.secrets s ON s.project_ref = v.ref",
  'GET v1-list-all-secrets GET v1-list-all-secrets', 'a join: a request for each outer row');
counts("SELECT name, status FROM mgmt.branches WHERE project_ref = '$ref{shop}'", 'GET v1-list-all-branches', 'what is in the list');
my ($branch) = split /\n/, $session->value("SELECT count(*) FROM mgmt.branches WHERE project_ref = '$ref{shop}'");
counts("SELECT name, db_host FROM mgmt.branches WHERE project_ref = '$ref{shop}'",
  join(' ', 'GET v1-list-all-branches', ('GET v1-get-a-branch-config') x $branch), 'what is not: once for each row');
{
  my @made = counts("UPDATE mgmt.auth_config SET smtp_host = 'h', smtp_port = '25' WHERE project_ref = '$ref{shop}'",
    'GET v1-get-auth-service-config PATCH v1-update-auth-service-config', 'an UPDATE of two columns');
  my ($patch) = grep { $_->{method} eq 'PATCH' } @made;
  is_deeply([sort @{$patch->{body}}], ['smtp_host', 'smtp_port'], '... sends these and nothing else');
}
$session->value("INSERT INTO mgmt.secrets (project_ref, name, value) SELECT '$ref{shop}', 'OLD_' || i, 'v' FROM generate_series(1, 3) i");
{
  clear();
  is(try_value("WITH gone AS (DELETE FROM mgmt.secrets WHERE project_ref = '$ref{shop}' AND name LIKE 'OLD_%' RETURNING 1) SELECT count(*) FROM gone"),
    3, 'a DELETE of several secrets');
  my @deletes = requests('method=DELETE');
  is(scalar @deletes, 1, '... is one request');
  is_deeply($deletes[0]{body}, ['[3]'], '... with all names');
}

# --- faults ---------------------------------------------------------------------------------------------------------
sub fault { start_afresh(); control('fault', $_[0]); clear() }
my $create = q{INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('new', 'acme', 'eu-central-1') RETURNING ref};
sub projects { return try_value(q{SELECT coalesce(string_agg(ref, ' '), '') FROM once.projects WHERE name = 'new'}) }
for (['after', 1], ['before', 2]) {
  my ($when, $posts) = @$_;
  fault({method => 'POST', route => '/v1/projects', reset => $when});
  my $made = try_value($create);
  like($made, qr/^[a-z]{20}$/, "a project whose answer is lost, the connection $when it is made") or diag($session->message);
  my $count = requests('operation=v1-create-a-project');
  is($count, $posts, "... was asked for $posts times");
  is(projects(), $made, '... and is there once');
}
fault({method => 'POST', route => '/v1/projects', status => 503, when => 'after'});
like(try_value($create), qr/^[a-z]{20}$/, 'a 503 after a project was made') or diag($session->message);
is(projects(), $session->output, '... which is there once');

my $secrets = "SELECT name FROM mgmt.secrets WHERE project_ref = '$ref{shop}'";
(my $secrets_once = $secrets) =~ s/mgmt/once/;
my $route = {method => 'GET', route => '/v1/projects/{ref}/secrets'};
fault($route);
my $names = $session->value($secrets);
isnt($names, '', 'there are secrets');
fault({%$route, status => 502, form => 'html'});
is(try_value($secrets), $names, 'a 502 with a page is asked again');
is(scalar requests('status=502'), 1, '... once');
fault({%$route, status => 502, form => 'html', times => 0});
fails($secrets_once, '08006', qr/502/, 'a 502 that stays');
fault({%$route, status => 503});
is(try_value($secrets), $names, 'a 503 is asked again');
fault({%$route, form => 'cut', times => 0});
fails($secrets_once, '08006', qr/ERROR/, 'an answer that is cut off');
fault({%$route, form => 'truncated', times => 0});
fails($secrets_once, '08P01', qr/no JSON|not what was expected/, 'an answer that is half a JSON text');
fault({%$route, form => 'error_in_200', times => 0});
fails($secrets_once, '08P01', qr/not what was expected/, 'an error with status 200 in place of a list');
fault({method => 'GET', route => '/v1/projects/{ref}/config/auth', form => 'error_in_200', times => 0});
fails("SELECT site_url FROM once.auth_config WHERE project_ref = '$ref{shop}'", '22023', qr/ERROR/, 'an error with status 200 in place of an object');
fault({%$route, form => 'empty', times => 0});
fails($secrets_once, '08P01', qr/no JSON|not what was expected/, 'an empty answer');

# a cancel within a fan-out
{
  fault({method => 'GET', route => '/v1/projects/{ref}/secrets', latency => 30000, times => 0});
  my $pid = $session->backend;
  my $other = $stack->session($database);
  $session->begin('SELECT count(*) FROM mgmt.secrets');
  ok(Stack::wait_until(20, sub { requests('operation=v1-list-all-secrets') > 0 }), 'a fan-out is under way');
  $other->value("SELECT pg_cancel_backend($pid)");
  is($session->end->state, '57014', '... and ends when it is cancelled');
  control('fault', undef, 'DELETE');
  is(try_value($secrets), $names, '... and the session goes on');
}

# --- rate limits ----------------------------------------------------------------------------------------------------
sub rate { start_afresh(); control('rate', $_[0]); clear() }
my $poll = sub { my ($times) = @_; return "DO \$\$ BEGIN FOR i IN 1 .. $times LOOP PERFORM name FROM mgmt.projects WHERE ref = '$ref{shop}'; END LOOP; END \$\$" };
rate({routes => {'GET /v1/projects/{ref}' => {limit => 100, window => 1}}});
$session->run($poll->(200));
is($session->state, '00000', 'polling above the limit') or diag($session->message);
is(scalar requests('operation=v1-get-project&status=200'), 200, '... is answered each time');
is(scalar requests('status=429'), 0, '... and slows down before it is refused');
# without the headers nobody can know
rate({headers => JSON::PP::false, routes => {'GET /v1/projects/{ref}' => {limit => 2, window => 1}}});
$session->run($poll->(3));
is($session->state, '00000', 'a refusal with Retry-After') or diag($session->message);
is(scalar requests('status=429'), 1, '... is waited for');
rate({headers => JSON::PP::false, retry_after => JSON::PP::false, routes => {'GET /v1/projects/{ref}' => {limit => 1, window => 600}}});
$session->value("SELECT name FROM once.projects WHERE ref = '$ref{shop}'");
fails("SELECT name FROM once.projects WHERE ref = '$ref{shop}'", '53400', qr/Too Many Requests/, 'at the end of the retries');
# last, as the simulator is large then
start_afresh(projects => 300);
clear();
is(try_value('SELECT count(DISTINCT project_ref) FROM mgmt.api_keys'), 300, 'a fan-out over 300 projects');
is(scalar requests(), 301, '... is 301 requests');
is(scalar requests('status=429'), 0, '... none of them refused');

# --- an OAuth grant -------------------------------------------------------------------------------------------------
start_afresh();
sub consent {
  my ($url) = @_;
  my %form = $http->get($url)->{content} =~ /<input type="hidden" name="(\w+)" value="([^"]*)">/g;
  my $answer = $http->post_form("$api/oauth/consent", {%form, organization_slug => 'acme', decision => 'authorize'});
  my ($query) = ($answer->{headers}{location} // die "no redirect: $answer->{content}") =~ /\?(.*)/;
  my %back = map { s/%([0-9A-F]{2})/chr hex $1/egr } map { split /=/, $_, 2 } split /&/, $query;
  return @back{qw(code state)};
}
{
  my $redirect = $stack->env('MANAGEMENT_OAUTH_REDIRECT_URI');
  my $app = control('apps', {name => 'narrow', redirect_uris => [$redirect], scopes => ['projects:read']});
  $session->value("SELECT supabase_oauth_create_app('narrow', '$app->{client_id}', '$app->{client_secret}', '$redirect', server => 'mgmt')");
  my ($code, $state) = consent($session->value(q{SELECT supabase_oauth_authorize_url('narrow')}));
  $session->value("SELECT grant_name FROM supabase_oauth_exchange('$code', '$state', 'narrow')");
  management('granted', $api, ", max_retries '0'", q{oauth_grant 'narrow'});
  like(try_value('SELECT count(*) FROM granted.projects'), qr/^[1-9]/, 'a grant reads what its scopes permit') or diag($session->message);
  fails("SELECT name FROM granted.secrets WHERE project_ref = '$ref{shop}'", '42501', qr/OAuth scope secrets:read/, 'a scope that is missing is named');
  fails(q{INSERT INTO granted.organizations (name) VALUES ('x')}, '42501', qr/needs a personal access token/, 'and where there is none, the personal token');
}

done_testing();

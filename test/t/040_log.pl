# No secret in the server's log or in pg_stat_activity, however much is logged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IPC::Run ();
use Stack;
use Test::More;

my $stack = Stack->running;
my $database = $stack->database(shop => $stack->env('URL'), other => $stack->env('URL_HTTP'));
my ($alice, $bob, $expired) = map { $stack->env($_) } qw(ALICE_JWT BOB_JWT EXPIRED_JWT);
# three parts, but no JSON: refused with something that could be repeated
my $broken = 'bWFya2VyLW9mLWEtYnJva2VuLXRva2Vu.bWFya2VyLW9mLWEtYnJva2VuLXRva2Vu.c2lnbmF0dXJl';
my $unnamed = $stack->env('DIR') && `"$Stack::root/test/stack/mint-jwt" '@{[$stack->env('JWT_SECRET')]}' '{"sub":"somebody","role":"authenticated"}'`;
chomp $unnamed;
my @markers = ($stack->secrets, substr($expired, 10, 60), substr($broken, 4, 40), (split /\./, $unnamed)[2]);

sub found_in {
  my ($text) = @_;
  return scalar grep { index($text, $_) >= 0 } @markers;
}

# The lines of the log that show a marker, without the marker.
sub show {
  my ($log) = @_;
  for my $line (split /\n/, $log) { diag substr($line, 0, 100) . ' …' if found_in($line) }
}

sub nothing_logged {
  my ($place, $name) = @_;
  my $log = $stack->log_since($place);
  is(found_in($log), 0, "$name: no secret in the log") or show($log);
  return $log;
}

# default settings, tokens as literals: a call that fails is logged without its statement
{
  my $session = $stack->session($database);
  my @failing = (
    ['a broken token', "SELECT supabase_set_auth('$broken')", '22023'],
    ['an expired token', "SELECT supabase_set_auth('$expired')", '28000'],
    ['a token with a tail', "SELECT * FROM supabase_set_auth('$alice.x')", '22023'],
    ['a token for no project', "SELECT supabase_set_auth('$unnamed')", '28000'],
    ['a server that does not exist', "SELECT supabase_set_auth('$alice', 'nosuch')", '42704'],
    ['in a block', "DO \$\$ BEGIN PERFORM supabase_set_auth('$broken'); END \$\$", '22023'],
    ['in a block, no such server', "DO \$\$ BEGIN PERFORM supabase_set_auth('$alice', 'nosuch'); END \$\$", '42704'],
    ['in a query with more', "SELECT count(*) FROM pg_class, supabase_set_auth('$broken')", '22023'],
    ['a key for a token', "SELECT supabase_set_auth('@{[$stack->env('SECRET_KEY')]}')", '22023'],
    ['session scope where it is not allowed', "SET supabase_fdw.require_local_auth = on; SELECT supabase_set_auth('$alice')", '0A000'],
    ['a key as an option of a server', "ALTER SERVER shop OPTIONS (ADD api_key '@{[$stack->env('SECRET_KEY')]}')", 'HV00D'],
    ['a key as an option of a table', "ALTER FOREIGN TABLE shop.orders OPTIONS (ADD note '@{[$stack->env('SECRET_KEY')]}')", 'HV00D'],
    ['a misspelt option of a user mapping', "ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD apikey '@{[$stack->env('SECRET_KEY')]}')", 'HV00D'],
    ['a key with a line break', "ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key E'@{[$stack->env('SECRET_KEY')]}\\n')", 'HV024'],
    ['a key beside a bad option', "ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key '@{[$stack->env('SECRET_KEY')]}', ADD session_auth 'perhaps')", 'HV024'],
    ['a token beside a misspelt option', "ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD jwt '$alice', ADD nosuch '1')", 'HV00D'],
  );
  for my $case (@failing) {
    my ($name, $statement, $state) = @$case;
    my $place = $stack->log_end;
    $session->run($statement);
    is($session->state, $state, "$name: $state") or diag $session->message =~ s/eyJ\S+/…/gr;
    # but for what the client itself said, which CONTEXT repeats to it
    is(found_in($session->message =~ s/^CONTEXT:.*//msr), 0, "$name: no secret in the message");
    like(nothing_logged($place, $name), qr/ERROR/, "$name: but an error is in the log");
  }
  $session->close;
}

# what another session sees, during a transaction and after it
{
  my ($one, $two) = map { $stack->session($database) } 1 .. 2;
  my $pid = $one->backend;
  my $seen = "SELECT query FROM pg_stat_activity WHERE pid = $pid";
  for my $statement ("SELECT supabase_set_auth('$alice')", "SELECT email FROM supabase_set_auth('$bob', 'shop')", "BEGIN; SELECT supabase_set_auth('$alice', is_local => true)",
    "ROLLBACK; DO \$\$ BEGIN PERFORM supabase_set_auth('$alice'); END \$\$", "SELECT supabase_set_auth('$broken')", "SELECT supabase_set_auth('$alice', 'nosuch')") {
    $one->run($statement);
    my $query = $two->value($seen);
    is(found_in($query), 0, 'pg_stat_activity: ' . substr $statement =~ s/'.*//sr, 0, 60) or diag substr $query, 0, 60;
  }
  $one->value('SELECT count(*) FROM shop.orders');
  is($two->value($seen), 'SELECT count(*) FROM shop.orders;', 'pg_stat_activity: the next statement');
  $_->close for $one, $two;
}

# everything is logged, tokens as parameters
my $version = $stack->sql('SHOW server_version_num', $database);
$stack->sql("ALTER DATABASE $database SET $_", $database) for
  q{log_statement = 'all'}, 'log_duration = on', 'log_min_duration_statement = 0', 'log_error_verbosity = verbose', 'log_min_messages = debug5',
  'log_parameter_max_length = 0', 'log_parameter_max_length_on_error = 0', 'log_parser_stats = on',
  'supabase_fdw.trace = on', 'session_preload_libraries = auto_explain', 'auto_explain.log_min_duration = 0', 'auto_explain.log_analyze = on',
  'auto_explain.log_nested_statements = on', 'auto_explain.log_settings = on', ($version >= 160000 ? 'auto_explain.log_parameter_max_length = 0' : ());

my %variable = (alice => $alice, bob => $bob, expired => $expired, broken => $broken);
sub with_parameters {
  my ($mode, $script) = @_;
  my $file = File::Temp->new(SUFFIX => '.sql');
  print $file $script;
  $file->flush;
  IPC::Run::run([$stack->env('BIN') . '/pgbench', '-n', '-t', '1', '-M', $mode, '-f', "$file", map({ ('-D', "$_=$variable{$_}") } sort keys %variable),
    '-h', $stack->env('LOCAL_HOST'), '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', $database], '<', \undef, '>', \my $out, '2>', \my $err);
  return "$out$err";
}

for my $mode (qw(extended prepared)) {
  my $place = $stack->log_end;
  my $said = with_parameters($mode, <<'SQL');
SELECT supabase_set_auth(:alice);
SELECT * FROM supabase_auth();
SELECT count(*) FROM shop.orders;
SELECT email FROM supabase_set_auth(:bob, 'shop');
EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM shop.orders WHERE id > 3;
SELECT set_config('supabase_fdw.local_handle', '', true);
BEGIN;
SELECT supabase_set_auth(:alice, 'other', true);
SELECT count(*) FROM other.orders o JOIN shop.orders s ON s.id = o.id;
COMMIT;
SELECT supabase_clear_auth('shop');
BEGIN;
SELECT set_config('request.headers', json_build_object('x-supabase-auth', CAST(:bob AS text))::text, true) IS NOT NULL;
SELECT supabase_set_auth_from_request();
SELECT count(*) FROM shop.orders;
COMMIT;
SELECT supabase_clear_auth();
SQL
  unlike($said, qr/ERROR|aborted/, "$mode: no error") or diag join "\n", grep { /ERROR|aborted/ } split /\n/, $said =~ s/eyJ\S+/…/gr;
  my $log = nothing_logged($place, $mode);
  like($log, qr/supabase_set_auth\(\$1\)/, "$mode: the statements are in the log");
  like($log, qr{supabase_fdw: GET /rest/v1/orders\S*: status 200}, "$mode: so is the trace");
  like($log, qr/Foreign Scan on/, "$mode: so are the plans");
  like($log, qr/DEBUG:/, "$mode: so are debug messages");

  for my $failing ('SELECT supabase_set_auth(:broken)', 'SELECT supabase_set_auth(:expired)', "SELECT supabase_set_auth(:alice, 'nosuch')", 'SELECT supabase_set_auth(:broken, is_local => true)') {
    my $place = $stack->log_end;
    like(with_parameters($mode, "$failing;\n"), qr/ERROR/, "$mode: $failing");
    nothing_logged($place, "$mode: $failing");
  }
  # the remote refuses it: a token with another signature
  local $variable{alice} = $alice =~ s/\.[^.]*\z/.c2lnbmF0dXJl/r;
  $place = $stack->log_end;
  like(with_parameters($mode, "SELECT supabase_set_auth(:alice);\nSELECT count(*) FROM shop.orders;\n"), qr/ERROR.*JWS/, "$mode: refused by the remote");
  my $refused = $stack->log_since($place);
  is(scalar(() = $refused =~ /\Q@{[substr $alice, 10, 60]}/g), 0, "$mode: refused by the remote: no token in the log");
}

# the keys of the mapping: no request, plan or debug message has them
{
  my $place = $stack->log_end;
  my $session = $stack->session($database);
  $session->run("SET debug_print_plan = on; SET debug_print_parse = on; SET debug_print_rewritten = on; SET auto_explain.log_verbose = on");
  is($session->run('SELECT count(*) FROM shop.orders WHERE id > 3')->output, 68, 'with plan trees: rows');
  is($session->run('SELECT * FROM shop.nosuch')->state, '42P01', 'with plan trees: an error');
  $session->close;
  like(nothing_logged($place, 'with plan trees'), qr/FOREIGNSCAN/, 'the plan trees are in the log');
}

done_testing;

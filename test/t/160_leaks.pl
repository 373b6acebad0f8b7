# Secrets are nowhere they can be read: logs at their most talkative, catalogs as several roles, dumps, the data
# directory with its WAL, and the memory of a session after clearing. Marked secrets are used in every way there is, then
# all these places are searched for them; a planted one must be found.
#
# LEAK_TESTS: pg_regress scripts to run under these settings too ("all", or names; default: those about credentials).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use File::Find ();
use File::Temp ();
use IPC::Run ();
use MIME::Base64 qw(encode_base64url);
use Session;
use Stack;
use Test::More;

$SIG{PIPE} = 'IGNORE';
my $mark = 'LEAK' . 'MARK';  # of what must be nowhere
my $key_mark = 'KEY' . 'MARK';  # of what may be in user mappings: in no log, but on disk and in dumps

# --- a server whose tokens are marked, and that says in its errors all that it was told ------------------------------
my $n = 0;
# a signature has a multiple of four characters here, so that it is base64url whatever it says
sub jwt { my $sign = "$mark-$_[0]"; $sign .= 'x' while length($sign) % 4; return join '.', map({ encode_base64url($_) } '{"alg":"HS256"}', sprintf '{"sub":"u","role":"authenticated","exp":%d}', time + ($_[1] // 3600)), $sign }
my $door = Door->new(sub {
  my ($client, $request, undef, $mode) = @_;
  my $echo = sub { my ($status, @headers) = @_; my $all = "$request->{head} $request->{body}"; $all =~ s/[\\"\r\n\t]/ /g;
    return Door::answer(status => $status, headers => ['Content-Type: application/json', @headers], body => qq({"code":"XX001","message":"$all","details":"$all","hint":"$all"})) };
  my $answer;
  if ($mode =~ /redirect/) { $answer = $echo->(302, "Location: http://127.0.0.1:1/$mark") }
  elsif ($mode =~ /echo/) { $answer = $echo->($mode =~ /401/ ? 401 : 400) }
  elsif ($request->{target} =~ m{/token}) {
    $n++;
    $answer = Door::answer(status => 200, headers => ['Content-Type: application/json'],
      body => sprintf '{"access_token":"%s","token_type":"bearer","expires_in":3600,"refresh_token":"%s-refresh-%d"}', jwt("access-$n"), $mark, $n);
  }
  else { $answer = Door::answer(status => 200, headers => ['Content-Type: application/json', 'Content-Range: 0-0/1'], body => $request->{target} =~ /limit=0/ ? '[]' : $request->{target} =~ /c0:id/ ? '[{"c0":1}]' : '[{"id":1}]') }
  print $client $answer;
  return 1;
});

my $stack = Stack->start;
$stack->restart(<<'CONF');
shared_preload_libraries = 'supabase_fdw, auto_explain'
logging_collector = on
log_directory = 'log'
log_destination = 'stderr,csvlog,jsonlog'
log_min_messages = debug5
log_min_error_statement = debug5
log_statement = all
log_min_duration_statement = 0
log_error_verbosity = verbose
log_connections = on
log_lock_waits = on
track_activity_query_size = 65536
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
supabase_fdw.trace = on
wal_level = replica
max_wal_senders = 2
full_page_writes = on
CONF
my ($dir, $bin) = ($stack->env('DIR'), $stack->env('BIN'));
my @regress_secrets = $stack->secrets;

# --- the scripts of the suite ----------------------------------------------------------------------------------------
{
  my $names = $ENV{LEAK_TESTS} // 'auth auth_scope logins vault security errors options functions views';
  if ($names eq 'all') { $names = `make -s -C '$Stack::root' print-tests`; $names =~ s/\bsetup\b|\bextension\b//g }
  my $pgxs = `pg_config --pgxs`;
  my ($regress) = map { "$_/../test/regress/pg_regress" } $pgxs =~ m{^(.*)/};
  my $output = File::Temp->newdir;
  chmod 0777, "$output";
  local $ENV{PG_ABS_SRCDIR} = $Stack::root;
  local @ENV{keys %{$stack->{env}}} = values %{$stack->{env}};
  my ($out, $err) = ('', '');
  IPC::Run::run([$regress, "--inputdir=$Stack::root", "--outputdir=$output", "--bindir=$bin", '--host=' . $stack->env('LOCAL_HOST'),
    '--port=' . $stack->env('LOCAL_PORT'), '--user=postgres', '--dbname=contrib_regression', 'setup', split ' ', $names], '<', \undef, '>', \$out, '2>', \$err);
  my $run = () = $out =~ /^test .*\bms$/mg;
  cmp_ok($run, '>=', scalar(split ' ', $names), "$run scripts ran");
}

# --- every way to use a secret ---------------------------------------------------------------------------------------
my $database = $stack->database;
my $watch = $stack->session($database);
$watch->value(<<SQL);
CREATE SERVER api FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$door->url]}', max_retries '0');
CREATE USER MAPPING FOR postgres SERVER api OPTIONS (api_key 'sb_secret_$key_mark');
CREATE FOREIGN TABLE things (id int OPTIONS (key 'true')) SERVER api;
CREATE ROLE leak_nobody LOGIN;
CREATE ROLE leak_reader LOGIN;
GRANT pg_read_all_data, pg_monitor TO leak_reader;
CREATE FUNCTION act(token text) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM supabase_set_auth(token, ''api''); PERFORM 1 / 0; END';
SQL
my $session = $stack->session($database);
my $step = sub { my ($mode, @statements) = @_; $door->play($mode); $session->run($_) for @statements };
my $succeed = sub {
  $door->play('ok');
  for my $statement (@_) {
    $session->run($statement);
    my $name = substr($statement, 0, 40) =~ s/$mark.*//r;
    is($session->state, '00000', $name) or diag($session->message);
  }
};
my $sign_in = sub { "SELECT supabase_sign_in('api', 'a\@example.com', '$mark-password', save_as => '$_[0]')" };
$succeed->($sign_in->('x'), q{SELECT supabase_clear_auth()}, q{ALTER USER MAPPING FOR postgres SERVER api OPTIONS (ADD login 'x')},
  'SELECT * FROM things', q{SELECT supabase_refresh_login('x', true)}, 'EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM things', 'SELECT supabase_rotate_keys()');
$succeed->("SELECT supabase_sign_in('api', refresh_token => '$mark-refresh-given', save_as => 'y')", 'SELECT supabase_clear_auth()', q{SELECT supabase_sign_out('api', 'y')});
# bound parameters
{
  my $script = File::Temp->new;
  print $script "SELECT supabase_sign_in('api', 'a\@example.com', :password);\nSELECT supabase_set_auth(:token, 'api');\n";
  close $script;
  my ($out, $err) = ('', '');
  IPC::Run::run(["$bin/pgbench", '-n', '-t', 1, '-M', 'extended', '-f', "$script", '-D', "password=$mark-password-2", '-D', 'token=' . jwt('bound'),
    '-h', $stack->env('LOCAL_HOST'), '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', $database], '<', \undef, '>', \$out, '2>', \$err);
  like($out, qr{actually processed: 1/1}, 'bound parameters') or diag("$out$err");
}
$step->($_, $sign_in->('z'), 'SELECT * FROM things', q{SELECT supabase_refresh_login('x', true)}, q{UPDATE supabase_fdw.logins SET status = 'active', next_attempt_at = NULL},
  q{SELECT supabase_request('api', 'POST', '/things', body => '{"id":1}')}, q{INSERT INTO things VALUES (2)}) for 'echo', 'echo 401', 'redirect';
$step->('ok', map { s/%s/jwt('session')/er } "SELECT supabase_set_auth('%s', 'api')", 'SELECT * FROM things', "SELECT 1 / 0 FROM supabase_set_auth('%s', 'api')",
  "DO \$\$ BEGIN PERFORM act('%s'); END \$\$", "SELECT act('%s')", "PREPARE q (text) AS SELECT supabase_set_auth(\$1, 'api')", "EXECUTE q('%s')",
  "SELECT supabase_set_auth('%s', 'api') FROM no_such_table", "SELECT supabase_set_auth('%s' 'api')", "SET supabase_fdw.session_handle = '%s'",
  "SET client_min_messages = debug5; SELECT supabase_set_auth('%s', 'api'); SELECT * FROM things; RESET client_min_messages",
  "CREATE USER MAPPING FOR no_such_role SERVER api OPTIONS (jwt '%s')", "ALTER SERVER api OPTIONS (ADD api_key '%s')");
$step->('ok', sprintf q{SELECT supabase_set_auth('%s', 'api')}, jwt('expired', -3600));
$step->('ok', "SET request.headers = '{\"x-supabase-auth\":\"" . jwt('header') . "\"}'", q{SELECT supabase_set_auth_from_request(server => 'api')}, 'RESET request.headers');
$step->('echo', sprintf(q{SELECT supabase_set_auth('%s', 'api')}, jwt('session-2')), 'SELECT * FROM things');
# a backend that crashes is named with the statement that it ran
{
  my $victim = $stack->session($database);
  my $pid = $victim->value('SELECT pg_backend_pid()');
  $victim->begin("SELECT pg_sleep(60), supabase_sign_in('api', 'a\@example.com', '$mark-password-3')");
  Stack::wait_until(20, sub { $watch->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'") == 1 });
  kill 'KILL', $pid;
  $victim->{psql}->kill_kill;
  $_->{psql}->kill_kill for $watch, $session;
  Stack::wait_until(60, sub { ($watch = $stack->session($database))->run('SELECT 1'); $watch->state eq '00000' }) or die 'the server does not come back';
}

# A session that has it all, alive while the places are searched.
$session = $stack->session($database);
$succeed->('SELECT * FROM things', sprintf(q{SELECT supabase_set_auth('%s', 'api')}, jwt('alive')), 'SELECT * FROM things');

# --- searching -------------------------------------------------------------------------------------------------------
my %scanned;
sub files {
  my ($from) = @_;
  my @files;
  File::Find::find(sub { push @files, $File::Find::name if -f }, $from);
  return @files;
}
# How many of the words are in a file; those that were found go into the diagnostics, with what is around them.
sub hits_in_file {
  my ($file, @words) = @_;
  open my $in, '<:raw', $file or return 0;
  local $/;
  my $text = <$in> // '';
  my $hits = 0;
  for my $word (@words) {
    my $at = index $text, $word;
    next if $at < 0;
    $hits++;
    my $around = substr $text, $at < 120 ? 0 : $at - 120, 180;
    $around =~ s/[^ -~]/?/g;
    diag("$file: $around") if !$main::planting;
  }
  $scanned{bytes} += length $text;
  return $hits;
}
sub logs { return (files("$dir/local/log"), "$dir/log/local.log") }
sub search_logs { my $hits = 0; for my $file (logs()) { $hits += hits_in_file($file, @_); $scanned{'log files'}++ } return $hits }
sub search_disk { my $hits = 0; $watch->value('CHECKPOINT'); for my $file (files("$dir/local")) { $hits += hits_in_file($file, @_); $scanned{'data and WAL files'}++ } return $hits }
# Every relation that the role can read, as text. The word is put together there, so that the query does not hold it.
$watch->value(<<'SQL');
CREATE FUNCTION search(first text, second text) RETURNS TABLE (place text, hits bigint) LANGUAGE plpgsql AS $$
DECLARE relation record;
BEGIN
  FOR relation IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'v', 'm', 'p', 't') AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') ORDER BY c.oid LOOP
    BEGIN
      place := relation.name;
      EXECUTE format('SELECT count(*) FROM %s t WHERE t::text LIKE %L || %L || %L', relation.name, '%', first, second || '%') INTO hits;
      RETURN NEXT;
    EXCEPTION WHEN OTHERS THEN
    END;
  END LOOP;
  place := 'settings';
  SELECT count(*) INTO hits FROM unnest(array['supabase_fdw.session_handle', 'supabase_fdw.local_handle', 'supabase_fdw.key_file']) s
    WHERE has_parameter_privilege('supabase_fdw.trace', 'SET') IS NOT NULL AND s NOT IN ('supabase_fdw.key_file') AND current_setting(s) LIKE '%' || first || second || '%';
  RETURN NEXT;
END $$;
SQL
sub search_catalogs {
  my ($role, $word, @except) = @_;
  my $reader = $stack->session($database, $role);
  my @half = (substr($word, 0, 4), substr $word, 4);
  my @rows = split /\n/, $reader->value("SELECT place, hits FROM search('$half[0]', '$half[1]')");
  my $hits = 0;
  for (@rows) {
    my ($place, $count) = split /\|/;
    $scanned{'relations'}++;
    next if !$count || grep { $_ eq $place } @except;
    diag("$role: $place: $count") if !$main::planting;
    $hits += $count;
  }
  return $hits;
}
our $planting = 0;

is(search_logs($mark, $key_mark, @regress_secrets), 0, 'no secret in the logs');
for my $command (['pg_dump', '-d', $database], ['pg_dumpall']) {
  my ($program, @more) = @$command;
  my $file = File::Temp->new;
  my $err = "";
  IPC::Run::run(["$bin/$program", '-h', $stack->env('LOCAL_HOST'), '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', @more], '<', \undef, '>', "$file", '2>', \$err) or die "$program: $err";
  is(hits_in_file("$file", $mark), 0, "no secret in the output of $program");
  $scanned{dumps}++;
  open my $in, '<', "$file" or die $!;
  is(scalar(grep { /^COPY supabase_fdw\./ } <$in>), 0, "nor a row of the credential store");
}
is(search_disk($mark), 0, 'no secret in the data directory and the WAL');
# last, since their own queries speak of what they search for
my @mappings = qw(pg_user_mapping pg_user_mappings);
for my $role ('postgres', 'leak_reader', 'leak_nobody') {
  is(search_catalogs($role, $mark), 0, "no secret in the catalogs, as $role");
  is(search_catalogs($role, $key_mark, $role eq 'leak_nobody' ? () : (@mappings, 'information_schema._pg_user_mappings', 'information_schema.user_mapping_options')), 0, "no key outside user mappings, as $role");
}

# --- memory ----------------------------------------------------------------------------------------------------------
# What a core file would hold of a session, by way of /proc.
sub search_memory {
  my ($pid, @words) = @_;
  open my $maps, '<', "/proc/$pid/maps" or return;
  open my $memory, '<:raw', "/proc/$pid/mem" or return;
  my %hits;
  while (<$maps>) {
    my ($from, $to, $mode) = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/ or next;
    next if $mode !~ /^rw/;
    no warnings 'portable';
    my ($at, $size) = (hex $from, hex($to) - hex $from);
    sysseek $memory, $at, 0 or next;
    my $bytes = '';
    while (length $bytes < $size) { sysread $memory, $bytes, $size - length $bytes, length $bytes or last }
    $scanned{'memory ranges'}++;
    $scanned{bytes} += length $bytes;
    for my $word (@words) { $hits{$word} += () = $bytes =~ /\Q$word\E/g }
  }
  return \%hits;
}
{
  my $reader = $stack->session($database);
  my $pid = $reader->value('SELECT pg_backend_pid()');
  $door->play('ok');
  $reader->value('SELECT * FROM things');
  my $last = "$mark-access-";
  my $before = search_memory($pid, $last);
  SKIP: {
    skip 'the memory of a session cannot be read here', 2 unless $before;
    cmp_ok($before->{$last}, '>', 0, 'a session that uses a stored login has its access token');
    $reader->value($_) for 'SELECT supabase_clear_auth()', 'SELECT supabase_disconnect()', 'DISCARD ALL';
    my $after = search_memory($pid, $last, "$mark-refresh-");
    is($after->{$last}, 0, 'after clearing it has not');
    is($after->{"$mark-refresh-"}, 0, 'nor had it ever a refresh token');
  }
}

# --- the search finds what is there ----------------------------------------------------------------------------------
{
  local $planting = 1;
  my %before = %scanned;
  my ($a, $b) = (substr($mark, 0, 4), substr $mark, 4);
  $watch->value("DO \$\$ BEGIN RAISE LOG '%', '$a' || '$b'; END \$\$");
  $watch->value("CREATE TABLE planted AS SELECT '$a' || '$b' AS word; GRANT SELECT ON planted TO leak_nobody");
  cmp_ok(search_logs($mark), '>', 0, 'a planted secret is found in the log');
  cmp_ok(search_catalogs('leak_nobody', $mark), '>', 0, 'and in a table');
  cmp_ok(search_disk($mark), '>', 0, 'and in the data directory');
  %scanned = %before;
}
note("places searched: " . join ', ', map { "$scanned{$_} $_" } sort keys %scanned);
cmp_ok($scanned{relations}, '>', 300, 'places searched: ' . join ', ', map { "$scanned{$_} $_" } sort keys %scanned);

done_testing();

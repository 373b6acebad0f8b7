# Stored logins in jobs of pg_cron: a nightly copy that outlives its tokens, the refresh job, what a failing job says.
# pg_cron's shortest interval is a minute in the version Debian 12 has. So the jobs run by the clock once, and after that
# as '@reboot': every start of the server is a run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Session;
use Stack;
use Test::More;

chomp(my $libraries = qx{"@{[$ENV{PG_CONFIG} // 'pg_config']}" --pkglibdir});
plan skip_all => 'no pg_cron' unless -e "$libraries/pg_cron.so";

my $name = "tap_150_$$" . '_0';
# pg_cron refuses to be created in another database than the one it was told, and waits for that to appear
my $stack = Stack->start(conf => <<CONF);
shared_preload_libraries = 'pg_cron'
cron.database_name = '$name'
cron.use_background_workers = on
max_worker_processes = 24
CONF
my $database = $stack->database(shop => $stack->env('URL'));
is($database, $name, 'the database of the jobs');
my $key = $stack->env('PUBLISHABLE_KEY');
my $watch;

# ALTER SYSTEM for what only a start can change; the jobs '@reboot' run
sub restart {
  my (%setting) = @_;
  $stack->sql("ALTER SYSTEM SET $_ = '$setting{$_}'", 'postgres') for sort keys %setting;
  $watch->close if $watch;
  $stack->restart;
  $watch = $stack->session($database);
}

# --- roles, logins and jobs -----------------------------------------------------------------------------------------
# without background workers pg_cron connects as a client, here through the socket; a job keeps the host it was made with
restart('cron.host' => $stack->env('LOCAL_HOST'));
$watch->value(<<SQL);
CREATE EXTENSION pg_cron;
CREATE ROLE cron_alice LOGIN; CREATE ROLE cron_bob LOGIN; CREATE ROLE cron_dead LOGIN;
GRANT USAGE ON SCHEMA cron, shop TO cron_alice, cron_bob, cron_dead;
GRANT USAGE ON FOREIGN SERVER shop TO cron_alice, cron_bob, cron_dead;
GRANT SELECT ON shop.orders TO cron_alice, cron_bob, cron_dead;
GRANT EXECUTE ON FUNCTION supabase_sign_in TO cron_alice, cron_bob, cron_dead;
CREATE TABLE copied (job text, id bigint, as_role name DEFAULT current_user, run xid8 DEFAULT pg_current_xact_id());
CREATE TABLE bob_token (token text);
CREATE TABLE kept AS SELECT 0::bigint AS id;
GRANT SELECT, INSERT, DELETE ON kept TO cron_dead;
GRANT INSERT ON copied TO cron_alice, cron_bob;
GRANT SELECT ON bob_token TO cron_alice;
INSERT INTO bob_token VALUES ('@{[$stack->env('BOB_JWT')]}');
SQL

# Stores a login of the role's own.
sub sign_in {
  my ($role, $user, $login) = @_;
  my $session = $stack->session($database, $role);
  $session->value(sprintf q{SELECT FROM supabase_sign_in('shop', '%s', '%s', save_as => '%s')},
    $stack->env("${user}_EMAIL"), $stack->env("${user}_PASSWORD"), $login);
  $session->close;
}

for ([qw(cron_alice ALICE alice_nightly)], [qw(cron_bob BOB bob_nightly)], [qw(cron_dead ALICE dead)]) {
  my ($role, $user, $login) = @$_;
  $watch->value("CREATE USER MAPPING FOR $role SERVER shop OPTIONS (api_key '$key')");
  sign_in($role, $user, $login);
  $watch->value("ALTER USER MAPPING FOR $role SERVER shop OPTIONS (ADD login '$login')");
}
sign_in('postgres', 'BOB', 'spare');
my $revoke = q{UPDATE supabase_fdw.logins SET status = 'needs_reauthorization', last_error = 'It was revoked.' WHERE name = 'dead'};
$watch->value($revoke);

my $copy = sub { my ($job) = @_; return "INSERT INTO copied (job, id) SELECT '$job', id FROM shop.orders" };
my %jobs = (
  alice => [cron_alice => $copy->('alice')],
  bob => [cron_bob => $copy->('bob')],
  as_bob => [cron_alice => 'SELECT supabase_set_auth(token) FROM bob_token; ' . $copy->('as_bob')],
  dead => [cron_dead => 'DELETE FROM kept; INSERT INTO kept SELECT id FROM shop.orders'],
  refresh => [postgres => 'SELECT supabase_oauth_refresh_due()'],
);
sub schedule {
  my ($job, $schedule) = @_;
  my ($role, $command) = @{$jobs{$job}};
  my $session = $stack->session($database, $role);
  $session->value("SELECT cron.schedule('$job', '$schedule', \$\$$command\$\$)");
  $session->close;
}

# --- what the rounds look at ----------------------------------------------------------------------------------------
sub refreshes {
  open my $log, '<', $stack->env('GATEWAY_LOG') or die $!;
  return scalar grep { m{POST /auth/v1/token\?grant_type=refresh_token} } <$log>;
}
sub kept { return $watch->value('SELECT string_agg(id::text, \',\' ORDER BY id) FROM kept') }
sub expire { $watch->value(q{UPDATE supabase_fdw.logins SET expires_at = now() - interval '1 hour'}) }
sub runs { my ($job, $and) = @_; return $watch->value("SELECT count(*) FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = '$job' AND " . ($and // 'true')) }
sub message { my ($job) = @_; return $watch->value("SELECT return_message FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = '$job' ORDER BY runid DESC LIMIT 1") }
my $at_work = q{SELECT count(*) FROM pg_stat_activity WHERE 'pg_cron' IN (backend_type, application_name) OR backend_type LIKE 'supabase_fdw%'};

# No run is under way: it has a status already when the first of its statements is done, hence the look at the processes.
sub quiet { return $watch->value("SELECT (SELECT count(*) FROM cron.job_run_details WHERE end_time IS NULL) + ($at_work)") == 0 }

# Does what starts these jobs and waits until each has run once more.
sub run {
  my ($start, @names) = @_;
  my %had = map { $_ => runs($_) } @names;
  $start->();
  my $all = Stack::wait_until(180, sub { !grep { runs($_, 'end_time IS NOT NULL') <= $had{$_} } @names });
  ok($all && Stack::wait_until(60, \&quiet), "run: @names") or diag($watch->value('SELECT * FROM cron.job_run_details'));
}

# The rows of each run of a job, as `role ids`, one line for each kind of run with how many there were.
sub copies {
  my ($job) = @_;
  return $watch->value("SELECT as_role, ids, count(*) FROM (SELECT as_role, string_agg(id::text, ',' ORDER BY id) AS ids FROM copied WHERE job = '$job' GROUP BY run, as_role) r GROUP BY 1, 2");
}
my %rows = (alice => 'cron_alice|1,2,3,4,5,6', bob => 'cron_bob|7,8,9,10,11', as_bob => 'cron_alice|7,8,9,10,11');

sub check_copies {
  my ($what) = @_;
  for my $job (sort keys %rows) {
    my $runs = runs($job);
    is(runs($job, "status = 'succeeded'"), $runs, "$what: $job: no run is lost");
    is(copies($job), "$rows{$job}|$runs", "$what: $job: each run has that user's rows and no others");
  }
  is(runs('refresh', "status = 'succeeded'"), runs('refresh'), "$what: one dead login does not make the refresh job fail");
  is(runs('dead', "status = 'failed'"), runs('dead'), "$what: the job of the dead login fails");
  is(kept(), '0', "$what: and leaves the copy of before: its statements are one transaction");
  like(message('dead'), qr/ERROR: +stored login "dead" needs to be signed in again\nDETAIL: +It was revoked\.\nHINT: +Use SELECT supabase_sign_in\('shop', email, password, save_as => 'dead'\)/,
    "$what: its message says what to do");
}

sub check_logins {
  my ($what) = @_;
  is($watch->value(q{SELECT string_agg(name, ' ' ORDER BY name) FROM supabase_fdw.logins WHERE expires_at > now() AND status = 'active'}),
    'alice_nightly bob_nightly spare', "$what: all that was due is refreshed, also what no job uses");
}

# --- by the clock ---------------------------------------------------------------------------------------------------
{
  expire();
  my $before = refreshes();
  # a session of the same role that acts as somebody else all the while
  my $other = $stack->session($database, 'cron_alice');
  $other->value(q{SELECT FROM supabase_set_auth((SELECT token FROM bob_token))});
  is($other->value('SELECT count(*) FROM shop.orders'), 5, 'a session acts as Bob');
  run(sub { schedule($_, '* * * * *') for sort keys %jobs }, sort keys %jobs);
  # away from the full minute: the scheduler sees within a second what has changed
  Stack::wait_until(60, sub { my $second = time % 60; return $second >= 5 && $second < 45 && quiet() });
  schedule($_, '@reboot') for sort keys %jobs;
  check_copies('every minute');
  check_logins('every minute');
  is(refreshes() - $before, 3, 'every minute: one refresh of each login');
  is($other->value('SELECT count(*) FROM shop.orders'), 5, 'the session acts as Bob still');
  $other->close;
}

# --- expired before every run, with background workers and without -------------------------------------------------
for my $workers ('on', 'on', 'off', 'off') {
  my $what = "background workers $workers";
  expire();
  my $before = refreshes();
  run(sub { restart('cron.use_background_workers' => $workers) }, sort keys %jobs);
  is(message('refresh'), $workers eq 'on' ? 'SELECT 1' : '1 row', "$what: that is how they ran");
  check_copies($what);
  check_logins($what);
  is(refreshes() - $before, 3, "$what: one refresh of each login");
}

# --- signed in again -------------------------------------------------------------------------------------------------
{
  sign_in('cron_dead', 'ALICE', 'dead');
  run(sub { restart('cron.use_background_workers' => 'on') }, sort keys %jobs);
  like(message('dead'), qr/^INSERT 0 6$/, 'signed in again, the job goes on');
  is(kept(), '1,2,3,4,5,6', 'as that user');
}

# --- no worker slot for the refresh ---------------------------------------------------------------------------------
# of three slots one is the server's own, one the scheduler's; the job in a background worker has the last
{
  $watch->value("SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname <> 'alice'");
  run(sub { restart('max_worker_processes' => 3) }, 'alice');
  is(message('alice'), 'INSERT 0 6', 'without a slot for a refresh a token that is alive is used');
  expire();
  run(\&restart, 'alice');
  like(message('alice'), qr/^ERROR: +no free background worker slot\nDETAIL: .*\nHINT: +Increase the configuration parameter "max_worker_processes"/, 'one that has expired is an error that says what to do');
  run(sub { restart('cron.use_background_workers' => 'off') }, 'alice');
  is(message('alice'), 'INSERT 0 6', 'jobs that are clients leave the slot to it');
}

# --- nothing to hide ------------------------------------------------------------------------------------------------
{
  my $text = $watch->value('SELECT d FROM cron.job_run_details d') . $watch->value('SELECT j FROM cron.job j');
  is($stack->count_secrets($text), 0, 'no known token or key in the tables of pg_cron');
  unlike($text, qr/eyJ|sb_publishable|-password-/, 'nor any other');
  is($watch->value(<<'SQL'), '', 'messages are tags and the two errors, so no refresh token either');
SELECT DISTINCT return_message FROM cron.job_run_details
WHERE return_message !~ '^(INSERT 0 [56]|SELECT 1|1 row)$' AND return_message !~ '^ERROR: +(stored login "dead" needs|no free background worker slot)'
SQL
  my $log = $stack->log_since(0);
  unlike($log, qr/eyJ|-password-/, 'nor in the server log');
}

done_testing();

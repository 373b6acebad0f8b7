# OAuth grants for days: pg_cron refreshes them every hour of a virtual clock, with access tokens that are long over by
# the next hour and refresh tokens that end the grant when they are sent twice. Other jobs use the grants at the same
# moment. CRON_DAYS: so many days; else 40 hours.
#
# A firing is a start of the server, for which '@reboot' stands in pg_cron: its shortest interval is a minute (see
# 150_cron), and its scheduler alone is not started again when it is terminated. Before each an hour passes: the
# simulator's clock is put forward, and the times in the grants' rows are put back.
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
use Time::HiRes ();

chomp(my $libraries = qx{"@{[$ENV{PG_CONFIG} // 'pg_config']}" --pkglibdir});
plan skip_all => 'no pg_cron' unless -e "$libraries/pg_cron.so";
my $hours = $ENV{CRON_DAYS} ? 24 * $ENV{CRON_DAYS} : 40;

my $name = "tap_240_$$" . '_0';
my $stack = Stack->start(conf => <<CONF);
shared_preload_libraries = 'pg_cron'
cron.database_name = '$name'
cron.use_background_workers = on
max_worker_processes = 32
CONF
my $database = $stack->database;
is($database, $name, 'the database of the jobs');
my $api = simulator($stack);
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 20);

control('oauth', {rotation => 'family', expires_in => 2});

# --- an app, and the grants of several users ------------------------------------------------------------------------
# grant => whose it is here, whose there, of which organization
my %grants = (
  ann => ['cron_ann', 'ada', 'acme'],
  ann_hobby => ['cron_ann2', 'ada', 'hobby'],
  ben => ['cron_ben', 'bob', 'acme'],
  cleo => ['cron_cleo', 'bob', 'elsewhere'],
);
my @names = sort keys %grants;
my $watch = $stack->session($database);
my ($client_id, $client_secret, $redirect_uri) = map { $stack->env("MANAGEMENT_OAUTH_$_") } qw(CLIENT_ID CLIENT_SECRET REDIRECT_URI);
$watch->value(<<SQL);
CREATE EXTENSION pg_cron;
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$api', max_retries '0');
SELECT supabase_oauth_create_app('app', '$client_id', '$client_secret', '$redirect_uri');
CREATE TABLE fired (refreshed int);
CREATE TABLE used (grant_name text, organizations int);
SQL

my %remote;    # the simulator's number of the grant
sub authorize {
  my ($grant) = @_;
  my ($role, $user, $organization) = @{$grants{$grant}};
  my $session = $stack->session($database, $role);
  my $url = $session->value("SELECT supabase_oauth_authorize_url('app', organization_slug => '$organization')");
  control('browser', {user => $user});
  my %form = $http->get($url)->{content} =~ /<input type="hidden" name="(\w+)" value="([^"]*)">/g;
  my $answer = $http->post_form("$api/oauth/consent", {%form, organization_slug => $organization, decision => 'authorize'});
  my ($code, $state) = map { $answer->{headers}{location} =~ /[?&]$_=([^&]*)/ } qw(code state);
  is($session->value("SELECT grant_name FROM supabase_oauth_exchange('$code', '$state', '$grant')"), $grant, "$grant: authorized");
  $remote{$grant} = control('grants')->{grants}[-1]{id};
  $session->close;
}

for my $grant (@names) {
  my $role = $grants{$grant}[0];
  $watch->value(<<SQL);
CREATE ROLE $role LOGIN;
GRANT USAGE ON SCHEMA cron TO $role;
GRANT USAGE ON FOREIGN SERVER mgmt TO $role;
GRANT INSERT ON used TO $role;
GRANT EXECUTE ON FUNCTION supabase_oauth_authorize_url, supabase_oauth_exchange, supabase_request TO $role;
SELECT supabase_grant_oauth_app('app', '$role');
SQL
  authorize($grant);
  $watch->value("CREATE USER MAPPING FOR $role SERVER mgmt OPTIONS (oauth_grant '$grant')");
}

# --- the jobs ---------------------------------------------------------------------------------------------------------
sub schedule {
  my ($job, $role, $command) = @_;
  my $session = $stack->session($database, $role);
  $session->value("SELECT cron.schedule('$job', '\@reboot', \$\$$command\$\$)");
  $session->close;
}
schedule('refresh', 'postgres', 'INSERT INTO fired SELECT supabase_oauth_refresh_due()');
schedule($_, $grants{$_}[0], "INSERT INTO used SELECT '$_', jsonb_array_length(supabase_request('mgmt', 'GET', '/v1/organizations'))") for @names;

my $job = 'FROM cron.job_run_details JOIN cron.job USING (jobid)';
sub jobs { my ($condition) = @_; return $watch->value("SELECT coalesce(string_agg(jobname, ' ' ORDER BY jobname), '') FROM (SELECT DISTINCT ON (jobid) * $job ORDER BY jobid, runid DESC) last WHERE $condition") }
sub message { my ($name) = @_; return $watch->value("SELECT return_message $job WHERE jobname = '$name' ORDER BY runid DESC LIMIT 1") }
sub row { my ($what, $grant) = @_; return $watch->value("SELECT $what FROM supabase_fdw.oauth_grants WHERE name = '$grant'") }
sub statuses { return $watch->value(q{SELECT string_agg(DISTINCT status, ' ') FROM supabase_fdw.oauth_grants}) }
# a job's run ends before its process, which may have left a refresh under way
my $at_work = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron' OR backend_type LIKE 'supabase_fdw%'};

# An hour later all jobs run once, the n-th time.
sub fire {
  my ($n) = @_;
  control('clock', {advance => 3600});
  $watch->value(q{UPDATE supabase_fdw.oauth_grants SET expires_at = expires_at - interval '1 hour', refreshed_at = refreshed_at - interval '1 hour', next_attempt_at = next_attempt_at - interval '1 hour'});
  $watch->close;
  $stack->restart;
  $watch = $stack->session($database);
  my $runs = $n * (1 + @names);
  Stack::wait_until(120, sub { $watch->value("SELECT (SELECT count(*) FROM cron.job_run_details WHERE end_time IS NOT NULL) >= $runs AND ($at_work) = 0") eq 't' })
    or BAIL_OUT("hour $n: " . $watch->value('SELECT * FROM cron.job_run_details ORDER BY runid DESC LIMIT 10'));
}

my @wrong;
my ($failed, $again) = (0, 0);
my $token = '/v1/oauth/token';
my %special = (
  # the API is down
  5 => sub {
    my ($n) = @_;
    control('fault', {route => $token, status => 503, times => 0});
    fire($n);
    control('fault', undef, 'DELETE');
    is(jobs("status = 'failed'"), "@names", "hour $n: while the API answers 503, jobs that need a token fail");
    like(message('ann'), qr/^ERROR: +OAuth grant "ann" could not be refreshed/, '... by an error that says so');
    is(jobs("status = 'succeeded'"), 'refresh', '... and the refresh does not');
    $failed += @names;
  },
  # an answer is lost before anything was done
  11 => sub {
    my ($n) = @_;
    control('fault', {route => $token, reset => 'before', times => 0});
    fire($n);
    control('fault', undef, 'DELETE');
    is(jobs("status = 'failed'"), "@names", "hour $n: nor do they get one when connections break");
    unlike(statuses(), qr/reauthorization/, '... but no grant is given up');
    $failed += @names;
  },
  # a user takes his grant back
  17 => sub {
    my ($n) = @_;
    control("grants/$remote{cleo}/revoke", {});
    fire($n);
    is(row('status', 'cleo'), 'needs_reauthorization', "hour $n: a grant that its user revoked needs a new authorization");
    is(jobs("status = 'failed'"), 'cleo', '... its job fails, and no other');
    like(message('cleo'), qr/^ERROR: +OAuth grant "cleo" needs to be authorized again\nDETAIL: .*\nHINT: +Use SELECT supabase_oauth_authorize_url\('app'\)/, '... by an error that names what to do');
    $failed++;
    $again += row('refresh_count', 'cleo');
    authorize('cleo');
  },
);

# --- hour after hour ----------------------------------------------------------------------------------------------------
my ($start, %before) = (Time::HiRes::time(), map { $_ => 0 } @names);
for my $n (1 .. $hours) {
  my $hour = $n % 24;
  # the revocation once: whoever authorizes again has a new grant
  if ($special{$hour} && !($hour == 17 && $n > 24)) { $special{$hour}->($n); next }
  fire($n);
  push @wrong, "hour $n: failed: " . jobs("status = 'failed'") if jobs("status <> 'succeeded'") ne '';
  push @wrong, "hour $n: " . statuses() if statuses() ne 'active';
}
my $seconds = Time::HiRes::time() - $start;

# --- what came of it ------------------------------------------------------------------------------------------------
is("@wrong", '', "$hours hours: every other job succeeds, every grant stays active");
is(statuses(), 'active', 'at the end all are active');
my %there = map { $_->{id} => $_ } @{control('grants')->{grants}};
my $refreshes = 0;
for my $grant (@names) {
  my $remote = $there{$remote{$grant}};
  is(join(' ', @{$remote}{qw(reused max_in_flight)}), '0 1', "$grant: no refresh token was sent twice, no two refreshes were under way at once");
  is($remote->{refreshes}, row('refresh_count', $grant), "$grant: every pair of tokens that was given is one that was stored");
  is(row('refresh_count', $grant), row('generation - 1', $grant), "$grant: ... in the order in which they came");
  is($remote->{revoked}, JSON::PP::false, "$grant: the server has not ended it");
  $refreshes += $remote->{refreshes};
}
is(scalar(grep { $_->{reused} || $_->{max_in_flight} > 1 } values %there), 0, 'neither with the one that was revoked');
is($watch->value("SELECT count(*) $job WHERE jobname = 'refresh' AND status = 'succeeded'"), $hours, 'each hour was a run of the refresh job');
is($watch->value('SELECT count(*) FROM fired'), $hours, '... that did its work');
my $faults = grep { my $h = $_ % 24; $h == 5 || $h == 11 } 1 .. $hours;
is($watch->value('SELECT sum(refreshed) FROM fired'), ($hours - $faults) * @names - 1, '... and had every grant refreshed, but in the hours when nobody could and the revoked one');
is($watch->value('SELECT count(*) FROM used'), $hours * @names - $failed, 'each hour each grant was used');
is($watch->value('SELECT count(*) FROM used WHERE organizations < 1'), 0, '... and got its answer');
note(sprintf '%d hours: %d refreshes of %d grants, %.1f s, %.2f s for a firing', $hours, $refreshes + $again, scalar @names, $seconds, $seconds / $hours);

# --- nothing to hide ------------------------------------------------------------------------------------------------
{
  my $text = $watch->value('SELECT d FROM cron.job_run_details d') . $stack->log_since(0);
  unlike($text, qr/sbp_oauth_|\Q$client_secret\E/, 'no token and no secret in the tables of pg_cron or the log');
}

$watch->close;
done_testing();

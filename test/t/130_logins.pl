# Stored logins against the real Auth server: one refresh however many sessions need it, copies and standbys that keep
# off, what happens without a free worker, and long-lived scans.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IPC::Run ();
use Session;
use Stack;
use Test::More;

my $rounds = $ENV{LOGIN_ROUNDS} // 20;
my $clients = $ENV{LOGIN_CLIENTS} // 100;

my $stack = Stack->start(conf => "max_connections = 150\nwal_level = replica\nmax_wal_senders = 4\nmax_worker_processes = 8\nautovacuum = off");
my $database = $stack->database(shop => $stack->env('URL'));
my $login = $stack->session($database);
$login->value("ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key '" . $stack->env('PUBLISHABLE_KEY') . "')");
my $sign_in = sub { my ($name) = @_; return sprintf q{SELECT email FROM supabase_sign_in('shop', 'alice@example.com', '%s', save_as => '%s')}, $stack->env('ALICE_PASSWORD'), $name };
is($login->value($sign_in->('nightly')), 'alice@example.com', 'signed in and stored');
$login->value(q{SELECT supabase_clear_auth(); ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD login 'nightly')});

sub refreshes {
  open my $log, '<', $stack->env('GATEWAY_LOG') or die $!;
  return scalar grep { m{POST /auth/v1/token\?grant_type=refresh_token} } <$log>;
}
sub expire { $login->value(q{UPDATE supabase_fdw.logins SET expires_at = now() - interval '1 hour'}) }
sub row { return $login->value('SELECT ' . $_[0] . q{ FROM supabase_fdw.logins WHERE name = 'nightly'}) }

# --- a hundred sessions at once -------------------------------------------------------------------------------------
{
  my $script = File::Temp->new;
  print $script "SELECT count(*) FROM shop.orders;\n";
  close $script;
  chmod 0644, "$script";
  my ($before, $failed) = (refreshes(), 0);
  for my $round (1 .. $rounds) {
    expire();
    my ($out, $err) = ('', '');
    IPC::Run::run([$stack->env('BIN') . '/pgbench', '-n', '-c', $clients, '-j', 2, '-t', 1, '-f', "$script", '-h', $stack->env('LOCAL_HOST'),
      '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', $database], '<', \undef, '>', \$out, '2>', \$err);
    $failed++ if $out !~ m{actually processed: $clients/$clients};
    diag("round $round: $out$err") if $out !~ m{actually processed: $clients/$clients};
  }
  is($failed, 0, "$rounds times $clients sessions find the login expired, and every statement succeeds");
  is(refreshes() - $before, $rounds, "one refresh each time");
  is(row('generation'), $rounds + 1, 'and one new generation');
}

# --- a statement that is cancelled while the worker is at work ------------------------------------------------------
{
  expire();
  my $blocker = $stack->session($database);
  $blocker->value('BEGIN; LOCK TABLE supabase_fdw.logins IN SHARE MODE');
  my $waiting = $stack->session($database);
  my $pid = $waiting->value('SELECT pg_backend_pid()');
  my $generation = row('generation');
  $waiting->begin('SELECT count(*) FROM shop.orders');
  ok(Stack::wait_until(20, sub { $login->value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'supabase_fdw credential' AND wait_event_type = 'Lock'}) == 1 }),
    'the worker waits for a lock');
  $login->value("SELECT pg_cancel_backend($pid)");
  is($waiting->end->state, '57014', 'the statement is cancelled');
  $blocker->value('COMMIT');
  ok(Stack::wait_until(20, sub { row('generation') == $generation + 1 }), 'the worker goes on and stores what it got');
  is($waiting->value('SELECT count(*) FROM shop.orders'), 6, 'the next statement uses it');
}

# --- dead: no request any more ---------------------------------------------------------------------------------------
{
  $login->value(q{UPDATE supabase_fdw.logins SET status = 'needs_reauthorization', last_error = 'It was revoked.'});
  my $before = refreshes();
  my $session = $stack->session($database);
  $session->run('SELECT count(*) FROM shop.orders');
  is($session->state, '28000', 'a dead login is an error');
  like($session->message, qr/needs to be signed in again.*It was revoked.*supabase_sign_in\('shop'/s, 'which says what to do');
  is(refreshes(), $before, 'and asks nobody');
  $login->value(q{UPDATE supabase_fdw.logins SET status = 'active'});
}

# --- no free worker -------------------------------------------------------------------------------------------------
{
  for my $i (1 .. 8) { $login->value($sign_in->("busy_$i")) }
  $login->value('SELECT supabase_clear_auth()');
  my ($hold, $session, @busy) = map { my $s = $stack->session($database); $s->value('SELECT 1'); $s } 1 .. 10;
  # each worker waits as it starts; one slot is the server's own
  $hold->value('BEGIN; LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
  $busy[$_ - 1]->begin("SELECT supabase_refresh_login('busy_$_', true)") for 1 .. 8;
  my $workers = q{SELECT count(*) FROM pg_locks WHERE relation = 'pg_db_role_setting'::regclass AND NOT granted};
  my $most = 0;
  Stack::wait_until(20, sub { $most = $login->value($workers); return $most >= 7 });
  cmp_ok($most, '>=', 7, 'all workers are taken');
  $login->value(q{UPDATE supabase_fdw.logins SET expires_at = now() + interval '1 minute', refreshed_at = now() - interval '1 day' WHERE name = 'nightly'});
  is($session->value('SELECT count(*) FROM shop.orders'), 6, 'a token that is due but alive is used');
  expire();
  $session->run('SELECT count(*) FROM shop.orders');
  is($session->state, '53400', 'an expired one is an error');
  like($session->message, qr/no free background worker slot.*max_worker_processes/s, 'which says what to do');
  $hold->value('ROLLBACK');
  $_->end for @busy;
  # one of the eight may have found no worker either
  cmp_ok((grep { $_->state eq '00000' } @busy), '>=', 7, 'the others go on');
  is($session->value('SELECT count(*) FROM shop.orders'), 6, 'and so does this one');
}

# --- a copy of the database -----------------------------------------------------------------------------------------
{
  my $copy = "${database}_copy";
  $login->run('\\c postgres');
  $login->value("CREATE DATABASE $copy TEMPLATE $database");
  my $session = $stack->session($copy);
  $session->value(q{UPDATE supabase_fdw.logins SET expires_at = now() - interval '1 hour'});
  my $before = refreshes();
  $session->run('SELECT count(*) FROM shop.orders');
  is($session->state, '55000', 'a copy of the database does not refresh');
  like($session->message, qr/belongs to another database.*This database is a copy/s, 'and says why');
  is(refreshes(), $before, 'nothing was sent');
  $session->run('\\c postgres');
  $login->value("DROP DATABASE $copy WITH (FORCE)");
  $login->run("\\c $database");
}

# --- a standby ------------------------------------------------------------------------------------------------------
SKIP: {
  my $dir = File::Temp->newdir;
  chmod 0755, "$dir";
  my @as = ();
  if ($> == 0) {
    my $user = $ENV{STACK_USER} // 'postgres';
    chown scalar(getpwnam $user), -1, "$dir";
    @as = ('setpriv', "--reuid=$user", '--regid=' . (getpwnam $user)[3], '--init-groups', '--');
  }
  my ($bin, $host, $err) = ($stack->env('BIN'), $stack->env('LOCAL_HOST'), '');
  my $port = Stack::free_port();
  IPC::Run::run([@as, "$bin/pg_basebackup", '-D', "$dir/standby", '-h', $host, '-p', $stack->env('LOCAL_PORT'), '-U', 'postgres', '-R', '-c', 'fast'],
    '<', \undef, '>', '/dev/null', '2>', \$err) or die "no base backup: $err";
  my $server = IPC::Run::start([@as, "$bin/postgres", '-D', "$dir/standby", '-p', $port], '<', \undef, '>', "$dir/log", '2>&1');
  my @psql = $stack->psql($database);
  for my $i (0 .. $#psql) { $psql[$i + 1] = $port if $psql[$i] eq '-p' }
  my $up = Stack::wait_until(30, sub { IPC::Run::run([@psql, '-c', 'SELECT 1'], '<', \undef, '>', '/dev/null', '2>', '/dev/null') });
  ok($up, 'a standby is up');
  my $standby = Session->new(@psql);
  my $fresh = q{SELECT expires_at > now() FROM supabase_fdw.logins WHERE name = 'nightly'};
  Stack::wait_until(20, sub { $standby->value($fresh) eq 't' });
  is($standby->value('SELECT count(*) FROM shop.orders'), 6, 'it uses the access token');
  expire();
  Stack::wait_until(20, sub { $standby->value($fresh) eq 'f' });
  my $before = refreshes();
  $standby->run('SELECT count(*) FROM shop.orders');
  is($standby->state, '25006', 'when that has expired it is an error there');
  like($standby->message, qr/standby server cannot refresh.*on the primary/s, 'which says where it can be refreshed');
  $standby->run($sign_in->('there'));
  is($standby->state, '25006', 'nor does a standby store a login');
  is(refreshes(), $before, 'nothing was sent');
  is($login->value('SELECT supabase_oauth_refresh_due() > 0'), 't', 'the primary refreshes it');
  ok(Stack::wait_until(20, sub { $standby->value($fresh) eq 't' }), 'the standby receives it');
  is($standby->value('SELECT count(*) FROM shop.orders'), 6, 'and uses it');
  $standby->{psql}->kill_kill;
  $server->signal('INT');
  $server->finish;
}

# --- switched off, and without the key file -------------------------------------------------------------------------
{
  my $session = $stack->session($database);
  expire();
  my $set = sub { $login->value($_) for @_, 'SELECT pg_reload_conf()' };
  $set->('ALTER SYSTEM SET supabase_fdw.oauth_refresh = off');
  ok(Stack::wait_until(10, sub { $session->run('SELECT count(*) FROM shop.orders'); $session->state eq '55000' }), 'with oauth_refresh off nothing is refreshed');
  $set->('ALTER SYSTEM RESET supabase_fdw.oauth_refresh', q{ALTER SYSTEM SET supabase_fdw.key_file = '/no/such/file'});
  ok(Stack::wait_until(10, sub { $session->run('SELECT count(*) FROM shop.orders'); $session->message =~ m{key file "/no/such/file" cannot be used} }), 'without the key file neither');
  is($session->state, '55000', 'that is a state of the server');
  like($session->message, qr/supabase_fdw.key_file says where/, 'with a hint');
  $set->('ALTER SYSTEM RESET supabase_fdw.key_file');
  ok(Stack::wait_until(10, sub { $session->run('SELECT count(*) FROM shop.orders'); $session->state eq '00000' }), 'with it everything works again');
}

# --- rotating the key -----------------------------------------------------------------------------------------------
{
  my $file = $stack->env('DIR') . '/home/key';
  is((stat $file)[2] & 07777, 0600, 'the key file is for its owner only');
  open my $in, '<', $file or die $!;
  my @lines = <$in>;
  close $in;
  my ($key) = map { /^1 (\S+)/ ? $1 : () } @lines;
  open my $random, '<', '/dev/urandom' or die $!;
  read $random, my $bytes, 32;
  require MIME::Base64;
  my $new = MIME::Base64::encode_base64($bytes, '');
  my $write = sub { open my $out, '>', $file or die $!; print $out @_; close $out };
  my @instance = grep { /^instance/ } @lines;
  $write->(@instance, "2 $new\n", "1 $key\n");
  my $session = $stack->session($database);
  $session->value(sprintf q{CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '%s')}, $stack->env('MANAGEMENT_URL'));
  $write->(@instance, "1 $key\n");
  $session->value(sprintf q{SELECT supabase_oauth_create_app('app', '%s', '%s', '%s')}, map { $stack->env("MANAGEMENT_OAUTH_$_") } qw(CLIENT_ID CLIENT_SECRET REDIRECT_URI));
  my ($state) = $session->value(q{SELECT supabase_oauth_authorize_url('app')}) =~ /state=([\w-]+)/;
  my ($later) = $session->value(q{SELECT supabase_oauth_authorize_url('app')}) =~ /state=([\w-]+)/;
  $write->(@instance, "2 $new\n", "1 $key\n");
  $session->run("SELECT supabase_oauth_exchange('no-code', '$state')");
  like($session->message, qr/Invalid authorization code/, 'a state of the old key is good, too');
  is($session->value('SELECT count(*) FROM shop.orders'), 6, 'what the old key encrypted can be read');
  is($session->value('SELECT supabase_rotate_keys() = (SELECT count(*) FROM supabase_fdw.logins) + 3'), 't', 'all logins, the app and what is pending are encrypted again');
  is($session->value('SELECT supabase_rotate_keys()'), 0, 'once');
  $write->(@instance, "2 $new\n");
  $session = $stack->session($database);
  is($session->value('SELECT count(*) FROM shop.orders'), 6, 'the old key is not needed any more');
  $session->run("SELECT supabase_oauth_exchange('no-code', '$later')");
  like($session->message, qr/state is not valid/, 'except for states, which are signed with it');
  ($state) = $session->value(q{SELECT supabase_oauth_authorize_url('app')}) =~ /state=([\w-]+)/;
  $session->run("SELECT supabase_oauth_exchange('no-code', '$state')");
  like($session->message, qr/Invalid authorization code/, 'the app can be used with the new one');
  expire();
  is($session->value('SELECT count(*) FROM shop.orders'), 6, 'nor for a refresh');
  chmod 0644, $file;
  $session = $stack->session($database);
  $session->run('SELECT count(*) FROM shop.orders');
  like($session->message, qr/cannot be used.*group or world access/s, 'a key file that others can read is refused');
  chmod 0600, $file;
}

done_testing();

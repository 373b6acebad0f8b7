# Behind a pooler one connection serves many clients: no user of one of them is ever seen by the next.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IPC::Run ();
use Session;
use Stack;
use Test::More;

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'no pgbouncer' unless $pgbouncer;

my $stack = Stack->running;
my $database = $stack->database(shop => $stack->env('URL'));
my %token = (alice => $stack->env('ALICE_JWT'), bob => $stack->env('BOB_JWT'));

# The role that an application's pool connects as; what it must not do is said by the superuser. And one that nobody has
# told anything.
my $key = $stack->env('SECRET_KEY');
$stack->sql(<<SQL, $database);
DO \$\$ BEGIN CREATE ROLE tap_pool_app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
DO \$\$ BEGIN CREATE ROLE tap_pool_careless LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_key '$key');
GRANT USAGE ON SCHEMA shop TO PUBLIC;
GRANT USAGE ON FOREIGN SERVER shop TO PUBLIC;
GRANT SELECT ON shop.orders TO PUBLIC;
SQL

# pgbouncer refuses to be root, as PostgreSQL does
my $dir = File::Temp->newdir;
my $port = 6432;  # part of a socket's name in a directory of its own
my $server = sprintf 'host=%s port=%s dbname=%s', $stack->env('LOCAL_HOST'), $stack->env('LOCAL_PORT'), $database;
open my $config, '>', "$dir/pgbouncer.ini" or die $!;
print $config <<INI;
[databases]
by_transaction = $server user=postgres pool_mode=transaction pool_size=1
by_session = $server user=postgres pool_mode=session pool_size=1
many_transactions = $server user=tap_pool_app pool_mode=transaction pool_size=2
many_sessions = $server user=tap_pool_app pool_mode=session pool_size=2
careless = $server user=tap_pool_careless pool_mode=transaction pool_size=1
[pgbouncer]
listen_port = $port
unix_socket_dir = $dir
auth_type = any
server_reset_query = DISCARD ALL
ignore_startup_parameters = options, extra_float_digits
INI
close $config;
chmod 0755, "$dir";
my @as_server;
if ($> == 0) {
  my $user = $ENV{STACK_USER} // 'postgres';
  chown scalar(getpwnam $user), -1, "$dir", "$dir/pgbouncer.ini";
  @as_server = ('setpriv', "--reuid=$user", '--regid=' . (getpwnam $user)[3], '--init-groups', '--');
}
my $pooler = IPC::Run::start([@as_server, $pgbouncer, "$dir/pgbouncer.ini"], '<', \undef, '>&', "$dir/log");
ok(Stack::wait_until(10, sub { -S "$dir/.s.PGSQL.$port" }), 'the pooler runs');

sub client {
  my ($pool) = @_;
  return Session->new($stack->env('BIN') . '/psql', '-X', '-A', '-t', '-q', '-h', "$dir", '-p', $port, '-U', 'postgres', '-d', $pool);
}
my $who = q{SELECT CASE count(*) WHEN 6 THEN 'alice' WHEN 5 THEN 'bob' WHEN 71 THEN 'nobody' END, (SELECT count(*) FROM supabase_auth()) FROM shop.orders};

# transaction mode
{
  my ($a, $b, $c) = map { client('by_transaction') } 1 .. 3;
  my @pids = map { $_->value('SELECT pg_backend_pid()') } $a, $b, $c;
  is($pids[1], $pids[0], 'three clients, one connection');
  is($pids[2], $pids[0], 'three clients, one connection');

  for my $end ('COMMIT', 'ROLLBACK') {
    is($a->value("BEGIN; SELECT count(*) FROM supabase_set_auth('$token{alice}', is_local => true); $who"), "1\nalice|1", 'the first acts as Alice');
    $b->begin($who);
    is($a->value("$end; SELECT 1"), 1, $end);
    is($b->end->output, 'nobody|0', "$end: the second is nobody");
    is($c->value("BEGIN; SELECT count(*) FROM supabase_set_auth('$token{bob}', is_local => true); $who; $end"), "1\nbob|1", 'the third acts as Bob');
    is($_->value($who), 'nobody|0', "$end: nobody is left") for $a, $b, $c;
  }

  # an error, and a client that goes away in the middle
  is($a->value("BEGIN; SELECT count(*) FROM supabase_set_auth('$token{alice}', is_local => true)"), 1, 'Alice again');
  is($a->run('SELECT 1 / 0')->state, '22012', 'an error');
  $a->value('ROLLBACK');
  is($b->value($who), 'nobody|0', 'after the error: nobody');
  $a->value("BEGIN; SELECT count(*) FROM supabase_set_auth('$token{alice}', is_local => true)");
  $a->close;
  is($b->value($who), 'nobody|0', 'after a disconnection in a transaction: nobody');

  # a user for the session would be everybody's: where that is so, it is refused
  $stack->sql("ALTER DATABASE $database SET supabase_fdw.require_local_auth = on", $database);
  my $pid = $b->value('SELECT pg_backend_pid()');
  $stack->sql("SELECT pg_terminate_backend($pid)", $database);
  my ($d, $e) = map { client('by_transaction') } 1 .. 2;
  ok(Stack::wait_until(10, sub { $d->run('SELECT pg_backend_pid()')->state eq '00000' && $d->output ne $pid }), 'a new connection');
  is($d->run("SELECT supabase_set_auth('$token{alice}')")->state, '0A000', 'session scope is refused');
  is($d->run("SELECT supabase_set_auth('$token{alice}', 'shop')")->state, '0A000', 'session scope is refused for a server');
  is($e->value($who), 'nobody|0', 'the other client: nobody');
  is($d->value("BEGIN; SELECT count(*) FROM supabase_set_auth('$token{alice}', is_local => true); $who; COMMIT"), "1\nalice|1", 'transaction scope works');
  is($e->value($who), 'nobody|0', 'the other client: nobody');
  $stack->sql("ALTER DATABASE $database RESET supabase_fdw.require_local_auth", $database);
  $_->close for $b, $c, $d, $e;
}

# session mode: the pooler's DISCARD ALL
{
  my $first = client('by_session');
  my $pid = $first->value('SELECT pg_backend_pid()');
  is($first->value("SELECT count(*) FROM supabase_set_auth('$token{alice}'); $who"), "1\nalice|1", 'session mode: Alice');
  is($first->value($who), 'alice|1', 'session mode: still Alice');
  $first->close;
  my $second = client('by_session');
  is($second->value('SELECT pg_backend_pid()'), $pid, 'session mode: the same connection');
  is($second->value($who), 'nobody|0', 'session mode: the next client is nobody');
  is($second->value("SELECT count(*) FROM supabase_set_auth('$token{bob}', 'shop'); $who"), "1\nbob|1", 'session mode: Bob');
  $second->close;
  my $third = client('by_session');
  is($third->value($who), 'nobody|0', 'session mode: nobody again');
  $third->close;
}

# Several psql at a time, each with a script of its own; their lines of output.
sub together {
  my ($pool, @scripts) = @_;
  my $work = File::Temp->newdir;
  my (@runs, @lines);
  for my $number (0 .. $#scripts) {
    # files, which no pump of ours must keep full or empty
    open my $file, '>', "$work/$number.sql" or die $!;
    print $file $scripts[$number];
    close $file;
  }
  for my $number (0 .. $#scripts) {
    push @runs, IPC::Run::start([$stack->env('BIN') . '/psql', '-X', '-A', '-t', '-q', '-v', "alice=$token{alice}", '-v', "bob=$token{bob}", '-h', "$dir", '-p', $port,
      '-U', 'postgres', '-d', $pool, '-f', "$work/$number.sql"], '<', \undef, '>', "$work/$number.out", '2>', '/dev/null', IPC::Run::timeout(300));
  }
  for my $number (0 .. $#scripts) {
    $runs[$number]->finish;
    open my $file, '<', "$work/$number.out" or die $!;
    push @lines, <$file>;
  }
  chomp @lines;
  return @lines;
}

sub shuffled {
  my ($random, @list) = @_;
  for my $i (reverse 1 .. $#list) {
    $random = ($random * 1103515245 + 12345) & 0x7fffffff;
    my $j = ($random >> 8) % ($i + 1);
    @list[$i, $j] = @list[$j, $i];
  }
  return @list;
}

# Prints whom a transaction was begun for, whom it was answered as, and who the connection was.
sub says {
  my ($who) = @_;
  return "SELECT '$who', CASE count(*) WHEN 6 THEN 'alice' WHEN 5 THEN 'bob' WHEN 71 THEN 'nobody' END, (SELECT coalesce(string_agg(split_part(email, '\@', 1), ','), 'nobody') FROM supabase_auth()), pg_backend_pid() FROM shop.orders;\n";
}

sub are_told_apart {
  my ($name, $expected, $connections, @lines) = @_;
  my (%right, %pid, @wrong);
  for (@lines) {
    if (/^(\w+)\|\1\|\1\|(\d+)$/) { $right{$1}++; $pid{$2}++ } else { push @wrong, $_ }
  }
  is_deeply(\%right, $expected, "$name: each is answered as who it is");
  is_deeply(\@wrong, [], "$name: no mix-up");
  is(scalar keys %pid, $connections, "$name: over $connections connections");
}

# Two users, a thousand transactions each, in turns of all kinds by eight clients over two connections, which may have
# users for a transaction only.
{
  $stack->sql("ALTER ROLE tap_pool_app IN DATABASE $database SET supabase_fdw.require_local_auth = on", $database);
  my ($each, $clients) = ($ENV{POOLING_N} // 1000, 8);
  my (@scripts, %expected);
  for my $number (1 .. $clients) {
    my $script = '';
    my $turn = 0;
    for my $who (shuffled($number, map { ('alice', 'bob') } 1 .. $each / $clients)) {
      my $act = "SELECT FROM supabase_set_auth(:'$who', is_local => true);\n";
      $turn++;
      $expected{$who}++;
      # in between somebody without a user, whoever fails, whoever tries more than is allowed
      if ($turn % 7 == 0) { $script .= says('nobody'); $expected{nobody}++ }
      $script .= "BEGIN;\n${act}SELECT 1 / 0;\nROLLBACK;\n" if $turn % 11 == 0;
      $script .= "SELECT FROM supabase_set_auth(:'$who');\n" if $turn % 13 == 0;
      $script .= "BEGIN;\n" . $act . says($who) . ($turn % 3 == 0 ? "ROLLBACK;\n" : "COMMIT;\n");
    }
    push @scripts, $script;
  }
  are_told_apart('transactions', \%expected, 2, together('many_transactions', @scripts));
}

# What the superuser has said for the role, the role cannot unsay, not even before the library is loaded.
{
  for my $how ('SET supabase_fdw.require_local_auth = off', 'RESET supabase_fdw.require_local_auth', 'RESET ALL', 'DISCARD ALL',
    "SELECT set_config('supabase_fdw.require_local_auth', 'off', false)", 'ALTER ROLE tap_pool_app SET supabase_fdw.require_local_auth = off',
    "ALTER ROLE tap_pool_app IN DATABASE $database RESET supabase_fdw.require_local_auth", "ALTER ROLE tap_pool_app IN DATABASE $database RESET ALL") {
    for my $loaded (0, 1) {
      # not through the pooler: one connection, and a fresh one
      my $session = $stack->session($database, 'tap_pool_app');
      $session->value($who) if $loaded;
      $session->run($how);
      is($session->run("SELECT supabase_set_auth('$token{alice}')")->state, '0A000', "$how, library " . ($loaded ? '' : 'not ') . 'loaded: session scope is still refused');
      $session->close;
      my $next = $stack->session($database, 'tap_pool_app');
      is($next->value('SHOW supabase_fdw.require_local_auth'), 'on', 'and in the next session, too');
      $next->close;
    }
  }
}

# Without it a user for the session is the next client's too: what docs/poolers.md warns of.
{
  my ($a, $b) = map { client('careless') } 1 .. 2;
  is($a->value("SELECT count(*) FROM supabase_set_auth('$token{alice}')"), 1, 'session scope, transaction mode');
  is($b->value($who), 'alice|1', 'is everybody\'s');
  $_->close for $a, $b;
}

# A hundred sessions of each of two users, four clients over two connections, in session mode.
{
  $stack->sql("ALTER ROLE tap_pool_app IN DATABASE $database RESET supabase_fdw.require_local_auth", $database);
  my (@scripts, %expected);
  for my $number (1 .. 4) {
    my $script = '';
    for my $who (shuffled($number, map { ('alice', 'bob') } 1 .. 25)) {
      $script .= "\\c\n" . says('nobody') . "SELECT FROM supabase_set_auth(:'$who'" . ($number % 2 ? '' : ", 'shop'") . ");\n" . says($who);
      $expected{$_}++ for 'nobody', $who;
    }
    push @scripts, $script;
  }
  # connections of before the setting was taken back may still be in the pool
  $stack->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tap_pool_app'", $database);
  are_told_apart('sessions', \%expected, 2, together('many_sessions', @scripts));
}

$pooler->signal('TERM');
$pooler->kill_kill(grace => 5) unless Stack::wait_until(5, sub { !$pooler->pumpable });
eval { $pooler->finish };
$stack->finish;
$stack->sql("DROP ROLE $_", 'postgres') for qw(tap_pool_app tap_pool_careless);

done_testing;

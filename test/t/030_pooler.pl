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

# pgbouncer refuses to be root, as PostgreSQL does
my $dir = File::Temp->newdir;
my $port = 6432;  # part of a socket's name in a directory of its own
my $server = sprintf 'host=%s port=%s dbname=%s user=postgres', $stack->env('LOCAL_HOST'), $stack->env('LOCAL_PORT'), $database;
open my $config, '>', "$dir/pgbouncer.ini" or die $!;
print $config <<INI;
[databases]
by_transaction = $server pool_mode=transaction pool_size=1
by_session = $server pool_mode=session pool_size=1
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

$pooler->signal('TERM');
$pooler->kill_kill(grace => 5) unless Stack::wait_until(5, sub { !$pooler->pumpable });
eval { $pooler->finish };

done_testing;

# A cancel, a timeout or a termination ends a remote request at once, wherever it waits.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use IO::Socket::INET;
use Socket qw(SOCK_STREAM AF_INET pack_sockaddr_in inet_aton);
use Stack;
use Test::More;
use Time::HiRes qw(time sleep);

# Generous: a machine may be busy. What is measured is printed.
my $limit_ms = 1000;

my $stack = Stack->running;

# A slow proxy: the head and a little of the body at once, then a few bytes at a time, for half a minute.
my $http = $stack->env('URL_HTTP');
my $drip = Door->new(sub {
  my ($client, $request, $number, $mode) = @_;
  my $answer = Door::forward($http, $request);
  my $bytes = Door::answer(%$answer);
  if ($mode eq 'busy') {
    print $client Door::answer(status => 503, headers => ['Retry-After: 60'], body => '');
    Door::note($request->{dir}, 'told to wait');
    return 1;
  }
  if ($mode ne 'drip' && !($mode eq 'drip later' && $number > 3)) { print $client $bytes; return 1 }
  my $at = length($bytes) - int(length($answer->{body}) * 0.99);
  print $client substr $bytes, 0, $at;
  Door::note($request->{dir}, 'body begun');
  for (1 .. 1500) {
    Time::HiRes::sleep(0.02);
    last if $at >= length($bytes) || !print $client substr($bytes, $at, 10);
    $at += 10;
  }
  Door::note($request->{dir}, 'gone');
  return 0;
});

# Connections that nobody accepts: TLS waits for an answer. And a full queue: not even the connection comes to be.
my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "listen: $!";
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
my @fill = map {
  my $socket = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0) or die "socket: $!";
  connect $socket, pack_sockaddr_in($full->sockport, inet_aton('127.0.0.1'));
  $socket;
} 1 .. 8;

my $database = $stack->database(shop => $stack->env('URL'), drip => $drip->url,
  deaf => 'https://127.0.0.1:' . $deaf->sockport, backlog => 'http://127.0.0.1:' . $full->sockport);
my $control = $stack->session($database);

sub note_latency {
  my ($ms, $name) = @_;
  note sprintf '%s: %.0f ms', $name, $ms;
  cmp_ok($ms, '<', $limit_ms, "$name: soon");
}

# Until the backend waits for the network. From 17 on the wait event has a name.
sub wait_for_network {
  my ($pid) = @_;
  return Stack::wait_until(20, sub {
    $control->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active' AND wait_event_type = 'Extension'") == 1;
  });
}

# Sockets that a backend has to one of this test's ports.
sub connections_to {
  my ($pid, $port) = @_;
  my %inode;
  for my $file ("/proc/$pid/net/tcp") {
    open my $lines, '<', $file or next;
    while (<$lines>) {
      my @field = split;
      $inode{$field[9]} = 1 if $field[2] =~ /:([0-9A-F]{4})$/ && hex($1) == $port;
    }
  }
  return scalar grep { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ && $inode{$1} } glob "/proc/$pid/fd/*";
}

my @waits = (
  # name, statement, what shows that it is where it should be, port of this test or none
  ['headers', 'SELECT * FROM shop.slow_view', sub { 1 }],
  ['body', 'SELECT sum(length(body)) FROM drip.blobs', sub { $drip->notes =~ /begun\n\z/ }, $drip->port],
  ['back-off', 'SELECT * FROM drip.t1000', sub { $drip->notes =~ /wait\n\z/ }, undef, 'busy'],
  ['TLS handshake', 'SELECT * FROM deaf.t1000', sub { 1 }, $deaf->sockport],
  ['connect', 'SELECT * FROM backlog.t1000', sub { 1 }, $full->sockport],
);

for my $wait (@waits) {
  my ($name, $statement, $reached, $port, $mode) = @$wait;
  $mode //= 'drip';
  my $session = $stack->session($database);
  my $pid = $session->backend;
  # rows before, so that there is a connection that could be confused by what was cut off
  is($session->value('SELECT sum(1) FROM shop.t1000'), 1000, "$name: rows before");

  for my $how ('cancel', 'timeout') {
    $drip->play($mode);
    # long enough to get where it should be
    $session->value("SET statement_timeout = '1500ms'") if $how eq 'timeout';
    my $start = time;
    $session->begin($statement);
    ok(wait_for_network($pid) && Stack::wait_until(20, $reached), "$name, $how: is waiting");
    if ($how eq 'cancel') {
      sleep 0.05;
      $control->begin("SELECT pg_cancel_backend($pid)");
      $start = time;
      $control->end;
    } else {
      $start += 1.5;
    }
    $session->end;
    note_latency((time - $start) * 1000, "$name, $how");
    is($session->state, '57014', "$name, $how: SQLSTATE");
    like($session->message, $how eq 'cancel' ? qr/canceling statement due to user request/ : qr/canceling statement due to statement timeout/,
      "$name, $how: message");
    $session->value('RESET statement_timeout') if $how eq 'timeout';
    is(connections_to($pid, $port), 0, "$name, $how: nothing is under way") if $port;

    # the same session goes on, with rows of its own question
    $drip->play('pass');
    is($session->value("SELECT count(*), min(val), max(id) FROM shop.t1000"), '1000|v1|1000', "$name, $how: the next query");
    is($session->value("SELECT count(*), max(id) FROM drip.orders"), '71|71', "$name, $how: and one at the other server");
    is($session->backend, $pid, "$name, $how: the same backend");
  }

  # in a transaction, with a savepoint: the scan is gone, the transaction is not
  $drip->play($mode);
  $session->value("BEGIN; SAVEPOINT a; SET LOCAL statement_timeout = '300ms'");
  is($session->run($statement)->state, '57014', "$name: within a savepoint");
  is($session->value('ROLLBACK TO a; SELECT sum(1) FROM shop.t1000'), 1000, "$name: after ROLLBACK TO");
  $session->value('COMMIT');

  $drip->play($mode);
  $session->begin($statement);
  ok(wait_for_network($pid) && Stack::wait_until(20, $reached), "$name, terminate: is waiting");
  my $start = time;
  $control->value("SELECT pg_terminate_backend($pid)");
  ok(Stack::wait_until(20, sub { !Stack::alive($pid) }), "$name, terminate: the backend is gone");
  note_latency((time - $start) * 1000, "$name, terminate");
  $session->end;
  is($session->state, 'CONNECTION', "$name, terminate: the connection is gone");
  $session->close;
}

# a handler for every error is no handler for a cancel
{
  my $session = $stack->session($database);
  my $pid = $session->backend;
  $drip->play('drip');
  $session->begin('DO $$ BEGIN PERFORM sum(length(body)) FROM drip.blobs; EXCEPTION WHEN OTHERS THEN RAISE NOTICE \'caught\'; END $$');
  ok(wait_for_network($pid) && Stack::wait_until(20, sub { $drip->notes =~ /begun\n\z/ }), 'WHEN OTHERS: is waiting');
  $control->value("SELECT pg_cancel_backend($pid)");
  $session->end;
  is($session->state, '57014', 'WHEN OTHERS: SQLSTATE');
  unlike($session->message, qr/caught/, 'WHEN OTHERS: not caught');
  # by its name it can be
  $drip->play('drip');
  is($session->value(q{SET statement_timeout = '300ms'; DO $$ BEGIN PERFORM sum(length(body)) FROM drip.blobs; EXCEPTION WHEN query_canceled THEN PERFORM set_config('test.caught', SQLSTATE, false); END $$;
    RESET statement_timeout; SHOW test.caught}), '57014', 'WHEN query_canceled: caught');
  $drip->play('pass');
  is($session->value('SELECT sum(1) FROM shop.t1000'), 1000, 'WHEN query_canceled: the next query');
  $session->close;
}

# several pages under way, and several tables below an Append
{
  my $session = $stack->session($database);
  my $pid = $session->backend;
  $stack->sql(<<'SQL', $database);
CREATE FOREIGN TABLE drip.events (id bigint OPTIONS (key 'true'), kind text) SERVER drip;
CREATE FOREIGN TABLE shop.events (id bigint OPTIONS (key 'true'), kind text) SERVER shop;
SQL
  for my $statement ('SELECT sum(id) FROM drip.events', 'SELECT sum(id) FROM (SELECT id FROM shop.events UNION ALL SELECT id FROM drip.events) q') {
    $drip->play('drip later');
    $session->begin($statement);
    ok(Stack::wait_until(20, sub { $drip->notes =~ /begun\n\z/ }), 'several: is waiting');
    my $start = time;
    $control->value("SELECT pg_cancel_backend($pid)");
    is($session->end->state, '57014', 'several: SQLSTATE');
    note_latency((time - $start) * 1000, 'several');
    $drip->play('pass');
    is($session->value('SELECT sum(id) FROM (SELECT id FROM shop.events UNION ALL SELECT id FROM drip.events OFFSET 0) q'), 10000100000, 'several: all rows afterwards');
  }
  $session->close;
}

# interrupts that are no cancel: the query goes on, and is complete
{
  my $session = $stack->session($database);
  my $pid = $session->backend;
  $session->begin('SELECT * FROM shop.slow_view');
  ok(wait_for_network($pid), 'interrupt: is waiting');
  $control->value("SELECT pg_log_backend_memory_contexts($pid)");
  $session->end;
  is($session->state, '00000', 'interrupt: no error');
  is($session->output, "1\n2\n3", 'interrupt: all rows');
}

# a cursor that is closed, or a LIMIT that is reached, while a page is under way
{
  my $session = $stack->session($database);
  $session->value("BEGIN; DECLARE c CURSOR FOR SELECT n FROM shop.nokey");
  is($session->value('FETCH 3 FROM c') =~ tr/\n//, 2, 'cursor: three rows');
  $session->value('CLOSE c; COMMIT');
  is($session->value('SELECT count(*) FROM (SELECT n FROM shop.nokey LIMIT 1001) AS q'), 1001, 'LIMIT across pages');
  is($session->value('SELECT sum(1) FROM shop.nokey'), 10000, 'all rows afterwards');
}
$control->close;

# the postmaster is killed: the backend does not wait for its answer
{
  my $own = Stack->start;
  my $name = $own->database(shop => $own->env('URL'));
  my $session = $own->session($name);
  my $watch = $own->session($name);
  my $pid = $session->backend;
  $session->begin('SELECT * FROM shop.too_slow_view');
  ok(Stack::wait_until(20, sub {
    $watch->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1;
  }), 'postmaster: the backend is waiting');
  my $start = time;
  kill 'KILL', $own->pid('local');
  ok(Stack::wait_until(20, sub { !Stack::alive($pid) }), 'postmaster: the backend is gone');
  note_latency((time - $start) * 1000, 'postmaster');
  is($session->end->state, 'CONNECTION', 'postmaster: the connection is gone');
  $own->{databases} = [];
  $_->close for $session, $watch;
}

done_testing;

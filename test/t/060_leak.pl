# A long session keeps its size, its descriptors and its threads.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use IO::Socket::INET;
use List::Util ();
use Stack;
use Test::More;

my $stack = Stack->running;
my $http = $stack->env('URL_HTTP');
my $cut = Door->new(sub {
  my ($client, $request) = @_;
  my $answer = Door::forward($http, $request);
  print $client Door::answer(%$answer, length => length $answer->{body}, body => substr $answer->{body}, 0, 500);
  return 0;
});
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
my $port = $closed->sockport;
$closed->close;
my $database = $stack->database(shop => $stack->env('URL'));
$stack->server($database, 'cut', $cut->url, {max_retries => 0});
$stack->server($database, 'nobody', "http://127.0.0.1:$port", {max_retries => 0});
$stack->sql(<<'SQL', $database);
CREATE FOREIGN TABLE shop.missing (id int) SERVER shop;
CREATE FOREIGN TABLE shop.bad_type (id int OPTIONS (key 'true', column_name 'val')) SERVER shop OPTIONS (table_name 't1000');
SQL

my $session = $stack->session($database);
my $pid = $session->backend;
my ($alice, $bob) = map { $stack->env($_) } qw(ALICE_JWT BOB_JWT);

sub resident { open my $file, '<', "/proc/$pid/status" or die "no backend: $!"; local $/; return <$file> =~ /^VmRSS:\s+(\d+)/m ? $1 : die }
sub descriptors { my @open = glob "/proc/$pid/fd/*"; return scalar @open }
sub threads { my @all = glob "/proc/$pid/task/*"; return scalar @all }

my @failing = (
  ['SELECT * FROM cut.t1000', '08006'], ['SELECT * FROM nobody.t1000', '08001'], ['SELECT * FROM shop.missing', 'HV00R'],
  ['SELECT * FROM shop.bad_type', '22P02'], ["SELECT supabase_set_auth('a.b.c')", '22023'],
  ["SET statement_timeout = '20ms'; SELECT * FROM shop.slow_view", '57014'],
);

sub round_of_queries {
  my ($failing, $succeeding, $identities) = @_;
  my %wrong;
  for my $i (1 .. $failing) {
    # the slow one but rarely: the remote goes on with it
    my ($statement, $state) = @{$failing[$i % 50 == 0 ? 5 : $i % 5]};
    $session->run($statement);
    $wrong{"$statement: " . $session->state}++ if $session->state ne $state;
    $session->value('RESET statement_timeout') if $state eq '57014';
  }
  for my $i (1 .. $succeeding) {
    my ($statement, $value) = @{(['SELECT count(*) FROM shop.orders', 71], ['SELECT sum(id) FROM shop.t1000', 500500], ['SELECT max(length(body)) FROM shop.blobs WHERE id = 1', 200000],
      ['SELECT count(*) FROM (SELECT * FROM shop.nokey LIMIT 5) AS q', 5])[$i % 4]};
    $session->run($statement);
    $wrong{"$statement: " . $session->output}++ if $session->output ne $value;
  }
  for my $i (1 .. $identities) {
    my $token = $i % 2 ? $alice : $bob;
    my $local = $i % 3 ? 'false' : 'true';
    $session->run("BEGIN; SELECT count(*) FROM supabase_set_auth('$token', is_local => $local); SAVEPOINT a; SELECT count(*) FROM supabase_set_auth('$bob', 'shop'); ROLLBACK TO a; "
      . ($i % 4 ? 'COMMIT' : 'ROLLBACK') . ($i % 5 ? '' : '; SELECT supabase_clear_auth()'));
    $wrong{'identities: ' . $session->message}++ if $session->state ne '00000';
  }
  $session->value('SELECT supabase_clear_auth()');
  return join "\n", map { "$wrong{$_} times $_" } sort keys %wrong;
}

is(round_of_queries(50, 20, 20), '', 'warmed up');
my ($size, $open, $threads) = (resident(), descriptors(), threads());
is(round_of_queries(300, 300, 200), '', '300 queries that fail, 300 that do not, 200 users');
my $growth = resident() - $size;
note "growth: $growth kB";
cmp_ok($growth, '<', 20_000, 'memory: less than 20 MB more');
is(descriptors(), $open, 'as many descriptors as before');
cmp_ok(threads(), '<=', $threads, 'no thread is left');
is($session->value('SELECT pg_backend_pid()'), $pid, 'the same backend');

# Scans that start again and again within one statement, whose memory ends with it: its peak is what counts.
my $echo = Door->new(sub {
  my ($client, $request) = @_;
  my ($id) = $request->{target} =~ /[?&]id=eq\.(\d+)/;
  my $body = qq([{"c0":$id,"c1":"value of row $id"}]);
  print $client Door::answer(status => 200, headers => ['Content-Type: application/json; charset=utf-8', 'Content-Range: 0-0/*'], body => $body);
  return 1;
});
$stack->server($database, 'echo', $echo->url);

sub peak { open my $file, '<', "/proc/$pid/status" or die "no backend: $!"; local $/; return <$file> =~ /^VmHWM:\s+(\d+)/m ? $1 : die }

my @again = (
  ['with another value each time', 200, 10000, sub { my ($n) = @_;
    ("SELECT count(*), sum(length(val)) FROM generate_series(1, $n) g, LATERAL (SELECT id, val FROM echo.t1000 t WHERE t.id = g OFFSET 0) q WHERE q.id = g",
      $n . '|' . List::Util::sum(map { length "value of row $_" } 1 .. $n)) }],
  ['with the same rows', 200, 10000, sub { my ($n) = @_;
    ("SELECT count(q.id) FROM generate_series(1, $n) g LEFT JOIN (SELECT id FROM shop.t1000 WHERE id < 4 OFFSET 0) q ON q.id <> g", $n * 3 - 3) }],
  ['left before their end', 20, 60, sub { my ($n) = @_;
    ("SELECT count(*) FROM generate_series(1, $n) g, LATERAL (SELECT n FROM shop.nokey WHERE n >= g LIMIT 1001) q", $n * 1001) }],
);
# LLVM is larger than anything that is looked for here
$session->value("SET $_ = off") for qw(jit enable_hashjoin enable_mergejoin enable_material enable_memoize);
for my $case (@again) {
  my ($name, $few, $many, $query) = @$case;
  my ($warm, $right) = $query->($few);
  is($session->value($warm), $right, "$name: $few scans");
  my $before = peak();
  my $connections = $echo->connections;
  my ($statement, $result) = $query->($many);
  is($session->value($statement), $result, "$name: $many scans");
  my $more = peak() - $before;
  note "$name: $more kB";
  cmp_ok($more, '<', 2_000, "$name: less than 2 MB more at the peak");
  is($echo->connections, $connections, "$name: no further connection");
}
is($echo->requests, 10200, 'a request for each value');
is(descriptors(), $open + 1, 'one more connection is kept');

$session->close;

done_testing;

# A write whose connection breaks, or whose answer is spoiled, is reported as what it was: done, refused or unknown. The
# remote table itself is the truth: no row twice, none lost without an error, no request sent again that may have run.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use IO::Socket::INET;
use List::Util qw(max min sum0);
use Socket qw(MSG_PEEK);
use Stack;
use Test::More;
use Time::HiRes qw(time);

my $stack = Stack->running;
my $http = $stack->env('URL_HTTP');
my $seed = $ENV{FAULT_SEED} // int(time) % 1_000_000;
my $rounds = $ENV{FAULT_ROUNDS} // 1000;
srand $seed;
note "seed $seed: FAULT_SEED=$seed runs the same again";

# ---- the faults ----

sub problem { my ($status, $code) = @_; return Door::answer(status => $status, headers => ['Content-Type: application/json'], body => qq({"code":"$code","message":"said by the door","details":null,"hint":null})) }
sub page { my ($status, @headers) = @_; return Door::answer(status => $status, headers => ['Content-Type: text/html', @headers], body => '<html><h1>Oops</h1></html>') }
# A status that has no body would be whole.
sub head_of { my ($answer, $length) = @_; return Door::answer(status => $answer->{status} == 204 ? 200 : $answer->{status}, headers => $answer->{headers}, length => $length) }

# How each ends: the SQLSTATE of a write that must not be repeated, and of one that may (an upsert by its key); each for a
# fault that comes once, and for one that stays. '' is a success.
my ($unknown, $done) = ('08007', '');
my @lost = ($unknown, $unknown, $done, $unknown);
my @open = ($unknown) x 4;
my %fault = (
  none => {ends => [('') x 4]},
  # before the request is read, and in the middle of it
  unread => {unread => sub { Door::reset_at_close($_[0]) }, ends => \@lost},
  unread_end => {unread => sub { }, ends => \@lost},
  half => {begun => sub { Door::reset_at_close($_[0]) }, ends => \@lost},
  half_passed_on => {spoil => sub { Door::forward($http, $_[1], 1); return 0 }, ends => \@lost},
  # executed, and no answer, or a part of it
  unanswered => {after => sub { return 0 }, ends => \@lost},
  unanswered_reset => {after => sub { Door::reset_at_close($_[0]); return 0 }, ends => \@lost},
  cut_head => {after => sub { my ($client, $answer) = @_; print $client substr(Door::answer(%$answer), 0, 40); return 0 }, ends => \@lost},
  cut_body => {after => sub { my ($client, $answer) = @_; print $client head_of($answer, 10 + length $answer->{body}), $answer->{body}; return 0 }, ends => \@lost},
  cut_after_head => {after => sub { my ($client, $answer) = @_; print $client head_of($answer, 7 + length $answer->{body}); Door::reset_at_close($client); return 0 }, ends => \@lost},
  # what stands before the server says something else, without or after having passed it on
  (map { my $status = $_; ("page_$status" => {before => sub { page($status, 'Retry-After: 0') }, ends => \@lost},
    "page_${status}_executed" => {after => sub { my ($client) = @_; print $client page($status, 'Retry-After: 0'); return 1 }, ends => \@lost}) } 502, 503, 504),
  page_500 => {before => sub { page(500) }, ends => \@open},
  page_500_executed => {after => sub { my ($client) = @_; print $client page(500); return 1 }, ends => \@open},
  page_200 => {before => sub { page(200) }, ends => \@open},
  no_count => {after => sub { my ($client, $answer) = @_; print $client Door::answer(%$answer, headers => [grep { !/^content-range:/i } @{$answer->{headers}}]); return 1 }, ends => \@open},
  database_lost => {before => sub { problem(503, 'PGRST001') }, ends => \@lost},
  database_lost_executed => {after => sub { my ($client) = @_; print $client problem(503, 'PGRST001'); return 1 }, ends => \@lost},
  shut_down => {before => sub { problem(500, '57P01') }, ends => \@open},
  # surely not executed
  no_database => {before => sub { problem(503, 'PGRST000') }, ends => [$done, '57P03', $done, '57P03']},
  too_many => {before => sub { page(429, 'Retry-After: 0') }, ends => [$done, '53400', $done, '53400']},
  serialization => {before => sub { problem(500, '40001') }, ends => [$done, '40001', $done, '40001']},
  refused => {before => sub { problem(409, '23505') }, ends => [('23505') x 4]},
  forbidden => {before => sub { page(403) }, ends => [('42501') x 4]},
  # executed and well answered
  goodbye => {after => sub { my ($client, $answer) = @_; print $client Door::answer(%$answer, headers => ['Connection: close', @{$answer->{headers}}]); return 0 }, ends => [('') x 4]},
  # the next request may be on its way already
  goodbye_unsaid => {after => sub { my ($client, $answer) = @_; print $client Door::answer(%$answer); return 0 }, ends => [('') x 4], perhaps => $unknown},
  unreadable => {after => sub { my ($client, $answer) = @_; print $client Door::answer(%$answer, body => $answer->{body} ? '[{"c0":' : ''); return 1 }, ends => [('') x 4], returning => '08P01'},
);

# A mode is "fault run first stays": the fault strikes the write with that number in the run, and those after it if it
# stays. Reads pass.
my ($run, $writes, %struck, %fault_of) = (-1, 0);

sub strikes {
  my ($client, $mode) = @_;
  my ($name, $of, $first, $stays) = split / /, $mode;
  ($run, $writes) = ($of, 0) if $of != $run;
  recv $client, my $start, 8, MSG_PEEK;
  return if ($start // '') !~ /^(?:POST|PATCH|DELETE)/;
  $writes++;
  return $writes == $first || ($stays && $writes > $first) ? $fault{$name} : undef;
}

my $door = Door->new(
  sub {
    my ($client, $request, undef, $mode) = @_;
    my $fault = delete $struck{$client} // {};
    return $fault->{spoil}->($client, $request) if $fault->{spoil};
    if ($fault->{before}) { print $client $fault->{before}->(); return 1 }
    Door::append("$request->{dir}/passed." . (split / /, $mode)[1], md5_hex("$request->{method} $request->{target} $request->{body}") . "\n")
      if $request->{method} ne 'GET';
    my $answer = Door::forward($http, $request);
    return $fault->{after}->($client, $answer) if $fault->{after};
    if ($mode =~ /^hold/ && $request->{method} ne 'GET') { Door::note($request->{dir}, 'held ' . (split / /, $mode)[1]); return 1 }
    print $client Door::answer(%$answer);
    return 1;
  },
  unread => sub {
    my ($client, $mode) = @_;
    delete $struck{$client};  # of an earlier client with that name
    my $fault = strikes($client, $mode) or return 1;
    $struck{$client} = $fault;
    return 1 unless $fault->{unread};
    $fault->{unread}->($client);
    return 0;
  },
  begun => sub {
    my ($client) = @_;
    my $begun = ($struck{$client} // {})->{begun} or return 1;
    $begun->($client);
    return 0;
  },
);

# How often each request was passed on in a run, the largest number.
sub most_passed {
  my ($run) = @_;
  open my $file, '<', "$door->{dir}/passed.$run" or return 0;
  my %count;
  while (my $line = <$file>) { $count{$line}++ }
  return max values %count;
}

# ---- the tables ----

my $database = $stack->database();
my $key = $stack->env('SECRET_KEY');
$stack->sql(<<SQL, $database);
CREATE SERVER d FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$door->url]}', schema_name 'writing', max_retries '1');
CREATE USER MAPPING FOR postgres SERVER d OPTIONS (api_key '$key');
CREATE FOREIGN TABLE heap (n int, label text) SERVER d OPTIONS (batch_size '2');
CREATE FOREIGN TABLE bulk (id int OPTIONS (key 'true'), a int, b text) SERVER d OPTIONS (truncatable 'true', batch_size '2');
CREATE FOREIGN TABLE upserted (id int OPTIONS (key 'true'), a int) SERVER d OPTIONS (table_name 'bulk', insert_mode 'upsert', batch_size '2');
CREATE FOREIGN TABLE ignored (id int OPTIONS (key 'true'), a int) SERVER d OPTIONS (table_name 'bulk', insert_mode 'ignore', batch_size '2');
CREATE FOREIGN TABLE pairs (a int OPTIONS (key 'true'), b text OPTIONS (key 'true'), v text) SERVER d;
CREATE TABLE parted (n int, label text) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE parted_far PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (MAXVALUE) SERVER d OPTIONS (table_name 'heap', batch_size '2');
CREATE FUNCTION true_here(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
SQL

my $remote = Session->new($stack->env('BIN') . '/psql', '-X', '-A', '-t', '-q', '-h', $stack->env('REMOTE_HOST'), '-p', $stack->env('REMOTE_PORT'), '-U', 'postgres', '-d', 'postgres');
my $session;

# Of the error in a message: psql's own variable does not know of COPY's.
sub state_of { return $_[0] =~ /ERROR:  (\w{5}): / ? $1 : '00000' }

sub connect_session {
  $session = $stack->session($database);
  $session->value("SET supabase_fdw.write_in_transaction = allow; SET statement_timeout = '60s'");
  $session->run('\\set VERBOSITY verbose');
}
connect_session();

sub clean { $remote->value('TRUNCATE writing.heap, writing.bulk, writing.pairs; TRUNCATE writing.statements') }
clean();

my $six_bulk = "TRUNCATE writing.bulk; INSERT INTO writing.bulk (id, a, b) SELECT i, -1, 'old' FROM generate_series(1, 6) AS i; TRUNCATE writing.statements";
my $six_pairs = "TRUNCATE writing.pairs; INSERT INTO writing.pairs SELECT i, repeat('x', 2500) || i, 'old' FROM generate_series(1, 6) AS i; TRUNCATE writing.statements";

# What an INSERT of n .. n + 5 has left: rows that are there, and rows that are wrong (twice, or with another label).
sub inserted { my ($n) = @_; return "SELECT count(DISTINCT n), count(*) - count(DISTINCT n) + count(*) FILTER (WHERE label IS DISTINCT FROM 'run ' || $n) FROM writing.heap WHERE n >= $n" }
# For an UPDATE of six rows of bulk: what they have now is old or new.
sub updated { my ($new) = @_; return "SELECT count(*) FILTER (WHERE a = $new), 6 - count(*) + count(*) FILTER (WHERE a <> -1 AND a <> $new) FROM writing.bulk" }
sub deleted { my ($table) = @_; return "SELECT 6 - count(*), 0 FROM writing.$table" }

# Kinds of writing; each has six rows to write, but for the one that inserts one. requests: how many it takes; merge: it
# may be repeated; prepare and truth are run at the remote.
my @kinds = (
  {name => 'INSERT of a row', rows => 1, requests => 1, table => 'heap', sql => sub { "INSERT INTO heap VALUES ($_[0], 'run $_[0]')" }, truth => \&inserted},
  {name => 'INSERT ... SELECT', rows => 6, requests => 3, table => 'heap', sql => sub { "INSERT INTO heap SELECT i, 'run $_[0]' FROM generate_series($_[0], $_[0] + 5) AS i" }, truth => \&inserted},
  {name => 'INSERT RETURNING', rows => 6, requests => 3, table => 'heap', returns => 1, sql => sub { "INSERT INTO heap SELECT i, 'run $_[0]' FROM generate_series($_[0], $_[0] + 5) AS i RETURNING n - $_[0]" }, truth => \&inserted},
  {name => 'COPY', rows => 6, requests => 3, table => 'heap', sql => sub { my $n = $_[0]; "COPY heap (n, label) FROM STDIN;\n" . join('', map { ($n + $_) . "\trun $n\n" } 0 .. 5) . "\\." }, truth => \&inserted},
  {name => 'INSERT into a partition', rows => 6, requests => 3, table => 'heap', sql => sub { "INSERT INTO parted SELECT i, 'run $_[0]' FROM generate_series($_[0], $_[0] + 5) AS i" }, truth => \&inserted},
  {name => 'upsert', rows => 6, requests => 3, table => 'bulk', merge => 1, prepare => "$six_bulk; DELETE FROM writing.bulk WHERE id > 3; TRUNCATE writing.statements",
    sql => sub { "INSERT INTO upserted SELECT i, $_[0] FROM generate_series(1, 6) AS i" },
    truth => sub { "SELECT count(*) FILTER (WHERE a = $_[0]), count(*) FILTER (WHERE a <> $_[0] AND (a <> -1 OR id > 3)) FROM writing.bulk" }},
  {name => 'INSERT or ignore', rows => 6, requests => 3, table => 'bulk', prepare => 'TRUNCATE writing.bulk; TRUNCATE writing.statements',
    sql => sub { "INSERT INTO ignored SELECT i, $_[0] FROM generate_series(1, 6) AS i" }, truth => sub { "SELECT count(*) FILTER (WHERE a = $_[0]), count(*) FILTER (WHERE a <> $_[0]) FROM writing.bulk" }},
  {name => 'UPDATE pushed', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, pushed => 1, sql => sub { "UPDATE bulk SET a = $_[0] WHERE id <= 6" }, truth => \&updated},
  {name => 'UPDATE RETURNING', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, pushed => 1, returns => 1, sql => sub { "UPDATE bulk SET a = $_[0] WHERE id <= 6 RETURNING id - 1" }, truth => \&updated},
  {name => 'UPDATE by key', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, sql => sub { "UPDATE bulk SET a = $_[0] WHERE true_here(id)" }, truth => \&updated},
  {name => 'UPDATE by key in groups', rows => 6, requests => 3, table => 'bulk', prepare => $six_bulk, sql => sub { "UPDATE bulk SET a = $_[0] + id % 3 WHERE true_here(id)" }, truth => sub { updated("$_[0] + id % 3") }},
  {name => 'DELETE pushed', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, pushed => 1, sql => sub { 'DELETE FROM bulk WHERE id <= 6' }, truth => sub { deleted('bulk') }},
  {name => 'DELETE RETURNING', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, pushed => 1, returns => 1, sql => sub { 'DELETE FROM bulk WHERE id <= 6 RETURNING id - 1' }, truth => sub { deleted('bulk') }},
  {name => 'DELETE by key', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, sql => sub { 'DELETE FROM bulk WHERE true_here(id)' }, truth => sub { deleted('bulk') }},
  {name => 'DELETE by composite keys', rows => 6, requests => 3, table => 'pairs', prepare => $six_pairs, sql => sub { 'DELETE FROM pairs WHERE true_here(a)' }, truth => sub { deleted('pairs') }},
  {name => 'TRUNCATE', rows => 6, requests => 1, table => 'bulk', prepare => $six_bulk, pushed => 1, sql => sub { 'TRUNCATE bulk' }, truth => sub { deleted('bulk') }},
);

# ---- one statement under a fault ----

my ($runs, %outcomes, %total) = (0);

# What the warning at the local rollback says: rows that remain, rows whose outcome is unknown; the latter is large where
# the remote was to find the rows.
sub remains {
  my ($message, $table) = @_;
  return (0, 0) unless $message =~ /WARNING: .*remote writes of the rolled back transaction remain$/m;
  my ($changed, $rest) = $message =~ /^DETAIL:  Server "d": (\d+) rows? (?:inserted into|updated in|deleted from) "$table"(.*)\.$/m or return (-1, -1);
  return ($changed, $rest =~ /unknown/ ? ($rest =~ /the outcome for (\d+) more unknown/ ? $1 : 1_000_000) : 0);
}

# Runs a kind under a fault and returns what is wrong about it.
sub try {
  my ($kind, $name, $first, $stays, $rolled_back) = @_;
  my $base = 10 * ++$runs;
  $remote->value($kind->{prepare}) if $kind->{prepare};
  $door->play("$name $runs $first " . ($stays ? 1 : 0));
  $session->run('BEGIN') if $rolled_back;
  $session->run($kind->{sql}->($base));
  my ($message, $output) = ($session->message, $session->output);
  my $state = state_of($message);
  my $failed = $state ne '00000';
  my $warning = $message;
  if ($rolled_back) { $session->run('ROLLBACK'); $warning .= $session->message }
  my ($changed, $wrong) = split /\|/, $remote->value($kind->{truth}->($base));
  my $expected = $fault{$name}{ends}[($kind->{merge} ? 2 : 0) + ($stays ? 1 : 0)];
  $expected = $fault{$name}{returning} if $kind->{returns} && $fault{$name}{returning};
  $expected = '00000' if $expected eq '';
  $expected = $state if $state eq ($fault{$name}{perhaps} // '');
  my ($sure, $maybe) = remains($warning, $kind->{table});

  my @bad;
  push @bad, "duplicate: $wrong" if $wrong;
  push @bad, "loss: reported as done, but $changed of $kind->{rows} rows are" if !$failed && $changed != $kind->{rows};
  push @bad, "state $state where $expected was expected" if $state ne $expected;
  if ($failed || $rolled_back) {
    push @bad, "the warning tells of $sure rows and $maybe more, but $changed are changed" if $changed < $sure || $changed > $sure + $maybe;
    push @bad, "the warning tells of $maybe rows unknown with state $state" if ($maybe > 0) != ($state eq $unknown);
  }
  push @bad, 'message' if $state eq $unknown && $message !~ /outcome of the remote (?:INSERT|UPDATE|DELETE) (?:of|from|in|into) .*"$kind->{table}" is unknown/;
  push @bad, 'another request is said to have changed rows' if $failed && $message =~ /have changed (\d+) rows?/ && $1 > $changed;
  push @bad, "output $output" if $kind->{returns} && $output ne ($failed ? '' : join "\n", 0 .. 5);
  # Two attempts; libcurl begins each again, up to five times, on other connections that were kept and end without a byte
  # of an answer.
  my $most = $kind->{merge} ? 2 * 6 : 1;
  push @bad, 'repeated: a request that may have run was sent again' if most_passed($runs) > $most;
  $outcomes{$failed ? $state : 'done'}++;
  $total{rows} += $changed;
  return map { "$kind->{name}, $name at request $first" . ($stays ? ' and after' : '') . ($rolled_back ? ', rolled back' : '') . ": $_\n$message" } @bad;
}

my @bad;
sub judge {
  my ($title, $count) = @_;
  note join ', ', map { "$_: $outcomes{$_}" } sort keys %outcomes;
  my %by = (duplicates => qr/: duplicate/, 'silent losses' => qr/: loss/, 'requests sent again' => qr/: repeated/);
  for my $what (sort keys %by) { is(scalar(grep { $_ =~ $by{$what} } @bad), 0, "$title: $what") }
  is(scalar(@bad), 0, "$title: all $count reported as what they were") or diag join "\n", @bad[0 .. min($#bad, 9)];
  @bad = ();
  %outcomes = ();
}

# every kind under every fault, at its first and its last request
my $start = time;
for my $kind (@kinds) {
  for my $name (sort keys %fault) {
    push @bad, try($kind, $name, $_, 0, 0) for $kind->{requests} > 1 ? (1, $kind->{requests}) : 1;
  }
}
judge('every kind under every fault', $runs);
note sprintf '%d statements in %.1f s', $runs, time - $start;

$start = time;
my $before = $runs;
for (1 .. $rounds) {
  my $kind = $kinds[rand @kinds];
  my @names = grep { $_ ne 'none' } sort keys %fault;
  push @bad, try($kind, $names[rand @names], 1 + int(rand $kind->{requests}), rand() < 0.2, rand() < 0.15);
}
judge("$rounds times at random (seed $seed)", $runs - $before);
note sprintf '%d statements in %.1f s', $runs - $before, time - $start;
is($remote->value('SELECT count(*) FROM (SELECT FROM writing.heap GROUP BY n HAVING count(*) > 1) AS twice'), 0, 'no row twice in the table without a key');
is($session->value('SELECT pg_backend_pid()'), $session->backend, 'the same backend all the time');

# ---- a body that is under way when the connection ends ----

for my $name (qw(half half_passed_on)) {
  my $n = 10 * ++$runs;
  $door->play("$name $runs 1 0");
  is($session->run("INSERT INTO heap VALUES ($n, repeat('x', 6000000))")->state, $unknown, "$name of six megabytes: the outcome is unknown") or diag $session->message;
  is($remote->value("SELECT count(*) FROM writing.heap WHERE n = $n"), 0, "$name of six megabytes: nothing is there");
}

# ---- nothing was sent ----

my $nobody = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
my $closed_port = $nobody->sockport;
$nobody->close;
$stack->sql("CREATE SERVER nobody FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://127.0.0.1:$closed_port', schema_name 'writing', max_retries '0');
  CREATE USER MAPPING FOR postgres SERVER nobody OPTIONS (api_key '$key'); CREATE FOREIGN TABLE nowhere (n int) SERVER nobody OPTIONS (table_name 'heap')", $database);
is($session->run('INSERT INTO nowhere VALUES (1)')->state, '08001', 'refused connection: not sent');
unlike($session->message, qr/WARNING|unknown/, 'refused connection: nothing remains');

# ---- a write that is interrupted while the remote has it ----

my $log = $stack->log_end;
my $control = $stack->session($database);

# Begins a statement, waits until the remote has executed it and the answer is held back, and ends it.
sub interrupt {
  my ($kind, $how) = @_;
  my $base = 10 * ++$runs;
  my $pid = $session->backend;
  $remote->value($kind->{prepare}) if $kind->{prepare};
  $door->play("hold $runs 0 0");
  $session->value("SET statement_timeout = '1500ms'") if $how eq 'timeout';
  $session->begin($kind->{sql}->($base));
  ok(Stack::wait_until(20, sub { $session->{psql}->pump_nb; $door->notes =~ /^held $runs$/m }), "$kind->{name}, $how: the remote has it");
  $control->value("SELECT pg_cancel_backend($pid)") if $how eq 'cancel';
  $control->value("SELECT pg_terminate_backend($pid)") if $how eq 'terminate';
  $session->end;
  return $base;
}

for my $kind (@kinds) {
  for my $how ('cancel', 'timeout') {
    next if $how eq 'timeout' && $kind->{requests} == 1;
    my $base = interrupt($kind, $how);
    is(state_of($session->message), '57014', "$kind->{name}, $how: SQLSTATE") or diag $session->message;
    my ($sure, $maybe) = remains($session->message, $kind->{table});
    my ($changed, $wrong) = split /\|/, $remote->value($kind->{truth}->($base));
    cmp_ok($maybe, '>', 0, "$kind->{name}, $how: the warning says that the outcome is unknown") or diag $session->message;
    ok($sure <= $changed && $changed <= $sure + $maybe && !$wrong, "$kind->{name}, $how: $changed rows changed, $sure and perhaps $maybe more are told of");
    $session->value("SET statement_timeout = '60s'");
    $door->settle;
    push @bad, try($kind, 'none', 1, 0, 0);
  }
}
judge('the next statement', scalar @kinds);
like($stack->log_since($log), qr/remote writes of the rolled back transaction remain/, 'the warnings are in the log');

$log = $stack->log_end;
my $base = interrupt($kinds[1], 'terminate');
is($session->state, 'CONNECTION', 'terminate: the connection is gone');
ok(Stack::wait_until(20, sub { $stack->log_since($log) =~ /remote writes of the rolled back transaction remain/ }), 'terminate: the log tells of the write');
like($stack->log_since($log), qr/Server "d": \d+ rows inserted into "heap", the outcome for \d+ more unknown/, 'terminate: and of its rows');
$session->close;
connect_session();
$door->settle;
push @bad, try($kinds[1], 'none', 1, 0, 0);
judge('a new session', 1);

is($stack->count_secrets($stack->log_since($log)), 0, 'no secret is in the log');
clean();
done_testing;

# Tables below an Append are read at the same time: a slow one holds up nobody's rows but its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use Stack;
use Test::More;

my $stack = Stack->running;
my $http = $stack->env('URL_HTTP');

# Answers like the gateway, but in mode "held <n> <file>" from the n-th request on only once the test has made that file.
sub gate {
  return Door->new(sub {
    my ($client, $request, $number, $mode) = @_;
    if ($mode =~ /^held (\d+) (\w+)/ && $number >= $1) {
      my $file = $2;
      Door::note($request->{dir}, "held $number");
      Stack::wait_until(60, sub { -e "$request->{dir}/$file" });
    }
    return $client->close && 0 if $mode eq 'lost';
    print $client Door::answer(%{Door::forward($http, $request)});
    return 1;
  });
}
my $gates = 0;
sub close_gate { my ($door, $from) = @_; $gates++; $door->{gate} = "gate$gates"; $door->play("held $from $door->{gate}") }
sub open_gate { my ($door) = @_; open my $file, '>', "$door->{dir}/$door->{gate}" or die $!; close $file }

my ($slow, $quick) = (gate(), gate());
my $database = $stack->database(direct => $stack->env('URL'));
$stack->server($database, 'slow', $slow->url, {max_retries => 0});
$stack->server($database, 'quick', $quick->url, {max_retries => 0});
$stack->sql(<<'SQL', $database);
CREATE TABLE tree (id int, val text);
CREATE FOREIGN TABLE slow_child (id int OPTIONS (key 'true'), val text) INHERITS (tree) SERVER slow OPTIONS (table_name 't1000');
CREATE FOREIGN TABLE quick_child (id int OPTIONS (key 'true'), val text) INHERITS (tree) SERVER quick OPTIONS (table_name 't1001');
CREATE FOREIGN TABLE direct_child (id int OPTIONS (key 'true'), val text) INHERITS (tree) SERVER direct OPTIONS (table_name 't1001');
CREATE TABLE local_child () INHERITS (tree);
INSERT INTO local_child SELECT i, 'here' FROM generate_series(1, 10) i;
CREATE FUNCTION rows_of(OUT part text, OUT n bigint) RETURNS SETOF record LANGUAGE sql AS
  $$ SELECT tableoid::regclass::text, count(*) FROM (SELECT tableoid, id FROM tree OFFSET 0) t GROUP BY 1 ORDER BY 1 $$;
SQL
my $all = "direct_child|1001\nlocal_child|10\nquick_child|1001\nslow_child|1000";
my $session = $stack->session($database);
is($session->value('SELECT * FROM rows_of()'), $all, 'all answer at once');
like($session->value('EXPLAIN (COSTS OFF) SELECT * FROM tree'), qr/(Async Foreign Scan.*){3}/s, 'asynchronous');

# the first in the plan is the last to answer
close_gate($slow, 1);
$session->value('BEGIN; DECLARE c CURSOR FOR SELECT tableoid::regclass, id FROM tree');
my $rows = $session->value('FETCH 2012 FROM c');
is(scalar(() = $rows =~ /^slow_child/mg), 0, 'held: nothing of the slow one');
is(scalar(() = $rows =~ /^quick_child/mg), 1001, 'held: all of the quick one');
is(scalar(() = $rows =~ /^direct_child/mg), 1001, 'held: all of the other');
is(scalar(() = $rows =~ /^local_child/mg), 10, 'held: all of the local one');
is($slow->requests, 1, 'held: the slow one was asked');
# other queries use the same connections meanwhile
is($session->value('SELECT sum(id) FROM quick.t1000'), 500500, 'held: another query');
$session->begin('FETCH ALL FROM c');
open_gate($slow);
$session->end;
is(scalar(() = $session->output =~ /^slow_child/mg), 1000, 'released: all of the slow one');
is(scalar(() = $session->output =~ /\|/g), 1000, 'released: and no other row');
$session->value('COMMIT');

# both are under way before either has answered
close_gate($slow, 1);
close_gate($quick, 1);
$session->begin('SELECT * FROM rows_of()');
ok(Stack::wait_until(20, sub { $slow->notes =~ /held 1\n\z/ && $quick->notes =~ /held 1\n\z/ }), 'both are asked before one has answered');
open_gate($quick);
open_gate($slow);
is($session->end->output, $all, 'all rows, whichever comes first');

# held at a later page
$session->value("ALTER FOREIGN TABLE slow_child OPTIONS (ADD fetch_size '300', ADD max_parallel_requests '1')");
close_gate($slow, 3);
$quick->play('');
$session->value('BEGIN; DECLARE c CURSOR FOR SELECT tableoid::regclass, id FROM tree');
$rows = $session->value('FETCH 2612 FROM c');
is(scalar(() = $rows =~ /^slow_child/mg), 600, 'a later page: the rows before it');
$session->begin('FETCH ALL FROM c');
open_gate($slow);
is(scalar(() = $session->end->output =~ /^slow_child/mg), 400, 'a later page: the rest');
$session->value('COMMIT');

# left while one is held, by LIMIT, by the end of the cursor, and by an error of the other
close_gate($slow, 1);
is($session->value('SELECT count(*) FROM (SELECT id FROM tree LIMIT 1500) q'), 1500, 'LIMIT: rows without the slow one');
$session->value('BEGIN; DECLARE c CURSOR FOR SELECT id FROM tree');
$session->value('FETCH 100 FROM c');
$session->value('CLOSE c; COMMIT');
open_gate($slow);
close_gate($slow, 1);
$quick->play('lost');
is($session->run('SELECT * FROM rows_of()')->state, '08006', 'an error of one while another is held');
open_gate($slow);
$slow->play('');
$quick->play('');
is($session->value('SELECT * FROM rows_of()'), $all, 'all rows afterwards');
is($session->value('SELECT sum(id) FROM slow.t1000'), 500500, 'the same server afterwards');

# again and again within one statement, the slow one behind each time
is($session->value('SELECT sum(n) FROM generate_series(1, 20) g, LATERAL (SELECT count(*) AS n FROM (SELECT id FROM tree WHERE id > g OFFSET 0) t) q'),
  20 * 3002 - 3 * 210 + 45, 'scans that start again');

$session->close;
done_testing;

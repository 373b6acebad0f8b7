# Settings that change from outside: by the configuration file in the middle of a transaction, of a scan, of nothing, and
# before the library is loaded.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Stack;
use Test::More;

my $stack = Stack->running;
my $database = $stack->database(shop => $stack->env('URL'));
$stack->sql("CREATE FOREIGN TABLE shop.events (id bigint OPTIONS (key 'true'), kind text) SERVER shop", $database);
my $control = $stack->session($database);
my $session = $stack->session($database);
my $pid = $session->backend;
$control->value('SELECT count(*) FROM shop.orders');  # the library is loaded: ALTER SYSTEM knows the settings

# Changes the file and waits until the session has seen that.
sub reload {
  my ($change, $seen) = @_;
  $control->value($change);
  $control->value('SELECT pg_reload_conf()');
  return Stack::wait_until(20, $seen);
}
sub shows { my ($setting, $value) = @_; return sub { $session->value("SHOW supabase_fdw.$setting") eq $value } }
my $plan = 'EXPLAIN (COSTS OFF, VERBOSE) SELECT id FROM shop.orders WHERE id > 5';

is($session->value('SELECT count(*) FROM shop.orders'), 71, 'at first');
ok(reload('ALTER SYSTEM SET supabase_fdw.enable_pushdown = off', shows('enable_pushdown', 'off')), 'idle: seen');
like($session->value($plan), qr/enable_pushdown is off/, 'idle: holds');
# in the middle of a scan, whose pages go on as they were asked for
$session->value('BEGIN; DECLARE c CURSOR FOR SELECT id FROM shop.events ORDER BY id; FETCH 1 FROM c');
ok(reload('ALTER SYSTEM RESET supabase_fdw.enable_pushdown', shows('enable_pushdown', 'on')), 'in a scan: seen');
is($session->value('MOVE 4000 FROM c; FETCH 1 FROM c'), 4002, 'in a scan: it goes on');
unlike($session->value($plan), qr/enable_pushdown/, 'in a scan: the next plan');
ok(reload("ALTER SYSTEM SET supabase_fdw.ca_file = '/dev/null'", shows('ca_file', '/dev/null')), 'in a scan: another authority');
is($session->run('SELECT count(*) FROM shop.orders')->state, '08001', 'in a scan: holds for what is new');
# in a transaction that has failed
ok(reload('ALTER SYSTEM RESET supabase_fdw.ca_file', sub { $control->value('SHOW supabase_fdw.ca_file') ne '/dev/null' }), 'failed transaction: changed');
is($session->run('SELECT 1')->state, '25P02', 'failed transaction: still failed');
$session->value('ROLLBACK');
is($session->value('SELECT count(*) FROM shop.orders'), 71, 'failed transaction: afterwards');
# while the backend waits for the network
$session->begin('SELECT count(id) FROM shop.slow_view');
ok(Stack::wait_until(20, sub { $control->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 }), 'waiting');
$control->value('ALTER SYSTEM SET supabase_fdw.require_local_auth = on');
$control->value('SELECT pg_reload_conf()');
is($session->end->output, 3, 'waiting: all rows');
ok(Stack::wait_until(20, shows('require_local_auth', 'on')), 'waiting: seen afterwards');
# a wrong value leaves the old one, and what stands beside it holds
my $place = $stack->log_end;
open my $file, '>>', $stack->env('DIR') . '/local/postgresql.auto.conf' or die "no configuration: $!";
print $file "supabase_fdw.enable_pushdown = 'perhaps'\nsupabase_fdw.trace = on\n";
close $file;
$control->value('SELECT pg_reload_conf()');
ok(Stack::wait_until(20, shows('trace', 'on')), 'wrong value: the file was read');
is($session->value('SHOW supabase_fdw.enable_pushdown'), 'on', 'wrong value: not taken');
# a new session, where the library comes after the file: the default stands
my $late = $stack->session($database);
is($late->value('SELECT count(*) FROM shop.orders; SHOW supabase_fdw.enable_pushdown; SHOW supabase_fdw.require_local_auth'), "71\non\non", 'loaded late: what the file says is checked then');
$late->close;
ok(reload('ALTER SYSTEM RESET ALL', shows('require_local_auth', 'off')), 'reset');

# a role and a database, before the library is loaded
$stack->sql("ALTER ROLE postgres IN DATABASE $database SET supabase_fdw.enable_pushdown = off; ALTER DATABASE $database SET supabase_fdw.trace = 'on'", $database);
my $place_of_role = $stack->log_end;
my $other = $stack->session($database);
like($other->value($plan), qr/enable_pushdown is off/, 'of a role: holds');
is($other->value('SELECT count(*) FROM shop.orders'), 71, 'of a role: rows');
like($stack->log_since($place_of_role), qr{GET /rest/v1/orders}, 'of a database: holds');
is($other->value('SET supabase_fdw.enable_pushdown = on; RESET ALL; SHOW supabase_fdw.enable_pushdown'), 'off', 'of a role: RESET ALL');
is($other->value('DISCARD ALL; SHOW supabase_fdw.enable_pushdown'), 'off', 'of a role: DISCARD ALL');
$other->close;
$_->close for $session, $control;
is(scalar(() = $stack->log_since($place) =~ /terminated by signal|PANIC/g), 0, 'no backend crashed');

done_testing;

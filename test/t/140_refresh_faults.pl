# A refresh that is cut off anywhere is never lost in silence. The issuer is the test's own here, because the faults lie
# in it and because it must be strict: hosted APIs may revoke everything when a refresh token is used twice, which the
# real Auth server does not. (130_logins has that one.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use MIME::Base64 qw(encode_base64url);
use Session;
use Socket qw(MSG_PEEK);
use Stack;
use Test::More;
use Time::HiRes ();

# a session whose server was killed may be spoken to once more
$SIG{PIPE} = 'IGNORE';

# --- the issuer -----------------------------------------------------------------------------------------------------
# Its state is that of the door's process. Mode: "strict" or "lenient", then where to hold, then what to answer.
my ($number, %used, $revoked, $current) = (0, (), 0, '');

# its second argument: seconds that it lives, of an hour; its third: an address, in UTF-8
sub access {
  my ($n, $left, $email) = @_;
  my $exp = time + ($left // 3600);
  return join '.', map({ encode_base64url($_) } '{"alg":"HS256"}', sprintf('{"sub":"user","role":"authenticated",%s"n":%d,"iat":%d,"exp":%d}', $email ? qq("email":"$email",) : '', $n, $exp - 3600, $exp)), 'sig0';
}

sub tokens {
  my (%with) = @_;
  $current = "refresh-$number";
  my $body = sprintf '{"access_token":"%s","token_type":"%s","expires_in":%s,"refresh_token":"%s"}', $with{access} // access($number),
    $with{type} // 'bearer', $with{expires} // 3600, $current;
  $body =~ s/,"refresh_token":"[^"]*"// if $with{no_refresh};
  $body =~ s/"expires_in":[^,]*,// if $with{no_expiry};
  return Door::answer(status => 200, headers => ['Content-Type: application/json'], body => $body);
}

sub refusal { return Door::answer(status => $_[0], headers => ['Content-Type: application/json', @_[2 .. $#_]], body => $_[1]) }

# Waits until the test says how to go on: "answer" or "drop". Once: what comes then goes through.
sub hold {
  my ($dir, $where) = @_;
  open my $mark, '>', "$dir/held" or die $!;
  close $mark;
  Door::note($dir, "held $where");
  for (1 .. 3000) {
    if (open my $go, '<', "$dir/go") { my $word = <$go>; close $go; unlink "$dir/go"; return $word }
    Time::HiRes::sleep(0.01);
  }
  return 'drop';
}

my %special = (
  '500' => sub { refusal(500, '{"message":"internal"}') },
  '429' => sub { refusal(429, '{"message":"slow down"}', 'Retry-After: 7') },
  'page200' => sub { refusal(200, '<html>Welcome</html>') },
  'page400' => sub { refusal(400, '<html>invalid_grant</html>') },
  'client' => sub { refusal(401, '{"message":"Invalid API key"}') },
  'grant' => sub { refusal(400, '{"error":"invalid_grant","error_description":"revoked by the user"}') },
  'mac' => sub { $number++; tokens(type => 'mac') },
  'zero' => sub { $number++; tokens(expires => 0) },
  'control' => sub { $number++; tokens(access => 'a\r\nX-Evil: 1') },
  'no_refresh' => sub { tokens(no_refresh => 1) },
  'no_expiry' => sub { $number++; tokens(no_expiry => 1) },
  # what is no JWT, and what LATIN1 has not
  'opaque' => sub { $number++; tokens(access => "opaque-$number") },
  'foreign' => sub { $number++; tokens(access => access($number, undef, "\xc3\xa4\xe6\x97\xa5\@example.com")) },
  'foreign_error' => sub { refusal(400, qq({"error":"invalid_grant","error_description":"r\xc3\xa9voqu\xc3\xa9 \xe6\x97\xa5"})) },
);

sub issue {
  my ($client, $request, $mode) = @_;
  my ($kind, $where, $what) = split / /, $mode;
  if ($request->{target} =~ /grant_type=password/ || $request->{body} =~ /grant_type=authorization_code/) {
    $number++;
    ($revoked, %used) = (0);
    print $client tokens(access => access($number, ($what // '') eq 'short' ? 20 : 3600));
    return 1;
  }
  my ($token) = $request->{body} =~ /(?:"refresh_token":"|refresh_token=)([^"&]*)/;
  if ($what && $special{$what}) { print $client $special{$what}->(); return 1 }
  if ($revoked || ($token ne $current && ($kind eq 'strict' || !$used{$token}))) {
    $revoked = 1;
    print $client refusal(400, '{"code":400,"error_code":"refresh_token_already_used","msg":"Invalid Refresh Token: Already Used"}');
    return 1;
  }
  if ($token eq $current) { $used{$token} = 1; $number++ }
  my $answer = tokens();
  my $held = ($where eq 'processed' || $where eq 'half') && !-e "$request->{dir}/held";
  my $half = 0;
  if ($held && $where eq 'half') { $half = int(length($answer) / 2); print $client substr $answer, 0, $half }
  return 0 if $held && hold($request->{dir}, $where) ne 'answer';
  print $client substr $answer, $half;
  return 1;
}

# The Data API: whoever has the newest access token, unless the mode refuses everybody.
sub serve {
  my ($client, $request, $count, $mode) = @_;
  return issue($client, $request, $mode) if $request->{target} =~ m{^/(?:auth/v1|v1/oauth)/token};
  my ($bearer) = $request->{head} =~ /^authorization: *Bearer (\S+)/im;
  my $n = 0;
  if (($bearer // '') =~ /^[^.]*\.([^.]*)\./) { require MIME::Base64; ($n) = MIME::Base64::decode_base64url($1) =~ /"n":(\d+)/ }
  $n = $1 if ($bearer // '') =~ /^opaque-(\d+)$/;
  my $good = $n == $number && $mode !~ /refuse/ && ($mode !~ /late/ || $count == 1);
  my $headers = ['Content-Type: application/json', $good ? () : 'WWW-Authenticate: Bearer error="invalid_token"'];
  if ($good && $request->{target} =~ m{^/rest/v1/many\?}) {
    print $client Door::answer(status => 206, headers => [@$headers, 'Content-Range: 0-999/5000'], body => '[' . join(',', map { qq({"c0":$_}) } 1 .. 1000) . ']');
    return 1;
  }
  print $client Door::answer(status => $good ? 200 : 401, headers => $headers, body => $good ? qq(["$request->{method}"]) : '{"code":"PGRST301","message":"JWT expired"}');
  return 1;
}

my $door = Door->new(\&serve, unread => sub {
  my ($client, $mode) = @_;
  my ($dir) = $mode =~ m{ unread .*dir=(\S+)};
  return 1 if !$dir || -e "$dir/held";
  # the end of a connection that was kept is no request
  recv $client, my $bytes, 1, MSG_PEEK;
  return 1 if $bytes eq '';
  return hold($dir, 'unread') eq 'answer';
});

my $stack = Stack->start(conf => "restart_after_crash = on\nmax_worker_processes = 20");
my $database = $stack->database;
$stack->sql(<<SQL, $database);
CREATE SERVER api FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$door->url]}', max_retries '0');
CREATE USER MAPPING FOR postgres SERVER api OPTIONS (api_key 'sb_publishable_x', login 'x');
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$door->url]}', max_retries '0');
CREATE USER MAPPING FOR postgres SERVER mgmt OPTIONS (oauth_grant 'x');
SELECT supabase_oauth_create_app('app', 'id', 'secret', 'http://127.0.0.1/callback');
SQL
# whose row it is about: a login's, or an OAuth grant's
my ($table, $server, $refresh) = ('logins', 'api', q{supabase_refresh_login('x', true)});

my $watch;
sub watch { $watch->{psql}->kill_kill if $watch; $watch = $stack->session($database); return $watch }
watch();
sub row { return $watch->value("SELECT $_[0] FROM supabase_fdw.$table WHERE name = 'x'") }
sub sign_in {
  $door->play($_[0] // 'strict none');
  my $session = $stack->session($database);
  if ($table eq 'logins') {
    $session->value(q{SELECT user_id FROM supabase_sign_in('api', 'a@example.com', 'pw', save_as => 'x'); SELECT supabase_clear_auth()});
  } else {
    my ($state) = $session->value(q{SELECT supabase_oauth_authorize_url('app')}) =~ /state=([\w-]+)/;
    $session->value("SELECT grant_name FROM supabase_oauth_exchange('code', '$state', 'x')");
  }
  unlink map { "$door->{dir}/$_" } qw(notes go held);
}
sub go { my ($word) = @_; open my $file, '>', "$door->{dir}/go.new" or die $!; print $file $word; close $file; rename "$door->{dir}/go.new", "$door->{dir}/go" }
sub held { my ($where) = @_; return Stack::wait_until(30, sub { $door->notes =~ /held $where/ }) }
my $worker = q{FROM pg_stat_activity WHERE backend_type = 'supabase_fdw credential'};
# a worker that starts reads this catalog, before pg_stat_activity has it
my $starting = q{FROM pg_locks WHERE relation = 'pg_db_role_setting'::regclass AND NOT granted};
sub table_wait { return "FROM pg_locks WHERE relation = 'supabase_fdw.$table'::regclass AND NOT granted" }
sub some { my ($from) = @_; return Stack::wait_until(30, sub { $watch->value("SELECT count(*) $from") == 1 }) || die "nothing $from" }
sub worker_waits { return some("$worker AND wait_event_type = 'Lock'") }
sub worker_pid { return $watch->value("SELECT coalesce((SELECT max(pid) $worker), (SELECT max(pid) $starting))") }
sub worker_gone { return Stack::wait_until(60, sub { $watch->value("SELECT count(*) $worker") == 0 }) }
sub connected { my $s = $stack->session($database); $s->value('SELECT 1'); return $s }
my $lock = sub { my ($mode) = @_; my $s = connected(); $s->value("BEGIN; LOCK TABLE supabase_fdw.$table IN $mode MODE"); return $s };

# --- the crash matrix ------------------------------------------------------------------------------------------------
# Each step brings the refresh to a place and returns what lets it go on; the session that asked is $asking.
my $asking;
my $prepare_to_ask = sub { $asking->{psql}->kill_kill if $asking; $asking = $stack->session($database); return $asking->value('SELECT pg_backend_pid()') };
my $ask = sub { $asking->begin("SELECT $refresh") };
my $pid;
my $before_worker = sub {
  my ($mode) = @_;
  $pid = $prepare_to_ask->();
  my ($blocker, $startup) = (connected(), connected());
  $startup->value('BEGIN; LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
  $ask->();
  some($starting);
  return sub { $startup->run('ROLLBACK') } if !$mode;
  $blocker->value("BEGIN; LOCK TABLE supabase_fdw.$table IN $mode MODE");
  $startup->value('ROLLBACK');
  some(table_wait());
  return sub { $blocker->run('ROLLBACK') };
};
my $while_sending = sub {
  my ($kind, $where) = @_;
  $door->play("$kind $where none dir=$door->{dir}");
  $pid = $prepare_to_ask->();
  $ask->();
  held($where) or die "not held $where";
  return sub { go($_[0]) };
};
my @steps = (
  ['before it has started' => sub { $before_worker->() }],
  ['before it reads the row' => sub { $before_worker->('ACCESS EXCLUSIVE') }],
  ['before the intent' => sub { $before_worker->('SHARE') }],
  ['before the issuer reads' => sub { $while_sending->($_[0], 'unread') }],
  ['before the answer' => sub { $while_sending->($_[0], 'processed') }],
  ['within the answer' => sub { $while_sending->($_[0], 'half') }],
  ['before it is stored' => sub {
    my $on = $while_sending->($_[0], 'processed');
    my $blocker = $lock->('SHARE');
    $on->('answer');
    worker_waits();
    return sub { $blocker->run('ROLLBACK') };
  }],
  ['before the session sees it' => sub {
    my $on = $while_sending->($_[0], 'processed');
    my $blocker = $lock->('SHARE');
    $on->('answer');
    worker_waits();
    my $second = $stack->session($database);
    $second->begin("BEGIN; LOCK TABLE supabase_fdw.$table IN ACCESS EXCLUSIVE MODE");
    Stack::wait_until(30, sub { $watch->value(q{SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted}) == 1 });
    $blocker->value('ROLLBACK');
    $second->end;
    # the worker is gone, and the session waits to read the row
    Stack::wait_until(30, sub { $watch->value("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'") == 1 });
    return sub { $second->run('ROLLBACK') };
  }],
);

my %act = (
  cancel => sub { $watch->value("SELECT pg_cancel_backend(pid) FROM unnest(array[$_]) pid") for grep { $_ } $pid, worker_pid() },
  terminate => sub { $watch->value("SELECT pg_terminate_backend(pid) FROM unnest(array[$_]) pid") for grep { $_ } $pid, worker_pid() },
  kill => sub { kill 'KILL', worker_pid() || $pid },
);

sub crash_step {
  my ($kind, $act, $i) = @_;
  my ($name, $prepare) = @{$steps[$i]};
  my $what = ($table eq 'logins' ? '' : 'grant, ') . "$kind issuer, $act $name";
  return if $ENV{FAULT_STEP} && $what !~ /$ENV{FAULT_STEP}/;
  sign_in("$kind none");
  my $on = eval { $prepare->($kind) };
  if (!$on) { fail("$what: $@"); watch(); return }
  my $place = $stack->log_end;
  $act{$act}->();
  if ($act eq 'kill') {
    # the whole server starts again, so there is no lock to release and no session to hear from
    go('drop');
    Stack::wait_until(60, sub { $stack->log_since($place) =~ /ready to accept connections/ }) or die 'the server does not come back';
    watch();
  } else {
    $on->('answer');
    worker_gone();
    $asking->end;
  }
  my $stored = $act ne 'kill' && $i >= 3;
  is(row('generation'), 2, "$what: what was sent is stored") if $stored;
  $door->settle;
  $door->play("$kind none");
  my $session = $stack->session($database);
  $session->run("SELECT $refresh > now()");
  my $lost = $act eq 'kill' && $kind eq 'strict' && $i >= 4 && $i <= 6;
  if ($lost) {
    is($session->state, '28000', "$what: the loss is an error");
    like($session->message, qr/needs to be (?:signed in|authorized) again.*outcome of the refresh before.*unknown/s, "$what: and named");
    is(row('status'), 'needs_reauthorization', "$what: and in the catalog");
  } else {
    is($session->state, '00000', "$what: nothing is lost") or diag($session->message);
    $session->run("SELECT supabase_request('$server', 'GET', '/x')");
    is($session->{output}, '["GET"]', "$what: and the token is the newest") or diag($session->message);
  }
}
for my $kind ('strict', 'lenient') {
  for my $act ('cancel', 'terminate', 'kill') {
    crash_step($kind, $act, $_) for 0 .. $#steps;
  }
}
# An OAuth grant goes the same way; these are the steps at which a strict issuer makes a difference.
($table, $server, $refresh) = ('oauth_grants', 'mgmt', q{supabase_oauth_refresh('x', true)});
crash_step('strict', @$_) for ['cancel', 4], ['terminate', 6], ['kill', 2], ['kill', 4], ['kill', 6];
($table, $server, $refresh) = ('logins', 'api', q{supabase_refresh_login('x', true)});

# --- who else there is while a refresh is under way -------------------------------------------------------------------
my $refreshes = sub { return scalar(() = $door->received =~ m{POST /auth/v1/token\?grant_type=refresh}g) };
{
  # the one who asked has gone: who comes then waits for the worker that is there
  sign_in();
  my $on = $while_sending->('strict', 'processed');
  $watch->value("SELECT pg_cancel_backend($pid)");
  is($asking->end->state, '57014', 'the statement that asked is cancelled');
  my $next = connected();
  my $waiter = $next->backend;
  $next->begin(q{SELECT supabase_refresh_login('x', true)});
  my $wait = Stack::wait_until(30, sub { $watch->value("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $waiter AND (wait_event_type = 'Lock' OR wait_event = 'BgWorkerShutdown')") });
  is($wait, 'Lock', 'the next one waits for the worker that is at work');
  is($watch->value("SELECT count(*) $worker"), 1, 'and starts no other');
  $on->('answer');
  is($next->end->state, '00000', 'it has what that one got');
  is($refreshes->(), 1, 'by one request');
}
{
  # advisory locks with the numbers of the login's own
  sign_in();
  my $locker = connected();
  my $number = q{('x' || left(id::text, 8))::bit(32)};
  my $class = q{x'53465744'};
  $locker->value("SELECT pg_advisory_lock(${class}::int, ${number}::int), pg_advisory_lock(($class || $number)::bit(64)::bigint) FROM supabase_fdw.logins");
  is($locker->value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1397118788 AND pid = pg_backend_pid()}), 2, 'a session has the locks');
  my $session = connected();
  $session->run(q{SET lock_timeout = '10s'; SELECT supabase_refresh_login('x', true) > now()});
  is($session->state, '00000', 'but no lock of a session stops a refresh') or diag($session->message);
  is(row('generation'), 2, 'which is done');
}
{
  # signed in again, at another server, while the door is held
  my $other = Door->new(\&serve);
  $watch->value("CREATE SERVER other FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$other->url]}'); CREATE USER MAPPING FOR postgres SERVER other OPTIONS (api_key 'sb_publishable_x', login 'x')");
  sign_in();
  $other->play('strict none');
  my $on = $while_sending->('strict', 'processed');
  my $again = connected();
  $again->value(q{SELECT user_id FROM supabase_sign_in('other', 'b@example.com', 'pw', save_as => 'x'); SELECT supabase_clear_auth()});
  $on->('answer');
  worker_gone();
  is($asking->end->state, '40001', 'a login that is replaced while it is refreshed is an error for the one who asked');
  is(row(q{server || ' ' || generation || ' ' || status}), 'other 1 active', 'and the refresh does not overwrite it');
  is($watch->value(q{SELECT outcome FROM supabase_fdw.credential_audit WHERE action = 'refresh' ORDER BY at DESC LIMIT 1}), 'the login was replaced meanwhile', 'which the audit says');
  is($again->value(q{SELECT supabase_refresh_login('x', true); SELECT supabase_request('other', 'GET', '/x')}) =~ /\["GET"\]/, 1, 'the new one works');
  $watch->value('DROP SERVER other CASCADE');
  $other->stop;
}

# --- a database that is not UTF-8 -------------------------------------------------------------------------------------
{
  my $latin = "${database}_latin";
  $stack->sql("CREATE DATABASE $latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", 'postgres');
  $stack->sql(<<SQL, $latin);
CREATE EXTENSION supabase_fdw;
CREATE SERVER api FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '@{[$door->url]}', max_retries '0');
CREATE USER MAPPING FOR postgres SERVER api OPTIONS (api_key 'sb_publishable_x', login 'x');
SQL
  $door->play('strict none');
  my $session = $stack->session($latin);
  $session->value(q{SELECT user_id FROM supabase_sign_in('api', 'a@example.com', 'pw', save_as => 'x'); SELECT supabase_clear_auth()});
  $door->play('strict none foreign');
  is($session->value(q{SELECT supabase_refresh_login('x', true) > now()}), 't', 'a refresh in a database in LATIN1');
  is($session->value(q{SELECT encode(convert_to(email, 'UTF8'), 'hex') FROM supabase_fdw.logins}), unpack('H*', '?????@example.com'), 'stores no bytes that would be other characters there');
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'and the token is used');
  $door->play('strict none foreign_error');
  $session->run(q{SELECT supabase_refresh_login('x', true)});
  is($session->state, '28000', 'what the issuer says');
  like($session->value(q{SELECT encode(convert_to(last_error, 'UTF8'), 'hex') FROM supabase_fdw.logins}), qr/@{[unpack 'H*', 'r??voqu?? ???']}/, 'likewise');
  $session->close;
  $stack->sql("DROP DATABASE $latin WITH (FORCE)", 'postgres');
}

# --- answers ---------------------------------------------------------------------------------------------------------
# [mode, SQLSTATE, message, status, refreshes sent]
my @answers = (
  ['500', '57P03', qr/could not be refreshed.*status 500: internal/s, 'ambiguous', 2],
  ['429', '57P03', qr/Too many requests.*status 429: slow down.*tried again after/s, 'active', 1],
  ['page200', '57P03', qr/not available/, 'ambiguous', 2],
  ['page400', '57P03', qr/not available/, 'ambiguous', 2],
  ['client', '57P03', qr/refused the request.*status 401: Invalid API key/s, 'active', 1],
  ['grant', '28000', qr/needs to be signed in again.*revoked by the user.*supabase_sign_in/s, 'needs_reauthorization', 1],
  ['mac', '57P03', qr/"token_type" is not "bearer"/, 'ambiguous', 2],
  ['zero', '57P03', qr/"expires_in" is not positive/, 'ambiguous', 2],
  ['control', '57P03', qr/"access_token" is missing or not a token/, 'ambiguous', 2],
);
for my $case (@answers) {
  my ($what, $state, $message, $status, $sent) = @$case;
  sign_in();
  $door->play("strict none $what");
  my $session = $stack->session($database);
  $session->run(q{SELECT supabase_refresh_login('x', true)});
  is($session->state, $state, "answer $what: SQLSTATE");
  like($session->message, $message, "answer $what: message");
  is(row('status'), $status, "answer $what: status");
  is($door->requests, $sent, "answer $what: requests");
  is(row('generation'), 1, "answer $what: nothing is replaced");
  # the access token is still good for its hour
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', "answer $what: the access token is used") if $status eq 'active';
  my $before = $door->requests;
  $session->run(q{SELECT supabase_refresh_login('x', true)}) for 1 .. 3;
  is($session->state, $state, "answer $what: again");
  is($door->requests, $before, "answer $what: not asked again at once") if $what =~ /429|grant/;
}
for my $what ('no_refresh', 'no_expiry') {
  sign_in();
  $door->play("strict none $what");
  my $session = $stack->session($database);
  is($session->value(q{SELECT supabase_refresh_login('x', true) > now()}), 't', "answer $what: taken");
  is($session->value(q{SELECT round(extract(epoch FROM expires_at - refreshed_at)) FROM supabase_fdw.logins}), 300, 'five minutes when it does not say') if $what eq 'no_expiry';
  $door->play('strict none');
  is($session->value(q{SELECT supabase_refresh_login('x', true) > now()}), 't', "answer $what: and the refresh token that stays is used next");
}

# --- nobody there ----------------------------------------------------------------------------------------------------
{
  sign_in();
  my $session = $stack->session($database);
  my $port = Stack::free_port();
  $watch->value("ALTER SERVER api OPTIONS (SET url 'http://127.0.0.1:$port')");
  $watch->value("UPDATE supabase_fdw.logins SET origin = origin");
  $session->run(q{SELECT supabase_refresh_login('x', true)});
  is($session->state, '42501', 'another address gets nothing');
  $watch->value("ALTER SERVER api OPTIONS (SET url '@{[$door->url]}')");
}

# --- a refused access token: one refresh, one repetition, for every method ------------------------------------------
for my $method ('GET', 'POST', 'PATCH', 'DELETE') {
  sign_in();
  $watch->value(q{UPDATE supabase_fdw.logins SET refreshed_at = now() - interval '1 hour', expires_at = now() + interval '10 hours'});
  my $session = $stack->session($database);
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'the token is good');
  # the issuer gives the next one to somebody else, as after a change of its keys
  $door->play('lenient none');
  $stack->sql(q{SELECT supabase_refresh_login('x', true)}, $database);
  $watch->value(q{UPDATE supabase_fdw.logins SET generation = generation});
  my $body = $method eq 'GET' || $method eq 'DELETE' ? '' : q{, body => '{"a":1}'};
  my $query = $method eq 'PATCH' || $method eq 'DELETE' ? q{, query => '{"id":"eq.1"}'} : '';
  is($session->value("SELECT supabase_request('api', '$method', '/x'$query$body)"), qq(["$method"]), "$method with the newest token");
}
{
  sign_in();
  $watch->value(q{UPDATE supabase_fdw.logins SET refreshed_at = now() - interval '1 hour', expires_at = now() + interval '10 hours'});
  $door->play('lenient none none refuse');
  my $session = $stack->session($database);
  $session->run(q{SELECT supabase_request('api', 'POST', '/x', body => '{"a":1}')});
  is($session->state, '28000', 'a server that refuses every token: an error');
  my $received = $door->received;
  is(scalar(() = $received =~ m{POST /rest/v1/x}g), 2, 'after one repetition');
  is(scalar(() = $received =~ m{POST /auth/v1/token}g), 1, 'and one refresh');
  $session->run(q{SELECT supabase_request('api', 'POST', '/x', body => '{"a":1}')});
  is($session->state, '28000', 'the next statement: again');
  is(scalar(() = $door->received =~ m{POST /auth/v1/token}g), 1, 'without another refresh so soon');
}

# --- two cursors: the error of one credential is not the other's -------------------------------------------------------
{
  my $shop = $stack->env('URL_HTTP');
  $watch->value(<<SQL);
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$shop');
CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (api_key '@{[$stack->env('PUBLISHABLE_KEY')]}', login 'alice');
CREATE FOREIGN TABLE events (id int OPTIONS (key 'true'), kind text) SERVER shop;
CREATE FOREIGN TABLE many (id int OPTIONS (key 'true')) SERVER api;
SELECT user_id FROM supabase_sign_in('shop', '@{[$stack->env('ALICE_EMAIL')]}', '@{[$stack->env('ALICE_PASSWORD')]}', save_as => 'alice');
SELECT supabase_clear_auth();
SQL
  sign_in();
  $watch->value(q{UPDATE supabase_fdw.logins SET refreshed_at = now() - interval '1 hour', expires_at = now() + interval '10 hours'});
  # the first page is answered, the next one refused, and so is the refresh
  $door->play('strict none grant late');
  my $session = $stack->session($database);
  my $rows = sub { my ($statement) = @_; $session->run($statement); return scalar(my @lines = split /\n/, $session->output) };
  $session->value('BEGIN; DECLARE good CURSOR FOR SELECT id FROM events WHERE id <= 5000; DECLARE bad CURSOR FOR SELECT id FROM many');
  is($rows->('FETCH 10 FROM good'), 10, 'two cursors: rows of one');
  # nobody looks for the answer after the last of these rows
  is($rows->('FETCH 520 FROM bad'), 520, '... and of the other, which asks for its next page');
  ok(Stack::wait_until(30, sub { $door->requests >= 2 }), '... a request that is under way');
  $door->settle;
  is($rows->('FETCH 2000 FROM good'), 2000, '... and is refused while the first one reads on');
  is($session->state, '00000', '... which is nothing to that one') or diag($session->message);
  is($refreshes->(), 0, '... nor its affair');
  $session->value('SAVEPOINT s');
  $session->run('FETCH ALL FROM bad');
  is($session->state, '28000', 'whoever waits for it has the error');
  like($session->message, qr/ERROR: +stored login "x" needs to be signed in again\nDETAIL: .*revoked by the user.*supabase_sign_in\('api'/s, '... that of its own login');
  is($refreshes->(), 1, '... after one attempt');
  $session->value('ROLLBACK TO s');
  is($rows->('FETCH ALL FROM good'), 2990, 'the first one delivers all its rows');
  $session->value('COMMIT');
  $watch->value('DROP SERVER shop CASCADE');
}

# --- a user who only signed in for the session ------------------------------------------------------------------------
{
  $door->play('strict none short');
  my $session = $stack->session($database);
  my $sign_in = q{SELECT user_id FROM supabase_sign_in('api', 'a@example.com', 'pw')};
  $session->value($sign_in);
  # the transaction that refreshes rolls back, and so does the one that changes the user: no token comes back that was used
  $session->value(q{BEGIN; SELECT supabase_set_auth(NULL, 'api', true); ROLLBACK});
  $session->value(q{BEGIN});
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'a session token that is about to expire is refreshed');
  $session->value(q{ROLLBACK});
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'once, whatever the transaction does');
  is(scalar(() = $door->received =~ m{POST /auth/v1/token\?grant_type=refresh}g), 1, 'with one request');
  is($session->value(q{SELECT expires_at > now() + interval '30 minutes' FROM supabase_auth()}), 't', 'and supabase_auth says until when');
  $door->play('strict none short');
  $session->value($sign_in);
  $door->play('strict none 500');
  $door->settle;
  $session->run(q{SELECT supabase_request('api', 'GET', '/x')}) for 1 .. 3;
  is($session->{output}, '["GET"]', 'when that fails, a token that lives is used') or diag($session->message);
  is(scalar(() = $door->received =~ m{POST /auth/v1/token}g), 1, 'and not asked for again at once');
  # somebody else signs in
  $door->play('strict none short');
  $session->value($sign_in);
  $door->play('strict none');
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'the next user of the session');
  is(scalar(() = $door->received =~ m{POST /auth/v1/token}g), 1, 'does not wait for that');
  # a token that does not say until when: the answer did
  $door->play('strict none short');
  $session->value($sign_in);
  $door->play('strict none opaque');
  $session->run(q{SELECT supabase_request('api', 'GET', '/x')}) for 1 .. 3;
  is($session->{output}, '["GET"]', 'an access token that is no JWT is used') or diag($session->message);
  is(scalar(() = $door->received =~ m{POST /auth/v1/token}g), 1, 'after one refresh');
  is($session->value(q{SELECT expires_at > now() + interval '30 minutes' FROM supabase_auth()}), 't', 'until the time that came with it');
}

# --- a session that signed in and stored it goes on with the stored login ---------------------------------------------
{
  $door->play('strict none');
  my $session = $stack->session($database);
  $session->value(q{SELECT user_id FROM supabase_sign_in('api', 'a@example.com', 'pw', save_as => 'x')});
  $stack->sql(q{SELECT supabase_refresh_login('x', true)}, $database);
  is($session->value(q{SELECT supabase_request('api', 'GET', '/x')}), '["GET"]', 'the session has the newest token of its login');
  $watch->value(q{UPDATE supabase_fdw.logins SET user_id = 'somebody else' WHERE name = 'x'});
  $session->run(q{SELECT supabase_request('api', 'GET', '/x')});
  is($session->state, '28000', 'but never becomes another user with it');
  like($session->message, qr/is another user's by now/, 'which is said');
}

done_testing();

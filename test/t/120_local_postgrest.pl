# A PostgREST over the local database: its functions and tables read the remote project as their caller, and two callers
# on the same connections are never taken for each other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use HTTP::Tiny;
use JSON::PP qw(decode_json);
use POSIX ();
use PostgREST;
use Stack;
use Test::More;

my $stack = Stack->running;
my $database = $stack->database(shop => $stack->env('URL'));
my $remote = $stack->env('URL');
my %token = (alice => $stack->env('ALICE_JWT'), bob => $stack->env('BOB_JWT'));
my $key = $stack->env('PUBLISHABLE_KEY');

# The callers' tokens for the local project. It has the remote's secret, so that the remote would believe them: one that
# was forwarded by mistake would show. The local role is in a claim of its own.
sub mint {
  my ($claims) = @_;
  open my $pipe, '-|', "$Stack::root/test/stack/mint-jwt", $stack->env('JWT_SECRET'), $claims or die $!;
  chomp(my $jwt = <$pipe>);
  return $jwt;
}
my $expires = time + 3600;
sub local_token {
  my ($who, $issuer) = @_;
  my $id = $stack->env(uc($who) . '_ID');
  return mint(qq({"sub":"$id","role":"authenticated","local_role":"tap_web_user","local_name":"$who","exp":$expires,"iss":"$issuer"}));
}
my %local = map { $_ => local_token($_, 'http://local.example/auth/v1') } qw(alice bob);
my %tail = map { substr($local{$_}, -8) => "local $_", substr($token{$_}, -8) => $_ } qw(alice bob);

$stack->sql(<<SQL, $database);
DO \$\$ BEGIN CREATE ROLE tap_web LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
DO \$\$ BEGIN CREATE ROLE tap_web_anon; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
DO \$\$ BEGIN CREATE ROLE tap_web_user; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
GRANT tap_web_anon, tap_web_user TO tap_web;
ALTER ROLE tap_web IN DATABASE $database SET supabase_fdw.require_local_auth = on;
CREATE SERVER forwarding FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$remote', forward_request_jwt 'true');
CREATE USER MAPPING FOR tap_web_user SERVER shop OPTIONS (api_key '$key');
CREATE USER MAPPING FOR tap_web_user SERVER forwarding OPTIONS (api_key '$key');
CREATE USER MAPPING FOR tap_web_anon SERVER shop OPTIONS (api_key '$key');
CREATE SCHEMA api;
CREATE FOREIGN TABLE api.orders (id bigint OPTIONS (key 'true')) SERVER shop;
CREATE FOREIGN TABLE api.forwarded_orders (id bigint OPTIONS (key 'true')) SERVER forwarding OPTIONS (table_name 'orders');
CREATE FUNCTION api.whoami() RETURNS jsonb LANGUAGE sql VOLATILE AS \$\$
  SELECT jsonb_build_object('local', current_setting('request.jwt.claims', true)::jsonb ->> 'local_name', 'role', current_user,
    'remote', (SELECT string_agg(split_part(email, '\@', 1) || ' ' || scope, ',') FROM supabase_auth()),
    'orders', (SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM api.orders WHERE id > -120), 'pid', pg_backend_pid())
\$\$;
CREATE FUNCTION api.my_orders() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS \$\$
BEGIN
  PERFORM supabase_set_auth_from_request();
  RETURN api.whoami();
END \$\$;
CREATE FUNCTION api.by_authorization() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS \$\$
BEGIN
  PERFORM supabase_set_auth_from_request('authorization');
  RETURN api.whoami();
END \$\$;
CREATE FUNCTION api.by_remote_token() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS \$\$
BEGIN
  PERFORM supabase_set_auth_from_request('X-Remote-Token');
  RETURN api.whoami();
END \$\$;
-- a mistake: the connection is the next caller's, too
CREATE FUNCTION api.for_the_session() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS \$\$
BEGIN
  PERFORM supabase_set_auth(current_setting('request.headers')::jsonb ->> 'x-supabase-auth');
  RETURN api.whoami();
END \$\$;
CREATE FUNCTION api.act_as_caller() RETURNS void LANGUAGE sql AS 'SELECT supabase_set_auth_from_request()';
GRANT USAGE ON SCHEMA api TO tap_web_anon, tap_web_user;
GRANT SELECT ON ALL TABLES IN SCHEMA api TO tap_web_anon, tap_web_user;
SQL

my %config = ('db-schemas' => 'api', 'db-anon-role' => 'tap_web_anon', 'db-pool' => 2, 'jwt-secret' => $stack->env('JWT_SECRET'), 'jwt-role-claim-key' => '.local_role');
my $plain = PostgREST->new($stack, $database, 'tap_web', %config);
my $before = PostgREST->new($stack, $database, 'tap_web', %config, 'db-pre-request' => 'api.act_as_caller');

# What the gateway has received of this test since the last call: with whose key and whose Authorization. It writes a
# line after the answer, so the expected ones are waited for. (What others may send lacks the condition of all queries here.)
my $place = -s $stack->env('GATEWAY_LOG');
sub is_seen {
  my ($expected, $name) = @_;
  my ($awaited, $lines, %count) = (0, 0);
  $awaited += $_ for values %$expected;
  open my $file, '<', $stack->env('GATEWAY_LOG') or die $!;
  Stack::wait_until(20, sub {
    seek $file, $place, 0;
    while (my $line = <$file>) {
      last unless $line =~ /\n\z/;
      $place += length $line;
      my ($role, $auth) = $line =~ /id=gt\.-120\b.* key=(\S+) auth=(.*?) conn=/ or next;
      $count{$auth eq '-' ? "$role alone" : $tail{$auth} // "other $auth"}++;
      $lines++;
    }
    return $lines >= $awaited;
  });
  return is_deeply(\%count, $expected, $name);
}

my %ids = (alice => [1 .. 6], bob => [7 .. 11], nobody => []);
sub is_answer {
  my ($json, $local, $who, $name) = @_;
  my $got = eval { decode_json($json) } // {};
  my %expected = (local => $local, role => 'tap_web_user', remote => $who eq 'nobody' ? undef : "$who transaction", orders => $ids{$who});
  is_deeply({map { $_ => $got->{$_} } keys %expected}, \%expected, $name) or diag $json;
}

# one request each
for my $case (['in the function', $plain, 'POST /rpc/my_orders'], ['db-pre-request', $before, 'POST /rpc/whoami']) {
  my ($how, $rest, $line) = @$case;
  my @authorization = ("Authorization: Bearer $local{alice}");
  my $ask = sub { return $rest->raw($line, @authorization, @_) };
  is_answer(($ask->("X-Supabase-Auth: $token{alice}"))[1], 'alice', 'alice', "$how: a token");
  is_answer(($ask->("X-Supabase-Auth: Bearer $token{bob}"))[1], 'alice', 'bob', "$how: a token with its scheme; who calls locally does not matter");
  is_answer(($ask->("x-SUPABASE-auth:bearer   $token{bob}  "))[1], 'alice', 'bob', "$how: however it is written");
  is_seen({alice => 1, bob => 2}, "$how: so it was sent");

  is_answer(($ask->())[1], 'alice', 'nobody', "$how: no header");
  is_answer(($ask->('X-Supabase-Auth:'))[1], 'alice', 'nobody', "$how: an empty one");
  is_answer(($ask->('X-Supabase-Auth:   '))[1], 'alice', 'nobody', "$how: a blank one");

  # PostgREST keeps the last of several
  is_answer(($ask->("X-Supabase-Auth: $token{alice}", "X-Supabase-Auth: $token{bob}"))[1], 'alice', 'bob', "$how: two");
  is_answer(($ask->("X-Supabase-Auth: $token{alice}", 'X-Supabase-Auth:'))[1], 'alice', 'nobody', "$how: two, the second empty");
  is_seen({'anon alone' => 4, bob => 1}, "$how: the local Authorization is not forwarded");

  my %refused = (
    'the scheme alone' => ['X-Supabase-Auth: Bearer ', 400, '22023'],
    'no token' => ['X-Supabase-Auth: hello', 400, '22023'],
    'a very long one' => ['X-Supabase-Auth: ' . 'e' x 20000, 400, '22023'],
    'a longer one than PostgREST takes' => ['X-Supabase-Auth: ' . 'e' x 200_000, 400, undef],
    'blanks inside' => ["X-Supabase-Auth: $token{alice} x", 400, '22023'],
    'a carriage return inside' => ["X-Supabase-Auth: $token{alice}\rEvil: 1", 400, undef],
    'a token of another project' => ["X-Supabase-Auth: $local{bob}", 403, '28000'],
    'an expired one' => ['X-Supabase-Auth: ' . $stack->env('EXPIRED_JWT'), 403, '28000'],
    'a key' => ["X-Supabase-Auth: $key", 400, '22023'],
    'a continued line' => ["X-Supabase-Auth: $token{alice}\r\n X-Other: 1", 400, undef],
  );
  for my $name (sort keys %refused) {
    my ($header, $status, $sqlstate) = @{$refused{$name}};
    my ($got, $body) = $ask->($header);
    my $code = eval { decode_json($body)->{code} };
    is($got, $status, "$how: $name is refused") or diag $body;
    is($code, $sqlstate, "$how: $name: SQLSTATE") if $sqlstate;
    is($stack->count_secrets($body), 0, "$how: $name: no secret in the answer");
    is_answer(($ask->())[1], 'alice', 'nobody', "$how: $name: nothing stays");
  }
  is_seen({'anon alone' => scalar keys %refused}, "$how: of what is refused nothing is sent");
}

# a table, in the read-only transaction of a GET
{
  my $rows = sub { my ($status, $body) = $before->raw('GET /orders?select=id&id=gt.-120&order=id', "Authorization: Bearer $local{alice}", @_); return $status == 200 ? join ' ', map { $_->{id} } @{decode_json($body)} : "$status $body" };
  is($rows->("X-Supabase-Auth: $token{bob}"), '7 8 9 10 11', 'a table');
  is($rows->(), '', 'without the header: nobody');
  is($rows->("X-Supabase-Auth: $token{alice}"), '1 2 3 4 5 6', 'and another user');
  is_seen({alice => 1, bob => 1, 'anon alone' => 1}, 'so they were sent');
}

# another header, as the function asks for it
{
  my ($status, $body) = $plain->raw('POST /rpc/by_authorization', "Authorization: Bearer $local{bob}");
  is($status, 403, 'the Authorization of the local request, asked for by name, is refused') or diag $body;
  is_seen({}, 'and not sent');
  is_answer(($plain->raw('POST /rpc/by_remote_token', "Authorization: Bearer $local{bob}", "X-Remote-Token: $token{alice}"))[1],
    'bob', 'alice', 'a header of another name');
  is_seen({alice => 1}, 'and sent');
}

# with require_local_auth for the role that PostgREST connects as, no function can set a user for the connection
{
  my ($status, $body) = $plain->raw('POST /rpc/for_the_session', "Authorization: Bearer $local{bob}", "X-Supabase-Auth: $token{alice}");
  is($status == 200 ? 200 : decode_json($body)->{code}, '0A000', 'a user for the session is refused') or diag $body;
  is_answer(($plain->raw('POST /rpc/whoami', "Authorization: Bearer $local{bob}"))[1], 'bob', 'nobody', 'and nothing stays') for 1 .. 4;
  is_seen({'anon alone' => 4}, 'nor is it sent');
}

# a caller without a local token
is_deeply(do { my $got = decode_json(($plain->raw('POST /rpc/my_orders', "X-Supabase-Auth: $token{alice}"))[1]); [@$got{qw(local role remote orders)}] },
  [undef, 'tap_web_anon', 'alice transaction', $ids{alice}], 'an anonymous local caller with a token');
is_seen({alice => 1}, 'and sent');

# forward_request_jwt: the request's own token, when it is for the remote project
{
  my @alice = ('Authorization: Bearer ' . local_token('alice', "$remote/auth/v1"));
  my $forwarded = substr $alice[0], -8;
  my $read = sub { my ($status, $body) = $plain->raw('GET /forwarded_orders?select=id&id=gt.-120&order=id', @_); return ($status, $body) };
  my $rows = sub { my ($status, $body) = $read->(@_); return $status == 200 ? join ' ', map { $_->{id} } @{decode_json($body)} : "$status $body" };
  is($rows->(@alice), '1 2 3 4 5 6', 'forward_request_jwt: a token of the remote project is forwarded');
  is_seen({"other $forwarded" => 1}, 'as it is');
  is($rows->(@alice, "X-Supabase-Auth: $token{bob}"), '7 8 9 10 11', 'forward_request_jwt: the header of its own counts for more');
  is_seen({bob => 1}, 'and is what is sent');
  my ($status, $body) = $read->("Authorization: Bearer $local{alice}");
  is($status, 403, 'forward_request_jwt: a token of the local project is refused');
  is(decode_json($body)->{code}, '28000', 'forward_request_jwt: SQLSTATE') or diag $body;
  ($status, $body) = $read->("Authorization: Bearer $local{alice}", 'X-Supabase-Auth: hello');
  is($status, 400, 'forward_request_jwt: a header that is no token is refused');
  is_seen({}, 'forward_request_jwt: and nothing is sent');
  is_answer(($plain->raw('POST /rpc/whoami', @alice))[1], 'alice', 'nobody', 'without the option nothing is forwarded');
  is_seen({'anon alone' => 1}, 'nor sent');
}

# Two users, a thousand requests each, in turns of all kinds over connections of their own to PostgREST, which has two to
# the database.
for my $case (['in the function', $plain, 'my_orders'], ['db-pre-request', $before, 'whoami']) {
  my ($how, $rest, $function) = @$case;
  my ($each, $workers) = ($ENV{POOLING_N} // 1000, 8);
  my @pipes;
  for my $worker (0 .. $workers - 1) {
    my $pid = open my $pipe, '-|';
    die "fork: $!" unless defined $pid;
    push @pipes, $pipe;
    next if $pid;
    my $http = HTTP::Tiny->new(keep_alive => 1, timeout => 60);
    $| = 1;  # _exit writes nothing out
    srand $worker;
    my @who = map { ('alice', 'bob') } 1 .. $each / $workers;
    for my $i (reverse 1 .. $#who) { my $j = int rand($i + 1); @who[$i, $j] = @who[$j, $i] }
    for my $who (@who) {
      # the local caller is another user as often as not
      my $caller = rand() < 0.5 ? 'alice' : 'bob';
      # now and then a request that fails, or one without a user, comes between
      my %extra = rand() < 0.1 ? (headers => {Authorization => "Bearer $local{$caller}", 'Content-Type' => 'application/json', rand() < 0.5 ? ('X-Supabase-Auth' => 'hello') : ()}) : ();
      if (%extra) {
        my $answer = $http->post($rest->url . "/rpc/$function", {%extra, content => '{}'});
        my $remote = $answer->{status} == 200 ? decode_json($answer->{content})->{remote} // 'nobody' : 'nobody';
        print "between $answer->{status} $remote\n";
      }
      my $answer = $http->post($rest->url . "/rpc/$function",
        {headers => {Authorization => "Bearer $local{$caller}", 'X-Supabase-Auth' => $token{$who}, 'Content-Type' => 'application/json'}, content => '{}'});
      my $got = eval { decode_json($answer->{content}) } // {};
      my $right = $answer->{status} == 200 && $got->{local} eq $caller && $got->{remote} eq "$who transaction" && "@{$got->{orders}}" eq "@{$ids{$who}}";
      print $right ? "right $who $got->{pid}\n" : "wrong $who $answer->{status} $answer->{content}\n";
    }
    POSIX::_exit(0);
  }
  my (%right, %pid, %between, @wrong);
  for my $pipe (@pipes) {
    while (<$pipe>) {
      if (/^right (\w+) (\d+)/) { $right{$1}++; $pid{$2}++ }
      elsif (/^between (\d+) nobody$/) { $between{$1}++ }
      else { push @wrong, $_ }
    }
    close $pipe;
  }
  is_deeply(\%right, {alice => $each, bob => $each}, "$how: $each requests of each of two users, each answered as its own");
  is(scalar @wrong, 0, "$how: no mix-up") or diag @wrong[0 .. ($#wrong < 4 ? $#wrong : 4)];
  is(scalar keys %pid, 2, "$how: over two connections to the database");
  is_seen({alice => $each, bob => $each, 'anon alone' => $between{200}}, "$how: so they were sent; of the local tokens none");
  is_deeply([sort keys %between], [200, 400], "$how: with anonymous and refused ones between");
}

# of all that this test has made the gateway receive, nothing carried a local token
my $forwarded_local = 0;
open my $log, '<', $stack->env('GATEWAY_LOG') or die $!;
while (<$log>) { $forwarded_local++ if /auth=(.*?) conn=/ && ($tail{$1} // '') =~ /^local/ }
is($forwarded_local, 0, 'no local token has ever reached the remote');

$plain->stop;
$before->stop;
$stack->finish;
$stack->sql("DROP ROLE $_", 'postgres') for qw(tap_web tap_web_anon tap_web_user);
done_testing;

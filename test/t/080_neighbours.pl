# Others in the same process use libcurl, with another TLS library even, OpenSSL and Python; whoever comes first.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use Stack;
use Test::More;

my $stack = Stack->running;
my $database = $stack->database(shop => $stack->env('URL'));
plan skip_all => 'no PL/Python' unless eval { $stack->sql('CREATE EXTENSION plpython3u', $database); 1 };
my $elsewhere = Door->new(sub { my ($client) = @_; print $client Door::answer(status => 200, headers => ['Set-Cookie: a=b', 'Connection: close'], body => 'x' x 100_000); return 0 });
$stack->sql(<<'SQL', $database);
CREATE FOREIGN TABLE shop.events (id bigint OPTIONS (key 'true'), kind text) SERVER shop;
CREATE FUNCTION their_fetch(url text, ca text DEFAULT NULL) RETURNS int LANGUAGE plpython3u AS $$
import io, pycurl
body = io.BytesIO()
curl = pycurl.Curl()
curl.setopt(pycurl.URL, url)
curl.setopt(pycurl.WRITEDATA, body)
if ca is not None:
    curl.setopt(pycurl.CAINFO, ca)
try:
    curl.perform()
    return curl.getinfo(pycurl.RESPONSE_CODE)
except pycurl.error as error:
    return -error.args[0]
finally:
    curl.close()
$$;
CREATE FUNCTION curl_version() RETURNS text LANGUAGE plpython3u AS $$
import pycurl
return pycurl.version
$$;
-- what a module does that believes to be alone
CREATE FUNCTION global_cleanup(again boolean) RETURNS void LANGUAGE plpython3u AS $$
import pycurl
pycurl.global_cleanup()
if again:
    pycurl.global_init(pycurl.GLOBAL_ALL)
$$;
-- OpenSSL's own: a handshake that fails leaves errors in the thread's queue
CREATE FUNCTION python_tls(host text, port int, ca text DEFAULT NULL) RETURNS text LANGUAGE plpython3u AS $$
import socket, ssl
context = ssl.create_default_context(cafile=ca)
try:
    with socket.create_connection((host, port)) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        return tls.version()
except ssl.SSLError as error:
    return error.reason
$$;
CREATE FUNCTION in_threads(url text, n int) RETURNS int LANGUAGE plpython3u AS $$
import io, pycurl, threading
codes = []
def fetch():
    body = io.BytesIO()
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEDATA, body)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.perform()
    codes.append(curl.getinfo(pycurl.RESPONSE_CODE))
    curl.close()
threads = [threading.Thread(target=fetch) for i in range(n)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
return sum(codes)
$$;
SQL
my $ca = $stack->env('CA');
my ($port) = $stack->env('URL') =~ /:(\d+)$/;
my $plain = $elsewhere->url;
my $tls = "https://localhost:$port/rest/v1/";
my $ours = 'SELECT sum(id), (SELECT count(*) FROM shop.orders) FROM shop.t1000';
my $right = '500500|71';

for my $first ('ours', 'theirs') {
  my $session = $stack->session($database);
  my $pid = $session->backend;
  is($session->value($ours), $right, "$first first: ours") if $first eq 'ours';
  is($session->value("SELECT their_fetch('$plain'), their_fetch('$tls', '$ca'), their_fetch('$tls')"), '200|401|-60', "$first first: theirs");
  note $session->value('SELECT curl_version()');
  is($session->value($ours), $right, "$first first: ours, then");

  # by turns, in one query and while pages are under way
  is($session->value("SELECT count(*), sum(their_fetch) FROM (SELECT their_fetch('$plain') FROM shop.t1000 WHERE id <= 5) q"), '5|1000', "$first first: for each row");
  is($session->value("SELECT sum(id), sum(CASE WHEN id % 20000 = 0 THEN their_fetch('$tls', '$ca') + in_threads('$plain', 3) END) FROM shop.events"), '5000050000|5005',
    "$first first: while pages are under way");

  # OpenSSL is shared with Python's ssl
  is($session->value("SELECT python_tls('localhost', $port)"), 'CERTIFICATE_VERIFY_FAILED', "$first first: a handshake that fails");
  is($session->value($ours), $right, "$first first: ours, after it");
  like($session->value("SELECT python_tls('localhost', $port, '$ca')"), qr/^TLSv1\.[23]$/, "$first first: one that does not");
  is($session->value("SELECT sum(id), max(python_tls('localhost', CASE WHEN id % 30000 = 0 THEN $port END)) FROM (SELECT id FROM shop.events WHERE id % 30000 = 0) q"),
    '180000|CERTIFICATE_VERIFY_FAILED', "$first first: between pages");

  # their clean-up is not ours
  $session->value('SELECT global_cleanup(true)');
  is($session->value($ours), $right, "$first first: after their clean-up");
  is($session->value("SELECT their_fetch('$plain')"), 200, "$first first: theirs again");
  $session->value('SELECT global_cleanup(false)');
  is($session->value($ours), $right, "$first first: after their last clean-up");
  is($session->value('SELECT supabase_disconnect()'), 't', "$first first: our connections close");
  is($session->value($ours), $right, "$first first: and are made again");

  # cancels and signals still work
  is($session->run("SET statement_timeout = '300ms'; SELECT * FROM shop.slow_view")->state, '57014', "$first first: a timeout");
  is($session->value("RESET statement_timeout; $ours"), $right, "$first first: after it");
  is($session->value('SELECT pg_backend_pid()'), $pid, "$first first: the same backend");
  $session->close;
  ok(Stack::wait_until(20, sub { !Stack::alive($pid) }), "$first first: the backend ends");
}
is(scalar(() = $stack->log_since(0) =~ /terminated by signal|PANIC/g), 0, 'no backend crashed');

done_testing;

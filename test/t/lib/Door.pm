# An HTTP server of the test's own, in a process of its own: it answers by a script, or passes requests on to the real
# gateway and spoils the answer. It keeps all that it received.
package Door;

use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes ();

my @doors;
my $owner = $$;

# new(sub ($client, $request, $number, $mode)): called for each request; `number` counts from 1 since the last play().
# It returns true when the connection is to be kept. $request has method, target, head, body, and the door's dir.
# unread => sub ($client, $mode): called when a request begins, before anything of it is read; begun => sub ($client,
# $request, $number, $mode): when its head is there. They, too, return false to end the connection.
sub new {
  my ($class, $handler, %option) = @_;
  my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16, ReuseAddr => 1) or die "listen: $!";
  my $dir = File::Temp->newdir(CLEANUP => 0);
  my $self = bless {port => $listener->sockport, dir => "$dir", plays => 0}, $class;
  $self->play('');
  my $pid = fork // die "fork: $!";
  if ($pid == 0) {
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    eval { $self->serve($listener, $handler, %option) };
    print STDERR "# Door: $@" if $@;
    POSIX::_exit(0);
  }
  $self->{pid} = $pid;
  push @doors, $self;
  return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }
sub port { return $_[0]{port} }

# Returns when all requests that had arrived are dealt with, also those of clients that have gone: the door serves what
# is ready in rounds, and the second of two requests begins in a later round than the first.
sub settle {
  my ($self) = @_;
  for (1 .. 2) {
    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) or die "door: $!";
    print $client "GET /rest/v1/ HTTP/1.1\r\nHost: door\r\n\r\n";
    sysread $client, my $answer, 1 or die 'the door does not answer';
  }
}

# What the handler gets as its mode from now on; requests are counted and remembered from here.
sub play {
  my ($self, $mode) = @_;
  my $number = ++$self->{plays};
  open my $file, '>', "$self->{dir}/mode.new" or die $!;
  print $file "$number $mode";
  close $file;
  rename "$self->{dir}/mode.new", "$self->{dir}/mode" or die $!;
}

# All that was received in this play, as text; connections without a word count with connections().
sub received {
  my ($self) = @_;
  open my $file, '<:raw', "$self->{dir}/received.$self->{plays}" or return '';
  local $/;
  return scalar(<$file>) // '';
}

# a request may follow the body of another without a line's end
sub requests { return scalar(() = $_[0]->received =~ m{[A-Z]+ /\S* HTTP/1\.\d\r\n}g) }
sub connections { return -s "$_[0]{dir}/connections.$_[0]{plays}" // 0 }

# A note of the handler's to the test, for instance that a body has begun.
sub note { my ($dir, $text) = @_; open my $file, '>>', "$dir/notes" or die $!; syswrite $file, "$text\n" }
sub notes { my ($self) = @_; open my $file, '<', "$self->{dir}/notes" or return ''; local $/; return scalar(<$file>) // '' }

sub serve {
  my ($self, $listener, $handler, %option) = @_;
  local $SIG{PIPE} = 'IGNORE';
  my $select = IO::Select->new($listener);
  my (%buffer, %request);
  my ($play, $number) = (0, 0);
  while (getppid() == $owner) {
    for my $ready ($select->can_read(0.2)) {
      my ($now, $mode) = $self->mode;
      ($play, $number) = ($now, 0) if $now != $play;
      if ($ready == $listener) {
        my $client = $listener->accept or next;
        $client->autoflush(1);
        append("$self->{dir}/connections.$play", '.');
        $select->add($client);
        $buffer{$client} = '';
        next;
      }
      my $idle = !$request{$ready} && $buffer{$ready} eq '';
      my $keep = !$idle || !$option{unread} || $option{unread}->($ready, $mode);
      if ($keep) {
        my $more = $keep = sysread $ready, $buffer{$ready}, 65536, length $buffer{$ready};
        append("$self->{dir}/received.$play", substr $buffer{$ready}, -$more) if $more;
      }
      if ($keep && !$request{$ready} && $buffer{$ready} =~ s/\A((\S+) (\S+) HTTP.*?\r\n\r\n)//s) {
        $request{$ready} = {head => $1, method => $2, target => $3, dir => $self->{dir}};
        $number++;
        $keep = $option{begun}->($ready, $request{$ready}, $number, $mode) if $option{begun};
      }
      if ($keep && $request{$ready} && length $buffer{$ready} >= body_length($request{$ready})) {
        my $request = delete $request{$ready};
        $request->{body} = substr $buffer{$ready}, 0, body_length($request), '';
        $keep = $handler->($ready, $request, $number, $mode);
      }
      next if $keep;
      $select->remove($ready);
      delete $buffer{$ready};
      delete $request{$ready};
      close $ready;
    }
  }
}

sub body_length { return $_[0]{head} =~ /^content-length: *(\d+)/im ? $1 : 0 }

sub mode {
  my ($self) = @_;
  open my $file, '<', "$self->{dir}/mode" or die $!;
  return split / /, scalar(<$file>), 2;
}

sub append { my ($path, $text) = @_; open my $file, '>>:raw', $path or die $!; syswrite $file, $text }

# What the real gateway at `url` answers: {status, headers, body}, not chunked and not compressed. With `half`, the
# request is passed on to the middle of its body, or of its head when it has none, and then the connection ends.
sub forward {
  my ($url, $request, $half) = @_;
  my ($address) = $url =~ m{^http://([\d.:]+)} or die "no plain address: $url";
  my $upstream = IO::Socket::INET->new(PeerAddr => $address) or die "upstream: $!";
  my $head = $request->{head};
  $head =~ s/^(Accept-Encoding|Connection):[^\r]*\r\n//img;
  $head =~ s/\r\n\r\n\z/\r\nConnection: close\r\n\r\n/;
  my $data = $request->{body} // '';
  if ($half) {
    print $upstream $data eq '' ? substr $head, 0, length($head) / 2 : $head . substr $data, 0, length($data) / 2;
    return;
  }
  print $upstream $head, $data;
  local $/;
  my $answer = <$upstream>;
  my ($top, $body) = split /\r\n\r\n/, $answer, 2;
  my ($line, @headers) = split /\r\n/, $top;
  if ($top =~ /^transfer-encoding: *chunked/im) {
    my $plain = '';
    while ($body =~ s/\A([0-9a-fA-F]+)[^\r]*\r\n//) {
      last if hex($1) == 0;
      $plain .= substr $body, 0, hex($1), '';
      $body =~ s/\A\r\n//;
    }
    $body = $plain;
  }
  @headers = grep { !/^(transfer-encoding|content-length|connection):/i } @headers;
  return {status => (split ' ', $line)[1], headers => \@headers, body => $body};
}

# The bytes of an answer; a Content-Length is added unless `length` is given.
sub answer {
  my (%part) = @_;
  my $body = $part{body} // '';
  my @headers = @{$part{headers} // []};
  push @headers, 'Content-Length: ' . ($part{length} // length $body) unless grep { /^(content-length|transfer-encoding):/i } @headers;
  return join("\r\n", "HTTP/1.1 $part{status} X", @headers) . "\r\n\r\n$body";
}

# Makes the end of a connection a reset instead of an end.
sub reset_at_close { my ($client) = @_; setsockopt $client, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; return }

sub stop {
  my ($self) = @_;
  my $pid = delete $self->{pid} or return;
  kill 'KILL', $pid;
  waitpid $pid, 0;
  unlink glob "$self->{dir}/*";
  rmdir $self->{dir};
}

END {
  if ($$ == $owner) {
    my $status = $?;
    $_->stop for @doors;
    $? = $status;
  }
}

1;

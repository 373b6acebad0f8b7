# An interactive psql: one connection for many statements.
package Session;

use strict;
use warnings;
use IPC::Run ();
use Time::HiRes qw(time);

my $limit = 180;  # seconds that any statement may take

sub new {
  my ($class, @command) = @_;
  my $self = bless {in => '', out => '', err => '', count => 0}, $class;
  $self->{timer} = IPC::Run::timeout($limit);
  # -f -: without it psql would run up to the first blank line of what is not a terminal in one piece
  $self->{psql} = IPC::Run::start([@command, '-f', '-'], '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timer});
  return $self;
}

# Sends statements without waiting for their end. COPY's data go with it, to their end mark.
sub begin {
  my ($self, $sql) = @_;
  $self->{count}++;
  $sql .= ';' unless $sql =~ /;\s*\z|^\\|\n\\\.\z/;
  $self->{in} .= "$sql\n\\echo @@ $self->{count} :SQLSTATE\n\\warn @@ $self->{count}\n";
  $self->{timer}->start($limit);
  $self->{psql}->pump_nb;
  return $self;
}

# Waits for what begin sent. The SQLSTATE is that of the last statement; CONNECTION when the connection was lost.
sub end {
  my ($self) = @_;
  my $mark = "@@ $self->{count}";
  eval {
    $self->{psql}->pump until $self->{out} =~ /^\Q$mark\E \w+\n/m && $self->{err} =~ /^\Q$mark\E\n/m;
    1;
  } or do {
    die $@ if $@ !~ /ended prematurely/;
    $self->{sqlstate} = 'CONNECTION';
    return $self;
  };
  ($self->{output}) = $self->{out} =~ s/\A(.*?)^\Q$mark\E (\w+)\n//ms ? $1 : '';
  $self->{sqlstate} = $2;
  $self->{message} = $self->{err} =~ s/\A(.*?)^\Q$mark\E\n//ms ? $1 : '';
  chomp $self->{output};
  return $self;
}

sub run { my ($self, $sql) = @_; return $self->begin($sql)->end }

# The result of statements as text; dies when the last one fails.
sub value {
  my ($self, $sql) = @_;
  $self->run($sql);
  die "$sql: $self->{sqlstate} $self->{message}" if $self->{sqlstate} ne '00000';
  return $self->{output};
}

sub state { return $_[0]{sqlstate} }
sub message { return $_[0]{message} }
sub output { return $_[0]{output} }
sub backend { my ($self) = @_; return $self->{backend} //= $self->value('SELECT pg_backend_pid()') }

sub close {
  my ($self) = @_;
  my $psql = delete $self->{psql} or return;
  eval { $self->{in} .= "\\q\n"; $psql->finish };
}

sub DESTROY { $_[0]->close }

1;

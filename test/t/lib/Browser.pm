# A headless Chromium. Started by root it runs as the stack's user: it has its sandbox then, which root's has not.
package Browser;

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IPC::Run ();
use JSON::PP;

my $limit = 60;    # seconds that any command may take

sub new {
  my ($class) = @_;
  my $self = bless {in => '', out => '', err => '', directory => File::Temp->newdir('browser.XXXXXX', TMPDIR => 1)}, $class;
  my @user = $> == 0 ? (getpwnam($ENV{STACK_USER} // 'postgres'))[2, 3] : ();
  chown @user, "$self->{directory}" if @user;
  $self->{timer} = IPC::Run::timeout($limit);
  my @command = ('node', abs_path(dirname(__FILE__)) . '/browser.mjs', 'chromium', "$self->{directory}", @user);
  $self->{process} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timer});
  return $self;
}

# One of browser.mjs's commands; dies when it fails.
sub tell {
  my ($self, $name, $argument) = @_;
  $self->{timer}->start($limit);
  $self->{in} .= JSON::PP->new->utf8->allow_nonref->encode({$name => $argument}) . "\n";
  $self->{process}->pump until $self->{out} =~ /\n/;
  $self->{out} =~ s/\A(.*)\n//;
  my $answer = JSON::PP->new->utf8->decode($1);
  die "browser: $answer->{error} $self->{err}" if exists $answer->{error};
  return $answer->{value};
}

sub go { my ($self, $url) = @_; return $self->tell(go => $url) }
sub click { my ($self, $selector) = @_; return $self->tell(click => $selector) }
sub value { my ($self, $expression) = @_; return $self->tell(value => $expression) }
sub wait_for { my ($self, $expression) = @_; return $self->tell(wait => $expression) }
sub picture { my ($self, $file) = @_; return $self->tell(picture => $file) }

# The text of an element, when there is one.
sub text {
  my ($self, $selector) = @_;
  my $name = JSON::PP->new->allow_nonref->encode($selector);
  return $self->wait_for("document.readyState === 'complete' && document.querySelector($name)?.innerText");
}

sub close {
  my ($self) = @_;
  my $process = delete $self->{process} or return;
  $self->{timer}->start($limit);
  eval { $process->finish };
}

sub DESTROY { local $?; $_[0]->close }

1;

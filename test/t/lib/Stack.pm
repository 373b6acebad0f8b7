# The local Supabase for the TAP tests: the running one that the STACK_* variables name, or one of the test's own.
package Stack;

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy ();
use File::Find ();
use File::Temp ();
use IO::Socket::INET ();
use IPC::Run ();
use Session;
use Time::HiRes qw(sleep time);

our $root = abs_path(dirname(__FILE__) . '/../../..');
my $owner = $$;
my @all;

# The stack that the caller's environment names; one of its own when there is none.
sub running {
  my ($class) = @_;
  return $class->start() unless $ENV{STACK_DIR};
  my %env = map { $_ => $ENV{$_} } grep { /^STACK_/ } keys %ENV;
  return $class->remember(env => \%env);
}

sub remember {
  my ($class, %self) = @_;
  push @all, bless {%self, databases => []}, $class;
  return $all[-1];
}

# A stack that ends with the test. conf: lines of postgresql.conf; env: words for the local server's environment, or a
# function that makes them from the stack's directory.
sub start {
  my ($class, %option) = @_;
  my $dir = File::Temp::tempdir('supabase_fdw.XXXXXX', TMPDIR => 1);
  my $self = $class->remember(own => $dir, env => {});
  local $ENV{STACK_LOCAL_CONF} = $option{conf} // '';
  local $ENV{STACK_LOCAL_ENV} = ref $option{env} ? $option{env}->($dir) : $option{env} // '';
  # what is tested is what the running stack has, not what a build would make of the tree by now
  local $ENV{STACK_NO_EXTENSION} = $ENV{STACK_DIR} // '';
  my $err = '';
  IPC::Run::run(["$root/test/stack/stack", 'start', $dir], '<', \undef, '>', '/dev/null', '2>', \$err) or die "no stack: $err";
  copy_extension("$ENV{STACK_DIR}/install", "$dir/install") if $ENV{STACK_DIR};
  IPC::Run::run(["$root/test/stack/stack", 'env', $dir], '>', \my $lines) or die 'no environment';
  while ($lines =~ /^export (\w+)='(.*)'$/mg) { $self->{env}{$1} = $2 }
  return $self;
}

# Restarts the local server of a stack of the test's own with more lines of configuration. Not before: what is preloaded
# has to be there first.
sub restart {
  my ($self, $conf) = @_;
  my $dir = $self->{own} or die 'not a stack of its own';
  open my $file, '>>', "$dir/local/postgresql.conf" or die "no configuration: $!";
  print $file $conf // '';
  close $file;
  # a server that logs much logs its environment
  delete local @ENV{grep { /^STACK_/ } keys %ENV};
  local $ENV{STACK_NO_EXTENSION} = 1;
  my $err = '';
  IPC::Run::run(["$root/test/stack/stack", 'restart-local', $dir], '<', \undef, '>', '/dev/null', '2>', \$err) or die "no restart: $err";
}

sub copy_extension {
  my ($from, $to) = @_;
  my $copy = sub {
    return unless /^supabase_fdw[.-]/ && -f;
    my $target = $to . substr $File::Find::name, length $from;
    File::Copy::copy($_, $target) or die "copy $target: $!";
    chmod 0755, $target;
  };
  File::Find::find($copy, $from);
}

sub env {
  my ($self, $name) = @_;
  return $self->{env}{"STACK_$name"} // die "no STACK_$name";
}

# A new database with the extension, and these servers with a user mapping for postgres each: name => url.
sub database {
  my ($self, %servers) = @_;
  my $name = join '_', 'tap', basename($0) =~ /^(\d+)/, $$, scalar @{$self->{databases}};
  $self->sql("CREATE DATABASE $name TEMPLATE template0", 'postgres');
  push @{$self->{databases}}, $name;
  $self->sql('CREATE EXTENSION supabase_fdw', $name);
  $self->server($name, $_, $servers{$_}) for sort keys %servers;
  return $name;
}

# A server with the secret key, and the tables that the tests read, in a schema of the server's name.
sub server {
  my ($self, $database, $name, $url, $options) = @_;
  my $more = join '', map { ", $_ '$options->{$_}'" } sort keys %{$options // {}};
  my $key = $self->env('SECRET_KEY');
  $self->sql(<<SQL, $database);
CREATE SERVER $name FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '$url'$more);
CREATE USER MAPPING FOR postgres SERVER $name OPTIONS (api_key '$key');
CREATE SCHEMA $name;
CREATE FOREIGN TABLE $name.orders (id bigint OPTIONS (key 'true'), note text) SERVER $name;
CREATE FOREIGN TABLE $name.t1000 (id int OPTIONS (key 'true'), val text) SERVER $name;
CREATE FOREIGN TABLE $name.nokey (n int, label text) SERVER $name;
CREATE FOREIGN TABLE $name.blobs (id int OPTIONS (key 'true'), body text) SERVER $name;
CREATE FOREIGN TABLE $name.slow_view (id int) SERVER $name;
CREATE FOREIGN TABLE $name.too_slow_view (id int) SERVER $name;
SQL
}

# Runs SQL in a psql of its own and returns its output; dies on an error.
sub sql {
  my ($self, $sql, $database) = @_;
  my ($out, $err) = ('', '');
  IPC::Run::run([$self->psql($database), '-v', 'ON_ERROR_STOP=1'], '<', \$sql, '>', \$out, '2>', \$err)
    or die "SQL failed: $err";
  chomp $out;
  return $out;
}

sub psql {
  my ($self, $database, $user) = @_;
  return ($self->env('BIN') . '/psql', '-X', '-A', '-t', '-q', '-h', $self->env('LOCAL_HOST'), '-p', $self->env('LOCAL_PORT'),
    '-U', $user // 'postgres', '-d', $database // die 'no database');
}

sub session {
  my ($self, $database, $user) = @_;
  return Session->new($self->psql($database, $user));
}

# The local server's log: log_end() marks a place, log_since(place) is what came after it.
sub log_end { return -s $_[0]->env('DIR') . '/log/local.log' }

sub log_since {
  my ($self, $place) = @_;
  open my $file, '<:raw', $self->env('DIR') . '/log/local.log' or die "no log: $!";
  seek $file, $place, 0;
  local $/;
  return scalar(<$file>) // '';
}

# What must not be seen anywhere: the tokens whole, and their signatures, and the keys.
sub secrets {
  my ($self) = @_;
  my @tokens = map { $self->env($_) } qw(ALICE_JWT BOB_JWT ALICE_HTTP_JWT BOB_HTTP_JWT SERVICE_JWT);
  return (map({ substr $_, 10, 60 } @tokens), map({ (split /\./)[2] } @tokens), $self->env('SECRET_KEY'), $self->env('PUBLISHABLE_KEY'));
}

# How many of the secrets are in a text.
sub count_secrets {
  my ($self, $text) = @_;
  return scalar grep { index($text, $_) >= 0 } $self->secrets;
}

# The process that a pid file of the stack names.
sub pid {
  my ($self, $name) = @_;
  open my $file, '<', $self->env('DIR') . "/pid/$name" or die "no pid of $name: $!";
  return (split ' ', <$file>)[0];
}

# A TCP port that is free now.
sub free_port {
  my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $!";
  return $socket->sockport;
}

# Whether a process runs; a zombie does not, whenever it will be reaped.
sub alive {
  my ($pid) = @_;
  open my $file, '<', "/proc/$pid/stat" or return 0;
  return <$file> !~ /\) Z/;
}

# Polls until the code returns something true; returns that, or nothing after the seconds.
sub wait_until {
  my ($seconds, $code) = @_;
  my $end = time + $seconds;
  while (1) {
    my $result = $code->();
    return $result if $result;
    return if time > $end;
    sleep 0.01;
  }
}

sub finish {
  my ($self) = @_;
  for my $name (splice @{$self->{databases}}) {
    eval { $self->sql("DROP DATABASE IF EXISTS $name WITH (FORCE)", 'postgres') };
  }
  my $dir = delete $self->{own} or return;
  IPC::Run::run(["$root/test/stack/stack", 'stop', $dir], '>', '/dev/null', '2>', '/dev/null');
}

# However the test ends, also by a signal, but not when one of its children does.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END {
  if ($$ == $owner) {
    my $status = $?;
    $_->finish for @all;
    $? = $status;
  }
}

1;

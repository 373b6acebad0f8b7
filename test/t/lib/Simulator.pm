# The controls of a stack's simulated Management API (test/stack/management/README.md).
package Simulator;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use JSON::PP;

our @EXPORT = qw(simulator control);

my $http = HTTP::Tiny->new(timeout => 20);
my $api;

# Its address, for a stack whose simulator others use as well: in its first state now and at the end.
sub simulator {
  my ($stack) = @_;
  $api = $stack->env('MANAGEMENT_URL');
  control('reset', {});
  return $api;
}

# What the simulator is told or asked.
sub control {
  my ($name, $body, $method) = @_;
  my $answer = $http->request($method // ($body ? 'POST' : 'GET'), "$api/_sim/$name",
    {$body ? (headers => {'Content-Type' => 'application/json'}, content => encode_json($body)) : ()});
  die "$name: $answer->{status} $answer->{content}" if !$answer->{success};
  return decode_json($answer->{content});
}

END {
  local $?;
  # the stack may have gone
  eval { control('answers', {check => JSON::PP::false}); control('reset', {}) } if $api;
}

1;

# Whom a session acts as, after random scripts of all that can change it, is what a model of settings says
# (test/identity). IDENTITY_N scripts of IDENTITY_SEED, by default the same few each time.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Run ();
use Stack;
use Test::More;

my $count = $ENV{IDENTITY_N} // 4000;
my $seed = $ENV{IDENTITY_SEED} // 1;
my $stack = Stack->running;
$ENV{"STACK_$_"} = $stack->env($_) for qw(LOCAL_HOST LOCAL_PORT URL URL_UNCAPPED SECRET_KEY ALICE_JWT BOB_JWT);
local ($ENV{N}, $ENV{SEED}) = ($count, $seed);
my $out = '';
IPC::Run::run(["$Stack::root/scripts/identity-model"], '<', \undef, '>&', \$out);
my ($passed, $failed) = $out =~ /^scripts: (\d+) passed, (\d+) failed/m;
is($passed, $count, "$count scripts of seed $seed") or diag $out;
is($failed, 0, 'none differs');
# a script that differs shows the statement, which may hold a token
is($stack->count_secrets($out), 0, 'no secret is printed');

done_testing;

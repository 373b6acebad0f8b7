# The simulated Management API serves every operation of the API's description as described, and what the description
# leaves out as the service does; with STACK_CONTRACT_URL Prism judges both sides as well.
use strict;
use warnings;
use FindBin;

exec "$FindBin::Bin/../stack/management/self-check" or die "self-check: $!";

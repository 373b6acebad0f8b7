# From an empty database to a project that is created, configured, attached, used as a user, paused and deleted, with
# nothing but an OAuth app: scripts/demo-management.sql under the real addresses of Supabase.
use strict;
use warnings;
use Test::More;
use Simulator;
use Stack;

my $stack = Stack->running;
simulator($stack);

my $database = "walk_$$";
my $out = qx(test/stack/management/walk $database 2>&1);
is($?, 0, 'the script runs') or diag($out);
like($out, qr/hobby +\| \/projects +\| t/, 'a grant is stored');
like($out, qr/supabase_wait_for_project *\n-+\n +ACTIVE_HEALTHY/, 'the project is healthy');
like($out, qr/mail\.example\.com \| 587/, 'SMTP is set');
like($out, qr/STRIPE_KEY \| 7692c3ad/, 'secrets are there, by their digest');
like($out, qr/postgresql:\/\/postgres:…\@db\.[a-z]{20}\.supabase\.co:5432\/postgres/, 'it can be connected to');
like($out, qr/Alice \| +6 \| 6159\.30/, 'its tables are read as one of its users');
like($out, qr/operation "v1-delete-a-project" is destructive/, 'deleting needs a permission');
like($out, qr/RETURNING name;\n +name *\n-+\n webshop/, 'the project is deleted');
like($out, qr/hobby +\| our_app \| revoked/, 'the grant is revoked');
unlike($out, qr/sbp_oauth_|sba_[0-9a-f]{40}|sb_secret_\w{20}/, 'no token or key is on the screen');
my $admin = $stack->session('postgres');
$admin->value("DROP DATABASE $database WITH (FORCE)");
is($admin->state, '00000', 'and the database goes again');
done_testing();

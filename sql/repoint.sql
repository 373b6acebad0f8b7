-- A server's owner gets nobody's credential by changing the server's address, nor by changing what binds another role's.
\getenv url STACK_URL
\getenv url_uncapped STACK_URL_UNCAPPED
\getenv secret_key STACK_SECRET_KEY
\getenv publishable_key STACK_PUBLISHABLE_KEY
\set SHOW_CONTEXT never
SET client_min_messages = warning;
-- The owner is no superuser. The user's key is the secret one, so that the gateway's log tells whose key came where.
CREATE ROLE regress_owner LOGIN;
CREATE ROLE regress_user LOGIN;
CREATE ROLE regress_other LOGIN;
GRANT CREATE ON DATABASE contrib_regression TO regress_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER supabase_fdw TO regress_owner;
ALTER ROLE regress_user IN DATABASE contrib_regression SET supabase_fdw.allowed_hosts = 'localhost, 127.0.0.1';
ALTER ROLE regress_owner IN DATABASE contrib_regression SET supabase_fdw.allowed_hosts = 'localhost, 127.0.0.1';

\c - regress_owner
\set VERBOSITY terse
CREATE SERVER branch FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
GRANT USAGE ON FOREIGN SERVER branch TO regress_user, regress_other;
CREATE SCHEMA branch;
GRANT USAGE ON SCHEMA branch TO regress_user;
CREATE FOREIGN TABLE branch.orders (id bigint OPTIONS (key 'true')) SERVER branch;
GRANT SELECT ON branch.orders TO regress_user;
-- as long as nobody else has a mapping, the address is the owner's to change; his own and PUBLIC's are
CREATE USER MAPPING FOR regress_owner SERVER branch OPTIONS (api_key :'publishable_key');
CREATE USER MAPPING FOR PUBLIC SERVER branch OPTIONS (api_key :'publishable_key');
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
ALTER SERVER branch OPTIONS (SET url :'url');
ALTER USER MAPPING FOR PUBLIC SERVER branch OPTIONS (ADD origin :'url');
ALTER USER MAPPING FOR PUBLIC SERVER branch OPTIONS (DROP origin);

\c - regress_user
CREATE USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (api_key :'secret_key');
SELECT count(*) FROM branch.orders WHERE id > 515150;

-- the owner cannot take the key elsewhere, in a session that has not used the wrapper
\c - regress_owner
\set VERBOSITY sqlstate
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'branch' AND usename = 'regress_user';
\set VERBOSITY default
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
\echo :SQLSTATE
\c - regress_user
SELECT count(*) FROM branch.orders WHERE id > 515151;
\c - regress_owner
\set VERBOSITY terse
-- whatever the spelling of the change
ALTER SERVER branch OPTIONS (DROP url, ADD project_ref 'abcdefghijklmnopqrst');
ALTER SERVER branch OPTIONS (DROP url, rest_url 'https://evil.example.com/rest/v1');
ALTER SERVER branch OPTIONS (DROP url);
ALTER SERVER branch VERSION '2' OPTIONS (SET url 'https://evil.example.com');
DO $$ BEGIN ALTER SERVER branch OPTIONS (SET url 'https://evil.example.com'); END $$;
ALTER SERVER branch RENAME TO renamed;
ALTER SERVER renamed OPTIONS (SET url 'https://evil.example.com');
ALTER SERVER renamed RENAME TO branch;
CREATE FUNCTION branch.repoint() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ ALTER SERVER branch OPTIONS (SET url 'https://evil.example.com') $$;
SELECT branch.repoint();
DROP FUNCTION branch.repoint;
-- what is wrong for another reason is what it was
ALTER SERVER branch OPTIONS (SET url 'nonsense');
ALTER SERVER branch OPTIONS (SET rest_url 'https://evil.example.com');
ALTER SERVER no_such_server OPTIONS (SET url 'https://evil.example.com');
-- what does not change the address is allowed
ALTER SERVER branch OPTIONS (ADD fetch_size '100', ADD schema_name 'public');
ALTER SERVER branch OPTIONS (DROP fetch_size, DROP schema_name);
SELECT :'url' || '/' AS same, :'url' || '/rest/v1' AS rest \gset
ALTER SERVER branch OPTIONS (SET url :'same');
ALTER SERVER branch OPTIONS (DROP url, ADD rest_url :'rest');
ALTER SERVER branch OPTIONS (DROP rest_url, ADD url :'url');
-- nor by changing what binds it; the owner may drop a mapping, and its key with it
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (ADD session_auth 'ignore');
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (DROP session_auth);
\set VERBOSITY default
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (ADD origin :'url_uncapped');
\echo :SQLSTATE
\set VERBOSITY terse
-- another role is as powerless as ever, and learns nothing about the options
\c - regress_other
\set VERBOSITY terse
ALTER SERVER branch OPTIONS (SET url 'https://evil.example.com');
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (SET origin 'https://evil.example.com');

-- bound by its role, it goes nowhere else: then the address may change, and the owner cannot unbind it
\c - regress_user
\set VERBOSITY terse
ALTER USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (ADD origin :'url');
SELECT count(*) FROM branch.orders WHERE id > 515152;
\c - regress_owner
\set VERBOSITY terse
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (SET origin :'url_uncapped');
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (DROP origin);
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
SELECT count(*) FROM branch.orders WHERE id > 515153;
\c - regress_user
\set VERBOSITY sqlstate
SELECT count(*) FROM branch.orders WHERE id > 515154;
\set VERBOSITY terse
-- its role says that the new address may have it
ALTER USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (SET origin :'url_uncapped');
SELECT count(*) FROM branch.orders WHERE id > 515155;
\c - regress_owner
SELECT count(*) FROM branch.orders WHERE id > 515159;
\set log `for i in $(seq 100); do grep -q 'gt.515159' "$STACK_GATEWAY_LOG" && break; sleep 0.05; done; awk -v first="${STACK_URL##*:}" '/gt\.51515/ { sub(/.*gt\./, "", $5); sub(/&.*/, "", $5); print $5, ($2 == first ? "first" : "second") " address", $7 }' "$STACK_GATEWAY_LOG" | tail -6`
\echo :log

-- each kind of secret; a stored login has an address of its own
\c - regress_user
\set VERBOSITY terse
ALTER USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (DROP api_key, DROP origin, ADD jwt 'eyJ.eyJ.x');
\c - regress_owner
\set VERBOSITY terse
ALTER SERVER branch OPTIONS (SET url :'url');
\c - regress_user
\set VERBOSITY terse
ALTER USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (DROP jwt, ADD api_key_name 'key of the project');
\c - regress_owner
\set VERBOSITY terse
ALTER SERVER branch OPTIONS (SET url :'url');
\c - regress_user
\set VERBOSITY terse
ALTER USER MAPPING FOR CURRENT_USER SERVER branch OPTIONS (DROP api_key_name, ADD login 'nightly');
\c - regress_owner
\set VERBOSITY terse
ALTER SERVER branch OPTIONS (SET url :'url');
-- without a secret nothing is at stake; a mapping that was made again has a new one
DROP USER MAPPING FOR regress_user SERVER branch;
CREATE USER MAPPING FOR regress_user SERVER branch OPTIONS (api_key :'publishable_key');
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
DROP USER MAPPING FOR regress_user SERVER branch;
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
CREATE USER MAPPING FOR regress_user SERVER branch OPTIONS (api_key :'publishable_key');

-- a member of the role could read the mapping; a superuser answers for what he does
\c - postgres
\set VERBOSITY terse
SET client_min_messages = warning;
GRANT regress_user TO regress_owner;
SET ROLE regress_owner;
ALTER SERVER branch OPTIONS (SET url :'url');
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (ADD origin :'url');
ALTER USER MAPPING FOR regress_user SERVER branch OPTIONS (DROP origin);
RESET ROLE;
REVOKE regress_user FROM regress_owner;
ALTER SERVER branch OPTIONS (SET url :'url_uncapped');
-- session_replication_role, which a superuser may let others set, does not switch it off
SET session_replication_role = replica;
SET ROLE regress_owner;
ALTER SERVER branch OPTIONS (SET url :'url');
RESET ROLE;
RESET session_replication_role;
-- nor does another name of the wrapper, or another owner
ALTER FOREIGN DATA WRAPPER supabase_fdw RENAME TO another_fdw;
ALTER SERVER branch OWNER TO regress_other;
SET ROLE regress_other;
ALTER SERVER branch OPTIONS (SET url :'url');
RESET ROLE;
ALTER FOREIGN DATA WRAPPER another_fdw RENAME TO supabase_fdw;
-- the servers of other wrappers are left alone
CREATE FOREIGN DATA WRAPPER regress_fdw;
CREATE SERVER neighbour FOREIGN DATA WRAPPER regress_fdw OPTIONS (url 'a');
ALTER SERVER neighbour OWNER TO regress_owner;
CREATE USER MAPPING FOR regress_user SERVER neighbour OPTIONS (api_key 'x');
SET ROLE regress_owner;
ALTER SERVER neighbour OPTIONS (SET url 'b');
ALTER USER MAPPING FOR regress_user SERVER neighbour OPTIONS (ADD origin 'c');
RESET ROLE;
-- the trigger's function is for the trigger
SET ROLE regress_owner;
SELECT supabase_fdw.check_ddl();
RESET ROLE;

DROP FOREIGN DATA WRAPPER regress_fdw CASCADE;
DROP SERVER branch CASCADE;
DROP SCHEMA branch;
DROP OWNED BY regress_owner, regress_user, regress_other;
DROP ROLE regress_owner, regress_user, regress_other;

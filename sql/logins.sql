-- Signing in, stored logins, and what they are worth: encrypted, refreshed, used by those who may.
\getenv url STACK_URL
\getenv url_uncapped STACK_URL_UNCAPPED
\getenv rest_url STACK_REST_URL
\getenv publishable_key STACK_PUBLISHABLE_KEY
\getenv alice_id STACK_ALICE_ID
\getenv alice_password STACK_ALICE_PASSWORD
\getenv bob_password STACK_BOB_PASSWORD
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\set who 'SELECT CASE count(*) WHEN 6 THEN ''alice'' WHEN 5 THEN ''bob'' WHEN 71 THEN ''service'' WHEN 0 THEN ''anon'' END AS who FROM shop.orders;'
\set logins 'SELECT name, server, email, role, owner, status, refresh_count, expires_at > now() AS valid, last_error FROM supabase_fdw.saved_logins ORDER BY name;'

-- signing in sets the session's user
SELECT role, email, user_id = :'alice_id' AS is_alice, expires_at > now() AS valid
FROM supabase_sign_in('shop', 'alice@example.com', :'alice_password');
SELECT server, email, scope FROM supabase_auth();
:who
-- signing out ends it, here and there
SELECT supabase_sign_out('shop');
SELECT server, email, scope FROM supabase_auth();
:who
SELECT supabase_sign_out('shop');
-- for a transaction
BEGIN;
SELECT email FROM supabase_sign_in('shop', 'bob@example.com', :'bob_password', is_local => true);
:who
COMMIT;
:who
-- in vain
\set VERBOSITY default
SELECT supabase_sign_in('shop', 'alice@example.com', 'wrong-password');
SELECT supabase_sign_in('shop', 'nobody@example.com', E'quote " backslash \\ tab \t');
SELECT supabase_sign_in('shop');
SELECT supabase_sign_in('shop', 'alice@example.com');
SELECT supabase_sign_in('shop', 'alice@example.com', 'x', refresh_token => 'x');
SELECT supabase_sign_in('shop', refresh_token => 'x');
SELECT supabase_sign_in(NULL, 'alice@example.com', 'x');
SELECT supabase_sign_in('no_such_server', 'alice@example.com', 'x');
CREATE SERVER bare FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'rest_url');
CREATE USER MAPPING FOR postgres SERVER bare;
SELECT supabase_sign_in('bare', 'alice@example.com', 'x');
SET supabase_fdw.require_local_auth = on;
SELECT supabase_sign_in('shop', 'alice@example.com', :'alice_password');
BEGIN;
SELECT email FROM supabase_sign_in('shop', 'alice@example.com', :'alice_password', is_local => true);
ROLLBACK;
RESET supabase_fdw.require_local_auth;
SELECT * FROM supabase_auth();

-- stored, and used by a mapping
SELECT email FROM supabase_sign_in('shop', 'alice@example.com', :'alice_password', save_as => 'nightly');
SELECT supabase_clear_auth();
:logins
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (ADD login 'nightly');
SET ROLE regress_app;
:who
SELECT count(*) FROM supabase_fdw.saved_logins;
RESET ROLE;
SELECT supabase_grant_login('nightly', 'regress_app');
SET ROLE regress_app;
:who
:logins
-- the session's own user comes before
SELECT email FROM supabase_set_auth((SELECT pg_catalog.current_setting('no.such', true)));
RESET ROLE;
SELECT email FROM supabase_sign_in('shop', 'bob@example.com', :'bob_password');
SET ROLE regress_app;
:who
SELECT supabase_clear_auth();
:who
-- no condition of the caller's sees a row that is not his
RESET ROLE;
SELECT supabase_revoke_login('nightly', 'regress_app');
GRANT CREATE ON SCHEMA public TO regress_app;
SET ROLE regress_app;
CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
SELECT name FROM supabase_fdw.saved_logins WHERE peek(email);
DROP FUNCTION peek;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM regress_app;
-- a worker would wait for what this transaction has changed
BEGIN;
SELECT supabase_grant_login('nightly', 'regress_app');
SELECT supabase_refresh_login('nightly', force => true);
ROLLBACK;
BEGIN;
SELECT supabase_grant_login('nightly', 'regress_app');
SELECT supabase_sign_in('shop', 'alice@example.com', :'alice_password', save_as => 'nightly');
ROLLBACK;
SELECT supabase_grant_login('nightly', 'regress_app');
SET ROLE regress_app;
-- what a grantee may not
SELECT supabase_grant_login('nightly', 'regress_app');
SELECT * FROM supabase_fdw.logins;
SELECT * FROM supabase_fdw.credential_audit;
RESET ROLE;
GRANT EXECUTE ON FUNCTION supabase_grant_login, supabase_sign_out, supabase_refresh_login, supabase_sign_in, supabase_oauth_refresh_due TO regress_app;
SET ROLE regress_app;
SELECT supabase_grant_login('nightly', 'regress_app');
SELECT supabase_sign_out('shop', 'nightly');
SELECT supabase_sign_in('shop', 'bob@example.com', :'bob_password', save_as => 'nightly');
SELECT supabase_refresh_login('nightly') > now() AS valid;
SELECT supabase_oauth_refresh_due();
SELECT email FROM supabase_sign_in('shop', 'bob@example.com', :'bob_password', save_as => 'bobs');
SELECT supabase_clear_auth();
:logins
RESET ROLE;
:logins
SELECT supabase_revoke_login('nightly', 'regress_app');
SET ROLE regress_app;
:who
SELECT supabase_refresh_login('nightly');
SELECT supabase_refresh_login('no_such_login');
RESET ROLE;
SELECT supabase_grant_login('nightly', 'no_such_role');
SELECT supabase_grant_login('nightly', 'regress_app');

-- refreshed when it is due, whatever the transaction is
CREATE FUNCTION expire(login name) RETURNS void LANGUAGE sql AS
  $$ UPDATE supabase_fdw.logins SET expires_at = now() - interval '1 hour' WHERE name = login $$;
SELECT expire('nightly');
SET ROLE regress_app;
:who
RESET ROLE;
SELECT generation, refresh_count, status, attempts FROM supabase_fdw.logins WHERE name = 'nightly';
SELECT expire('nightly');
BEGIN READ ONLY;
SET LOCAL ROLE regress_app;
:who
ROLLBACK;
SELECT generation, refresh_count, status FROM supabase_fdw.logins WHERE name = 'nightly';
SELECT expire('nightly');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT generation FROM supabase_fdw.logins WHERE name = 'nightly';
SET LOCAL ROLE regress_app;
:who
RESET ROLE;
-- the snapshot is older than the refresh
SELECT generation FROM supabase_fdw.logins WHERE name = 'nightly';
SET LOCAL ROLE regress_app;
:who
ROLLBACK;
BEGIN;
SELECT generation FROM supabase_fdw.logins WHERE name = 'nightly';
ROLLBACK;
SELECT expire('nightly');
DO $$ BEGIN
  SET LOCAL ROLE regress_app;
  PERFORM count(*) FROM shop.orders;
  RAISE EXCEPTION 'undone';
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
SELECT generation, refresh_count, status FROM supabase_fdw.logins WHERE name = 'nightly';
SELECT supabase_refresh_login('nightly', force => true) > now() AS valid;
SELECT supabase_refresh_login('nightly') > now() AS valid;
SELECT supabase_oauth_refresh_due('8 days') AS refreshed;
SELECT supabase_oauth_refresh_due('1 minute') AS refreshed;
SELECT generation, refresh_count, status FROM supabase_fdw.logins ORDER BY name;

-- looked up and refreshed where the statement is in parallel mode
CREATE TABLE many AS SELECT i FROM generate_series(1, 10000) i;
ANALYZE many;
GRANT SELECT ON many TO regress_app;
CREATE FUNCTION count_orders(above int) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS
  $$ BEGIN RETURN (SELECT count(*) FROM shop.orders WHERE id >= above); END $$;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'on', false) AS forced;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT expire('nightly');
SET ROLE regress_app;
EXPLAIN (COSTS OFF) SELECT count_orders(min(i)) FROM many;
SELECT count_orders(min(i)) FROM many;
SELECT count_orders(min(i)) FROM many;
RESET ROLE;
SELECT generation, refresh_count, status FROM supabase_fdw.logins WHERE name = 'nightly';
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'off', false) AS forced;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP TABLE many;
DROP FUNCTION count_orders;

-- the owner's key is used, whatever key the one who asks has
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (SET api_key 'sb_publishable_of_nobody');
SET ROLE regress_app;
SELECT supabase_refresh_login('nightly', force => true) > now() AS valid;
RESET ROLE;
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (SET api_key :'publishable_key');

-- a refresh token got elsewhere
CREATE TEMP TABLE elsewhere AS SELECT 'nonsense'::text AS token;
SELECT supabase_sign_in('shop', refresh_token => token, save_as => 'other') FROM elsewhere;
:logins
SELECT supabase_refresh_login('other');
SELECT supabase_refresh_login('other', force => true);
SELECT supabase_oauth_refresh_due('8 days') AS refreshed;
-- a new sign-in of that name brings it back
SELECT email FROM supabase_sign_in('shop', 'bob@example.com', :'bob_password', save_as => 'other');
SELECT supabase_clear_auth();
:logins

-- a login goes to its own project only
CREATE SERVER second FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url_uncapped');
CREATE USER MAPPING FOR postgres SERVER second OPTIONS (api_key :'publishable_key', login 'nightly');
CREATE FOREIGN TABLE second_orders (id bigint OPTIONS (key 'true')) SERVER second OPTIONS (table_name 'orders');
\set VERBOSITY terse
SELECT count(*) FROM second_orders;
ALTER SERVER shop OPTIONS (SET url :'url_uncapped');
SET ROLE regress_app;
:who
RESET ROLE;
SELECT expire('nightly');
\set VERBOSITY default
SELECT supabase_refresh_login('nightly');
ALTER SERVER shop OPTIONS (SET url :'url');
SELECT supabase_refresh_login('nightly') > now() AS valid;
-- and an api_key with an origin likewise
ALTER USER MAPPING FOR postgres SERVER second OPTIONS (DROP login, ADD origin :'url');
\set VERBOSITY sqlstate
SELECT count(*) FROM second_orders;
\set VERBOSITY default
ALTER USER MAPPING FOR postgres SERVER second OPTIONS (SET origin :'url_uncapped');
SELECT count(*) FROM second_orders;

-- what was changed, moved or copied is refused
CREATE TEMP TABLE kept AS SELECT * FROM supabase_fdw.logins;
CREATE FUNCTION try_login() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL ROLE regress_app;
  PERFORM count(*) FROM shop.orders;
  RETURN 'used';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT try_login();
UPDATE supabase_fdw.logins SET access_token = (SELECT access_token FROM kept WHERE name = 'bobs'), generation = generation + 0,
  id = (SELECT gen_random_uuid()) WHERE name = 'nightly';
SELECT try_login();
UPDATE supabase_fdw.logins l SET id = k.id, access_token = k.access_token, generation = 1 FROM kept k WHERE k.name = l.name AND l.name = 'nightly';
SELECT try_login();
UPDATE supabase_fdw.logins l SET generation = k.generation, instance = 'another' FROM kept k WHERE k.name = l.name AND l.name = 'nightly';
SELECT supabase_refresh_login('nightly', force => true);
UPDATE supabase_fdw.logins l SET instance = k.instance FROM kept k WHERE k.name = l.name AND l.name = 'nightly';
SELECT try_login();
-- another database of the same server
SELECT count(*) FILTER (WHERE instance LIKE '%/' || (SELECT oid FROM pg_database WHERE datname = current_database())) = count(*) AS bound FROM supabase_fdw.logins;

-- audit: what was done, no value
SELECT name, action, role, outcome = 'ok' AS ok, fingerprint ~ '^[0-9a-f]{8}$' AS named FROM supabase_fdw.credential_audit
WHERE name = 'bobs' OR action IN ('grant', 'revoke') ORDER BY at;

-- options
\set VERBOSITY terse
ALTER USER MAPPING FOR postgres SERVER second OPTIONS (ADD login 'x', ADD jwt 'eyJ.eyJ.x');
ALTER SERVER second OPTIONS (ADD login 'x');
ALTER USER MAPPING FOR postgres SERVER second OPTIONS (ADD api_key_name 'x');
\set VERBOSITY default

-- signed out; one that cannot be, at the server, is removed nevertheless
UPDATE supabase_fdw.logins SET instance = 'another', expires_at = now() - interval '1 hour' WHERE name = 'nightly';
SELECT supabase_sign_out('shop', 'nightly');
SELECT supabase_sign_out('shop', 'bobs');
SELECT supabase_sign_out('shop', 'other');
:logins
SET ROLE regress_app;
:who
RESET ROLE;

-- nothing of it is in a dump, and nothing is left behind
SELECT extconfig FROM pg_extension WHERE extname = 'supabase_fdw';
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (DROP login);
REVOKE EXECUTE ON FUNCTION supabase_grant_login, supabase_sign_out, supabase_refresh_login, supabase_sign_in, supabase_oauth_refresh_due FROM regress_app;
DROP FOREIGN TABLE second_orders;
DROP FUNCTION expire, try_login;
SET client_min_messages = warning;
DROP SERVER second CASCADE;
DROP SERVER bare CASCADE;
DELETE FROM supabase_fdw.credential_audit;

-- OAuth apps and grants: registering, what is refused before anything is sent, who may see and do what, keys.
-- (test/t/170_oauth.pl has the flow.)
CREATE SERVER mgmt_a TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://127.0.0.1:9', max_retries '0');
SELECT supabase_oauth_create_app('acme', '0af3b3ad', 'sba_secret_of_acme', 'http://127.0.0.1:8675/callback');
\set VERBOSITY default
-- the server must be named as soon as there are two, and be one of the Management API
CREATE SERVER mgmt_b TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://localhost:9');
SELECT supabase_oauth_create_app('second', 'id', 'secret', 'http://127.0.0.1/cb');
SELECT supabase_oauth_create_app('second', 'id', 'secret', 'http://127.0.0.1/cb', 'shop');
SELECT supabase_oauth_create_app('second', 'id', 'secret', 'http://127.0.0.1/cb', 'mgmt_b');
-- arguments
SELECT supabase_oauth_create_app(NULL, 'id', 'secret', 'http://127.0.0.1/cb', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'id', NULL, 'http://127.0.0.1/cb', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'id', '', 'http://127.0.0.1/cb', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'i:d', 'secret', 'http://127.0.0.1/cb', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'id', 'secret', 'http://example.com/cb', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'id', 'secret', 'https://example.com/cb#x', 'mgmt_b');
SELECT supabase_oauth_create_app('third', 'id', 'secret', 'urn:ietf:wg:oauth:2.0:oob', 'mgmt_b');
-- a new secret takes the place of the old one
SELECT supabase_oauth_create_app('second', 'id', 'another', 'https://example.com/cb', 'mgmt_b');
SELECT name, owner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS mine, server, client_id, redirect_uri,
       position('another'::bytea IN client_secret) AS in_clear FROM supabase_fdw.oauth_apps ORDER BY name;

-- authorizing
SELECT supabase_oauth_authorize_url('no_such_app');
SELECT supabase_oauth_authorize_url('acme', 'javascript:alert(1)');
SELECT supabase_oauth_authorize_url('acme', '/\example.com');
SELECT supabase_oauth_authorize_url('acme', '/' || repeat('x', 4000));
SELECT regexp_replace(supabase_oauth_authorize_url('acme', '/done', 'a b'), '(state|code_challenge)=[\w-]{43,}', '\1=…', 'g');
SELECT app, redirect_uri, used_at, expires_at - now() BETWEEN '9 minutes' AND '11 minutes' AS soon, length(name::text)
FROM supabase_fdw.oauth_pending;
-- exchanging
SELECT supabase_oauth_exchange('code', 'no state');
SELECT supabase_oauth_exchange('code', NULL);
SELECT supabase_oauth_exchange(NULL, 'state');
SELECT substring(supabase_oauth_authorize_url('acme') FROM 'state=([\w-]+)') AS state \gset
\set VERBOSITY terse
SELECT supabase_oauth_exchange('code', :'state');
-- ... and as nothing was sent, it can be tried again
SELECT supabase_oauth_exchange('code', :'state');
\set VERBOSITY default
-- a copy of the database
UPDATE supabase_fdw.oauth_apps SET instance = 'other/1' WHERE name = 'acme';
SELECT supabase_oauth_authorize_url('acme');
UPDATE supabase_fdw.oauth_apps SET instance = (SELECT instance FROM supabase_fdw.oauth_apps WHERE name = 'second') WHERE name = 'acme';
-- another address than the app was made for gets no secret
ALTER SERVER mgmt_a OPTIONS (SET url 'http://127.0.0.1:10');
SELECT supabase_oauth_authorize_url('acme');
ALTER SERVER mgmt_a OPTIONS (SET url 'http://127.0.0.1:9');

-- grants that are not there
SELECT supabase_oauth_refresh('none');
SELECT supabase_oauth_revoke('none');
SELECT supabase_oauth_drop_grant('none');
SELECT supabase_grant_oauth_grant('none', current_user);
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_a OPTIONS (oauth_grant 'none');
SELECT supabase_request('mgmt_a', 'GET', '/v1/projects');
ALTER USER MAPPING FOR CURRENT_USER SERVER mgmt_a OPTIONS (DROP oauth_grant);
SELECT supabase_request('mgmt_a', 'GET', '/v1/projects');
DROP USER MAPPING FOR CURRENT_USER SERVER mgmt_a;
SELECT supabase_request('mgmt_a', 'GET', '/v1/projects');
SELECT supabase_request('mgmt_a', 'POST', '/v1/projects');

-- other roles
CREATE ROLE oauth_guest;
SET ROLE oauth_guest;
SELECT supabase_oauth_create_app('x', 'id', 'secret', 'http://127.0.0.1/cb', 'mgmt_a');
SELECT supabase_oauth_authorize_url('acme');
SELECT name FROM supabase_fdw.oauth_apps;
SELECT name FROM supabase_fdw.oauth_grants;
SELECT name FROM supabase_fdw.oauth_pending;
SELECT name FROM supabase_fdw.grants;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO oauth_guest;
SET ROLE oauth_guest;
SELECT supabase_oauth_create_app('x', 'id', 'secret', 'http://127.0.0.1/cb', 'mgmt_a');
SELECT supabase_oauth_authorize_url('acme');
SELECT supabase_oauth_drop_app('acme');
SELECT supabase_grant_oauth_app('acme', 'oauth_guest');
RESET ROLE;
SELECT supabase_grant_oauth_app('acme', 'oauth_guest');
SET ROLE oauth_guest;
SELECT supabase_oauth_authorize_url('acme') LIKE 'http%' AS authorizes;
SELECT supabase_oauth_drop_app('acme');
RESET ROLE;
SELECT supabase_revoke_oauth_app('acme', 'oauth_guest');
SET ROLE oauth_guest;
SELECT supabase_oauth_authorize_url('acme');
RESET ROLE;

SELECT kind, name, action, left(outcome, 17) AS outcome, fingerprint IS NOT NULL AS named FROM supabase_fdw.credential_audit
WHERE kind IN ('app', 'grant') ORDER BY at;
SELECT supabase_oauth_drop_app('acme'), supabase_oauth_drop_app('second');
SELECT count(*) FROM supabase_fdw.oauth_apps;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM oauth_guest;
DELETE FROM supabase_fdw.oauth_pending;
DELETE FROM supabase_fdw.credential_audit WHERE kind IN ('app', 'grant');
DROP ROLE oauth_guest;
DROP SERVER mgmt_a, mgmt_b CASCADE;

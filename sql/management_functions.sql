-- Functions of the Management API: arguments, privileges, results and refusals. 210_operations.pl has every operation.
\getenv url STACK_MANAGEMENT_URL
\getenv token STACK_MANAGEMENT_TOKEN
\set ref cbspsbynmcmwnceeeadq
\! curl -fsS -o /dev/null -X POST -H 'Content-Type: application/json' -d '{}' "$STACK_MANAGEMENT_URL/_sim/reset"

-- without a server of that type, with one, with two
SELECT supabase_management('v1-get-profile');
CREATE SERVER mgmt_f TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
SELECT supabase_management('v1-get-profile');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_f OPTIONS (access_token :'token');
SELECT supabase_management('v1-get-profile')->>'username' AS username;
CREATE SERVER mgmt_g TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw;
SELECT supabase_management('v1-get-profile');
SELECT supabase_management('v1-get-profile', server => 'mgmt_f')->>'username' AS username;
SELECT supabase_management('v1-get-profile', server => 'shop');
DROP SERVER mgmt_g;

-- what there is
SELECT count(*), count(*) FILTER (WHERE destructive) AS destructive, count(*) FILTER (WHERE scope IS NULL) AS without_scope
FROM supabase_management_operations();
SELECT * FROM supabase_management_operations() WHERE operation IN ('v1-delete-a-project', 'v1-get-profile', 'v1-Delete hostname config')
ORDER BY operation COLLATE "C";

-- operations that there are not, or not here
SELECT supabase_management('v1-get-projct');
SELECT supabase_management('list everything there is');
SELECT supabase_management(NULL);
SELECT supabase_management('v1-exchange-oauth-token', '{}', '{"grant_type": "refresh_token"}');
SELECT supabase_management('v1-revoke-token');
SELECT supabase_management('v1-authorize-user');

-- arguments
SELECT supabase_management('v1-get-project');
SELECT supabase_management('v1-get-project', '{"ref": "x", "reff": "y"}');
SELECT supabase_management('v1-get-project', '["x"]');
SELECT supabase_management('v1-get-project', '{"ref": ".."}');
SELECT supabase_management('v1-get-project-api-keys', '{"ref": "x", "reveal": "perhaps"}');
SELECT supabase_management('v1-list-all-snippets', '{"sort_by": "size"}');
SELECT supabase_management('v1-update-a-project', '{"ref": "x"}');
SELECT supabase_management('v1-update-a-project', '{"ref": "x"}', '[]');
SELECT supabase_management('v1-update-a-project', '{"ref": "x"}', '{"title": "y"}');
SELECT supabase_management('v1-update-a-project', '{"ref": "x"}', '{"name": 1}');
SELECT supabase_management('v1-get-profile', '{}', '{"name": "y"}');
SELECT supabase_management('v1-deploy-a-function', '{"ref": "x"}', '{"metadata": {}, "files": {"index.ts": 1}}');
SELECT supabase_management('v1-deploy-a-function', '{"ref": "x"}', '{"files": {"index.ts": ""}}');
SELECT supabase_management('v1-delete-a-project', jsonb_build_object('ref', :'ref'));

-- results: JSON, a count, text, bytes, nothing; what the remote refuses
SELECT supabase_management('v1-get-project', jsonb_build_object('ref', :'ref'))->>'name' AS name;
SELECT supabase_management('v1-count-action-runs', jsonb_build_object('ref', :'ref'));
SELECT jsonb_typeof(supabase_management('v1-get-action-run-logs', jsonb_build_object('ref', :'ref', 'run_id',
  supabase_management('v1-list-action-runs', jsonb_build_object('ref', :'ref'))->0->>'id'))) AS logs;
SELECT length(decode(supabase_management('v1-get-a-function-body', jsonb_build_object('ref', :'ref', 'function_slug',
  supabase_management('v1-list-all-functions', jsonb_build_object('ref', :'ref'))->0->>'slug'))#>>'{}', 'base64')) > 0 AS bytes;
SELECT supabase_management('v1-bulk-create-secrets', jsonb_build_object('ref', :'ref'), '[{"name": "F_ONE", "value": "1"}]') IS NULL AS nothing;
SELECT supabase_management('v1-bulk-delete-secrets', jsonb_build_object('ref', :'ref'), '["F_ONE"]') IS NULL AS nothing;
SELECT supabase_management('v1-get-services-health', jsonb_build_object('ref', :'ref', 'services', '["auth", "rest"]'::jsonb))->1->>'name' AS second;
SELECT supabase_management('v1-get-project', '{"ref": "aaaaaaaaaaaaaaaaaaaa"}');

-- a call that a rollback does not undo is named
BEGIN;
SELECT supabase_management('v1-update-a-project', jsonb_build_object('ref', :'ref'), '{"name": "shop"}')->>'name' AS name;
ROLLBACK;

-- SQL in the project's database
SELECT * FROM supabase_run_sql(:'ref', 'SELECT g, 12345678901234567890.10::text AS n FROM generate_series(1, 2) g');
SELECT * FROM supabase_run_sql(:'ref', 'SELECT 1 WHERE false');
SELECT * FROM supabase_run_sql(:'ref', 'CREATE TABLE f_made ()');
SELECT * FROM supabase_run_sql(:'ref', 'CREATE TABLE f_made (); DROP TABLE f_made', read_only => false);
SELECT * FROM supabase_run_sql(:'ref', NULL);

-- actions
CALL supabase_pause_project(:'ref');
CALL supabase_merge_branch('aaaaaaaaaaaaaaaaaaaa');
CALL supabase_reset_branch('aaaaaaaaaaaaaaaaaaaa', '20250301120000');
CALL supabase_upgrade_project(:'ref', '17');
CALL supabase_push_branch('aaaaaaaaaaaaaaaaaaaa');
CALL supabase_restore_project(NULL);

-- waiting and limits
SELECT supabase_wait_for_project(:'ref');
SELECT supabase_wait_for_project(:'ref', NULL);
SELECT supabase_wait_for_project((SELECT p->>'ref' FROM jsonb_array_elements(supabase_management('v1-list-all-projects')) p
  WHERE p->>'status' = 'INACTIVE'));
SELECT "limit", remaining < "limit" AS counted, reset_at > now() AS later FROM supabase_rate_limits()
WHERE bucket = 'POST /v1/projects/{ref}/database/query/read-only ' || :'ref';

-- passwords
SELECT supabase_db_password(:'ref');
CREATE FOREIGN TABLE f_projects (ref text, name text, db_pass text) SERVER mgmt_f OPTIONS (resource 'projects');
SET supabase_fdw.write_in_transaction = allow;
BEGIN;
UPDATE f_projects SET db_pass = 'first/one' WHERE ref = :'ref';
ROLLBACK;
SELECT supabase_db_password(:'ref'), supabase_connection_uri(:'ref');
-- where the store was changed already
BEGIN;
SELECT supabase_oauth_create_app('f_app', '0123456789', 's', 'https://app.example.com/callback', 'mgmt_f');
UPDATE f_projects SET db_pass = 'second one' WHERE ref = :'ref';
ROLLBACK;
SELECT supabase_db_password(:'ref');
SELECT supabase_connection_uri(:'ref', 'given: 100%');
SELECT supabase_connection_uri('x@example.com', 'p');
SELECT kind, action, outcome, fingerprint FROM supabase_fdw.credential_audit WHERE name LIKE :'ref' || '%';
SELECT project_ref, position('first/one'::bytea in password) AS found FROM supabase_fdw.project_passwords;

-- privileges
CREATE ROLE regress_f;
SET ROLE regress_f;
SELECT count(*) FROM supabase_management_operations();
SELECT supabase_management('v1-get-profile');
SELECT supabase_run_sql(:'ref', 'SELECT 1');
CALL supabase_pause_project(:'ref');
SELECT supabase_wait_for_project(:'ref');
SELECT supabase_db_password(:'ref');
SELECT supabase_attach_project(:'ref', 'f_app');
SELECT * FROM supabase_rate_limits();
TABLE supabase_fdw.project_passwords;
RESET ROLE;
GRANT EXECUTE ON FUNCTION supabase_management, supabase_db_password, supabase_attach_project TO regress_f;
SET ROLE regress_f;
SELECT supabase_management('v1-get-profile');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER mgmt_f TO regress_f;
SET ROLE regress_f;
SELECT supabase_management('v1-get-profile');
SELECT supabase_db_password(:'ref');
RESET ROLE;
CREATE USER MAPPING FOR regress_f SERVER mgmt_f OPTIONS (access_token :'token');
-- PostgreSQL's own privileges decide what attaching may create
SET ROLE regress_f;
SELECT supabase_attach_project(:'ref', 'f_app');
RESET ROLE;

-- attaching: the whole fails, or works
\getenv proxy STACK_INTERNET
\getenv ca STACK_CA
ALTER SERVER mgmt_f OPTIONS (DROP url);
SET supabase_fdw.proxy = :'proxy';
SET supabase_fdw.ca_file = :'ca';
SET client_min_messages = warning;
SELECT supabase_attach_project('x', 'f_app');
SELECT supabase_attach_project(:'ref', NULL);
SELECT supabase_attach_project(:'ref', 'f_app', 'nowhere', 'f_server');
SELECT count(*) FROM pg_foreign_server WHERE srvname = 'f_server';
GRANT USAGE ON FOREIGN DATA WRAPPER supabase_fdw TO regress_f;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_f', current_database()) \gexec
SET ROLE regress_f;
SELECT supabase_attach_project(:'ref', 'f_app', server_name => 'f_server', management_server => 'mgmt_f');
SELECT srvname, srvowner::regrole, srvtype, srvoptions FROM pg_foreign_server WHERE srvname = 'f_server';
SELECT umoptions[1] LIKE 'api_key=sb\_publishable\_%' AS publishable, umoptions[2] AS origin
FROM pg_user_mappings WHERE srvname = 'f_server';
SELECT count(*) > 0 AS has_rows FROM f_app.products;
RESET ROLE;

DROP FOREIGN TABLE f_projects;
DELETE FROM supabase_fdw.project_passwords;
DROP OWNED BY regress_f CASCADE;
DROP ROLE regress_f;
DROP SERVER mgmt_f CASCADE;
RESET client_min_messages;
RESET supabase_fdw.proxy;
RESET supabase_fdw.ca_file;

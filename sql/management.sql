-- Tables of the Management API: import, conditions and fan-out, what is read, what is changed, what is refused.
\getenv management_url STACK_MANAGEMENT_URL
\getenv management_token STACK_MANAGEMENT_TOKEN
\! curl -fsS -o /dev/null -X POST -H 'Content-Type: application/json' -d '{}' "$STACK_MANAGEMENT_URL/_sim/reset"
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'management_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt OPTIONS (access_token :'management_token');
CREATE SCHEMA mgmt;
\set VERBOSITY default

-- import
IMPORT FOREIGN SCHEMA public FROM SERVER mgmt INTO mgmt;
IMPORT FOREIGN SCHEMA management FROM SERVER mgmt INTO mgmt OPTIONS (nonsense 'true');
IMPORT FOREIGN SCHEMA management LIMIT TO (projects, restore_points) FROM SERVER mgmt INTO mgmt;
\d mgmt.restore_points
DROP FOREIGN TABLE mgmt.projects, mgmt.restore_points;
IMPORT FOREIGN SCHEMA management FROM SERVER mgmt INTO mgmt OPTIONS (internal 'false');
SELECT count(*) FROM pg_class WHERE relnamespace = 'mgmt'::regnamespace;
SET client_min_messages = error;
DROP SCHEMA mgmt CASCADE;
RESET client_min_messages;
CREATE SCHEMA mgmt;
IMPORT FOREIGN SCHEMA management FROM SERVER mgmt INTO mgmt;
SELECT count(*) FROM pg_class WHERE relnamespace = 'mgmt'::regnamespace;

-- every table is read, from whatever parents there are
CREATE FUNCTION rows_of(mgmt_table name, condition text DEFAULT 'true') RETURNS bigint LANGUAGE plpgsql AS
$$DECLARE n bigint := 0; r record; BEGIN
  FOR r IN EXECUTE format('SELECT * FROM mgmt.%I WHERE %s', mgmt_table, condition) LOOP n := n + 1; END LOOP;
  RETURN n;
END$$;
\set VERBOSITY terse
SET client_min_messages = error;
SELECT relname, rows_of(relname) > 0 AS has_rows FROM pg_class
WHERE relnamespace = 'mgmt'::regnamespace AND relkind = 'f' AND relname <> 'vanity_subdomains' ORDER BY relname COLLATE "C";
RESET client_min_messages;
\set VERBOSITY default
SELECT ref AS shop FROM mgmt.projects WHERE name = 'shop' \gset
SELECT ref AS blog FROM mgmt.projects WHERE name = 'blog' \gset
SELECT ref AS warehouse FROM mgmt.projects WHERE name = 'warehouse' \gset

-- the requests
EXPLAIN (VERBOSE, COSTS off) SELECT name, status FROM mgmt.projects;
EXPLAIN (VERBOSE, COSTS off) SELECT name FROM mgmt.projects WHERE ref = 'abc';
EXPLAIN (VERBOSE, COSTS off) SELECT name FROM mgmt.secrets WHERE project_ref = 'abc' AND name LIKE 'A%';
EXPLAIN (VERBOSE, COSTS off) SELECT name FROM mgmt.secrets;
EXPLAIN (VERBOSE, COSTS off) SELECT p.name, k.name FROM mgmt.projects p JOIN mgmt.api_keys k ON k.project_ref = p.ref WHERE k.reveal;
EXPLAIN (VERBOSE, COSTS off) UPDATE mgmt.auth_config SET smtp_host = 'x' WHERE project_ref = 'abc';

-- conditions bind: constants, lists, parameters, rows of other tables
SELECT name, organization_slug FROM mgmt.projects WHERE ref IN (:'shop', :'blog') ORDER BY name;
PREPARE keys(text) AS SELECT name, type, reveal FROM mgmt.api_keys WHERE project_ref = $1 ORDER BY type, name;
EXECUTE keys(:'shop');
SELECT p.name, count(*) FROM mgmt.projects p JOIN mgmt.api_keys k ON k.project_ref = p.ref GROUP BY 1 ORDER BY 1;
SELECT name, api_key LIKE 'sb_secret_%' AS secret, api_key LIKE '%·%' AS masked, reveal FROM mgmt.api_keys
WHERE project_ref = :'shop' AND type = 'secret' AND reveal;
SELECT name, api_key LIKE '%·%' AS masked, reveal FROM mgmt.api_keys WHERE project_ref = :'shop' AND type = 'secret';
SELECT name, status FROM mgmt.service_health WHERE project_ref = :'shop' AND name IN ('auth', 'rest') ORDER BY name;
SELECT DISTINCT advisor FROM mgmt.advisor_lints WHERE project_ref = :'shop' AND advisor = 'performance';
SELECT slug, name, plan FROM mgmt.organizations ORDER BY slug;
SELECT name, organization_slug FROM mgmt.projects WHERE ref = NULL;
SELECT count(*) FROM mgmt.projects WHERE ref = 'aaaaaaaaaaaaaaaaaaaa';
SELECT count(*) FROM mgmt.custom_hostnames WHERE project_ref = :'blog';
SELECT count(*) FROM mgmt.upgrade_status WHERE project_ref = :'blog';
SELECT name FROM mgmt.projects WHERE ref = '..';
SELECT status FROM mgmt.vanity_subdomains;
SELECT status FROM mgmt.vanity_subdomains WHERE project_ref = :'shop';
ALTER FOREIGN TABLE mgmt.secrets OPTIONS (ADD fanout 'require_qual');
SELECT count(*) FROM mgmt.secrets;
ALTER FOREIGN TABLE mgmt.secrets OPTIONS (DROP fanout);

-- a project that cannot answer is left out of a fan-out; asked for by name it is an error
SELECT project_ref = :'shop' AS shop, size_gb FROM mgmt.disk ORDER BY 1;
SELECT size_gb FROM mgmt.disk WHERE project_ref = :'warehouse';

-- columns that show secrets
CREATE ROLE mgmt_reader;
GRANT USAGE ON SCHEMA mgmt TO mgmt_reader;
GRANT SELECT ON mgmt.api_keys, mgmt.postgrest_config TO mgmt_reader;
GRANT USAGE ON FOREIGN SERVER mgmt TO mgmt_reader;
CREATE USER MAPPING FOR mgmt_reader SERVER mgmt OPTIONS (access_token :'management_token');
SET ROLE mgmt_reader;
SELECT name FROM mgmt.api_keys WHERE project_ref = :'shop' AND type = 'publishable';
SELECT name, api_key FROM mgmt.api_keys WHERE project_ref = :'shop';
SELECT attrs ? 'api_key' AS shown FROM mgmt.api_keys WHERE project_ref = :'shop' AND type = 'publishable';
SELECT max_rows, attrs ? 'jwt_secret' AS shown FROM mgmt.postgrest_config WHERE project_ref = :'shop';
RESET ROLE;
GRANT SELECT (api_key) ON mgmt.api_keys TO mgmt_reader;
SET ROLE mgmt_reader;
SELECT name, left(api_key, 15) FROM mgmt.api_keys WHERE project_ref = :'shop' AND type = 'publishable';
RESET ROLE;

-- secrets: batched, known by their digest
INSERT INTO mgmt.secrets (project_ref, name, value)
SELECT r, 'OLD_' || i, 'value ' || i FROM unnest(ARRAY[:'shop', :'blog']) r, generate_series(1, 3) i;
INSERT INTO mgmt.secrets (project_ref, name, value) VALUES (:'shop', 'API_TOKEN', 'first') RETURNING name, digest = encode(sha256('first'), 'hex') AS ok, value;
UPDATE mgmt.secrets SET value = 'second' WHERE project_ref = :'shop' AND name = 'API_TOKEN' RETURNING name, digest = encode(sha256('second'), 'hex') AS ok;
DELETE FROM mgmt.secrets WHERE project_ref = :'shop' AND name LIKE 'OLD_%' RETURNING name;
DELETE FROM mgmt.secrets WHERE name LIKE 'OLD_%' AND project_ref = :'blog';
SELECT name FROM mgmt.secrets WHERE project_ref = :'shop' ORDER BY name;
INSERT INTO mgmt.secrets (project_ref, name) VALUES (:'shop', 'NO_VALUE');
INSERT INTO mgmt.secrets (project_ref, name, value) VALUES (:'shop', 'SUPABASE_X', 'hidden value');

-- configuration: what is set is sent
UPDATE mgmt.auth_config SET smtp_host = 'mail.example.com', smtp_pass = 's3cret' WHERE project_ref = :'shop' RETURNING smtp_host, length(smtp_pass), site_url;
UPDATE mgmt.auth_config SET mailer_otp_length = 99 WHERE project_ref = :'shop';
UPDATE mgmt.auth_config SET project_ref = 'x' WHERE project_ref = :'shop';
UPDATE mgmt.postgres_config SET work_mem = '8MB', max_connections = 100 WHERE project_ref = :'shop' RETURNING work_mem, max_connections;
UPDATE mgmt.postgres_config SET work_mem = NULL WHERE project_ref = :'shop' RETURNING work_mem, max_connections;
UPDATE mgmt.storage_config SET vector_buckets_enabled = true WHERE project_ref = :'shop' RETURNING vector_buckets_enabled, vector_buckets_max_buckets, migration_version IS NOT NULL AS migration;
UPDATE mgmt.disk SET size_gb = 16 WHERE project_ref = :'shop' RETURNING size_gb, type, iops;
UPDATE mgmt.realtime_config SET max_concurrent_users = 50 WHERE project_ref = :'shop' RETURNING max_concurrent_users;
UPDATE mgmt.postgrest_config SET max_rows = 500 WHERE project_ref = :'shop' RETURNING max_rows;
UPDATE mgmt.ssl_enforcement SET database = true WHERE project_ref = :'shop' RETURNING database, applied_successfully;
UPDATE mgmt.legacy_api_keys SET enabled = false WHERE project_ref = :'shop' RETURNING enabled;
UPDATE mgmt.network_restrictions SET allowed_cidrs = '{203.0.113.0/24}' WHERE project_ref = :'shop' RETURNING allowed_cidrs, allowed_cidrs_v6;
INSERT INTO mgmt.network_restriction_cidrs (project_ref, cidr) VALUES (:'shop', '198.51.100.0/24'), (:'shop', '2001:db8::/32');
DELETE FROM mgmt.network_restriction_cidrs WHERE project_ref = :'shop' AND cidr IN ('2001:db8::/32', '203.0.113.0/24');
SELECT cidr, type FROM mgmt.network_restriction_cidrs WHERE project_ref = :'shop' ORDER BY cidr;
DELETE FROM mgmt.network_bans WHERE project_ref = :'shop' RETURNING banned_address;

-- collections
INSERT INTO mgmt.api_keys (project_ref, type, name) VALUES (:'shop', 'secret', 'extra') RETURNING name, type, id IS NOT NULL AS id;
UPDATE mgmt.api_keys SET description = 'for a test' WHERE project_ref = :'shop' AND name = 'extra' RETURNING name, description;
DELETE FROM mgmt.api_keys WHERE project_ref = :'shop' AND name = 'extra' RETURNING name;
INSERT INTO mgmt.edge_functions (project_ref, slug, name, entrypoint_path, body)
VALUES (:'shop', 'greet', 'greet', 'index.ts', 'Deno.serve(() => new Response("hi"))') RETURNING slug, status, created_at > now() - interval '1 day' AS new;
UPDATE mgmt.edge_functions SET verify_jwt = false WHERE project_ref = :'shop' AND slug = 'greet' RETURNING slug, verify_jwt;
DELETE FROM mgmt.edge_functions WHERE project_ref = :'shop' AND slug = 'greet';
INSERT INTO mgmt.sso_providers (project_ref, metadata_url, domains) VALUES (:'shop', 'https://idp.example.com/m', '{example.com}') RETURNING domains;
UPDATE mgmt.sso_providers SET domains = '{a.example.com,b.example.com}' WHERE project_ref = :'shop' AND domains = '{example.com}' RETURNING domains, metadata_url;
INSERT INTO mgmt.third_party_auth (project_ref, oidc_issuer_url) VALUES (:'shop', 'https://issuer.example.com') RETURNING type, oidc_issuer_url;
INSERT INTO mgmt.migrations (project_ref, query, name) VALUES (:'shop', 'SELECT 1', 'nothing') RETURNING version IS NOT NULL AS version, name;
UPDATE mgmt.addons SET variant = 'ci_small' WHERE project_ref = :'shop' AND type = 'compute_instance' RETURNING type, variant;
INSERT INTO mgmt.branches (project_ref, name) VALUES (:'shop', 'feature/one') RETURNING name, ref IS NOT NULL AS ref, db_host IS NOT NULL AS host;
UPDATE mgmt.branches SET git_branch = 'one' WHERE project_ref = :'shop' AND name = 'feature/one' RETURNING name, git_branch;

-- projects
INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('demo', 'acme', 'eu-central-1') RETURNING status, name, region, db_pass;
INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('demo', 'acme', 'eu-central-1');
INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('demo', 'acme', 'atlantis');
INSERT INTO mgmt.projects (name, organization_slug, region, region_group) VALUES ('demo', 'acme', 'eu-central-1', 'emea');
INSERT INTO mgmt.projects (name, organization_slug, status) VALUES ('demo', 'acme', 'ACTIVE_HEALTHY');
INSERT INTO mgmt.projects (name) VALUES ('demo');
\set SHOW_CONTEXT never
UPDATE mgmt.projects SET name = 'demo 2' WHERE name = 'demo' RETURNING name, db_pass;
UPDATE mgmt.projects SET db_pass = 'a long password' WHERE name = 'demo 2';
\set SHOW_CONTEXT errors
UPDATE mgmt.projects SET status = 'INACTIVE' WHERE name = 'demo 2';

-- what cannot be undone needs a permission; what the API does not have cannot be done
DELETE FROM mgmt.projects WHERE name = 'demo 2';
UPDATE mgmt.pgsodium_config SET root_key = repeat('ab', 32) WHERE project_ref = :'shop';
DELETE FROM mgmt.branches WHERE project_ref = :'shop' AND name = 'feature/one';
ALTER SERVER mgmt OPTIONS (ADD destructive 'true');
DELETE FROM mgmt.branches WHERE project_ref = :'shop' AND name = 'feature/one' RETURNING name;
SELECT name, ref <> '' AS ref FROM mgmt.projects WHERE name = 'demo 2';
DELETE FROM mgmt.auth_config WHERE project_ref = :'shop';
INSERT INTO mgmt.disk (project_ref, size_gb) VALUES (:'shop', 10);
UPDATE mgmt.organizations SET name = 'x' WHERE slug = 'acme';
TRUNCATE mgmt.secrets;
INSERT INTO mgmt.secrets (project_ref, name, value) VALUES (:'shop', 'X', 'y') ON CONFLICT DO NOTHING;

-- a rollback undoes nothing, and says so
BEGIN;
UPDATE mgmt.postgrest_config SET max_rows = 600 WHERE project_ref = :'shop';
ROLLBACK;
SELECT max_rows FROM mgmt.postgrest_config WHERE project_ref = :'shop';

-- options of the wrong kind, tables and columns that are not there
CREATE FOREIGN TABLE mgmt.nothing (id text) SERVER mgmt OPTIONS (resource 'nothing');
SELECT * FROM mgmt.nothing;
CREATE FOREIGN TABLE mgmt.some_projects (reference text OPTIONS (column_name 'ref'), "name" text, color text) SERVER mgmt OPTIONS (resource 'projects');
SELECT reference FROM mgmt.some_projects;
ALTER FOREIGN TABLE mgmt.some_projects DROP COLUMN color;
SELECT "name" FROM mgmt.some_projects WHERE reference = :'shop';
ALTER FOREIGN TABLE mgmt.some_projects OPTIONS (ADD updatable 'false');
UPDATE mgmt.some_projects SET "name" = 'x' WHERE reference = :'shop';

DROP FUNCTION rows_of;
\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA mgmt CASCADE;
DROP SERVER mgmt CASCADE;
DROP ROLE mgmt_reader;

-- What the extension consists of, dropping it, and installing it into a schema of its own. Last, because it drops the rest.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION supabase_fdw CASCADE;
SELECT count(*) AS servers FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE w.fdwname = 'supabase_fdw';
CREATE SCHEMA ext;
CREATE EXTENSION supabase_fdw SCHEMA ext;
SELECT pg_describe_object(classid, objid, objsubid) AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'supabase_fdw')
ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C";
-- it works from there, without the schema being on the search path
\getenv url STACK_URL
\getenv key STACK_PUBLISHABLE_KEY
\getenv alice STACK_ALICE_JWT
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER shop OPTIONS (api_key :'key');
CREATE FOREIGN TABLE ext.orders (id bigint OPTIONS (key 'true')) SERVER shop;
SELECT count(*) FROM ext.orders;
SELECT email, role FROM ext.supabase_set_auth(:'alice');
SELECT count(*) FROM ext.orders;
SELECT email, scope FROM ext.supabase_auth();

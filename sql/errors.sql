-- Errors: the code says what happened, the message what to do; a failure never looks like an empty result.
\getenv url STACK_URL
\getenv rest_url STACK_REST_URL
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT always

-- errors of the remote database keep their code; the context says which request it was
SELECT * FROM shop.div_by_zero;
\echo :LAST_ERROR_SQLSTATE
-- a column that is not needed is not computed
SELECT count(*) FROM shop.div_by_zero;
SELECT sum(q) FROM shop.div_by_zero WHERE id < 5;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.wrong_type (id text OPTIONS (key 'true'), c_enum text) SERVER shop
  OPTIONS (table_name 'all_types');
SELECT id FROM shop.wrong_type WHERE id = 'one';
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM shop.wrong_type WHERE c_enum = 'no such label';
\echo :LAST_ERROR_SQLSTATE
-- inside a transaction: caught like any other error
DO $$
BEGIN
  PERFORM * FROM shop.div_by_zero;
EXCEPTION WHEN division_by_zero THEN
  RAISE INFO 'caught: %', SQLERRM;
END $$;
BEGIN;
SAVEPOINT s;
SELECT * FROM shop.div_by_zero;
ROLLBACK TO s;
SELECT count(*) FROM shop.orders;
COMMIT;

-- what is not there any more
CREATE FOREIGN TABLE shop.no_table (id int) SERVER shop;
SELECT * FROM shop.no_table;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.no_column (id bigint OPTIONS (key 'true'), no_such_column int) SERVER shop
  OPTIONS (table_name 'orders');
SELECT * FROM shop.no_column;
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM shop.no_column WHERE no_such_column = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM shop.no_column WHERE id = 1;
CREATE FOREIGN TABLE shop.no_schema (id int) SERVER shop OPTIONS (schema_name 'no_such_schema', table_name 'orders');
SELECT * FROM shop.no_schema;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.a_function (a int) SERVER shop OPTIONS (table_name 'add');
SELECT * FROM shop.a_function;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.path (id int) SERVER shop OPTIONS (table_name '../auth/v1/user');
SELECT * FROM shop.path;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.columnless () SERVER shop OPTIONS (table_name 'orders');
SELECT count(*) FROM shop.columnless;
\echo :LAST_ERROR_SQLSTATE

CREATE FOREIGN TABLE shop.lacking (id int OPTIONS (key 'true'), customer_id int, status text, no_such text)
  SERVER shop OPTIONS (table_name 'orders');
SELECT * FROM shop.lacking WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE

-- what is not allowed
CREATE FOREIGN TABLE shop.forbidden (id int OPTIONS (key 'true'), secret text) SERVER shop;
SELECT * FROM shop.forbidden;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.twice (id int OPTIONS (key 'true'), shown text, id_again int OPTIONS (column_name 'id'),
  shown_again text OPTIONS (column_name 'shown')) SERVER shop OPTIONS (table_name 'partly_visible');
GRANT SELECT ON shop.twice TO regress_app;
SET ROLE regress_app;
SELECT id, shown FROM shop.partly_visible ORDER BY id;
SELECT * FROM shop.partly_visible;
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM shop.partly_visible WHERE hidden = 'hidden 1';
\echo :LAST_ERROR_SQLSTATE
-- a whole row is not granted: its columns are asked for by name, from then on
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop.twice WHERE id = 1;
SELECT * FROM shop.twice WHERE id = 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop.twice WHERE id = 1;
-- rows that row level security hides are no error
SELECT count(*) FROM shop.orders;
-- the remote's statement timeout
SELECT * FROM shop.too_slow_view;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

-- credentials
CREATE SERVER refused FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE FOREIGN TABLE shop.refused (id bigint) SERVER refused OPTIONS (table_name 'orders');
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR postgres SERVER refused OPTIONS (api_key 'sb_secret_wrong_key_wrong_key_wrong_key');
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR postgres SERVER refused
  OPTIONS (SET api_key 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl');
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR postgres SERVER refused OPTIONS (SET api_key :'secret_key',
  ADD jwt 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl');
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR postgres SERVER refused OPTIONS (SET jwt 'not.a.token');
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR postgres SERVER refused OPTIONS (DROP jwt, DROP api_key);
SELECT * FROM shop.refused;
\echo :LAST_ERROR_SQLSTATE

-- servers that cannot be reached or do not answer as they should
CREATE SERVER unreachable FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://127.0.0.1:1', max_retries '0');
CREATE USER MAPPING FOR postgres SERVER unreachable OPTIONS (api_key 'x');
CREATE FOREIGN TABLE shop.unreachable (id int) SERVER unreachable;
\set VERBOSITY sqlstate
SELECT * FROM shop.unreachable;
SELECT count(*) FROM shop.unreachable WHERE false;
SELECT count(*) FROM shop.unreachable;
IMPORT FOREIGN SCHEMA public FROM SERVER unreachable INTO shop;
-- TLS where there is none, a path that is none
SELECT replace(:'rest_url', 'http:', 'https:') AS no_tls, :'url' || '/nothing' AS no_path \gset
ALTER SERVER unreachable OPTIONS (SET url :'no_tls', ADD connect_timeout '500ms');
SELECT * FROM shop.unreachable;
ALTER SERVER unreachable OPTIONS (SET url :'no_path', DROP connect_timeout);
ALTER USER MAPPING FOR postgres SERVER unreachable OPTIONS (SET api_key :'secret_key');
SELECT * FROM shop.unreachable;
-- a certificate that is not trusted
SET supabase_fdw.ca_file = '/dev/null';
SELECT count(*) FROM shop.orders;
RESET supabase_fdw.ca_file;
SELECT count(*) FROM shop.orders;
-- an answer that is larger than allowed
ALTER SERVER shop OPTIONS (ADD max_response_size '100kB');
SELECT max(length(body)) FROM shop.blobs;
SELECT count(id) FROM shop.blobs;
ALTER SERVER shop OPTIONS (DROP max_response_size);
SELECT max(length(body)) FROM shop.blobs;
-- an answer that takes longer than allowed
ALTER SERVER shop OPTIONS (ADD request_timeout '300ms', ADD max_retries '0');
SELECT * FROM shop.slow_view;
ALTER SERVER shop OPTIONS (DROP request_timeout, DROP max_retries);
\set VERBOSITY default

-- hosts that are not allowed get nothing
CREATE SERVER elsewhere FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://shop.example.com');
CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS (api_key 'x');
CREATE FOREIGN TABLE shop.elsewhere (id int) SERVER elsewhere;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop.elsewhere;
SELECT * FROM shop.elsewhere;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA public FROM SERVER elsewhere INTO shop;
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER elsewhere OPTIONS (SET url 'https://supabase.co.example.com');
SELECT * FROM shop.elsewhere;
ALTER SERVER elsewhere OPTIONS (SET url 'https://xsupabase.co');
SELECT * FROM shop.elsewhere;
ALTER SERVER elsewhere OPTIONS (SET url 'https://169.254.169.254');
SELECT * FROM shop.elsewhere;
-- this machine is allowed for servers of a superuser only
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_owner;
CREATE ROLE regress_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER supabase_fdw TO regress_owner;
GRANT CREATE, USAGE ON SCHEMA shop TO regress_owner;
SET ROLE regress_owner;
CREATE SERVER owned FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR regress_owner SERVER owned OPTIONS (api_key :'secret_key');
CREATE FOREIGN TABLE shop.owned (id bigint OPTIONS (key 'true')) SERVER owned OPTIONS (table_name 'orders');
SELECT count(*) FROM shop.owned;
\echo :LAST_ERROR_SQLSTATE
SET supabase_fdw.allowed_hosts = '*';
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- also when a superuser reads the table
CREATE USER MAPPING FOR postgres SERVER owned OPTIONS (api_key :'secret_key');
SELECT count(*) FROM shop.owned;
\echo :LAST_ERROR_SQLSTATE
SET supabase_fdw.allowed_hosts = 'localhost, *.supabase.co';
SELECT count(*) FROM shop.owned;
-- a pattern allows the name but not an address of this machine
SET supabase_fdw.allowed_hosts = '*';
\set VERBOSITY sqlstate
SELECT count(*) FROM shop.owned;
\set VERBOSITY default
RESET supabase_fdw.allowed_hosts;

-- the Management API is a later matter
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw;
CREATE FOREIGN TABLE shop.projects (ref text) SERVER mgmt;
SELECT * FROM shop.projects;
\echo :LAST_ERROR_SQLSTATE

-- afterwards everything works as before
SELECT count(*) FROM shop.orders;

SET client_min_messages = warning;
DROP FOREIGN TABLE shop.wrong_type, shop.no_table, shop.no_column, shop.no_schema, shop.a_function, shop.path,
  shop.columnless, shop.forbidden;
DROP SERVER refused, unreachable, elsewhere, owned, mgmt CASCADE;
DROP OWNED BY regress_owner;
DROP ROLE regress_owner;

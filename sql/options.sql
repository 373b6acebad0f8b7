-- Options: checked when they are set, in effect at once.
\getenv url STACK_URL
\getenv rest_url STACK_REST_URL
\getenv secret_key STACK_SECRET_KEY
\getenv publishable_key STACK_PUBLISHABLE_KEY
\getenv service_jwt STACK_SERVICE_JWT
\set VERBOSITY default
\set SHOW_CONTEXT never

-- unknown names: what is valid there is listed
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (host 'localhost');
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_keys 'not-shown');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (tabel_name 'x');
CREATE FOREIGN TABLE bad (id int OPTIONS (primary_column 'true')) SERVER shop;
ALTER FOREIGN DATA WRAPPER supabase_fdw OPTIONS (ADD url 'https://localhost');

-- names that are valid elsewhere
\set VERBOSITY terse
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (table_name 'x');
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (url 'https://localhost');
CREATE FOREIGN TABLE bad (id int OPTIONS (fetch_size '5')) SERVER shop;
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (fetch_size '5');
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (column_name 'x');

\set VERBOSITY default

-- secrets are refused where every role can read them, whatever they are called; the value is not repeated
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', api_key 'sb_secret_not_shown_1');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', apikey 'sb_secret_not_shown_2');
\set VERBOSITY terse
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', "Access_Token" 'not_shown_3');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', password 'not_shown_4');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost',
  "SERVICE-ROLE-SECRET" 'not_shown_5');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', jwt 'not_shown_6');
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (api_key 'sb_secret_not_shown_7');
CREATE FOREIGN TABLE bad (id int OPTIONS (jwt 'not_shown_8')) SERVER shop;
ALTER SERVER shop OPTIONS (ADD api_key 'sb_secret_not_shown_9');
ALTER FOREIGN DATA WRAPPER supabase_fdw OPTIONS (ADD client_secret 'not_shown_10');
-- a secret as the value of an option that is none
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (schema_name 'sb_secret_not_shown_11_aaaaaaaaaaaaaaaaaaaaaaa');
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (table_name 'sbp_0123456789abcdef0123456789abcdef01234567');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw
  OPTIONS (project_ref 'eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl');
\set VERBOSITY default
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://user:not_shown_12@localhost');

-- addresses
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost',
  project_ref 'abcdefghijklmnopqrst');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', rest_url 'https://localhost');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url 'https://localhost',
  project_ref 'abcdefghijklmnopqrst');
ALTER SERVER shop OPTIONS (ADD project_ref 'abcdefghijklmnopqrst');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'ftp://localhost');
\set VERBOSITY terse
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'localhost');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost:99999');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost/a/../b');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost/?a=b');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://0x7f.1');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url E'https://localhost\r\nX: y');
\set VERBOSITY default
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (project_ref 'abc');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (project_ref 'ABCDEFGHIJKLMNOPQRST');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (project_ref 'abcdefghijklmnopqrs.');
-- without TLS only to this machine
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://shop.example.com');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url 'http://10.0.0.1:3000');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://localhost.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://127.0.0.1.example.com',
  allow_insecure 'false');
BEGIN;
CREATE SERVER good1 FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://127.0.0.1:3000');
CREATE SERVER good2 FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url 'http://localhost:3000/');
CREATE SERVER good3 FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://[::1]:3000');
CREATE SERVER good4 FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://shop.example.com', allow_insecure 'true');
CREATE SERVER good5 FOREIGN DATA WRAPPER supabase_fdw OPTIONS (project_ref 'abcdefghijklmnopqrst');
CREATE SERVER good6 TYPE 'project' FOREIGN DATA WRAPPER supabase_fdw
  OPTIONS (url 'HTTPS://Shop.Example.COM/base/path/');
ALTER SERVER good4 OPTIONS (DROP allow_insecure);
ROLLBACK;
GRANT USAGE ON FOREIGN DATA WRAPPER supabase_fdw TO regress_app;
SET ROLE regress_app;
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://shop.example.com', allow_insecure 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://shop.example.com', allow_insecure 'true');
BEGIN;
CREATE SERVER good FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://shop.example.com', allow_insecure 'false');
ALTER SERVER good OPTIONS (SET allow_insecure 'true');
ROLLBACK;
RESET ROLE;
REVOKE USAGE ON FOREIGN DATA WRAPPER supabase_fdw FROM regress_app;

-- values
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size '0');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size '1.5');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size '10000000');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size 'many');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size '-1');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', fetch_size '');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', connect_timeout '0');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', request_timeout '2h');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', request_timeout '5 parsecs');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', request_timeout 'NaN');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', max_retries '11');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', max_response_size '10TB');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', session_auth 'sometimes');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', session_auth 'always ignore');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', require_user_jwt 'perhaps');
CREATE SERVER bad FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', text_ordering '2');
CREATE FOREIGN TABLE bad (id int) SERVER shop OPTIONS (table_name '');
CREATE FOREIGN TABLE bad (id int OPTIONS (key 'yes please')) SERVER shop;
CREATE FOREIGN TABLE bad (id int OPTIONS (key 'true', key 'false')) SERVER shop;
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_key '');
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_key E'not shown\nApikey: x');
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_key 'not-shown-ä');
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (session_auth 'never');
SELECT count(*) FROM pg_foreign_server WHERE srvname LIKE 'bad%' OR srvname LIKE 'good%';
BEGIN;
CREATE SERVER good FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost', schema_name 'x',
  fetch_size '1000000', text_ordering 'on', require_user_jwt '0', session_auth 'setter',
  forward_request_jwt 'no', connect_timeout '500ms', request_timeout '1min', max_retries '0', max_response_size '64MB');
ROLLBACK;

-- a server without an address, of another type
CREATE SERVER nowhere FOREIGN DATA WRAPPER supabase_fdw;
CREATE USER MAPPING FOR postgres SERVER nowhere OPTIONS (api_key 'x');
CREATE FOREIGN TABLE nowhere_table (id int) SERVER nowhere;
SELECT * FROM nowhere_table;
\echo :LAST_ERROR_SQLSTATE
SET client_min_messages = warning;
DROP SERVER nowhere CASCADE;
RESET client_min_messages;

-- changes take effect at once, also in statements that were prepared before
CREATE SERVER changing FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR postgres SERVER changing OPTIONS (api_key :'secret_key');
CREATE FOREIGN TABLE changing (id bigint OPTIONS (key 'true'), label text) SERVER changing
  OPTIONS (table_name 'orders');
ALTER FOREIGN TABLE changing ALTER label OPTIONS (ADD column_name 'note');
SET plan_cache_mode = force_generic_plan;
PREPARE query AS SELECT id, label FROM changing WHERE id <= 3 ORDER BY id;
PREPARE counting AS SELECT count(*) FROM changing;
EXECUTE query;
EXECUTE counting;
-- table
ALTER FOREIGN TABLE changing OPTIONS (SET table_name 'customers');
ALTER FOREIGN TABLE changing ALTER label OPTIONS (SET column_name 'name');
EXECUTE query;
EXECUTE counting;
ALTER FOREIGN TABLE changing OPTIONS (SET table_name 'accounts', ADD schema_name 'private_api');
ALTER FOREIGN TABLE changing ALTER label OPTIONS (DROP column_name);
EXECUTE query;
EXECUTE counting;
ALTER FOREIGN TABLE changing OPTIONS (DROP schema_name);
ALTER SERVER changing OPTIONS (ADD schema_name 'private_api');
EXECUTE counting;
-- server
ALTER SERVER changing OPTIONS (DROP schema_name);
ALTER FOREIGN TABLE changing OPTIONS (SET table_name 'orders');
EXECUTE counting;
ALTER SERVER changing OPTIONS (ADD require_user_jwt 'true');
EXECUTE counting;
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER changing OPTIONS (SET require_user_jwt 'false');
EXECUTE counting;
ALTER SERVER changing OPTIONS (SET url 'https://127.0.0.1:1', ADD max_retries '0');
\set VERBOSITY sqlstate
EXECUTE counting;
\set VERBOSITY default
ALTER SERVER changing OPTIONS (SET url :'url', DROP max_retries);
EXECUTE counting;
-- what its owner is, which decides whether a loopback address is allowed
CREATE ROLE regress_owner SUPERUSER;
ALTER SERVER changing OWNER TO regress_owner;
EXECUTE counting;
ALTER ROLE regress_owner NOSUPERUSER;
EXECUTE counting;
ALTER ROLE regress_owner SUPERUSER;
EXECUTE counting;
ALTER SERVER changing OWNER TO postgres;
DROP ROLE regress_owner;
-- a bare PostgREST takes a JWT only
ALTER SERVER changing OPTIONS (DROP url, ADD rest_url :'rest_url');
ALTER USER MAPPING FOR postgres SERVER changing OPTIONS (DROP api_key, ADD jwt :'service_jwt');
EXECUTE counting;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE counting;
ALTER SERVER changing OPTIONS (DROP rest_url, ADD url :'url');
-- mapping: with the publishable key no row is visible
ALTER USER MAPPING FOR postgres SERVER changing OPTIONS (DROP jwt, ADD api_key :'publishable_key');
EXECUTE counting;
ALTER USER MAPPING FOR postgres SERVER changing OPTIONS (SET api_key :'secret_key');
EXECUTE counting;
DROP USER MAPPING FOR postgres SERVER changing;
EXECUTE counting;
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR PUBLIC SERVER changing OPTIONS (api_key :'secret_key');
EXECUTE counting;
-- key and order of text change the plan
ALTER FOREIGN TABLE changing ALTER label OPTIONS (ADD column_name 'note');
PREPARE ordered AS SELECT label FROM changing WHERE label > 'note 6' ORDER BY label LIMIT 2;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE ordered;
ALTER FOREIGN TABLE changing OPTIONS (ADD text_ordering 'true');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE ordered;
ALTER FOREIGN TABLE changing ALTER label OPTIONS (ADD text_ordering 'false');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE ordered;
ALTER FOREIGN TABLE changing ALTER id OPTIONS (DROP key);
ALTER FOREIGN TABLE changing OPTIONS (DROP text_ordering);
ALTER SERVER changing OPTIONS (ADD text_ordering 'true');
ALTER FOREIGN TABLE changing ALTER label OPTIONS (DROP text_ordering);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE ordered;
EXECUTE ordered;
RESET plan_cache_mode;
DEALLOCATE ALL;

SET client_min_messages = warning;
DROP SERVER changing CASCADE;

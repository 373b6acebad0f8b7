-- What every other script relies on: the extension, the server `shop` with the secret key for postgres and the
-- publishable key for regress_app, and all tables of the remote schema `public` in the local schema `shop`.
\getenv url STACK_URL
\getenv secret_key STACK_SECRET_KEY
\getenv publishable_key STACK_PUBLISHABLE_KEY
\set VERBOSITY terse
SET client_min_messages = warning;

CREATE EXTENSION supabase_fdw;
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (api_key :'secret_key');

-- a role that row level security applies to: what it may see is decided by the token it acts with
DROP ROLE IF EXISTS regress_app;
CREATE ROLE regress_app LOGIN;
CREATE USER MAPPING FOR regress_app SERVER shop OPTIONS (api_key :'publishable_key');
GRANT USAGE ON FOREIGN SERVER shop TO regress_app;

CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA public FROM SERVER shop INTO shop;
GRANT USAGE ON SCHEMA shop TO regress_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO regress_app;

-- types the local database does not have became text
RESET client_min_messages;
SELECT foreign_table_name FROM information_schema.foreign_tables
WHERE foreign_table_schema = 'shop' ORDER BY foreign_table_name COLLATE "C";

-- The project's key out of Supabase Vault. Its view is all that is needed of it, so that is all that is here.
\getenv url STACK_URL
\getenv secret_key STACK_SECRET_KEY
\getenv publishable_key STACK_PUBLISHABLE_KEY
\set who 'SELECT CASE count(*) WHEN 71 THEN ''service'' WHEN 0 THEN ''anon'' END AS who FROM vault_orders;'

CREATE SERVER vaulted FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE FOREIGN TABLE vault_orders (id bigint OPTIONS (key 'true')) SERVER vaulted OPTIONS (table_name 'orders');
CREATE USER MAPPING FOR postgres SERVER vaulted OPTIONS (api_key_name 'shop');
:who

CREATE ROLE regress_vault_owner;
CREATE ROLE regress_vault_api;
CREATE ROLE regress_vault_user;
CREATE SCHEMA vault;
CREATE TABLE vault.secrets (id uuid PRIMARY KEY, name text, decrypted_secret text);
CREATE VIEW vault.decrypted_secrets AS SELECT id, name, decrypted_secret FROM vault.secrets;
:who
INSERT INTO vault.secrets VALUES ('00000000-0000-4000-8000-000000000001', 'shop', :'secret_key'),
  ('00000000-0000-4000-8000-000000000002', 'public', :'publishable_key'),
  ('00000000-0000-4000-8000-000000000003', 'empty', ''),
  ('00000000-0000-4000-8000-000000000004', 'twice', 'a'), ('00000000-0000-4000-8000-000000000005', 'twice', 'b');
:who
-- read for each statement
UPDATE vault.secrets SET name = 'other' WHERE name = 'public';
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET api_key_name 'other');
:who
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (DROP api_key_name, ADD api_key_id '00000000-0000-4000-8000-000000000001');
:who
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET api_key_id '00000000-0000-4000-8000-000000000009');
:who
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET api_key_id 'no uuid');
:who
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (DROP api_key_id, ADD api_key_name 'empty');
:who
ALTER USER MAPPING FOR postgres SERVER vaulted OPTIONS (SET api_key_name 'twice');
:who

-- whose rights: a mapping does not tell who wrote it, so its role and the server's owner must both be allowed to
ALTER SERVER vaulted OWNER TO regress_vault_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER supabase_fdw TO regress_vault_owner;
SET supabase_fdw.allowed_hosts = 'localhost';
GRANT SELECT ON vault_orders TO regress_vault_api, regress_vault_user;
GRANT USAGE ON FOREIGN SERVER vaulted TO regress_vault_user;
SET ROLE regress_vault_user;
CREATE USER MAPPING FOR regress_vault_user SERVER vaulted OPTIONS (api_key_name 'shop');
:who
RESET ROLE;
GRANT USAGE ON SCHEMA vault TO regress_vault_user;
GRANT SELECT ON vault.decrypted_secrets TO regress_vault_user;
SET ROLE regress_vault_user;
:who
RESET ROLE;
GRANT USAGE ON SCHEMA vault TO regress_vault_owner;
GRANT SELECT ON vault.decrypted_secrets TO regress_vault_owner;
SET ROLE regress_vault_user;
:who
RESET ROLE;
-- its USAGE gone, it gets no more rights than its own
REVOKE USAGE ON FOREIGN SERVER vaulted FROM regress_vault_user;
REVOKE SELECT ON vault.decrypted_secrets FROM regress_vault_user;
SET ROLE regress_vault_user;
:who
RESET ROLE;
GRANT SELECT ON vault.decrypted_secrets TO regress_vault_user;
-- the mapping of PUBLIC is the owner's: roles that may not read the Vault use it
SET ROLE regress_vault_owner;
CREATE USER MAPPING FOR PUBLIC SERVER vaulted OPTIONS (api_key_name 'shop');
RESET ROLE;
SET ROLE regress_vault_api;
SELECT decrypted_secret FROM vault.decrypted_secrets;
:who
RESET ROLE;
-- through a view, as the view's owner
CREATE VIEW vault_view AS SELECT id FROM vault_orders;
ALTER VIEW vault_view OWNER TO regress_vault_user;
GRANT SELECT ON vault_view TO regress_app;
SET ROLE regress_app;
SELECT count(*) FROM vault_view;
RESET ROLE;
-- somebody else's view of that name
ALTER VIEW vault.decrypted_secrets OWNER TO regress_vault_user;
:who

RESET supabase_fdw.allowed_hosts;
DROP VIEW vault_view;
SET client_min_messages = warning;
DROP SERVER vaulted CASCADE;
DROP SCHEMA vault CASCADE;
REVOKE ALL ON FOREIGN DATA WRAPPER supabase_fdw FROM regress_vault_owner;
DROP ROLE regress_vault_owner, regress_vault_api, regress_vault_user;

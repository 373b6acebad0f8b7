
-- 1. An OAuth app of ours, and a user's consent (here by a script in place of a browser) ---------------------------

\getenv client_id STACK_MANAGEMENT_OAUTH_CLIENT_ID
\getenv client_secret STACK_MANAGEMENT_OAUTH_CLIENT_SECRET
\getenv redirect_uri STACK_MANAGEMENT_OAUTH_REDIRECT_URI
CREATE EXTENSION IF NOT EXISTS supabase_fdw;
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw;
SELECT supabase_oauth_create_app('our_app', :'client_id', :'client_secret', :'redirect_uri');
SELECT supabase_oauth_authorize_url('our_app', return_to => '/projects') AS authorize_url \gset
\setenv AUTHORIZE_URL :authorize_url
\setenv ORGANIZATION hobby
\set callback `test/stack/management/consent`
SELECT grant_name, return_to, expires_at > now() AS valid
FROM supabase_oauth_exchange(substring(:'callback' from 'code=([^&]+)'), substring(:'callback' from 'state=([^&]+)'),
                             save_as => 'hobby');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt OPTIONS (oauth_grant 'hobby');
CREATE SCHEMA mgmt;
IMPORT FOREIGN SCHEMA management FROM SERVER mgmt INTO mgmt;
SELECT slug, name, plan FROM mgmt.organizations ORDER BY slug;
SELECT name, status, region FROM mgmt.projects ORDER BY name;

-- 2. A new project: its password is made and kept, its settings are rows ---------------------------------------------

INSERT INTO mgmt.projects (name, organization_slug, region) VALUES ('webshop', 'hobby', 'eu-central-1')
RETURNING ref AS webshop, status \gset
\echo :status
SELECT supabase_wait_for_project(:'webshop');
UPDATE mgmt.auth_config SET smtp_host = 'mail.example.com', smtp_port = '587', smtp_user = 'shop', smtp_pass = 'not shown'
WHERE project_ref = :'webshop' RETURNING smtp_host, smtp_port, smtp_user, site_url;
INSERT INTO mgmt.secrets (project_ref, name, value) VALUES (:'webshop', 'STRIPE_KEY', 'one'), (:'webshop', 'MAIL_KEY', 'two');
SELECT name, left(digest, 8) || '…' AS digest FROM mgmt.secrets WHERE project_ref = :'webshop' AND name NOT LIKE 'SUPABASE%';
SELECT p.name AS project, k.name, k.type, left(k.api_key, 15) || '…' AS api_key
FROM mgmt.projects p JOIN mgmt.api_keys k ON k.project_ref = p.ref WHERE p.name = 'webshop' ORDER BY k.type, k.name;
SELECT regexp_replace(supabase_connection_uri(:'webshop'), ':[^:@]+@', ':…@') AS connection;

-- 3. Its tables, from the management credential alone, as one of its users ------------------------------------------

SET client_min_messages = warning;
SELECT supabase_attach_project(:'webshop', 'webshop', server_name => 'webshop');
RESET client_min_messages;
\getenv alice_email STACK_ALICE_EMAIL
\getenv alice_password STACK_ALICE_PASSWORD
SELECT email, role FROM supabase_sign_in('webshop', :'alice_email', :'alice_password');
SELECT c.name, count(*) AS orders, sum(o.total) AS total
FROM webshop.customers c JOIN webshop.orders o ON o.customer_id = c.id GROUP BY 1;

-- 4. Paused, and deleted: what cannot be undone needs a permission ---------------------------------------------------

CALL supabase_pause_project(:'webshop');
\set ON_ERROR_STOP off
DELETE FROM mgmt.projects WHERE ref = :'webshop';
\set ON_ERROR_STOP on
ALTER SERVER mgmt OPTIONS (ADD destructive 'true');
DELETE FROM mgmt.projects WHERE ref = :'webshop' RETURNING name;
SELECT name, status FROM mgmt.projects ORDER BY name;
SELECT supabase_oauth_revoke('hobby');
SELECT name, app, status, refresh_count FROM supabase_fdw.grants;

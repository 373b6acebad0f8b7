\echo Use "CREATE EXTENSION supabase_fdw" to load this file. \quit

-- The wrapper ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION supabase_fdw_handler() RETURNS fdw_handler
LANGUAGE c STRICT AS 'MODULE_PATHNAME';

CREATE FUNCTION supabase_fdw_validator(text[], oid) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME';

CREATE FOREIGN DATA WRAPPER supabase_fdw
  HANDLER supabase_fdw_handler
  VALIDATOR supabase_fdw_validator;

-- Acting as a user -----------------------------------------------------------------------------------------------------

CREATE TYPE supabase_identity AS (user_id text, role text, email text, expires_at timestamptz);
COMMENT ON TYPE supabase_identity IS 'who later remote requests are made as, decoded from a token';

CREATE FUNCTION supabase_set_auth(access_token text, server name DEFAULT NULL, is_local boolean DEFAULT false)
RETURNS supabase_identity
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_set_auth(text, name, boolean) IS 'make later remote requests as the user of this access token';

CREATE FUNCTION supabase_clear_auth(server name DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_clear_auth(name) IS 'forget the user set by supabase_set_auth';

CREATE FUNCTION supabase_auth()
RETURNS TABLE (server name, user_id text, role text, email text, expires_at timestamptz, scope text)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_auth() IS 'the users that remote requests are made as';

CREATE FUNCTION supabase_set_auth_from_request(header text DEFAULT 'x-supabase-auth', server name DEFAULT NULL)
RETURNS supabase_identity
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_set_auth_from_request(text, name) IS
  'make remote requests of this transaction as the user of the token in a header of the local PostgREST request';

-- Stored credentials ---------------------------------------------------------------------------------------------------

CREATE SCHEMA supabase_fdw;
GRANT USAGE ON SCHEMA supabase_fdw TO PUBLIC;

-- The tokens are encrypted before they get here. None of these tables is part of a dump: two databases that use one
-- refresh token destroy the session it belongs to.
-- What all of them have comes first, in one order: the code reads these columns by number.
CREATE TABLE supabase_fdw.logins (
  name            name PRIMARY KEY,
  id              uuid NOT NULL UNIQUE,
  owner           oid NOT NULL,
  grantees        oid[] NOT NULL DEFAULT '{}',
  server          name NOT NULL,
  origin          text NOT NULL,
  instance        text NOT NULL,
  generation      bigint NOT NULL,
  access_token    bytea,
  refresh_token   bytea NOT NULL,
  expires_at      timestamptz,
  refreshed_at    timestamptz,
  refresh_count   bigint NOT NULL DEFAULT 0,
  status          text NOT NULL DEFAULT 'active'
                  CHECK (status IN ('active', 'refreshing', 'ambiguous', 'needs_reauthorization')),
  attempts        integer NOT NULL DEFAULT 0,
  attempted_at    timestamptz,
  next_attempt_at timestamptz,
  last_error      text,
  user_id         text,
  email           text,
  role            text
);
COMMENT ON TABLE supabase_fdw.logins IS 'stored sessions of projects'' users, tokens encrypted; for their owner role only';

CREATE TABLE supabase_fdw.oauth_grants (
  name            name PRIMARY KEY,
  id              uuid NOT NULL UNIQUE,
  owner           oid NOT NULL,
  grantees        oid[] NOT NULL DEFAULT '{}',
  server          name NOT NULL,
  origin          text NOT NULL,
  instance        text NOT NULL,
  generation      bigint NOT NULL,
  access_token    bytea,
  refresh_token   bytea,
  expires_at      timestamptz,
  refreshed_at    timestamptz,
  refresh_count   bigint NOT NULL DEFAULT 0,
  status          text NOT NULL DEFAULT 'active'
                  CHECK (status IN ('active', 'refreshing', 'ambiguous', 'needs_reauthorization', 'revoked')),
  attempts        integer NOT NULL DEFAULT 0,
  attempted_at    timestamptz,
  next_attempt_at timestamptz,
  last_error      text,
  app             name NOT NULL
);
COMMENT ON TABLE supabase_fdw.oauth_grants IS 'what users granted to OAuth apps, tokens encrypted; for their owner role only';

CREATE TABLE supabase_fdw.oauth_apps (
  name            name PRIMARY KEY,
  id              uuid NOT NULL UNIQUE,
  owner           oid NOT NULL,
  grantees        oid[] NOT NULL DEFAULT '{}',
  server          name NOT NULL,
  origin          text NOT NULL,
  instance        text NOT NULL,
  generation      bigint NOT NULL,
  client_secret   bytea NOT NULL,
  client_id       text NOT NULL,
  redirect_uri    text NOT NULL
);
COMMENT ON TABLE supabase_fdw.oauth_apps IS 'OAuth apps of the Management API, secrets encrypted; for their owner role only';

-- The name is a digest of the state that the authorization server gives back.
CREATE TABLE supabase_fdw.oauth_pending (
  name            name PRIMARY KEY,
  id              uuid NOT NULL UNIQUE,
  owner           oid NOT NULL,
  grantees        oid[] NOT NULL DEFAULT '{}',
  server          name NOT NULL,
  origin          text NOT NULL,
  instance        text NOT NULL,
  generation      bigint NOT NULL,
  code_verifier   bytea NOT NULL,
  app             name NOT NULL,
  redirect_uri    text NOT NULL,
  expires_at      timestamptz NOT NULL,
  used_at         timestamptz
);
COMMENT ON TABLE supabase_fdw.oauth_pending IS 'authorizations that were begun, verifiers encrypted; for their owner role only';

-- The name is made of the project and a digest of API and owner: a role's password of a project takes the place of the one
-- before, and of no other role's.
CREATE TABLE supabase_fdw.project_passwords (
  name            name PRIMARY KEY,
  id              uuid NOT NULL UNIQUE,
  owner           oid NOT NULL,
  grantees        oid[] NOT NULL DEFAULT '{}',
  server          name NOT NULL,
  origin          text NOT NULL,
  instance        text NOT NULL,
  generation      bigint NOT NULL,
  password        bytea NOT NULL,
  project_ref     text NOT NULL,
  kept_at         timestamptz NOT NULL
);
COMMENT ON TABLE supabase_fdw.project_passwords IS
  'database passwords of projects that were created or changed here, encrypted; for their owner role only';

CREATE TABLE supabase_fdw.credential_audit (
  at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  kind        text NOT NULL,
  name        name NOT NULL,
  action      text NOT NULL,
  role        name,
  outcome     text NOT NULL,
  fingerprint text
);
COMMENT ON TABLE supabase_fdw.credential_audit IS
  'what was done with stored credentials: when, by which role, and the first digits of the token''s SHA-256';

REVOKE ALL ON supabase_fdw.logins, supabase_fdw.oauth_grants, supabase_fdw.oauth_apps, supabase_fdw.oauth_pending,
  supabase_fdw.project_passwords, supabase_fdw.credential_audit FROM PUBLIC;

-- security_barrier: a condition of the caller's must not see a row before it is known to be his.
CREATE VIEW supabase_fdw.saved_logins WITH (security_barrier) AS
SELECT l.name, l.server, l.user_id, l.email, l.role, pg_catalog.pg_get_userbyid(l.owner) AS owner, l.status,
       l.expires_at, l.refreshed_at, l.refresh_count, l.last_error
FROM supabase_fdw.logins l
WHERE pg_catalog.pg_has_role(l.owner, 'USAGE')
   OR EXISTS (SELECT FROM pg_catalog.unnest(l.grantees) g
              WHERE g IN (SELECT oid FROM pg_catalog.pg_roles) AND pg_catalog.pg_has_role(g, 'USAGE'));
COMMENT ON VIEW supabase_fdw.saved_logins IS 'the stored logins that the current role may use';
REVOKE ALL ON supabase_fdw.saved_logins FROM PUBLIC;
GRANT SELECT ON supabase_fdw.saved_logins TO PUBLIC;

CREATE VIEW supabase_fdw.grants WITH (security_barrier) AS
SELECT g.name, g.app, pg_catalog.pg_get_userbyid(g.owner) AS owner, g.status, g.expires_at, g.refreshed_at,
       g.refresh_count, g.last_error
FROM supabase_fdw.oauth_grants g
WHERE pg_catalog.pg_has_role(g.owner, 'USAGE')
   OR EXISTS (SELECT FROM pg_catalog.unnest(g.grantees) r
              WHERE r IN (SELECT oid FROM pg_catalog.pg_roles) AND pg_catalog.pg_has_role(r, 'USAGE'));
COMMENT ON VIEW supabase_fdw.grants IS 'the OAuth grants that the current role may use';
REVOKE ALL ON supabase_fdw.grants FROM PUBLIC;
GRANT SELECT ON supabase_fdw.grants TO PUBLIC;

-- Keys in user mappings go where the server's owner points it. What he must not change is refused, also where triggers are
-- switched off by session_replication_role.
CREATE FUNCTION supabase_fdw.check_ddl() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'supabase_check_ddl';
COMMENT ON FUNCTION supabase_fdw.check_ddl() IS 'keeps a server''s owner from taking the credentials of other roles to another address';
REVOKE EXECUTE ON FUNCTION supabase_fdw.check_ddl() FROM PUBLIC;

CREATE EVENT TRIGGER supabase_fdw_check_ddl ON ddl_command_start
  WHEN TAG IN ('ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
  EXECUTE FUNCTION supabase_fdw.check_ddl();
ALTER EVENT TRIGGER supabase_fdw_check_ddl ENABLE ALWAYS;

CREATE FUNCTION supabase_sign_in(server name, email text DEFAULT NULL, password text DEFAULT NULL,
                                 is_local boolean DEFAULT false, save_as name DEFAULT NULL,
                                 refresh_token text DEFAULT NULL)
RETURNS supabase_identity
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_sign_in(name, text, text, boolean, name, text) IS
  'sign in as a user of the project, for the session, the transaction or a stored login';

CREATE FUNCTION supabase_sign_out(server name, login name DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_sign_out(name, name) IS 'end the session''s sign-in at the server, or a stored login';

CREATE FUNCTION supabase_refresh_login(login name, force boolean DEFAULT false) RETURNS timestamptz
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_refresh_login(name, boolean) IS 'refresh a stored login when it is due; when it expires now';

CREATE FUNCTION supabase_oauth_refresh_due(within interval DEFAULT '10 minutes') RETURNS integer
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_refresh_due(interval) IS
  'refresh the stored credentials that expire within this time; how many were refreshed';

CREATE FUNCTION supabase_grant_login(login name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_grant_login(name, name) IS 'let a role use a stored login';

CREATE FUNCTION supabase_revoke_login(login name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_revoke_login(name, name) IS 'take back what supabase_grant_login gave';

CREATE FUNCTION supabase_oauth_create_app(name name, client_id text, client_secret text, redirect_uri text, server name DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_create_app(name, text, text, text, name) IS 'register an OAuth app of the Management API, or change one';

CREATE FUNCTION supabase_oauth_drop_app(name name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_drop_app(name) IS 'forget an OAuth app that has no grants';

CREATE FUNCTION supabase_oauth_authorize_url(app name, return_to text DEFAULT NULL, organization_slug text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_authorize_url(name, text, text) IS 'where a users browser is to go to grant access to an OAuth app';

CREATE FUNCTION supabase_oauth_exchange(code text, state text, save_as name DEFAULT NULL,
                        OUT grant_name name, OUT expires_at timestamptz, OUT return_to text)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_exchange(text, text, name) IS 'store the grant that an authorization came to';

CREATE FUNCTION supabase_oauth_refresh(grant_name name, force boolean DEFAULT false) RETURNS timestamptz
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_refresh(name, boolean) IS 'refresh an OAuth grant when it is due; when it expires now';

CREATE FUNCTION supabase_oauth_revoke(grant_name name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_revoke(name) IS 'end an OAuth grant, at the server and here';

CREATE FUNCTION supabase_oauth_drop_grant(grant_name name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_oauth_drop_grant(name) IS 'forget an OAuth grant without telling the server';

CREATE FUNCTION supabase_grant_oauth_app(app name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_grant_oauth_app(name, name) IS 'let a role authorize with an OAuth app';

CREATE FUNCTION supabase_revoke_oauth_app(app name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_revoke_oauth_app(name, name) IS 'take back what supabase_grant_oauth_app gave';

CREATE FUNCTION supabase_grant_oauth_grant(grant_name name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_grant_oauth_grant(name, name) IS 'let a role use an OAuth grant';

CREATE FUNCTION supabase_revoke_oauth_grant(grant_name name, grantee name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_revoke_oauth_grant(name, name) IS 'take back what supabase_grant_oauth_grant gave';

CREATE FUNCTION supabase_rotate_keys() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_rotate_keys() IS
  'encrypt stored credentials again with the first key of the key file; how many rows had another one';

REVOKE EXECUTE ON FUNCTION supabase_sign_in(name, text, text, boolean, name, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_sign_out(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_refresh_login(name, boolean) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_refresh_due(interval) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_grant_login(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_revoke_login(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_rotate_keys() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_create_app(name, text, text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_drop_app(name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_authorize_url(name, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_exchange(text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_refresh(name, boolean) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_revoke(name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_oauth_drop_grant(name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_grant_oauth_app(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_revoke_oauth_app(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_grant_oauth_grant(name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_revoke_oauth_grant(name, name) FROM PUBLIC;

-- The Management API ---------------------------------------------------------------------------------------------------

CREATE FUNCTION supabase_management(operation text, params jsonb DEFAULT '{}', body jsonb DEFAULT NULL,
                                    server name DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_management(text, jsonb, jsonb, name) IS 'call an operation of the Management API';

CREATE FUNCTION supabase_management_operations()
RETURNS TABLE (operation text, method text, path text, scope text, destructive boolean)
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_management_operations() IS 'the operations that supabase_management can call';

CREATE FUNCTION supabase_run_sql(ref text, query text, read_only boolean DEFAULT true, server name DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_run_sql(text, text, boolean, name) IS
  'run SQL in a project''s database through the Management API; a row for each row of its result';

CREATE PROCEDURE supabase_pause_project(ref text, server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_pause_project(text, name) IS 'pause a project';

CREATE PROCEDURE supabase_restore_project(ref text, server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_restore_project(text, name) IS 'start a paused project again';

CREATE PROCEDURE supabase_merge_branch(branch text, migration_version text DEFAULT NULL, server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_merge_branch(text, text, name) IS 'merge a branch''s migrations and functions into its project';

CREATE PROCEDURE supabase_push_branch(branch text, migration_version text DEFAULT NULL, server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_push_branch(text, text, name) IS 'bring a branch up to date with its project';

CREATE PROCEDURE supabase_reset_branch(branch text, migration_version text DEFAULT NULL, server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_reset_branch(text, text, name) IS 'make a branch''s database anew from its migrations';

CREATE PROCEDURE supabase_upgrade_project(ref text, target_version text, release_channel text DEFAULT NULL,
                                          server name DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON PROCEDURE supabase_upgrade_project(text, text, text, name) IS 'upgrade a project''s PostgreSQL';

CREATE FUNCTION supabase_wait_for_project(ref text, timeout interval DEFAULT '10 minutes', server name DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_wait_for_project(text, interval, name) IS 'wait until a project and its services are healthy';

CREATE FUNCTION supabase_rate_limits()
RETURNS TABLE (bucket text, "limit" integer, remaining integer, reset_at timestamptz)
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_rate_limits() IS 'what this session knows of the Management API''s rate limits';

CREATE FUNCTION supabase_db_password(ref text, server name DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_db_password(text, name) IS 'the database password that was kept of a project';

CREATE FUNCTION supabase_connection_uri(ref text, password text DEFAULT NULL, server name DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_connection_uri(text, text, name) IS
  'how to connect to a project''s database, with the given password or the one that was kept';

CREATE FUNCTION supabase_attach_project(ref text, local_schema name, remote_schema text DEFAULT 'public',
                                        server_name name DEFAULT NULL, management_server name DEFAULT NULL)
RETURNS name
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_attach_project(text, name, text, name, name) IS
  'create a server and a user mapping for a project and import its tables; the server''s name';

REVOKE EXECUTE ON FUNCTION supabase_management(text, jsonb, jsonb, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_run_sql(text, text, boolean, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_pause_project(text, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_restore_project(text, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_merge_branch(text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_push_branch(text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_reset_branch(text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE supabase_upgrade_project(text, text, text, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_wait_for_project(text, interval, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_rate_limits() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_attach_project(text, name, text, name, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_db_password(text, name) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_connection_uri(text, text, name) FROM PUBLIC;

-- Functions for remote data --------------------------------------------------------------------------------------------

CREATE FUNCTION supabase_rpc(server name, function text, args jsonb DEFAULT '{}', schema text DEFAULT 'public',
                             result text DEFAULT 'auto')
RETURNS SETOF jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_rpc(name, text, jsonb, text, text) IS 'call a remote function; a row for each row of its result';

CREATE FUNCTION supabase_request(server name, method text, path text, query jsonb DEFAULT '{}',
                                 body jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_request(name, text, text, jsonb, jsonb) IS 'send one request to the Data API';

CREATE FUNCTION supabase_import_functions(server name, local_schema name, schema text DEFAULT 'public',
                                          results jsonb DEFAULT '{}')
RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_import_functions(name, name, text, jsonb) IS
  'create a local function for each function of a remote schema';

CREATE FUNCTION supabase_check_schema(server name, local_schema name)
RETURNS TABLE (table_name text, column_name text, problem text)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_check_schema(name, name) IS 'where foreign tables differ from what the remote server has';

CREATE FUNCTION supabase_disconnect(server name DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION supabase_disconnect(name) IS 'close idle connections of this session; whether there were any';

-- What sends a request is for those whom somebody lets.
REVOKE EXECUTE ON FUNCTION supabase_rpc(name, text, jsonb, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_request(name, text, text, jsonb, jsonb) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_import_functions(name, name, text, jsonb) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION supabase_check_schema(name, name) FROM PUBLIC;

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

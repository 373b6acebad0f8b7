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

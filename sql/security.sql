-- Secrets are not to be read: not by the role that uses them, not by another, not in a plan, not in an error.
\getenv secret_key STACK_SECRET_KEY
\getenv alice STACK_ALICE_JWT
\getenv bob STACK_BOB_JWT
\set who 'SELECT CASE count(*) WHEN 6 THEN ''alice'' WHEN 5 THEN ''bob'' WHEN 71 THEN ''service'' WHEN 0 THEN ''anon'' END AS who FROM shop.orders;'
-- kept where the scan below does not look: the middle of Alice's token, of its signature alone, and of the secret key
CREATE TABLE markers AS
  SELECT v.name, substr(v.value, length(v.value) / 3, 24) AS marker
  FROM (VALUES ('token', :'alice'), ('signature', split_part(:'alice', '.', 3)), ('secret key', :'secret_key')) AS v (name, value);
GRANT SELECT ON markers TO regress_app;

-- searches every relation that the role may read, and every setting
CREATE FUNCTION search_all(OUT relations_searched boolean, OUT settings_searched boolean, OUT hits text[]) LANGUAGE plpgsql AS $$
DECLARE
  relation record;
  item record;
  relations int := 0;
  settings int := 0;
BEGIN
  FOR relation IN
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'p') AND c.oid <> 'markers'::regclass
      -- autovacuum's samples of pg_user_mapping, for whoever may read that
      AND c.relname NOT IN ('pg_statistic', 'pg_stats')
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY 1
  LOOP
    BEGIN
      FOR item IN EXECUTE format('WITH all_rows AS MATERIALIZED (SELECT string_agg(t::text, chr(10)) AS rows FROM %s t)
        SELECT m.name FROM all_rows JOIN markers m ON strpos(rows, m.marker) > 0 ORDER BY 1', relation.name) LOOP
        hits := hits || format('%s in %s', item.name, relation.name);
      END LOOP;
      relations := relations + 1;
    EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state OR feature_not_supported OR undefined_file THEN
      NULL;
    END;
  END LOOP;
  FOR relation IN
    SELECT name FROM pg_settings UNION SELECT unnest('{supabase_fdw.session_handle,supabase_fdw.local_handle}'::text[])
  LOOP
    FOR item IN SELECT m.name FROM markers m WHERE strpos(current_setting(relation.name, true), m.marker) > 0 LOOP
      hits := hits || format('%s in %s', item.name, relation.name);
    END LOOP;
    settings := settings + 1;
  END LOOP;
  relations_searched := relations > 120;
  settings_searched := settings > 200;
END $$;

-- as the role that acts as Alice, for the session and for the transaction
\c - regress_app
SELECT email FROM supabase_set_auth(:'alice');
:who
BEGIN;
SELECT email FROM supabase_set_auth(:'alice', is_local => true);
SELECT * FROM search_all();
SELECT server, role, email, scope FROM supabase_auth() ORDER BY scope;
SELECT scope, name, strpos(a::text, marker) AS in_status FROM supabase_auth() AS a, markers WHERE name <> 'secret key' ORDER BY 1, 2;
SHOW supabase_fdw.session_handle;
SELECT current_setting('supabase_fdw.session_handle'), current_setting('supabase_fdw.local_handle');
COMMIT;

-- as a superuser: what a user set is not to be seen either, and of the keys only the user mappings tell.
-- That the search finds what is there is shown by a name that has a marker in it.
\c - postgres
SELECT email FROM supabase_set_auth(:'alice');
SELECT set_config('application_name', (SELECT left(marker, 20) FROM markers WHERE name = 'signature'), false) IS NOT NULL AS planted;
UPDATE markers SET marker = left(marker, 20);
SELECT relations_searched, settings_searched, hit FROM search_all() LEFT JOIN unnest(hits) AS hit ON true ORDER BY hit COLLATE "C";
RESET application_name;

-- another role sees no option of a mapping that is not his own
SET ROLE regress_app;
SELECT usename, umoptions IS NULL AS hidden FROM pg_user_mappings WHERE srvname = 'shop' ORDER BY usename;
SELECT has_table_privilege('pg_user_mapping', 'SELECT');
RESET ROLE;

-- plans: no header, whatever the format
CREATE FUNCTION plan_of(options text, query text) RETURNS TABLE (mentions_request boolean, secrets bigint) LANGUAGE plpgsql AS $$
DECLARE
  line text;
  plan text := '';
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
    plan := plan || line || E'\n';
  END LOOP;
  mentions_request := plan LIKE '%/rest/v1/orders?%';
  SELECT count(*) INTO secrets FROM markers WHERE strpos(plan, marker) > 0;
  secrets := secrets + (plan ~* 'apikey|authorization|bearer|eyJ|sb_secret|sb_publishable')::int;
  RETURN NEXT;
END $$;
SELECT options, p.* FROM unnest(ARRAY['COSTS', 'VERBOSE', 'VERBOSE, FORMAT JSON', 'VERBOSE, FORMAT YAML', 'VERBOSE, FORMAT XML', 'ANALYZE',
  'ANALYZE, VERBOSE, BUFFERS, SETTINGS, WAL', 'ANALYZE, VERBOSE, FORMAT JSON']) WITH ORDINALITY AS o (options, n),
  LATERAL plan_of(options, 'SELECT * FROM shop.orders WHERE id > 3') AS p ORDER BY n;
SET debug_print_plan = on;
SELECT p.* FROM plan_of('VERBOSE', 'SELECT * FROM shop.orders WHERE id > 3') AS p;
RESET debug_print_plan;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.orders WHERE id > 3;

-- EXPLAIN is not asked who somebody is: without a mapping it works, and sends nothing
CREATE ROLE regress_unmapped;
GRANT USAGE ON SCHEMA shop TO regress_unmapped;
GRANT SELECT ON shop.orders TO regress_unmapped;
SET ROLE regress_unmapped;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.orders WHERE id > 424240;
SELECT id FROM shop.orders WHERE id > 424240;
\echo :SQLSTATE
RESET ROLE;
-- without SELECT on the table nothing is sent either
REVOKE SELECT ON shop.orders FROM regress_unmapped;
SET ROLE regress_unmapped;
SELECT id FROM shop.orders WHERE id > 424241;
RESET ROLE;
SELECT id FROM shop.orders WHERE id > 424249;
\set refused_requests `for i in $(seq 100); do grep -q 'gt.424249' "$STACK_GATEWAY_LOG" && break; sleep 0.05; done; grep -c 'gt.42424[01]' "$STACK_GATEWAY_LOG"`
\echo :refused_requests

-- errors repeat no part of a token
CREATE FUNCTION complaint(token text, server name DEFAULT NULL, is_local boolean DEFAULT false) RETURNS TABLE (state text, message text, repeats boolean)
LANGUAGE plpgsql AS $$
DECLARE
  detail text; hint text; context text; name text;
BEGIN
  PERFORM supabase_set_auth(token, server, is_local);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
    context = PG_EXCEPTION_CONTEXT;
  repeats := EXISTS (SELECT FROM generate_series(1, length(token) - 11) AS i
                     WHERE strpos(concat(message, detail, hint, context), substr(token, i, 12)) > 0);
  RETURN NEXT;
END $$;
SELECT what, c.* FROM (VALUES
  (1, 'cut', left(:'alice', 120)),
  (2, 'without signature', substring(:'alice' FROM '^.*[.]')),
  (3, 'with a tail', :'alice' || '.tail'),
  (4, 'with a line break', :'alice' || E'\nX-Evil: 1'),
  (5, 'a secret key', 'sb_secret_0123456789abcdefghijklmnopqrstuv'),
  (6, 'a long one', repeat(:'alice', 20))) AS v (n, what, token), LATERAL complaint(token) AS c ORDER BY n;
SELECT c.* FROM complaint(:'alice', 'nosuch') AS c;

-- secrets in the wrong place are refused, and not repeated
ALTER SERVER shop OPTIONS (ADD api_key 'sb_secret_0123456789abcdefghijklmnopqrstuv');
\echo :SQLSTATE
ALTER SERVER shop OPTIONS (ADD schema_name 'sb_secret_0123456789abcdefghijklmnopqrstuv');
ALTER FOREIGN TABLE shop.orders OPTIONS (ADD "Authorization" 'Bearer abc');
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (ADD jwt E'a.b.c\r\nX-Evil: 1');
\echo :SQLSTATE

-- require_local_auth: only for the transaction
SELECT supabase_clear_auth();
SET supabase_fdw.require_local_auth = on;
SELECT supabase_set_auth(:'alice');
\echo :SQLSTATE
SELECT supabase_set_auth(:'alice', 'shop');
SELECT server, email, scope FROM supabase_auth();
BEGIN;
SELECT email FROM supabase_set_auth(:'alice', is_local => true);
:who
COMMIT;
:who
BEGIN;
SELECT set_config('request.headers', json_build_object('x-supabase-auth', :'bob')::text, true) IS NOT NULL AS request;
SELECT email FROM supabase_set_auth_from_request();
:who
COMMIT;
-- clearing needs no permission: a session token from before may go
RESET supabase_fdw.require_local_auth;
SELECT email FROM supabase_set_auth(:'bob');
SET supabase_fdw.require_local_auth = on;
SELECT supabase_clear_auth();
:who
SET ROLE regress_app;
SET supabase_fdw.require_local_auth = off;
\echo :SQLSTATE
SELECT supabase_set_auth(:'alice');
RESET ROLE;
RESET supabase_fdw.require_local_auth;
ALTER ROLE regress_app IN DATABASE contrib_regression SET supabase_fdw.require_local_auth = on;
\c - regress_app
SELECT supabase_set_auth(:'alice');
BEGIN;
SELECT email FROM supabase_set_auth(:'alice', is_local => true);
:who
COMMIT;
\c - postgres
ALTER ROLE regress_app IN DATABASE contrib_regression RESET supabase_fdw.require_local_auth;

-- settings that decide where secrets go are not for everybody
SELECT count(*) FROM shop.empty_table;
SET ROLE regress_app;
SET supabase_fdw.ca_file = '/dev/null';
\echo :SQLSTATE
SET supabase_fdw.proxy = 'http://127.0.0.1:9';
SET supabase_fdw.allowed_hosts = '*';
SET supabase_fdw.trace = on;
-- and nobody makes settings of that name up
SET supabase_fdw.nosuch = 1;
RESET ROLE;
SELECT current_setting('supabase_fdw.ca_file') AS ca_file, current_setting('supabase_fdw.allowed_hosts') AS allowed_hosts \gset
-- neither before the library is loaded
ALTER ROLE regress_app IN DATABASE contrib_regression SET supabase_fdw.require_local_auth = on;
\c - regress_app
SET supabase_fdw.require_local_auth = off;
SET supabase_fdw.ca_file = '/dev/null';
SET supabase_fdw.proxy = 'http://127.0.0.1:9';
SET supabase_fdw.allowed_hosts = '*';
SET supabase_fdw.nosuch = 1;
:who
SELECT current_setting('supabase_fdw.ca_file') = :'ca_file' AS ca_file,
  current_setting('supabase_fdw.allowed_hosts') = :'allowed_hosts' AS allowed_hosts, current_setting('supabase_fdw.require_local_auth') AS require_local_auth;
ALTER ROLE regress_app SET supabase_fdw.require_local_auth = off;
\c - regress_app
ALTER ROLE regress_app SET supabase_fdw.require_local_auth = off;
SELECT supabase_set_auth(:'alice');
\c - postgres
ALTER ROLE regress_app IN DATABASE contrib_regression RESET supabase_fdw.require_local_auth;

-- what everybody may call: nothing that sends a request
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'supabase_fdw'
WHERE has_function_privilege('regress_unmapped', p.oid, 'EXECUTE') ORDER BY p.proname COLLATE "C";
-- every function of the extension is in C, or has a search_path of its own
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'supabase_fdw' JOIN pg_language l ON l.oid = p.prolang
WHERE l.lanname <> 'c' AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%');
SELECT extname, t.superuser, t.trusted FROM pg_extension JOIN pg_available_extension_versions t ON t.name = extname AND t.installed
WHERE extname = 'supabase_fdw';

REVOKE ALL ON SCHEMA shop FROM regress_unmapped;
DROP ROLE regress_unmapped;
DROP FUNCTION search_all, plan_of, complaint;
DROP TABLE markers;

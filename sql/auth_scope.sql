-- How long a user set by supabase_set_auth lasts: exactly as long as a setting.
\getenv alice STACK_ALICE_JWT
\getenv bob STACK_BOB_JWT
\getenv expired STACK_EXPIRED_JWT
-- who a request acts as, and in which scopes somebody is set
\set who 'SELECT CASE count(*) WHEN 6 THEN ''alice'' WHEN 5 THEN ''bob'' WHEN 71 THEN ''service'' WHEN 0 THEN ''anon'' END AS who, (SELECT string_agg(scope || '' '' || split_part(email, ''@'', 1), '', '' ORDER BY scope) FROM supabase_auth()) AS scopes FROM shop.orders;'
CREATE FUNCTION act_as(token text, is_local boolean DEFAULT false) RETURNS text LANGUAGE sql AS
  'SELECT email FROM supabase_set_auth(token, is_local => is_local)';
CREATE FUNCTION whoami() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT CASE count(*) WHEN 6 THEN 'alice' WHEN 5 THEN 'bob' WHEN 71 THEN 'service' WHEN 0 THEN 'anon' END FROM shop.orders);
END $$;
-- procedures read the tokens from here, so that they need no literal
CREATE TABLE tokens AS SELECT :'alice' AS alice, :'bob' AS bob;
CREATE FUNCTION token_of(who text) RETURNS text LANGUAGE sql AS
  $$ SELECT CASE who WHEN 'alice' THEN alice WHEN 'bob' THEN bob END FROM tokens $$;

-- session scope outlives the transaction
BEGIN;
SELECT act_as(:'alice');
:who
COMMIT;
:who

-- ROLLBACK undoes it
BEGIN;
SELECT act_as(:'bob');
:who
ROLLBACK;
:who
BEGIN;
SELECT act_as(:'bob');
SELECT act_as(:'alice');
SELECT act_as(:'bob');
SELECT supabase_clear_auth();
:who
ROLLBACK;
:who

-- so does an error
BEGIN;
SELECT act_as(:'bob');
SELECT 1 / 0;
COMMIT;
:who

-- savepoints: ROLLBACK TO
BEGIN;
SELECT act_as(:'bob');
SAVEPOINT a;
SELECT act_as(:'alice');
SAVEPOINT b;
SELECT supabase_clear_auth();
:who
ROLLBACK TO b;
:who
ROLLBACK TO a;
:who
SELECT supabase_clear_auth();
ROLLBACK TO a;
COMMIT;
:who

-- savepoints: RELEASE
BEGIN;
SAVEPOINT a;
SELECT act_as(:'alice');
RELEASE a;
:who
SAVEPOINT b;
SELECT act_as(:'bob', true);
RELEASE b;
:who
COMMIT;
:who
BEGIN;
SAVEPOINT a;
SELECT act_as(:'bob');
RELEASE a;
ROLLBACK;
:who

-- a plpgsql block with EXCEPTION is a savepoint
DO $$
BEGIN
  PERFORM act_as(token_of('bob'));
  RAISE NOTICE 'inside: %', whoami();
  RAISE EXCEPTION 'stop';
EXCEPTION WHEN raise_exception THEN
  RAISE NOTICE 'handler: %', whoami();
END $$;
:who
DO $$
BEGIN
  BEGIN
    PERFORM act_as(token_of('bob'));
  EXCEPTION WHEN division_by_zero THEN
    NULL;
  END;
  RAISE NOTICE 'after the block: %', whoami();
  BEGIN
    PERFORM act_as(token_of('alice'), true);
    PERFORM 1 / 0;
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'handler: %', whoami();
  END;
END $$;
:who
SELECT supabase_clear_auth();

-- is_local ends with the transaction, whichever way
BEGIN;
SELECT act_as(:'alice', true);
:who
COMMIT;
:who
BEGIN;
SELECT act_as(:'alice', true);
ROLLBACK;
:who
-- outside of a transaction block it is over at once
SELECT act_as(:'alice', true);
:who
SELECT act_as(:'bob', true), whoami();
SELECT act_as(:'bob');
BEGIN;
SELECT act_as(:'alice', true);
SAVEPOINT a;
SELECT act_as(:'bob', true);
:who
ROLLBACK TO a;
:who
COMMIT;
:who

-- COMMIT AND CHAIN, ROLLBACK AND CHAIN
BEGIN;
SELECT act_as(:'alice', true);
COMMIT AND CHAIN;
:who
SELECT act_as(:'alice');
COMMIT AND CHAIN;
:who
SELECT act_as(:'bob');
SELECT act_as(:'bob', true);
ROLLBACK AND CHAIN;
:who
COMMIT;
SELECT supabase_clear_auth();

-- procedures that end transactions
CREATE PROCEDURE over_commit() LANGUAGE plpgsql AS $$
BEGIN
  PERFORM act_as(token_of('alice'), true);
  RAISE NOTICE 'local: %', whoami();
  COMMIT;
  RAISE NOTICE 'after COMMIT: %', whoami();
  PERFORM act_as(token_of('alice'));
  COMMIT;
  RAISE NOTICE 'session, after COMMIT: %', whoami();
  PERFORM act_as(token_of('bob'));
  RAISE NOTICE 'another: %', whoami();
  ROLLBACK;
  RAISE NOTICE 'after ROLLBACK: %', whoami();
END $$;
CALL over_commit();
:who
DO $$
DECLARE
  item record;
BEGIN
  FOR item IN SELECT id FROM shop.orders WHERE id <= 2 ORDER BY id LOOP
    PERFORM act_as(token_of('bob'), true);
    RAISE NOTICE '%: %', item.id, whoami();
    COMMIT;
    RAISE NOTICE '%: %', item.id, whoami();
  END LOOP;
END $$;
:who

-- a function that starts with nobody, and leaves no trace
CREATE FUNCTION isolated(who text DEFAULT NULL) RETURNS text LANGUAGE plpgsql
SET supabase_fdw.session_handle = '' SET supabase_fdw.local_handle = '' AS $$
DECLARE
  first text := whoami();
BEGIN
  IF who IS NOT NULL THEN
    PERFORM act_as(token_of(who), true);
  END IF;
  RETURN first || ', ' || whoami();
END $$;
SELECT isolated();
SELECT isolated('bob');
:who
BEGIN;
SELECT act_as(:'bob', true);
SELECT isolated(), whoami();
SELECT isolated('alice'), whoami();
:who
COMMIT;
:who
CREATE FUNCTION isolated_failing() RETURNS text LANGUAGE plpgsql
SET supabase_fdw.session_handle = '' SET supabase_fdw.local_handle = '' AS $$
BEGIN
  PERFORM act_as(token_of('bob'), true);
  RAISE EXCEPTION 'failed as %', whoami();
END $$;
SELECT isolated_failing();
:who
-- a session-wide call inside is not undone, as SET is not
CREATE FUNCTION isolated_session() RETURNS text LANGUAGE plpgsql SET supabase_fdw.session_handle = '' AS
  $$ BEGIN PERFORM act_as(token_of('bob')); RETURN whoami(); END $$;
SELECT isolated_session();
:who
SELECT act_as(:'alice');
-- without the SET clauses a local user lasts until the end of the transaction
CREATE FUNCTION not_isolated() RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM act_as(token_of('bob'), true); RETURN whoami(); END $$;
BEGIN;
SELECT not_isolated();
:who
COMMIT;
:who

-- RESET name, RESET ALL, DISCARD ALL
SELECT act_as(:'alice');
RESET supabase_fdw.session_handle;
:who
SELECT act_as(:'alice');
RESET ALL;
:who
SELECT act_as(:'alice');
DISCARD ALL;
:who
SELECT act_as(:'alice');
SET supabase_fdw.session_handle = '';
:who
SELECT act_as(:'alice');
SET supabase_fdw.session_handle TO DEFAULT;
:who
-- in a transaction that is rolled back
SELECT act_as(:'alice');
BEGIN;
RESET supabase_fdw.session_handle;
:who
ROLLBACK;
:who
BEGIN;
RESET ALL;
:who
ROLLBACK;
:who
BEGIN;
SELECT act_as(:'bob', true);
RESET supabase_fdw.local_handle;
:who
ROLLBACK;
:who
BEGIN;
SELECT act_as(:'bob', true);
SAVEPOINT a;
RESET ALL;
:who
ROLLBACK TO a;
:who
COMMIT;
:who
-- and after it the handle of what was forgotten is of no use: nothing can bring Bob back
BEGIN;
SELECT act_as(:'bob');
SELECT act_as(:'alice');
COMMIT;
:who

-- session scope set after local scope, and the reverse: the newer one counts
SELECT supabase_clear_auth();
BEGIN;
SELECT act_as(:'alice', true);
SELECT act_as(:'bob');
:who
COMMIT;
:who
BEGIN;
SELECT act_as(:'alice');
SELECT act_as(:'bob', true);
:who
COMMIT;
:who
BEGIN;
SELECT act_as(:'bob', true);
SAVEPOINT a;
SELECT act_as(:'bob');
:who
ROLLBACK TO a;
:who
ROLLBACK;
:who
-- for one server and in general
BEGIN;
SELECT email FROM supabase_set_auth(:'bob', 'shop', true);
:who
SELECT act_as(:'alice', true);
:who
SELECT email FROM supabase_set_auth(:'alice', 'shop');
SELECT act_as(:'bob');
SELECT server, email, scope FROM supabase_auth() ORDER BY scope, server NULLS FIRST;
ROLLBACK;
:who

-- the transaction's before the session's, even where the session's is for this server
SELECT supabase_clear_auth();
SELECT email FROM supabase_set_auth(:'alice', 'shop');
BEGIN;
SELECT act_as(:'bob', true);
:who
COMMIT;
:who
SELECT supabase_clear_auth();
SELECT act_as(:'alice');

-- clear works on both scopes
BEGIN;
SELECT act_as(:'bob', true);
:who
SELECT supabase_clear_auth();
:who
ROLLBACK;
:who
BEGIN;
SELECT act_as(:'bob', true);
SELECT supabase_clear_auth();
COMMIT;
:who
SELECT act_as(:'alice');
BEGIN;
SELECT act_as(:'bob', true);
SELECT supabase_set_auth(NULL) IS NULL AS cleared;
:who
COMMIT;
:who
-- nobody, for this transaction
SELECT act_as(:'alice');
BEGIN;
SELECT supabase_set_auth(NULL, is_local => true) IS NULL AS cleared;
:who
COMMIT;
:who
BEGIN;
SELECT supabase_set_auth(NULL, 'shop', true) IS NULL AS cleared;
:who
SELECT act_as(:'bob', true);
:who
ROLLBACK;
:who
BEGIN;
SELECT email FROM supabase_set_auth(:'bob', 'shop', true);
SELECT supabase_clear_auth('shop');
:who
SELECT supabase_clear_auth('shop');
ROLLBACK;
:who

-- a call that fails keeps what was there
SELECT supabase_set_auth('no token');
SELECT act_as(:'alice') AS still, whoami();
\set VERBOSITY terse
SELECT supabase_set_auth(:'expired');
\set VERBOSITY default
SELECT supabase_set_auth(:'bob', 'nosuch');
:who
BEGIN;
SELECT act_as(:'bob', true);
SAVEPOINT a;
SELECT supabase_set_auth('no token', is_local => true);
ROLLBACK TO a;
:who
COMMIT;
:who

-- PREPARE TRANSACTION: the user is the session's, not the transaction's
SELECT supabase_clear_auth();
BEGIN;
SELECT act_as(:'bob', true);
SELECT act_as(:'alice');
PREPARE TRANSACTION 'regress_auth';
:who
COMMIT PREPARED 'regress_auth';
:who
BEGIN;
SELECT act_as(:'bob', true);
PREPARE TRANSACTION 'regress_auth';
:who
\c
COMMIT PREPARED 'regress_auth';
:who

-- handles are not to be had, nor to be made up
SELECT act_as(:'alice');
SHOW supabase_fdw.session_handle;
SHOW supabase_fdw.local_handle;
SELECT current_setting('supabase_fdw.session_handle') AS shown, set_config('supabase_fdw.local_handle', '', false) AS set_to;
SELECT count(*) FROM pg_settings WHERE name ~ '^supabase_fdw\..*handle';
SET supabase_fdw.session_handle = '00000000000000000000000000000000';
\echo :SQLSTATE
SET LOCAL supabase_fdw.session_handle = 'x';
SET SESSION supabase_fdw.local_handle = '<set>';
SELECT set_config('supabase_fdw.session_handle', '<set>', false);
SELECT set_config('supabase_fdw.local_handle', current_setting('supabase_fdw.session_handle'), true);
UPDATE pg_settings SET setting = 'x' WHERE name = 'supabase_fdw.session_handle';
ALTER ROLE regress_app SET supabase_fdw.session_handle = 'x';
ALTER DATABASE contrib_regression SET supabase_fdw.local_handle = 'x';
ALTER SYSTEM SET supabase_fdw.session_handle = 'x';
CREATE FUNCTION keeps() RETURNS text LANGUAGE sql SET supabase_fdw.session_handle FROM CURRENT AS 'SELECT whoami()';
ALTER ROLE regress_app SET supabase_fdw.session_handle FROM CURRENT;
SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%handle%';
:who

-- set in a session that has not loaded the library yet: refused when it is loaded
\c
SET supabase_fdw.session_handle = 'x';
:who
\c
ALTER ROLE postgres IN DATABASE contrib_regression SET supabase_fdw.session_handle = 'x';
\c
:who
SELECT act_as(:'alice');
DISCARD ALL;
:who
ALTER ROLE postgres IN DATABASE contrib_regression RESET supabase_fdw.session_handle;
\c
\c -reuse-previous=on "options='-c supabase_fdw.local_handle=x'"
:who
\c -reuse-previous=on "options=''"
:who

-- parallel workers get no token, and do not complain about the handle
SELECT act_as(:'alice');
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 5000) g;
ANALYZE big;
EXPLAIN (COSTS OFF) SELECT count(*), min(current_setting('supabase_fdw.session_handle')) FROM big;
SELECT count(*), min(current_setting('supabase_fdw.session_handle')) FROM big;
SELECT count(*) FROM big b JOIN shop.orders o ON o.id = b.id;
SELECT count(*) FROM shop.orders;
:who
SELECT proname, proparallel, provolatile FROM pg_proc
WHERE proname IN ('supabase_set_auth', 'supabase_clear_auth', 'supabase_auth', 'supabase_set_auth_from_request') ORDER BY proname;

DROP TABLE tokens, big;
DROP PROCEDURE over_commit;
DROP FUNCTION act_as, whoami, token_of, isolated, isolated_failing, isolated_session, not_isolated;

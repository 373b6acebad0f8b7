-- Between a plan and its execution: plans that are kept, settings and options that change meanwhile, scans that run side
-- by side, parallel workers.
\getenv url STACK_URL
\getenv uncapped_url STACK_URL_UNCAPPED
\getenv publishable_key STACK_PUBLISHABLE_KEY
\getenv secret_key STACK_SECRET_KEY
\getenv alice STACK_ALICE_JWT
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SERVER uncapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'uncapped_url');
CREATE USER MAPPING FOR postgres SERVER uncapped OPTIONS (api_key :'secret_key');
CREATE SCHEMA uncapped;
IMPORT FOREIGN SCHEMA public LIMIT TO (orders, events) FROM SERVER uncapped INTO uncapped;
CREATE TABLE few AS SELECT i FROM generate_series(1, 12) i;
RESET client_min_messages;
-- what a query would send
CREATE FUNCTION sent(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
    IF line ~ 'Remote Request: ' THEN RETURN NEXT substring(line FROM 'rest/v1/(.*)$'); END IF;
  END LOOP;
END $$;

-- executed often enough for a generic plan
PREPARE often (bigint) AS SELECT count(*), min(id), sum(total) > 0 AS sold FROM shop.orders WHERE id > $1;
CREATE FUNCTION executed(times int) RETURNS TABLE (n bigint, first bigint, sold boolean) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP
    RETURN QUERY EXECUTE format('EXECUTE often (%s)', i * 5);
  END LOOP;
END $$;
SELECT * FROM executed(12);
SELECT generic_plans > 0 AS generic, custom_plans FROM pg_prepared_statements WHERE name = 'often';
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE often (3);
-- the same statement of a function, with other values each time and a plan that is kept
CREATE FUNCTION in_a_loop(OUT total bigint, OUT listed bigint, OUT scans text) LANGUAGE plpgsql AS $$
DECLARE
  item record; found bigint;
BEGIN
  total := 0; listed := 0; scans := '';
  FOR i IN 1 .. 15 LOOP
    SELECT sum(id) INTO found FROM shop.orders WHERE id BETWEEN i AND i + 2 AND (note IS NULL OR note <> 'note ' || i);
    total := total + found;
    PERFORM FROM shop.orders WHERE id = ANY (ARRAY[i, i + 1, 1000 + i]) AND customer_id < i + 100;
    listed := listed + (SELECT count(*) FROM shop.orders WHERE id = ANY (ARRAY[i, i + 1, 1000 + i]));
    FOR item IN SELECT id FROM shop.orders WHERE id > i * 4 ORDER BY id LIMIT 1 LOOP
      scans := scans || item.id || ' ';
    END LOOP;
  END LOOP;
END $$;
SELECT * FROM in_a_loop();
SELECT * FROM in_a_loop();
SELECT (SELECT sum(s) FROM (SELECT sum(id) AS s FROM generate_series(1, 15) i, (TABLE shop.orders OFFSET 0) o
        WHERE id BETWEEN i AND i + 2 AND (note IS NULL OR note <> 'note ' || i) GROUP BY i) q) AS total;
DEALLOCATE often;

-- the session's time zone belongs to the value, whenever the plan was made
SET plan_cache_mode = force_generic_plan;
PREPARE by_zone AS SELECT count(*) FROM shop.timestamps_local WHERE at < timestamp '2024-03-31 12:00';
PREPARE by_zone_parameter (timestamp) AS SELECT count(*) FROM shop.timestamps_local WHERE at < $1;
PREPARE by_local (timestamptz) AS SELECT count(*), min(id) FROM shop.timestamps_local WHERE at_local >= $1;
PREPARE by_day (timestamptz) AS SELECT count(*) FROM shop.timestamps_local WHERE on_day = $1;
SELECT * FROM sent('EXECUTE by_local (''2024-03-31 00:00+00'')');
EXECUTE by_zone;
EXECUTE by_zone_parameter ('2024-03-31 12:00');
EXECUTE by_local ('2024-10-27 00:00+00');
EXECUTE by_day ('2024-10-27 00:00+00');
SET timezone = 'America/St_Johns';
EXECUTE by_zone;
EXECUTE by_zone_parameter ('2024-03-31 12:00');
EXECUTE by_local ('2024-10-27 00:00+00');
EXECUTE by_day ('2024-10-27 02:30+00');
SELECT count(*) FROM (TABLE shop.timestamps_local OFFSET 0) t WHERE at < timestamp '2024-03-31 12:00';
SELECT count(*), min(id) FROM (TABLE shop.timestamps_local OFFSET 0) t WHERE at_local >= timestamptz '2024-10-27 00:00+00';
SELECT count(*) FROM (TABLE shop.timestamps_local OFFSET 0) t WHERE on_day = timestamptz '2024-10-27 02:30+00';
SELECT count(*) FROM shop.timestamps_local WHERE at_local >= timestamptz '2024-10-27 00:00+00';
SET timezone = 'UTC';
EXECUTE by_local ('2024-10-27 00:00+00');
SELECT count(*) FROM shop.timestamps_local WHERE at_local >= timestamptz '2024-10-27 00:00+00';
RESET plan_cache_mode;
DEALLOCATE ALL;

-- options that change while a plan is kept, and while a scan is open
PREPARE kept AS SELECT count(id), max(id) FROM shop.t1001;
PREPARE kept_rows AS SELECT id FROM shop.t1001 WHERE id < 3;
EXECUTE kept;
ALTER FOREIGN TABLE shop.t1001 OPTIONS (SET table_name 't1000');
EXECUTE kept;
EXECUTE kept_rows;
ALTER FOREIGN TABLE shop.t1001 OPTIONS (SET table_name 't1001');
ALTER FOREIGN TABLE shop.t1001 ALTER id OPTIONS (SET column_name 'val');
EXECUTE kept_rows;
ALTER FOREIGN TABLE shop.t1001 ALTER id OPTIONS (SET column_name 'id');
EXECUTE kept_rows;
BEGIN;
ALTER SERVER shop OPTIONS (SET url 'http://127.0.0.1:1');
SAVEPOINT a;
\set VERBOSITY terse
EXECUTE kept_rows;
\set VERBOSITY default
ROLLBACK TO a;
ROLLBACK;
EXECUTE kept_rows;
BEGIN;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key 'sb_publishable_unknown');
SAVEPOINT a;
EXECUTE kept;
\echo :SQLSTATE
ROLLBACK TO a;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key :'publishable_key');
SELECT count(*) AS seen_by_anon FROM shop.orders;
ROLLBACK TO a;
ROLLBACK;
SELECT count(*) FROM shop.orders;
-- an open cursor goes on as it began, a new one does not
BEGIN;
DECLARE opened CURSOR FOR SELECT id FROM shop.events WHERE id <= 5000 ORDER BY id;
FETCH 1 FROM opened;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key 'sb_publishable_unknown');
MOVE 3000 FROM opened;
FETCH 1 FROM opened;
SAVEPOINT a;
DECLARE refused CURSOR FOR SELECT id FROM shop.events;
FETCH 1 FROM refused;
ROLLBACK TO a;
DROP USER MAPPING FOR postgres SERVER shop;
SAVEPOINT b;
SELECT count(*) FROM shop.orders;
ROLLBACK TO b;
MOVE ALL FROM opened;
ROLLBACK;
SELECT count(*) FROM shop.orders;
BEGIN;
DECLARE opened CURSOR FOR SELECT id FROM shop.events WHERE id <= 5000 ORDER BY id;
FETCH 1 FROM opened;
ALTER SERVER shop OPTIONS (SET url :'uncapped_url', ADD fetch_size '10');
MOVE 1500 FROM opened;
FETCH 1 FROM opened;
SELECT count(id), max(id) FROM shop.t1001;
COMMIT;
SELECT count(id), max(id) FROM shop.t1001;
ALTER SERVER shop OPTIONS (SET url :'url', DROP fetch_size);
SELECT count(id), max(id) FROM shop.t1001;
-- a table that is dropped, or gets a column, under a kept plan
CREATE FOREIGN TABLE shop.changing (id bigint OPTIONS (key 'true'), note text, gone int OPTIONS (column_name 'no_such_column')) SERVER shop
  OPTIONS (table_name 'orders');
PREPARE whole AS SELECT * FROM shop.changing WHERE id = 3;
EXECUTE whole;
ALTER FOREIGN TABLE shop.changing DROP COLUMN gone;
SELECT * FROM shop.changing WHERE id = 3;
EXECUTE whole;
PREPARE notes AS SELECT id, note FROM shop.changing WHERE id = 3;
EXECUTE notes;
ALTER FOREIGN TABLE shop.changing ADD COLUMN customer_id bigint;
EXECUTE notes;
SELECT * FROM shop.changing WHERE id = 3;
ALTER FOREIGN TABLE shop.changing ALTER COLUMN id TYPE text;
SELECT id || '!' AS id FROM shop.changing WHERE id = '3';
DROP FOREIGN TABLE shop.changing;
EXECUTE notes;
DEALLOCATE ALL;

-- the same setting for a role, for a function, for a transaction
ALTER ROLE postgres IN DATABASE contrib_regression SET supabase_fdw.enable_pushdown = off;
\c -
SHOW supabase_fdw.enable_pushdown;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.orders WHERE id > 5;
ALTER ROLE postgres IN DATABASE contrib_regression RESET supabase_fdw.enable_pushdown;
\c -
SET client_min_messages = warning;
CREATE FUNCTION without_pushdown() RETURNS SETOF text LANGUAGE sql SET supabase_fdw.enable_pushdown = off AS
  $$ SELECT sent('SELECT id FROM shop.orders WHERE id > 5') $$;
SELECT without_pushdown(), sent('SELECT id FROM shop.orders WHERE id > 5');
PREPARE toggled AS SELECT id FROM shop.orders WHERE id > 69;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SET LOCAL supabase_fdw.enable_pushdown = off;
SELECT * FROM sent('EXECUTE toggled');
ROLLBACK;
SELECT * FROM sent('EXECUTE toggled');
RESET plan_cache_mode;

-- parallel workers: the library is loaded in them and the settings go with them; the scan itself is the leader's
DO $$
BEGIN
  PERFORM set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END,
    'on', false);
END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE many AS SELECT i FROM generate_series(1, 20000) i;
ANALYZE many;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE i > 0;
SET supabase_fdw.enable_pushdown = off;
SELECT count(*) FROM many WHERE current_setting('supabase_fdw.enable_pushdown') = 'off';
RESET supabase_fdw.enable_pushdown;
SELECT count(*) FROM many WHERE current_setting('supabase_fdw.enable_pushdown') = 'off';
SELECT count(*), sum(id) FROM shop.events;
SELECT count(*), sum(m.i) FROM many m JOIN (SELECT id FROM shop.events WHERE id <= 9000 OFFSET 0) e ON e.id = m.i;
SELECT count(*) FROM many m JOIN shop.t1001 t ON t.id = m.i;
SELECT count(*) FROM (SELECT i FROM many UNION ALL SELECT id FROM shop.t1001 UNION ALL SELECT id FROM uncapped.events WHERE id <= 500) q;
SELECT count(*), max(total) FROM shop.orders WHERE id > (SELECT min(i) FROM many) AND id = ANY (ARRAY(SELECT i FROM many WHERE i < 30));
-- a user that was set before the workers were started is the leader's alone
SELECT email FROM supabase_set_auth(:'alice');
SELECT count(*) FROM many WHERE current_setting('supabase_fdw.session_handle') IS NOT NULL;
SELECT count(*) FROM shop.orders;
SELECT count(*) FROM many m JOIN shop.orders o ON o.id = m.i;
SELECT email, (SELECT count(*) FROM many) FROM supabase_auth();
SELECT supabase_clear_auth();
-- an error in a worker, and one in the leader while workers run
SELECT count(*) FROM many m JOIN shop.orders o ON o.id = m.i WHERE 1 / (m.i - 15000) < 2 OR m.i > 20000;
SELECT count(d) FROM many m JOIN shop.div_by_zero d ON d.id = m.i;
SELECT count(*) FROM many m JOIN shop.orders o ON o.id = m.i;
\c -

SET client_min_messages = warning;
DROP TABLE few, many;
DROP SCHEMA uncapped CASCADE;
DROP SERVER uncapped CASCADE;
DROP FUNCTION sent, executed, in_a_loop, without_pushdown;

-- Row counts and statistics: ANALYZE, what scans have shown, the remote planner's estimates, and who may learn them.
\getenv gateway_log STACK_GATEWAY_LOG
\getenv alice_jwt STACK_ALICE_JWT
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA stat;
SET client_min_messages = warning;
IMPORT FOREIGN SCHEMA public LIMIT TO (events, orders, nokey, t1000, t1001, empty_table, pairs, measurements, all_types)
  FROM SERVER shop INTO stat;
RESET client_min_messages;
GRANT USAGE ON SCHEMA stat TO regress_app;

-- the first node's estimate
CREATE FUNCTION stat.rows_of(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
-- whether that is at most twice too high or too low
CREATE FUNCTION stat.believable(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  actual float8;
  estimate float8 := stat.rows_of(query);
BEGIN
  EXECUTE 'SELECT count(*) FROM (' || query || ') t' INTO actual;
  IF estimate BETWEEN actual / 2 AND greatest(actual, 1) * 2 THEN RETURN true; END IF;
  RAISE NOTICE 'estimated % rows, there are %', estimate, actual;
  RETURN false;
END $$;
-- Requests in the gateway's log since the last call. A request of its own, which comes after all others, shows when
-- the log has them.
SELECT set_config('stat.log', :'gateway_log', false) IS NOT NULL AS have_log, set_config('stat.seen', '0', false), set_config('stat.mark', '0', false);
CREATE FUNCTION stat.requests(OUT requests bigint, OUT counts bigint, OUT rows_asked bigint) LANGUAGE plpgsql AS $$
DECLARE
  mark int := current_setting('stat.mark')::int + 1;
  lines text[];
  log text;
BEGIN
  PERFORM set_config('stat.mark', mark::text, false);
  PERFORM FROM stat.t1000 WHERE id = -(1000000 + mark);
  LOOP
    log := pg_read_file(current_setting('stat.log'));
    EXIT WHEN strpos(log, 'eq.-' || (1000000 + mark)) > 0;
    PERFORM pg_sleep(0.01);
  END LOOP;
  lines := string_to_array(rtrim(log, E'\n'), E'\n');
  SELECT count(*), count(*) FILTER (WHERE line ~ 'limit=0[ &]'), coalesce(sum(substring(line FROM 'limit=(\d+)')::int), 0)
    INTO requests, counts, rows_asked
    FROM unnest(lines[current_setting('stat.seen')::int + 1:]) line WHERE line !~ 'eq\.-10000\d\d';
  PERFORM set_config('stat.seen', cardinality(lines)::text, false);
END $$;
SELECT requests > 0 AS counted FROM stat.requests();

-- nothing is known: 1,000 rows
SELECT stat.rows_of('SELECT * FROM stat.events'), stat.rows_of('SELECT * FROM stat.empty_table');
SELECT * FROM stat.requests();

-- ANALYZE: exact counts, and a sample that is bounded
ANALYZE stat.events;
SELECT requests BETWEEN 10 AND 41 AS few, counts, rows_asked BETWEEN 25000 AND 30000 + 20 AS bounded FROM stat.requests();
SELECT reltuples, relpages BETWEEN 500 AND 5000 AS pages FROM pg_class WHERE oid = 'stat.events'::regclass;
SELECT attname, n_distinct < 0 AS distinct_share, round(null_frac::numeric, 1) AS nulls FROM pg_stats
WHERE schemaname = 'stat' AND tablename = 'events' ORDER BY attname;
-- rows from all over the table, not only its beginning
SELECT (SELECT count(DISTINCT bound * 20 / 100001) FROM unnest(histogram_bounds::text::int[]) bound) AS twentieths,
  (histogram_bounds::text::int[])[1] AS first, (histogram_bounds::text::int[])[cardinality(histogram_bounds::text::int[])] AS last
FROM pg_stats WHERE schemaname = 'stat' AND tablename = 'events' AND attname = 'id';
SELECT stat.believable('SELECT * FROM stat.events');
SELECT stat.believable('SELECT * FROM stat.events WHERE id BETWEEN 30001 AND 60000');
SELECT stat.believable('SELECT * FROM stat.events WHERE kind = ''buy''');
SELECT stat.believable('SELECT * FROM stat.events WHERE value IS NULL');
SELECT stat.believable('SELECT * FROM stat.events WHERE ts >= ''2024-01-08 00:00+00''');
SELECT stat.believable('SELECT * FROM stat.events WHERE kind = ''buy'' AND value < 60');
SELECT stat.believable('SELECT kind, count(*) FROM stat.events GROUP BY kind');

SELECT requests > 0 AS some FROM stat.requests();
ANALYZE stat.nokey, stat.pairs, stat.t1001, stat.empty_table, stat.measurements, stat.all_types;
SELECT relname, reltuples FROM pg_class WHERE relnamespace = 'stat'::regnamespace AND reltuples >= 0 ORDER BY relname;
SELECT requests <= 7 * 41 AS few FROM stat.requests();
SELECT n_distinct FROM pg_stats WHERE schemaname = 'stat' AND tablename = 'nokey' AND attname = 'n';
SELECT stat.believable('SELECT DISTINCT n FROM stat.nokey');
SELECT stat.rows_of('SELECT * FROM stat.empty_table');
-- a smaller sample
SELECT requests > 0 AS some FROM stat.requests();
SET default_statistics_target = 1;
ANALYZE stat.events;
SELECT requests, counts, rows_asked <= 300 AS bounded FROM stat.requests();
SELECT reltuples FROM pg_class WHERE oid = 'stat.events'::regclass;
RESET default_statistics_target;

-- join order: the small side is hashed
CREATE TABLE stat.few AS SELECT id::float8 AS id FROM generate_series(1, 100000, 50) id;
ANALYZE stat.few;
CREATE FUNCTION stat.plan_shape(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'Join|Hash|Loop|Scan' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;
SELECT stat.plan_shape('SELECT * FROM stat.events e JOIN stat.few f ON f.id = e.value');
SELECT stat.plan_shape('SELECT * FROM stat.few f JOIN stat.events e ON f.id = e.value');

-- what a scan has shown
SELECT stat.rows_of('SELECT * FROM stat.orders');
SELECT count(length(note)) FROM stat.orders;
SELECT stat.rows_of('SELECT * FROM stat.orders');
-- the first page was enough for the server's own estimate
CREATE FOREIGN TABLE stat.glanced_at (id int OPTIONS (key 'true'), at timestamptz) SERVER shop OPTIONS (table_name 'timestamps_local');
SELECT stat.rows_of('SELECT * FROM stat.glanced_at');
SELECT at IS NOT NULL AS have_time FROM stat.glanced_at WHERE length(at::text) > 0 LIMIT 3;
SELECT stat.rows_of('SELECT * FROM stat.glanced_at') BETWEEN 49 AND 196 AS believable;
-- not by a part
ALTER FOREIGN TABLE stat.orders OPTIONS (ADD fetch_size '50');
SELECT count(length(note)) FROM stat.orders WHERE id < 20;
SELECT stat.rows_of('SELECT * FROM stat.orders');
-- and not for somebody else: Alice has six orders
BEGIN;
SELECT user_id IS NOT NULL AS acts FROM supabase_set_auth(:'alice_jwt', is_local => true);
SELECT stat.rows_of('SELECT * FROM stat.orders');
SELECT count(length(note)) FROM stat.orders;
SELECT stat.rows_of('SELECT * FROM stat.orders');
COMMIT;
SELECT stat.rows_of('SELECT * FROM stat.orders');
-- also not through a plan that was kept
PREPARE all_orders AS SELECT * FROM stat.orders;
SELECT stat.rows_of('EXECUTE all_orders');
BEGIN;
SELECT user_id IS NOT NULL AS acts FROM supabase_set_auth(:'alice_jwt', is_local => true);
SELECT stat.rows_of('EXECUTE all_orders');
ROLLBACK;
DEALLOCATE all_orders;
-- nor after the mapping has changed
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET api_key :'secret_key');
SELECT stat.rows_of('SELECT * FROM stat.orders');
-- another role of this session
GRANT SELECT ON ALL TABLES IN SCHEMA stat TO regress_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA stat TO regress_app;
SELECT count(length(note)) FROM stat.orders;
SET ROLE regress_app;
SELECT stat.rows_of('SELECT * FROM stat.orders');
RESET ROLE;
SELECT stat.rows_of('SELECT * FROM stat.orders');

-- the remote planner
SELECT requests > 0 AS some FROM stat.requests();
CREATE FOREIGN TABLE stat.asked (id bigint OPTIONS (key 'true'), kind text, ts timestamptz, value float8)
  SERVER shop OPTIONS (table_name 'events', use_remote_estimate 'true');
SELECT stat.rows_of('SELECT * FROM stat.asked');
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE id <= 2000') BETWEEN 1000 AND 4000 AS believable;
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE kind = ''buy'' AND id <= 2000') BETWEEN 200 AND 800 AS believable;
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE id <= 2000 AND false');
SELECT * FROM stat.requests();
-- the same again is remembered
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE id <= 2000') BETWEEN 1000 AND 4000 AS believable;
SELECT * FROM stat.requests();
-- conditions whose values are not known yet are left to local statistics
PREPARE by_id AS SELECT * FROM stat.asked WHERE id <= $1 AND kind = 'buy';
SET plan_cache_mode = force_generic_plan;
SELECT stat.rows_of('EXECUTE by_id(5)') BETWEEN 5000 AND 9000 AS a_third;
RESET plan_cache_mode;
SELECT * FROM stat.requests();
-- without the right to read nothing is asked
REVOKE SELECT ON stat.asked FROM regress_app;
SET ROLE regress_app;
EXPLAIN SELECT * FROM stat.asked WHERE id <= 3000;
RESET ROLE;
SELECT * FROM stat.requests();
GRANT SELECT (id) ON stat.asked TO regress_app;
SET ROLE regress_app;
SELECT stat.rows_of('SELECT id FROM stat.asked WHERE id <= 3000') > 0 AS asked;
RESET ROLE;
SELECT * FROM stat.requests();
-- and without the option neither
ALTER FOREIGN TABLE stat.asked OPTIONS (SET use_remote_estimate 'false');
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE id <= 2000') > 0 AS local;
SELECT * FROM stat.requests();
ALTER SERVER shop OPTIONS (ADD use_remote_estimate 'true');
ALTER FOREIGN TABLE stat.asked OPTIONS (DROP use_remote_estimate);
SELECT stat.rows_of('SELECT * FROM stat.asked WHERE id <= 2500') BETWEEN 1250 AND 5000 AS of_the_server;
ALTER SERVER shop OPTIONS (DROP use_remote_estimate);

-- costs
SELECT * FROM stat.requests();
ALTER SERVER shop OPTIONS (ADD fdw_startup_cost '250', ADD fdw_tuple_cost '0.5');
EXPLAIN SELECT * FROM stat.t1001;
ALTER FOREIGN TABLE stat.t1001 OPTIONS (ADD fdw_startup_cost '7.5', ADD fdw_tuple_cost '0');
EXPLAIN SELECT * FROM stat.t1001;
ALTER FOREIGN TABLE stat.t1001 OPTIONS (SET fdw_startup_cost '-1');
ALTER FOREIGN TABLE stat.t1001 OPTIONS (SET fdw_tuple_cost 'much');
ALTER FOREIGN TABLE stat.t1001 OPTIONS (ADD use_remote_estimate 'perhaps');
ALTER SERVER shop OPTIONS (DROP fdw_startup_cost, DROP fdw_tuple_cost);

-- Never with another credential than the owner's own: PUBLIC's mapping may be anybody's.
CREATE SERVER everybody FOREIGN DATA WRAPPER supabase_fdw;
DO $$
BEGIN
  EXECUTE format('ALTER SERVER everybody OPTIONS (ADD url %L)', (SELECT split_part(option, '=', 2) FROM pg_foreign_server, unnest(srvoptions) option
    WHERE srvname = 'shop' AND option LIKE 'url=%'));
END $$;
CREATE USER MAPPING FOR PUBLIC SERVER everybody OPTIONS (api_key :'secret_key');
CREATE FOREIGN TABLE stat.public_mapping (id int, val text) SERVER everybody OPTIONS (table_name 't1000');
SELECT count(*) FROM stat.public_mapping;
SELECT requests > 0 AS some FROM stat.requests();
ANALYZE stat.public_mapping;
CREATE FOREIGN TABLE stat.of_users (id int, val text) SERVER shop OPTIONS (table_name 't1000', require_user_jwt 'true');
ANALYZE stat.of_users;
-- an owner without a mapping at all, analyzed by one who has one
CREATE ROLE regress_owner;
GRANT USAGE ON FOREIGN SERVER shop TO regress_owner;
GRANT CREATE ON SCHEMA stat TO regress_owner;
CREATE FOREIGN TABLE stat.of_owner (id int, val text) SERVER shop OPTIONS (table_name 't1000');
ALTER FOREIGN TABLE stat.of_owner OWNER TO regress_owner;
ANALYZE stat.of_owner;
SELECT * FROM stat.requests();
SELECT count(*) FROM pg_stats WHERE schemaname = 'stat' AND tablename IN ('public_mapping', 'of_users', 'of_owner');
SELECT relname, reltuples FROM pg_class WHERE relname IN ('public_mapping', 'of_users', 'of_owner') ORDER BY relname;
-- once PUBLIC's is not the only one
CREATE USER MAPPING FOR postgres SERVER everybody OPTIONS (api_key :'secret_key');
ANALYZE stat.public_mapping;
SELECT reltuples FROM pg_class WHERE relname = 'public_mapping';
-- a user's token is not used: the statistics are the owner's
BEGIN;
SELECT user_id IS NOT NULL AS acts FROM supabase_set_auth(:'alice_jwt', is_local => true);
ANALYZE stat.orders;
COMMIT;
SELECT reltuples FROM pg_class WHERE oid = 'stat.orders'::regclass;

SET client_min_messages = warning;
DROP SERVER everybody CASCADE;
DROP SCHEMA stat CASCADE;
REVOKE USAGE ON FOREIGN SERVER shop FROM regress_owner;
DROP ROLE regress_owner;

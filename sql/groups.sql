-- Counts, aggregates, GROUP BY and DISTINCT: what is sent, and that the results are those of a local copy. The capped
-- server does not allow aggregates, which is PostgREST's default, the other one does.
\getenv uncapped_url STACK_URL_UNCAPPED
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SERVER uncapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'uncapped_url');
CREATE USER MAPPING FOR postgres SERVER uncapped OPTIONS (api_key :'secret_key');
CREATE SCHEMA uncapped;
IMPORT FOREIGN SCHEMA public LIMIT TO (orders, events, nokey, all_types, employees, empty_table, pairs) FROM SERVER uncapped
  INTO uncapped;
CREATE SCHEMA copies;
SET supabase_fdw.enable_pushdown = off;
CREATE TABLE copies.orders AS SELECT * FROM uncapped.orders;
CREATE TABLE copies.events AS SELECT * FROM uncapped.events WHERE id <= 6000;
CREATE TABLE copies.nokey AS SELECT * FROM uncapped.nokey;
CREATE TABLE copies.all_types AS SELECT * FROM uncapped.all_types;
CREATE TABLE copies.employees AS SELECT * FROM uncapped.employees;
CREATE TABLE copies.empty_table AS SELECT * FROM uncapped.empty_table;
CREATE TABLE copies.pairs AS SELECT * FROM uncapped.pairs;
RESET supabase_fdw.enable_pushdown;
RESET client_min_messages;

-- plans: a count is one request without rows, at any server; other aggregates have a way out until one was answered
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM shop.orders;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) + 1, count(note), count(*) FILTER (WHERE total > 100) FROM shop.orders WHERE id > 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT customer_id, sum(total) FROM shop.orders GROUP BY customer_id;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT customer_id, sum(total) FROM shop.orders GROUP BY customer_id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT customer_id, sum(total) FROM shop.orders GROUP BY customer_id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT customer_id, sum(total) FROM uncapped.orders GROUP BY customer_id;
SELECT sum(id) FROM uncapped.orders;
EXPLAIN (VERBOSE, COSTS OFF) SELECT customer_id, sum(total) * 2 AS double FROM uncapped.orders WHERE id > 3 GROUP BY customer_id
  HAVING count(*) > 2 ORDER BY double DESC;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT status FROM uncapped.orders;
EXPLAIN (VERBOSE, COSTS OFF) SELECT max(placed_at) FROM shop.orders;

-- what a query on a foreign table (schema %1$s) and on its copy give; `pushed` when no row is aggregated here
CREATE FUNCTION compare(query text, OUT pushed boolean, OUT "rows" int, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE line text; remote_rows text[]; local_rows text[]; capped_rows text[]; off_rows text[];
BEGIN
  pushed := true;
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || format(query, 'uncapped') LOOP
    IF line ~ '(Aggregate|Group|Unique) \(actual' THEN pushed := false; END IF;
  END LOOP;
  EXECUTE 'SELECT array_agg(t::text ORDER BY t::text) FROM (' || format(query, 'uncapped') || ') t' INTO remote_rows;
  EXECUTE 'SELECT array_agg(t::text ORDER BY t::text) FROM (' || format(query, 'shop') || ') t' INTO capped_rows;
  EXECUTE 'SELECT array_agg(t::text ORDER BY t::text) FROM (' || format(query, 'copies') || ') t' INTO local_rows;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'off', true);
  EXECUTE 'SELECT array_agg(t::text ORDER BY t::text) FROM (' || format(query, 'uncapped') || ') t' INTO off_rows;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'on', true);
  "rows" := coalesce(cardinality(local_rows), 0);
  same := remote_rows IS NOT DISTINCT FROM local_rows AND off_rows IS NOT DISTINCT FROM local_rows
    AND capped_rows IS NOT DISTINCT FROM local_rows;
  IF NOT same THEN
    RAISE INFO E'%\nuncapped %\ncapped %\noff %\ncopy %', query, remote_rows, capped_rows, off_rows, local_rows;
  END IF;
END $$;
CREATE FUNCTION compare_each(VARIADIC queries text[]) RETURNS TABLE (query text, pushed boolean, "rows" int, same boolean)
LANGUAGE sql AS $$
  SELECT replace(replace(q, '%s.', ''), '%1$s.', ''), r.* FROM unnest(queries) WITH ORDINALITY u (q, n), compare(q) r ORDER BY n
$$;
\pset format unaligned

-- counts
SELECT * FROM compare_each('SELECT count(*) FROM %s.orders', 'SELECT count(note) FROM %s.orders',
  'SELECT count(*), count(note), count(total) FROM %s.orders WHERE total > 50',
  'SELECT count(*) FROM %s.orders WHERE false', 'SELECT count(*) FROM %s.empty_table', 'SELECT count(val) FROM %s.empty_table',
  'SELECT count(*) FROM %s.orders WHERE note = NULL', 'SELECT count(*) FROM %s.orders WHERE id IN (1, 2, 99999)',
  'SELECT count(*) FILTER (WHERE id < 20), count(note) FILTER (WHERE id < 20 OR note IS NULL) FROM %s.orders',
  'SELECT count(*) FILTER (WHERE false), count(*) FILTER (WHERE NULL) FROM %s.orders',
  'SELECT count(*) FROM %s.orders HAVING count(*) > 1000', 'SELECT count(*) FROM %s.orders HAVING count(note) > 1',
  'SELECT count(*) * 2 + count(note) FROM %s.orders', 'SELECT count(1) FROM %s.orders', 'SELECT count(NULL) FROM %s.orders',
  'SELECT count(*) FROM %s.orders LIMIT 0', 'SELECT count(*) FROM %s.orders OFFSET 1',
  'SELECT (SELECT count(*) FROM %s.orders o WHERE o.customer_id = e.id) FROM %1$s.employees e',
  'SELECT count(*) FROM (SELECT * FROM %s.orders LIMIT 5) s', 'SELECT count(DISTINCT customer_id) FROM %s.orders',
  'SELECT count(*) FROM %s.orders WHERE id %% 2 = 0', 'SELECT count(*) FILTER (WHERE id %% 2 = 0) FROM %s.orders',
  'SELECT count(*) FROM %s.orders o, %1$s.employees e WHERE o.customer_id = e.id',
  'SELECT count(o) FROM %s.orders o', 'SELECT count(*) FROM %s.nokey WHERE label IS NULL',
  'SELECT count(c_composite), count(c_jsonb), count(c_int4_array), count(c_enum) FROM %s.all_types',
  'SELECT count(*), sum(id) FROM %s.employees', 'SELECT count(*) OVER () FROM %s.employees',
  'SELECT count(*) FROM %s.employees UNION ALL SELECT count(manager_id) FROM %1$s.employees');

-- aggregates and groups
SELECT * FROM compare_each('SELECT sum(total), avg(total), min(total), max(total) FROM %s.orders',
  'SELECT sum(id), avg(id), min(id), max(id), count(*), count(val) FROM %s.empty_table', 'SELECT sum(val::int) FROM %s.empty_table',
  'SELECT customer_id, count(*), sum(total), avg(total) FROM %s.orders GROUP BY customer_id',
  'SELECT count(*) FROM %s.orders GROUP BY customer_id', 'SELECT customer_id FROM %s.orders GROUP BY customer_id',
  'SELECT customer_id, status, count(note) FROM %s.orders GROUP BY status, customer_id',
  'SELECT customer_id + 1, sum(total) / count(*) FROM %s.orders GROUP BY customer_id',
  'SELECT customer_id + 1 AS n, count(*) FROM %s.orders GROUP BY customer_id + 1',
  'SELECT customer_id, count(*) FROM %s.orders GROUP BY customer_id HAVING sum(total) > 300 AND customer_id > 1',
  'SELECT customer_id, count(*) FROM %s.orders GROUP BY customer_id HAVING count(DISTINCT status) > 2',
  'SELECT customer_id, max(placed_at), min(placed_at::date) FROM %s.orders GROUP BY customer_id',
  'SELECT customer_id, max(placed_at), min(placed_at) FROM %s.orders GROUP BY customer_id ORDER BY max(placed_at) DESC LIMIT 3',
  'SELECT manager_id, count(*) FROM %s.employees GROUP BY manager_id', 'SELECT max(name) FROM %s.employees',
  'SELECT label, count(*), sum(amount) FROM %s.nokey GROUP BY label', 'SELECT n, count(*) FROM %s.nokey GROUP BY n',
  'SELECT amount, label, max(n) FROM %s.nokey WHERE n < 1700 GROUP BY 1, 2',
  'SELECT kind, count(value), sum(value), min(ts) FROM %s.events WHERE id <= 6000 GROUP BY kind',
  'SELECT customer_id, sum(total) FILTER (WHERE id > 5) FROM %s.orders GROUP BY customer_id',
  'SELECT customer_id, array_agg(id ORDER BY id) FROM %s.orders GROUP BY customer_id',
  'SELECT customer_id, status, count(*) FROM %s.orders GROUP BY ROLLUP (customer_id, status)',
  'SELECT customer_id, sum(count(*)) OVER (ORDER BY customer_id) FROM %s.orders GROUP BY customer_id',
  'SELECT a, min(b), count(*) FROM %s.pairs GROUP BY a', 'SELECT b, a, max(c) FROM %s.pairs GROUP BY a, b',
  'SELECT c.id, s.n FROM %s.employees c JOIN (SELECT customer_id, count(*) AS n FROM %1$s.orders GROUP BY 1) s ON s.customer_id = c.id',
  'SELECT sum(DISTINCT customer_id) FROM %s.orders', 'SELECT bool_and(id > 0), string_agg(note, '','' ORDER BY id) FROM %s.orders',
  'SELECT 1 FROM %s.orders GROUP BY ()', 'SELECT customer_id FROM %s.orders WHERE customer_id = 3 GROUP BY customer_id',
  'SELECT count(*) FROM %s.orders WHERE customer_id = 99999 GROUP BY customer_id');

-- DISTINCT
SELECT * FROM compare_each('SELECT DISTINCT customer_id FROM %s.orders', 'SELECT DISTINCT label FROM %s.nokey',
  'SELECT DISTINCT amount, label FROM %s.nokey', 'SELECT DISTINCT n FROM %s.nokey ORDER BY n DESC LIMIT 3',
  'SELECT DISTINCT customer_id, total > 100 FROM %s.orders', 'SELECT DISTINCT customer_id FROM %s.orders WHERE id %% 2 = 0',
  'SELECT DISTINCT ON (customer_id) customer_id, id FROM %s.orders ORDER BY customer_id, id',
  'SELECT DISTINCT count(*) FROM %s.orders GROUP BY customer_id', 'SELECT DISTINCT manager_id FROM %s.employees',
  'SELECT DISTINCT val FROM %s.empty_table', 'SELECT DISTINCT 1 FROM %s.orders', 'SELECT DISTINCT c_jsonb FROM %s.all_types',
  'SELECT DISTINCT c_bool, c_date FROM %s.all_types', 'SELECT count(*) FROM (SELECT DISTINCT kind FROM %s.events) s');

-- every aggregate over every type that has it
CREATE FUNCTION aggregate_types(OUT aggregate name, OUT pushed text[], OUT here text[], OUT differ text[])
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE col name; c record;
BEGIN
  FOR aggregate IN VALUES ('count'), ('sum'), ('avg'), ('min'), ('max') LOOP
    pushed := '{}'; here := '{}'; differ := '{}';
    FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'copies.all_types'::regclass AND attnum > 2 ORDER BY attnum LOOP
      BEGIN
        c := compare(format('SELECT %s(%I) FROM %%s.all_types WHERE id NOT IN (3, 4, 5, 6, 7)', aggregate, col));
        IF c.pushed THEN pushed := pushed || col::text; ELSE here := here || col::text; END IF;
        IF NOT c.same THEN differ := differ || col::text; END IF;
      EXCEPTION WHEN undefined_function THEN NULL;
      END;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT aggregate, pushed, differ FROM aggregate_types();
CREATE FUNCTION group_types(OUT pushed text[], OUT here text[], OUT differ text[]) LANGUAGE plpgsql AS $$
DECLARE col name; c record;
BEGIN
  pushed := '{}'; here := '{}'; differ := '{}';
  FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'copies.all_types'::regclass AND attnum > 2 ORDER BY attnum LOOP
    BEGIN
      c := compare(format('SELECT %1$I, count(*) FROM %%s.all_types GROUP BY %1$I', col));
      IF c.pushed THEN pushed := pushed || col::text; ELSE here := here || col::text; END IF;
      IF NOT c.same THEN differ := differ || col::text; END IF;
    EXCEPTION WHEN undefined_function THEN NULL;
    END;
  END LOOP;
END $$;
SELECT pushed, differ FROM group_types();

-- requests: one for a count, and for groups; nothing where no row can count
CREATE FUNCTION counters(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ '(Requests|Rows Received|Remote Request): ' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;
SELECT * FROM counters('SELECT count(*) FROM shop.events');
SELECT * FROM counters('SELECT count(*) FROM shop.events WHERE kind = NULL');
SELECT * FROM counters('SELECT count(*), count(value) FROM shop.events WHERE id > 50000');
SELECT * FROM counters('SELECT min(id), max(ts) FROM uncapped.events');
SELECT * FROM counters('SELECT max(ts) FROM shop.events');

-- a condition that can never be true leaves one group of nothing, or no group
SELECT * FROM compare_each('SELECT sum(id), count(note), max(placed_at) FROM %s.orders WHERE note = (SELECT NULL::text)',
  'SELECT count(*) FROM %s.orders WHERE note = (SELECT NULL::text)',
  'SELECT customer_id, sum(id) FROM %s.orders WHERE note = (SELECT NULL::text) GROUP BY customer_id');
-- a row whose fields are null counts
SET client_min_messages = warning;
CREATE TYPE public.address AS (street text, zip int, tags text[]);
CREATE FOREIGN TABLE uncapped.typed (id int OPTIONS (key 'true'), c_composite public.address) SERVER uncapped
  OPTIONS (table_name 'all_types');
CREATE FOREIGN TABLE shop.typed (id int OPTIONS (key 'true'), c_composite public.address) SERVER shop
  OPTIONS (table_name 'all_types');
CREATE TABLE copies.typed AS SELECT * FROM uncapped.typed;
RESET client_min_messages;
SELECT * FROM compare_each('SELECT count(c_composite) FROM %s.typed', 'SELECT count(c_composite), sum(id) FROM %s.typed');
SELECT count(c_composite), count(*) FILTER (WHERE c_composite IS NOT NULL) AS not_null FROM shop.typed;
DROP FOREIGN TABLE shop.typed, uncapped.typed;
DROP TABLE copies.typed;
DROP TYPE public.address;
-- groups that are made here after all, by sorting, in a session that did not know better
\c -
SET enable_hashagg = off;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
  SELECT customer_id, max(total) FROM shop.orders WHERE id < 30 GROUP BY customer_id HAVING count(*) > 1;
\c -
SET enable_hashagg = off;
SELECT customer_id, max(total) FROM shop.orders WHERE id < 30 GROUP BY customer_id HAVING count(*) > 1 ORDER BY 1;

-- text: min and max follow its order, which must be the same on both sides
ALTER FOREIGN TABLE uncapped.employees OPTIONS (ADD text_ordering 'true');
SELECT * FROM compare_each('SELECT max(name) FROM %s.employees', 'SELECT manager_id, min(name) FROM %s.employees GROUP BY 1',
  'SELECT max(name COLLATE "C") FROM %s.employees');

-- the option decides without a try; a server that is said to aggregate and does not is an error
ALTER SERVER uncapped OPTIONS (ADD aggregates 'false');
SELECT * FROM compare_each('SELECT sum(id) FROM %s.orders', 'SELECT count(*) FROM %s.orders');
ALTER SERVER uncapped OPTIONS (SET aggregates 'auto');
ALTER SERVER shop OPTIONS (ADD aggregates 'true');
SELECT sum(id) FROM shop.orders;
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER shop OPTIONS (DROP aggregates);
CREATE SERVER wrong FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://a.example.com', aggregates 'yes');

-- prepared, with parameters that are too long for a request: counted here
PREPARE counting (text) AS SELECT count(*) FROM shop.orders WHERE note = $1 OR note IS NULL;
SET plan_cache_mode = force_generic_plan;
EXECUTE counting ('note 1');
EXECUTE counting (repeat('x', 8000));
EXECUTE counting (NULL);
RESET plan_cache_mode;
DEALLOCATE counting;
-- a cursor that goes back, a rescan
BEGIN;
DECLARE counted SCROLL CURSOR FOR SELECT count(*) FROM shop.orders;
FETCH counted;
FETCH counted;
FETCH PRIOR FROM counted;
FETCH FIRST FROM counted;
COMMIT;
SELECT x, n FROM (VALUES (1), (2), (3)) v (x), LATERAL (SELECT count(*) AS n FROM shop.orders WHERE customer_id = x) s;
-- as somebody else: row level security decides what is counted
\getenv alice_jwt STACK_ALICE_JWT
SELECT email FROM supabase_set_auth(:'alice_jwt');
SELECT count(*) FROM shop.orders;
SELECT supabase_clear_auth();
-- through a view with its owner's mapping
CREATE VIEW counted AS SELECT count(*) FROM shop.orders;
GRANT SELECT ON counted TO regress_app;
SET ROLE regress_app;
SELECT * FROM counted;
SELECT count(*) FROM shop.orders;
RESET ROLE;
SET client_min_messages = warning;
DROP VIEW counted;
DROP FUNCTION compare, compare_each, aggregate_types, group_types, counters;
DROP SCHEMA copies, uncapped CASCADE;
DROP SERVER uncapped CASCADE;

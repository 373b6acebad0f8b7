-- Inheritance trees and partitioned tables over several servers: rows, order, limits, groups, pruning, joins.
\getenv uncapped_url STACK_URL_UNCAPPED
\getenv rest_url STACK_REST_URL
\getenv secret_key STACK_SECRET_KEY
\getenv service_jwt STACK_SERVICE_JWT
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
-- three servers: with a row cap, without one, and a bare PostgREST
CREATE SERVER uncapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'uncapped_url');
CREATE USER MAPPING FOR postgres SERVER uncapped OPTIONS (api_key :'secret_key');
CREATE SERVER bare FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'rest_url');
CREATE USER MAPPING FOR postgres SERVER bare OPTIONS (jwt :'service_jwt');
CREATE SCHEMA parts;
CREATE SCHEMA copies;

-- A tree whose children show one remote table, columns in another order in each; one had a column that was dropped.
CREATE TABLE parts.tree (id bigint PRIMARY KEY, kind text, value float8);
CREATE FOREIGN TABLE parts.low (id bigint OPTIONS (key 'true') NOT NULL, kind text, value float8) SERVER shop OPTIONS (table_name 'events');
CREATE FOREIGN TABLE parts.middle (value float8, gone int, kind text, id bigint OPTIONS (key 'true') NOT NULL) SERVER uncapped
  OPTIONS (table_name 'events');
ALTER FOREIGN TABLE parts.middle DROP COLUMN gone;
CREATE FOREIGN TABLE parts.high (kind text OPTIONS (column_name 'payload'), id bigint OPTIONS (key 'true') NOT NULL, value float8) SERVER bare
  OPTIONS (table_name 'events');
CREATE TABLE parts.rest (id bigint PRIMARY KEY, kind text, value float8);
INSERT INTO parts.rest SELECT i, CASE i % 3 WHEN 0 THEN 'buy' WHEN 1 THEN 'local' END, i / 3.0 FROM generate_series(100001, 103000) i;
ANALYZE parts.rest;
CREATE TABLE copies.tree (origin text, id bigint, kind text, value float8);
SET supabase_fdw.enable_pushdown = off;
INSERT INTO copies.tree SELECT 'low', id, kind, value FROM parts.low WHERE id <= 1500;
INSERT INTO copies.tree SELECT 'middle', id, kind, value FROM parts.middle WHERE id <= 1500;
INSERT INTO copies.tree SELECT 'high', id, kind, value FROM parts.high WHERE id <= 1500;
INSERT INTO copies.tree SELECT 'rest', id, kind, value FROM parts.rest;
RESET supabase_fdw.enable_pushdown;
ALTER FOREIGN TABLE parts.low INHERIT parts.tree;
ALTER FOREIGN TABLE parts.middle INHERIT parts.tree;
ALTER FOREIGN TABLE parts.high INHERIT parts.tree;
ALTER TABLE parts.rest INHERIT parts.tree;
CREATE VIEW parts.shown AS SELECT tableoid::regclass::text COLLATE "C" AS origin, id, kind COLLATE "C" AS kind, value FROM parts.tree WHERE id <= 1500 OR id > 100000;
CREATE VIEW copies.shown AS SELECT ('parts.' || origin) COLLATE "C" AS origin, id, kind COLLATE "C" AS kind, value FROM copies.tree;

-- A query on the foreign tables (schema %1$s) and on their copies, also without asynchronous execution, and partition by
-- partition where the planner can.
CREATE FUNCTION compare_each(VARIADIC queries text[]) RETURNS TABLE (query text, "rows" int, same boolean) LANGUAGE plpgsql AS $$
DECLARE
  remote_rows text[]; local_rows text[]; off name; value text;
BEGIN
  FOREACH query IN ARRAY queries LOOP
    EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'copies') || ') t' INTO local_rows;
    same := true;
    FOR off, value IN VALUES ('enable_async_append', 'off'), ('enable_partitionwise_aggregate', 'on'), ('enable_partitionwise_join', 'on'), ('enable_sort', 'off') LOOP
      EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'parts') || ') t' INTO remote_rows;
      same := same AND remote_rows IS NOT DISTINCT FROM local_rows;
      PERFORM set_config(off, value, true);
    END LOOP;
    EXECUTE 'RESET enable_async_append; RESET enable_partitionwise_aggregate; RESET enable_partitionwise_join; RESET enable_sort';
    "rows" := coalesce(cardinality(local_rows), 0);
    query := replace(replace(query, '%s.', ''), '%1$s.', '');
    RETURN NEXT;
  END LOOP;
END $$;
\pset format unaligned
SELECT * FROM compare_each('SELECT origin, id, kind, value FROM %s.shown ORDER BY id, origin', 'SELECT id FROM %s.shown ORDER BY id LIMIT 7',
  'SELECT id FROM %s.shown ORDER BY id DESC LIMIT 7', 'SELECT id FROM %s.shown ORDER BY id DESC OFFSET 2998 LIMIT 8',
  'SELECT origin, id FROM %s.shown ORDER BY value, id, origin LIMIT 20 OFFSET 5', 'SELECT id FROM %s.shown WHERE mod(id, 2) = 0 ORDER BY id LIMIT 9',
  'SELECT id, kind FROM %s.shown WHERE kind = ''buy'' ORDER BY id DESC LIMIT 9', 'SELECT id FROM %s.shown ORDER BY id FETCH FIRST 5 ROWS WITH TIES',
  'SELECT DISTINCT id FROM %s.shown ORDER BY id LIMIT 5', 'SELECT DISTINCT kind FROM %s.shown ORDER BY kind LIMIT 10',
  'SELECT count(*), count(kind), sum(id), min(id), max(id), count(DISTINCT id) FROM %s.shown', 'SELECT origin, count(*), max(value) FROM %s.shown GROUP BY origin ORDER BY origin',
  'SELECT kind, count(*), sum(value) FROM %s.shown WHERE id < 1000 GROUP BY kind HAVING count(*) > 300 ORDER BY kind',
  'SELECT min(value), max(value) FROM %s.shown WHERE kind = ''buy''', 'SELECT id, row_number() OVER (ORDER BY id, origin) FROM %s.shown ORDER BY 2 LIMIT 8',
  'SELECT origin, id FROM %s.shown WHERE id IN (7, 1500, 100002) ORDER BY id, origin', 'SELECT count(*) FROM %s.shown a JOIN %1$s.shown b USING (id) WHERE id <= 200',
  'SELECT a.id, b.origin FROM %s.shown a JOIN %1$s.shown b ON b.id = a.id + 1 WHERE a.id = 5 AND a.origin = ''parts.low'' ORDER BY 1, 2',
  'SELECT id, (SELECT count(*) FROM %s.shown b WHERE b.id = a.id) FROM %1$s.shown a WHERE id IN (3, 100003) ORDER BY id',
  'SELECT id FROM %s.shown WHERE id > 102998 UNION ALL SELECT id FROM %1$s.shown WHERE id < 2 ORDER BY id DESC LIMIT 4');
\pset format aligned
-- merged in the order of their keys, none read to its end
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM parts.tree ORDER BY id LIMIT 3;
SELECT id FROM parts.tree ORDER BY id LIMIT 3;
SELECT bool_and(id >= before) AS ordered, count(*) FROM (SELECT id, lag(id) OVER () AS before FROM (SELECT id FROM parts.tree WHERE id < 5000 ORDER BY id) o) t;
EXPLAIN (COSTS OFF) SELECT id FROM parts.tree;
SET enable_async_append = off;
EXPLAIN (COSTS OFF) SELECT id FROM parts.tree;
RESET enable_async_append;

-- Partitions of tables that have nothing else in common, one level down too.
CREATE TABLE parts.log (at timestamptz NOT NULL, id bigint, label text) PARTITION BY RANGE (at);
CREATE FOREIGN TABLE parts.customers (id bigint OPTIONS (key 'true'), label text OPTIONS (column_name 'name'),
  at timestamptz OPTIONS (column_name 'created_at') NOT NULL) SERVER shop OPTIONS (fetch_size '4');
CREATE FOREIGN TABLE parts.orders (gone int, at timestamptz OPTIONS (column_name 'placed_at') NOT NULL, id bigint OPTIONS (key 'true'),
  label text OPTIONS (column_name 'note')) SERVER uncapped;
ALTER FOREIGN TABLE parts.orders DROP COLUMN gone;
CREATE TABLE parts.spring (id bigint, at timestamptz NOT NULL, label text) PARTITION BY RANGE (at);
ALTER TABLE parts.log ATTACH PARTITION parts.customers FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
ALTER TABLE parts.log ATTACH PARTITION parts.spring FOR VALUES FROM ('2024-03-01 00:00+00') TO ('2024-06-01 00:00+00');
ALTER TABLE parts.spring ATTACH PARTITION parts.orders FOR VALUES FROM ('2024-03-01 00:00+00') TO ('2024-04-01 00:00+00');
CREATE FOREIGN TABLE parts.notes PARTITION OF parts.spring FOR VALUES FROM ('2024-05-01 00:00+00') TO ('2024-06-01 00:00+00') SERVER bare;
ALTER FOREIGN TABLE parts.notes ALTER at OPTIONS (ADD column_name 'created_at'), ALTER label OPTIONS (ADD column_name 'title'),
  ALTER id OPTIONS (ADD key 'true');
CREATE TABLE parts.others PARTITION OF parts.log DEFAULT;
INSERT INTO parts.others SELECT timestamptz '2024-07-01 00:00+00' + i * interval '1 hour', i, 'local ' || i FROM generate_series(1, 40) i;
CREATE TABLE copies.log (at timestamptz, id bigint, label text);
INSERT INTO copies.log SELECT created_at, id, name FROM shop.customers;
INSERT INTO copies.log SELECT placed_at, id, note FROM shop.orders;
INSERT INTO copies.log SELECT created_at, id, title FROM shop.notes;
INSERT INTO copies.log SELECT at, id, label FROM parts.others;
\pset format unaligned
SELECT * FROM compare_each('SELECT at, id, label FROM %s.log ORDER BY at, id', 'SELECT at, id FROM %s.log ORDER BY at DESC, id LIMIT 12', 'SELECT at, id FROM %s.log ORDER BY at, id OFFSET 8 LIMIT 5',
  'SELECT at, id FROM %s.log WHERE at >= ''2024-03-10'' AND at < ''2024-05-03'' ORDER BY at, id', 'SELECT id, label FROM %s.log WHERE label LIKE ''%%1'' ORDER BY id, label COLLATE "C"',
  'SELECT count(*), min(at), max(at), sum(id) FROM %s.log', 'SELECT date_trunc(''month'', at) AS m, count(*), max(label COLLATE "C") FROM %s.log GROUP BY m ORDER BY m',
  'SELECT at, count(*) FROM %s.log GROUP BY at ORDER BY at LIMIT 9', 'SELECT count(*) FROM %s.log a JOIN %1$s.log b ON a.at = b.at AND a.id = b.id',
  'SELECT a.id, b.id AS b FROM %s.log a LEFT JOIN %1$s.log b ON a.at = b.at AND b.id > 4 WHERE a.at > ''2024-05-01'' ORDER BY a.at, 1, 2',
  'SELECT id FROM %s.log WHERE at = ''2024-01-02 12:00+00''', 'SELECT id FROM %s.log WHERE at IN (''2024-01-02 12:00+00'', ''2024-05-02 12:00+00'') ORDER BY id',
  'SELECT count(*) FROM %s.log WHERE at < ''2020-01-01''',
  'SELECT l.id, x.id AS x FROM (SELECT id, at FROM %s.log WHERE id = 2) l, LATERAL (SELECT id FROM %1$s.log o WHERE o.at >= l.at ORDER BY at, id LIMIT 2) x ORDER BY l.at, 1, 2');
\pset format aligned
SELECT tableoid::regclass, count(*) FROM parts.log GROUP BY 1 ORDER BY tableoid::regclass::text COLLATE "C";
-- parts that cannot have a row are not asked: when planned, when started, for each outer row
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM parts.log WHERE at >= '2024-03-10 00:00+00' AND at < '2024-03-11 00:00+00';
PREPARE since (timestamptz) AS SELECT count(*) FROM parts.log WHERE at >= $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE since ('2024-05-02 00:00+00');
EXECUTE since ('2024-05-02 00:00+00');
EXECUTE since ('2024-01-10 00:00+00');
EXECUTE since ('2030-01-01 00:00+00');
RESET plan_cache_mode;
CREATE TABLE parts.days (day timestamptz);
INSERT INTO parts.days VALUES ('2024-01-02 12:00+00'), ('2024-05-02 12:00+00'), ('2024-07-01 01:00+00');
SELECT day, array_agg(l.id ORDER BY l.id) FROM parts.days LEFT JOIN parts.log l ON l.at = day GROUP BY day ORDER BY day;
SELECT day, (SELECT min(id) FROM parts.log WHERE at = day) FROM parts.days ORDER BY day;
-- a part whose server fails is an error of the whole, unless it is pruned or not needed
ALTER SERVER bare OPTIONS (SET rest_url 'http://127.0.0.1:1', ADD max_retries '0');
\set VERBOSITY sqlstate
SELECT count(id) FROM parts.log;
SELECT id FROM parts.log ORDER BY at;
\set VERBOSITY default
SELECT count(id) FROM parts.log WHERE at < '2024-04-01 00:00+00';
ALTER SERVER bare OPTIONS (SET rest_url :'rest_url', DROP max_retries);
-- detached, and attached with other bounds
ALTER TABLE parts.log DETACH PARTITION parts.customers;
SELECT count(*) FROM parts.log;
ALTER TABLE parts.log ATTACH PARTITION parts.customers FOR VALUES FROM ('2023-01-01 00:00+00') TO ('2024-02-01 00:00+00');
SELECT count(*), min(at) FROM parts.log;

DROP SCHEMA parts, copies CASCADE;
DROP SERVER uncapped, bare CASCADE;
DROP FUNCTION compare_each;

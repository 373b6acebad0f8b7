-- ORDER BY and LIMIT: what is sent, and that the rows are those of a local copy.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA copies;
SET supabase_fdw.enable_pushdown = off;
CREATE TABLE copies.orders AS SELECT * FROM shop.orders;
CREATE TABLE copies.order_items AS SELECT * FROM shop.order_items;
CREATE TABLE copies.customers AS SELECT * FROM shop.customers;
CREATE TABLE copies.events AS SELECT * FROM shop.events WHERE id <= 6000;
CREATE TABLE copies.nokey AS SELECT * FROM shop.nokey;
CREATE TABLE copies.pairs AS SELECT * FROM shop.pairs;
CREATE TABLE copies.all_types AS SELECT * FROM shop.all_types;
RESET supabase_fdw.enable_pushdown;

-- pushed by key, and what comes with a LIMIT
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders ORDER BY id LIMIT 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders ORDER BY id LIMIT 5 OFFSET 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, total FROM shop.orders ORDER BY total DESC LIMIT 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, total FROM shop.orders ORDER BY total DESC;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders ORDER BY note LIMIT 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders WHERE note || '' LIKE 'note 1%' ORDER BY id LIMIT 3;

-- A query on the foreign tables (schema %1$s) and on their copies. Queries have a total order unless told otherwise.
-- `request` is what the plan sends, without the select list.
CREATE FUNCTION compare(query text, OUT request text, OUT sorted boolean, OUT "rows" int, OUT same boolean)
  LANGUAGE plpgsql AS $$
DECLARE
  line text; remote_rows text[]; local_rows text[]; off_rows text[];
BEGIN
  sorted := false;
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || format(query, 'shop') LOOP
    IF line ~ 'Remote Request: ' AND request IS NULL THEN request := regexp_replace(substring(line
      FROM 'rest/v1/(.*)$'), '\?select=[^&]*', ''); END IF;
    IF line ~ '(Sort Key|Presorted Key)' THEN sorted := true; END IF;
  END LOOP;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'shop') || ') t' INTO remote_rows;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'copies') || ') t' INTO local_rows;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'off', true);
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'shop') || ') t' INTO off_rows;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'on', true);
  "rows" := coalesce(cardinality(remote_rows), 0);
  same := remote_rows IS NOT DISTINCT FROM local_rows AND off_rows IS NOT DISTINCT FROM local_rows;
END $$;
CREATE FUNCTION compare_each(VARIADIC queries text[]) RETURNS TABLE (query text, request text, sorted boolean,
  "rows" int, same boolean) LANGUAGE sql AS $$
  SELECT replace(replace(q, '%s.', ''), '%1$s.', ''), r.* FROM unnest(queries) WITH ORDINALITY u (q, n), compare(q) r
    ORDER BY n
$$;
\pset format unaligned

-- one column, directions, NULLs
SELECT * FROM compare_each(
  'SELECT id FROM %s.orders ORDER BY id', 'SELECT id FROM %s.orders ORDER BY id DESC',
    'SELECT id FROM %s.orders ORDER BY id LIMIT 4', 'SELECT id FROM %s.orders ORDER BY id DESC LIMIT 4',
  'SELECT id FROM %s.orders ORDER BY id NULLS FIRST LIMIT 4',
    'SELECT id, total FROM %s.orders ORDER BY total, id LIMIT 7',
    'SELECT id, total FROM %s.orders ORDER BY total DESC, id LIMIT 7',
  'SELECT id, value FROM %s.events WHERE id <= 100 ORDER BY value NULLS FIRST, id LIMIT 15',
    'SELECT id, value FROM %s.events WHERE id <= 100 ORDER BY value DESC NULLS LAST, id DESC LIMIT 15',
  'SELECT id, value FROM %s.events WHERE id <= 100 ORDER BY value DESC, id DESC LIMIT 15',
    'SELECT id, value FROM %s.events WHERE id <= 100 ORDER BY value NULLS LAST, id LIMIT 95',
  'SELECT id FROM %s.orders ORDER BY placed_at DESC LIMIT 3', 'SELECT id FROM %s.orders ORDER BY user_id, id LIMIT 9',
    'SELECT order_id, line_no FROM %s.order_items ORDER BY order_id, line_no LIMIT 11',
  'SELECT order_id, line_no FROM %s.order_items ORDER BY line_no, order_id LIMIT 11',
    'SELECT order_id, line_no FROM %s.order_items ORDER BY order_id DESC, line_no LIMIT 11',
  'SELECT order_id FROM %s.order_items ORDER BY order_id',
    'SELECT order_id, line_no FROM %s.order_items ORDER BY order_id, unit_price, line_no LIMIT 11',
    'SELECT id FROM %s.orders ORDER BY id, total LIMIT 3');

-- every type that is ordered
CREATE FUNCTION order_types(OUT col name, OUT sent boolean, OUT same boolean) RETURNS SETOF record
  LANGUAGE plpgsql AS $$
DECLARE c record;
BEGIN
  FOR col IN SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 'copies.all_types'::regclass AND a.attnum > 2
    AND EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod WHERE m.amname = 'btree' AND o.opcdefault
      AND o.opcintype = a.atttypid OR a.atttypid = 'varchar'::regtype) ORDER BY a.attnum
  LOOP
    SELECT * INTO c FROM compare(format('SELECT id, %1$I FROM %%s.all_types ORDER BY %1$I, id LIMIT 25', col));
    sent := NOT c.sorted; same := c.same;
    SELECT c.same AND c2.same INTO same
      FROM compare(format('SELECT id, %1$I FROM %%s.all_types ORDER BY %1$I DESC NULLS LAST, id DESC LIMIT 25',
      col)) c2;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM order_types();

-- text is sorted here, or there with the option
SELECT * FROM compare_each('SELECT id, note FROM %s.orders ORDER BY note, id LIMIT 9',
  'SELECT a, b FROM %s.pairs ORDER BY a, b LIMIT 9', 'SELECT a, b FROM %s.pairs ORDER BY a, b',
  'SELECT a, b, c FROM %s.pairs ORDER BY a, c LIMIT 9',
  'SELECT a FROM %s.pairs ORDER BY a', 'SELECT a FROM %s.pairs ORDER BY a LIMIT 1100');
ALTER FOREIGN TABLE shop.pairs OPTIONS (ADD text_ordering 'true');
ALTER FOREIGN TABLE shop.orders ALTER note OPTIONS (ADD text_ordering 'true');
SELECT * FROM compare_each('SELECT id, note FROM %s.orders ORDER BY note, id LIMIT 9',
  'SELECT id, note FROM %s.orders ORDER BY note DESC, id LIMIT 30', 'SELECT a, b FROM %s.pairs ORDER BY a, b LIMIT 9',
  'SELECT a, b FROM %s.pairs ORDER BY a, b',
  'SELECT b, a FROM %s.pairs ORDER BY b, a LIMIT 9', 'SELECT b, a FROM %s.pairs ORDER BY b DESC, a LIMIT 2500',
    'SELECT b, a FROM %s.pairs ORDER BY b COLLATE "C", a LIMIT 9',
    'SELECT b, a FROM %s.pairs ORDER BY lower(b), b, a LIMIT 9',
  'SELECT a, b FROM %s.pairs WHERE b > ''m'' ORDER BY a, b LIMIT 9');
ALTER FOREIGN TABLE shop.pairs OPTIONS (DROP text_ordering);
ALTER FOREIGN TABLE shop.orders ALTER note OPTIONS (DROP text_ordering);

-- LIMIT and OFFSET, also beyond a page
SELECT * FROM compare_each('SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT 2500',
  'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT 10 OFFSET 2500',
  'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id OFFSET 5990',
  'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT 0',
    'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT 3 OFFSET 6000',
    'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT ALL OFFSET 5998',
  'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY id LIMIT NULL OFFSET NULL',
    'SELECT id, value FROM %s.events WHERE id <= 6000 ORDER BY value, id LIMIT 2500',
    'SELECT id, value FROM %s.events WHERE id <= 6000 ORDER BY value DESC, id LIMIT 100 OFFSET 1950',
  'SELECT id FROM %s.events WHERE id <= 6000 ORDER BY ts DESC LIMIT 1001',
    'SELECT value FROM %s.events WHERE id <= 6000 ORDER BY value LIMIT 2500',
    'SELECT n, label, amount FROM %s.nokey ORDER BY n LIMIT 2002', 'SELECT n FROM %s.nokey ORDER BY n DESC LIMIT 3333',
  'SELECT amount, n FROM %s.nokey ORDER BY amount LIMIT 5000 OFFSET 1',
    'SELECT n FROM %s.nokey ORDER BY amount LIMIT 2500', 'SELECT n FROM %s.nokey ORDER BY amount DESC',
    'SELECT id FROM %s.orders ORDER BY id LIMIT 9223372036854775807',
    'SELECT id FROM %s.orders ORDER BY id LIMIT 9223372036854775807 OFFSET 70',
  'SELECT id FROM %s.orders ORDER BY id FETCH FIRST 2 ROWS ONLY',
    'SELECT id FROM %s.orders ORDER BY id LIMIT (SELECT 3)',
    'SELECT id FROM %s.orders ORDER BY id LIMIT 1 + 1 OFFSET length(''ab'')');
-- any rows will do
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM shop.events LIMIT 1234) t;
SELECT count(*) FROM (SELECT n FROM shop.nokey LIMIT 1234) t;
SELECT count(*) FROM (SELECT FROM shop.nokey LIMIT 1234 OFFSET 9000) t;

-- a filter that stays here
SELECT * FROM compare_each('SELECT id FROM %s.orders WHERE note || '''' LIKE ''note 1%%'' ORDER BY id LIMIT 3',
  'SELECT id FROM %s.orders WHERE note || '''' LIKE ''note 1%%'' AND id > 10 ORDER BY id DESC LIMIT 3 OFFSET 1',
  'SELECT id FROM %s.orders WHERE note || '''' LIKE ''note 1%%'' ORDER BY total LIMIT 3',
  'SELECT id FROM %s.orders WHERE status = ''paid'' ORDER BY id LIMIT 3',
    'SELECT id FROM %s.events WHERE id <= 6000 AND id %% 100 = 7 ORDER BY id LIMIT 30',
  'SELECT id FROM %s.orders WHERE random() >= 0 AND id > 4 ORDER BY id LIMIT 3',
  'SELECT id, random() >= 0 AS any FROM %s.orders ORDER BY id DESC LIMIT 3');

-- joins, DISTINCT, GROUP BY, aggregates, window functions
SELECT query, "rows", same
  FROM compare_each('SELECT o.id, c.name FROM %s.orders o JOIN %1$s.customers c ON c.id = o.customer_id ORDER BY o.id LIMIT 5',
  'SELECT o.id, i.line_no FROM %s.orders o JOIN %1$s.order_items i ON i.order_id = o.id ORDER BY o.id, i.line_no LIMIT 5',
  'SELECT o.id, c.id AS c FROM %s.orders o LEFT JOIN %1$s.customers c ON c.id = o.customer_id AND c.id > 5 ORDER BY o.id DESC LIMIT 5',
    'SELECT o.id FROM %s.orders o WHERE EXISTS (SELECT FROM %1$s.order_items i WHERE i.order_id = o.id AND i.line_no = 4) ORDER BY o.id LIMIT 5',
  'SELECT o.id FROM %s.orders o, %1$s.customers c WHERE c.id = o.customer_id AND c.id = 1 ORDER BY o.id LIMIT 2',
    'SELECT DISTINCT customer_id FROM %s.orders ORDER BY customer_id LIMIT 4',
    'SELECT DISTINCT id FROM %s.orders ORDER BY id LIMIT 4',
  'SELECT DISTINCT ON (customer_id) customer_id, id FROM %s.orders ORDER BY customer_id, id DESC LIMIT 4',
    'SELECT customer_id, count(*) FROM %s.orders GROUP BY customer_id ORDER BY customer_id LIMIT 4',
    'SELECT customer_id FROM %s.orders GROUP BY customer_id HAVING count(*) > 6 ORDER BY 1 LIMIT 2',
  'SELECT count(*) FROM %s.orders LIMIT 1', 'SELECT max(id) FROM %s.orders', 'SELECT min(total) FROM %s.orders',
    'SELECT max(value) FROM %s.events WHERE id <= 6000', 'SELECT sum(total) FROM %s.orders LIMIT 3',
    'SELECT count(*) FROM %s.orders HAVING count(*) > 5 LIMIT 1',
  'SELECT id, row_number() OVER (ORDER BY total DESC, id) FROM %s.orders ORDER BY id LIMIT 4',
    'SELECT id, sum(id) OVER (ORDER BY id) FROM %s.orders ORDER BY id LIMIT 4',
    'SELECT id, count(*) OVER () FROM %s.orders ORDER BY id LIMIT 4',
  'SELECT customer_id FROM %s.orders ORDER BY customer_id FETCH FIRST 3 ROWS WITH TIES',
    'SELECT order_id FROM %s.order_items ORDER BY order_id FETCH FIRST 2 ROWS WITH TIES',
    'SELECT generate_series(1, 3) AS g, id FROM %s.orders ORDER BY id, g LIMIT 5',
    'SELECT generate_series(1, 0), id FROM %s.orders ORDER BY id LIMIT 5',
  'SELECT unnest(tags) FROM (SELECT id, ARRAY[id, id] AS tags FROM %s.orders) t LIMIT 3',
    'SELECT id FROM %s.orders GROUP BY GROUPING SETS ((id), ()) ORDER BY id NULLS FIRST LIMIT 3',
    'SELECT id FROM %s.orders ORDER BY id LIMIT 3 FOR UPDATE');

-- UNION and subqueries
SELECT query, "rows", same
  FROM compare_each('SELECT id FROM %s.orders UNION ALL SELECT id FROM %1$s.customers ORDER BY id LIMIT 5',
  '(SELECT id FROM %s.orders ORDER BY id DESC LIMIT 3) UNION ALL (SELECT id FROM %1$s.customers ORDER BY id LIMIT 2)',
  'SELECT id FROM %s.orders UNION SELECT id FROM %1$s.customers ORDER BY id DESC LIMIT 5',
  'SELECT id FROM %s.orders EXCEPT SELECT id FROM %1$s.customers ORDER BY id LIMIT 5',
    'SELECT id FROM (SELECT id FROM %s.orders ORDER BY id LIMIT 10) t ORDER BY id DESC LIMIT 3',
    'SELECT id FROM (SELECT id, note FROM %s.orders ORDER BY id LIMIT 10) t WHERE note IS NULL ORDER BY id',
  'SELECT id FROM (SELECT id, total FROM %s.orders ORDER BY total DESC, id LIMIT 5) t WHERE id > 20 ORDER BY id',
    'SELECT count(*) FROM (SELECT id FROM %s.orders LIMIT 10) t',
    'SELECT c.id, (SELECT id FROM %s.orders o WHERE o.customer_id = c.id ORDER BY id DESC LIMIT 1) AS last FROM %1$s.customers c ORDER BY c.id',
  'SELECT c.id, o.id AS o FROM %s.customers c, LATERAL (SELECT id FROM %1$s.orders o WHERE o.customer_id = c.id ORDER BY total DESC, id LIMIT 2) o ORDER BY c.id, o.id',
    'SELECT c.id, o.id AS o FROM %s.customers c, LATERAL (SELECT id FROM %1$s.orders o WHERE o.customer_id = c.id ORDER BY id LIMIT c.id) o ORDER BY c.id, o.id',
  'SELECT c.id, o.id AS o FROM %s.customers c, LATERAL (SELECT id FROM %1$s.orders o ORDER BY id LIMIT 2 OFFSET c.id) o ORDER BY c.id, o.id',
    'SELECT id FROM %s.orders WHERE id > ALL (SELECT id FROM %1$s.customers ORDER BY id LIMIT 5) ORDER BY id LIMIT 2',
    'WITH w AS (SELECT id FROM %s.orders ORDER BY id LIMIT 4) SELECT a.id, b.id AS b FROM w a, w b ORDER BY 1, 2 LIMIT 6',
  'WITH w AS MATERIALIZED (SELECT id FROM %s.orders ORDER BY id) SELECT id FROM w LIMIT 2');
CREATE FUNCTION leak(bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS 'BEGIN RETURN $1 % 2 = 0; END';
CREATE VIEW shop.barrier WITH (security_barrier) AS SELECT id, total FROM shop.orders WHERE id > 5;
CREATE VIEW copies.barrier WITH (security_barrier) AS SELECT id, total FROM copies.orders WHERE id > 5;
SELECT query, "rows", same FROM compare_each('SELECT id FROM %s.barrier WHERE leak(id) ORDER BY id LIMIT 3',
  'SELECT id FROM %s.barrier ORDER BY id LIMIT 3', 'SELECT id FROM %s.orders WHERE leak(id) ORDER BY id LIMIT 3');
\pset format aligned

-- foreign tables as children and partitions
SET client_min_messages = warning;
CREATE TABLE parent (id bigint, total numeric);
CREATE FOREIGN TABLE child (id bigint OPTIONS (key 'true'), total numeric) INHERITS (parent) SERVER shop
  OPTIONS (table_name 'orders');
INSERT INTO parent SELECT i, i FROM generate_series(0, 2) i;
SELECT id, total FROM parent ORDER BY id, total LIMIT 6;
SELECT id, total FROM parent ORDER BY total DESC, id LIMIT 2;
SELECT count(*) FROM parent;
SELECT id FROM parent WHERE id > 69 ORDER BY id DESC LIMIT 1;
SELECT tableoid::regclass, id FROM parent WHERE id IN (1, 2) ORDER BY id, tableoid::regclass::text;
CREATE TABLE parted (id int NOT NULL, val text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE parted_low PARTITION OF parted FOR VALUES FROM (1) TO (2000) SERVER shop
  OPTIONS (table_name 't1001');
ALTER FOREIGN TABLE parted_low ALTER id OPTIONS (ADD key 'true');
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (2000) TO (9000);
INSERT INTO parted_high SELECT i, 'high ' || i FROM generate_series(2000, 4000) i;
SELECT count(*), min(id), max(id), sum(id) FROM parted;
SELECT tableoid::regclass, id, val FROM parted WHERE id IN (1, 1001, 2000) ORDER BY id;
SELECT id, val FROM parted ORDER BY id OFFSET 999 LIMIT 4;
SELECT id, val FROM parted ORDER BY id DESC OFFSET 1999 LIMIT 4;
SELECT count(*) FROM (SELECT id FROM parted LIMIT 1500) t;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM parted WHERE id < 100;
DROP TABLE parent, parted CASCADE;

RESET client_min_messages;

-- a LIMIT that is a parameter, with custom and generic plans
PREPARE few (bigint) AS SELECT id FROM shop.orders ORDER BY id LIMIT $1;
PREPARE window_of (bigint, bigint) AS SELECT id FROM shop.orders ORDER BY total DESC, id LIMIT $1 OFFSET $2;
PREPARE above (bigint, bigint) AS SELECT id FROM shop.orders WHERE id > $2 ORDER BY id LIMIT $1;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE few (2);
EXECUTE few (2);
EXECUTE few (NULL) \g /dev/null
EXECUTE window_of (2, 1);
EXECUTE above (2, 60);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE few (2);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE above (2, 60);
EXECUTE few (2);
EXECUTE few (0);
EXECUTE few (3);
EXECUTE window_of (2, 1);
EXECUTE window_of (2, NULL);
EXECUTE window_of (1, 70);
EXECUTE above (2, 60);
EXECUTE above (NULL, 69);
SELECT id FROM copies.orders ORDER BY total DESC, id LIMIT 3;
-- the parameter limits what is fetched
CREATE FUNCTION received(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Rows Received' THEN RETURN trim(line); END IF;
  END LOOP;
END $$;
SELECT received('EXECUTE few (2)'), received('EXECUTE above (4, 60)'), received('EXECUTE window_of (2, 3)');

-- errors
EXECUTE few (-1);
SELECT id FROM shop.orders ORDER BY id LIMIT -1;
SELECT id FROM shop.orders ORDER BY id OFFSET -1;
RESET plan_cache_mode;
DEALLOCATE ALL;

SET client_min_messages = warning;
DROP VIEW shop.barrier;
DROP SCHEMA copies CASCADE;
DROP FUNCTION compare, compare_each, order_types, leak, received;

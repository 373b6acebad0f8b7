-- Several requests at a time: ranges of a key, parts of a list, tables below an Append.
\getenv uncapped_url STACK_URL_UNCAPPED
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SERVER uncapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'uncapped_url');
CREATE USER MAPPING FOR postgres SERVER uncapped OPTIONS (api_key :'secret_key');
CREATE SCHEMA uncapped;
IMPORT FOREIGN SCHEMA public LIMIT TO (pairs, events, measurements) FROM SERVER uncapped INTO uncapped;
RESET client_min_messages;

-- what EXPLAIN (ANALYZE) counts
CREATE FUNCTION counted(query text, OUT requests int, OUT pages int, OUT "rows" int) LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT json) ' || query INTO plan;
  plan := plan->0->'Plan';
  WHILE plan->>'Node Type' <> 'Foreign Scan' LOOP plan := plan->'Plans'->0; END LOOP;
  requests := plan->>'Requests';
  pages := plan->>'Pages';
  "rows" := plan->>'Rows Received';
END $$;

-- the option
ALTER FOREIGN TABLE shop.events OPTIONS (ADD max_parallel_requests '0');
ALTER FOREIGN TABLE shop.events OPTIONS (ADD max_parallel_requests '17');
ALTER FOREIGN TABLE shop.events OPTIONS (ADD async_capable 'perhaps');

-- whatever the number of requests, the same rows
CREATE FUNCTION checksums(tab text) RETURNS TABLE (parallel int, n bigint, same boolean) LANGUAGE plpgsql AS $$
DECLARE first text; this text;
BEGIN
  FOREACH parallel IN ARRAY '{1,2,4,16}'::int[] LOOP
    EXECUTE format('ALTER FOREIGN TABLE %s OPTIONS (ADD max_parallel_requests %L)', tab, parallel);
    EXECUTE format('SELECT count(*), md5(string_agg(t, ''|'' ORDER BY t COLLATE "C"))
      FROM (SELECT e::text AS t FROM %s e OFFSET 0) q', tab) INTO n, this;
    first := coalesce(first, this);
    same := this = first;
    RETURN NEXT;
    EXECUTE format('ALTER FOREIGN TABLE %s OPTIONS (DROP max_parallel_requests)', tab);
  END LOOP;
END $$;
SELECT * FROM checksums('shop.events');
SELECT * FROM checksums('uncapped.events');
SELECT * FROM checksums('shop.pairs');
SELECT * FROM checksums('uncapped.pairs');
ALTER FOREIGN TABLE shop.measurements OPTIONS (ADD fetch_size '70');
SELECT * FROM checksums('shop.measurements');
ALTER FOREIGN TABLE shop.measurements OPTIONS (DROP fetch_size);
-- a column of text as the key
CREATE FOREIGN TABLE shop.events_by_text (id text OPTIONS (key 'true', remote_type 'bigint'), kind text) SERVER shop
  OPTIONS (table_name 'events');
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM shop.events_by_text OFFSET 0) t;
DROP FOREIGN TABLE shop.events_by_text;
-- conditions hold in every range
SELECT count(*), sum(id) FROM (SELECT id FROM shop.events WHERE kind = 'buy' AND id % 7 < 5 OFFSET 0) t;
SELECT count(*), sum(id) FROM (SELECT id FROM uncapped.events WHERE kind = 'buy' AND id % 7 < 5 OFFSET 0) t;

-- little is asked for where little is wanted
SELECT requests, "rows" FROM counted('SELECT * FROM shop.events LIMIT 10');
SELECT requests, "rows" FROM counted('SELECT * FROM (SELECT *, random() FROM shop.events OFFSET 0) t LIMIT 10');
SELECT requests FROM counted('SELECT * FROM shop.orders');
SELECT requests - pages BETWEEN 1 AND 15 AS probes, pages BETWEEN 100 AND 115 AS pages, "rows"
  FROM counted('SELECT id FROM shop.events');
-- in order, one page after the other
SELECT requests = pages AS no_probes, "rows" FROM counted('SELECT id FROM shop.events ORDER BY id');
SELECT bool_and(id = n) FROM (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM shop.events ORDER BY id) e) t;

-- where many rows are expected, the largest key is asked for with the first page, unless a part of the rows may do; an
-- estimate that turns out wrong costs that request
CREATE FOREIGN TABLE believed_large (id bigint OPTIONS (key 'true')) SERVER shop OPTIONS (table_name 'products');
UPDATE pg_class SET reltuples = 1000000, relpages = 10000 WHERE oid = 'believed_large'::regclass;
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large WHERE id > 0');
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large WHERE id > 0 LIMIT 10');
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large WHERE id > 0 ORDER BY id');
SELECT requests, "rows" FROM counted('DECLARE c CURSOR FOR SELECT id FROM believed_large WHERE id > 0');
SELECT requests, "rows" FROM counted('SELECT WHERE EXISTS (SELECT FROM believed_large WHERE id > 0)');
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large WHERE id > 0 AND id < 10');
-- once the size of the table is known, no more
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large');
SELECT requests, "rows" FROM counted('SELECT id FROM believed_large WHERE id > 0');

-- lists too long for one request
CREATE TABLE ids AS SELECT array_agg(i * 9) AS list FROM generate_series(1, 10000) i;
SELECT count(*), sum(id) FROM (SELECT id FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[]) OFFSET 0) t;
SELECT requests, pages, "rows" FROM counted('SELECT id, kind FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[])');
SELECT requests <= 12 AS few, "rows" FROM counted('SELECT id, kind FROM uncapped.events WHERE id = ANY ((SELECT list FROM ids)::bigint[])');
-- a value that is listed twice does not bring its row twice, however it is written
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM shop.events WHERE id = ANY ((SELECT list || list FROM ids)::bigint[])
  OFFSET 0) t;
SELECT count(*), count(DISTINCT order_id) FROM (SELECT order_id FROM shop.order_items WHERE unit_price = ANY (
  (SELECT array_agg((i / 100.0)::numeric(10,2)) || array_agg((i / 100.0)::numeric(10,4)) FROM generate_series(1, 3000) i)::numeric[])
  OFFSET 0) t;
SELECT count(*) FROM (SELECT * FROM shop.order_items WHERE unit_price <= 30 OFFSET 0) t;
-- with a limit, and in order
SELECT count(*) FROM (SELECT id FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[]) LIMIT 2500) t;
SELECT id FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[]) ORDER BY id DESC LIMIT 3;
SELECT id FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[]) ORDER BY id LIMIT 3;
-- two of them
SELECT count(*) FROM (SELECT id FROM shop.events WHERE id = ANY ((SELECT list FROM ids)::bigint[])
  AND id = ANY ((SELECT array_agg(i * 6) FROM generate_series(1, 10000) i)::bigint[]) OFFSET 0) t;
SELECT count(*) FROM (SELECT id FROM shop.events WHERE id <> ALL ((SELECT list FROM ids)::bigint[]) OFFSET 0) t;

-- below an Append
CREATE TABLE two_sides (id bigint, kind text);
CREATE FOREIGN TABLE here (id bigint OPTIONS (key 'true'), kind text) INHERITS (two_sides) SERVER shop
  OPTIONS (table_name 'events');
CREATE FOREIGN TABLE there (id bigint OPTIONS (key 'true'), kind text) INHERITS (two_sides) SERVER uncapped
  OPTIONS (table_name 'events');
EXPLAIN (COSTS OFF) SELECT id FROM two_sides;
SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM two_sides OFFSET 0) t;
SELECT count(*) FROM (SELECT id FROM two_sides WHERE id <= 30 OFFSET 0) t;
SELECT count(*) FROM (SELECT id FROM two_sides LIMIT 1500) t;
SELECT count(*) FROM (SELECT id FROM two_sides WHERE kind = 'no such' OFFSET 0) t;
-- rows that are filtered here
SELECT count(*) FROM (SELECT id FROM two_sides WHERE id % 1000 = 7 OFFSET 0) t;
-- again and again
SELECT i, (SELECT count(*) FROM (SELECT id FROM two_sides WHERE id <= i * 1000 OFFSET 0) q) FROM generate_series(1, 4) i;
-- a cancel, and an error of one of them
SET statement_timeout = '20ms';
SELECT count(*) FROM (SELECT id FROM two_sides OFFSET 0) t;
RESET statement_timeout;
CREATE FOREIGN TABLE nowhere (id bigint OPTIONS (key 'true'), kind text) INHERITS (two_sides) SERVER uncapped
  OPTIONS (table_name 'no_such_table');
SELECT count(*) FROM (SELECT id FROM two_sides OFFSET 0) t;
DROP FOREIGN TABLE nowhere;
SELECT count(*) FROM (SELECT id FROM two_sides WHERE id <= 1500 OFFSET 0) t;
ALTER FOREIGN TABLE there OPTIONS (ADD async_capable 'false');
EXPLAIN (COSTS OFF) SELECT id FROM two_sides;
SELECT count(*), sum(id) FROM (SELECT id FROM two_sides WHERE id <= 5000 OFFSET 0) t;

SET client_min_messages = warning;
DROP TABLE two_sides, ids CASCADE;
DROP FOREIGN TABLE believed_large;
DROP SCHEMA uncapped CASCADE;
DROP SERVER uncapped CASCADE;
DROP FUNCTION counted, checksums;

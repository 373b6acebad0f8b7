-- More rows than the server gives at once: none is lost, none comes twice. The rows are counted by sum(1), because
-- count(*) alone would be asked of the server, and so would groups.
\getenv uncapped_url STACK_URL_UNCAPPED
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SERVER uncapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'uncapped_url', aggregates 'false');
CREATE USER MAPPING FOR postgres SERVER uncapped OPTIONS (api_key :'secret_key');
CREATE SCHEMA uncapped;
IMPORT FOREIGN SCHEMA public LIMIT TO (pairs, nokey, events, measurements) FROM SERVER uncapped INTO uncapped;
ALTER SERVER shop OPTIONS (ADD aggregates 'false');
RESET client_min_messages;

-- EXPLAIN ANALYZE without what varies between runs
CREATE FUNCTION counters(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ '(Requests|Pages|Rows Received|Retries|Remote Request): ' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;

-- a composite key with every nasty character: 10,000 rows through pages of 1,000
SELECT count(*), count(DISTINCT (a, b)), count(DISTINCT c), min(c), max(c), sum(c) FROM shop.pairs;
SELECT (SELECT md5(string_agg(a || ':' || b || ':' || c, '|' ORDER BY a, b COLLATE "C")) FROM shop.pairs)
     = (SELECT md5(string_agg(a || ':' || b || ':' || c, '|' ORDER BY a, b COLLATE "C")) FROM uncapped.pairs) AS same;
SELECT count(*) FROM (SELECT * FROM shop.pairs EXCEPT ALL SELECT * FROM uncapped.pairs) t;
SELECT count(*) FROM (SELECT * FROM uncapped.pairs EXCEPT ALL SELECT * FROM shop.pairs) t;
SELECT count(*), count(DISTINCT c) FROM shop.pairs WHERE a BETWEEN 10 AND 59 AND c <> 77;
SELECT count(c), sum(1) FROM shop.pairs WHERE a = 7 OR c > 5000;
-- the key is fetched for paging even where the query does not want it
SELECT count(*), count(DISTINCT c), sum(c) FROM (SELECT c FROM shop.pairs) t;

-- without a key, each row four times
SELECT count(*), count(DISTINCT (n, label, amount)) FROM shop.nokey;
SELECT times, count(*) FROM (SELECT count(*) AS times FROM shop.nokey GROUP BY n, label, amount) t GROUP BY times;
SELECT times, count(*) FROM (SELECT count(*) AS times FROM shop.nokey GROUP BY amount) t GROUP BY times;
SELECT times, count(*) FROM (SELECT count(*) AS times FROM shop.nokey GROUP BY label) t GROUP BY times ORDER BY times;
SELECT count(*) FROM (SELECT * FROM shop.nokey EXCEPT ALL SELECT * FROM uncapped.nokey) t;
SELECT count(*) FROM (SELECT * FROM uncapped.nokey EXCEPT ALL SELECT * FROM shop.nokey) t;
SELECT count(*), sum(amount) FROM shop.nokey WHERE n >= 1000 AND label IS NOT NULL;

-- 100,000 rows
SELECT count(*), count(DISTINCT id), min(id), max(id), sum(id) FROM shop.events;
SELECT (SELECT md5(string_agg(e::text, '|' ORDER BY id)) FROM shop.events e)
     = (SELECT md5(string_agg(e::text, '|' ORDER BY id)) FROM uncapped.events e) AS same;
SELECT bool_and(id = n) FROM (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM shop.events ORDER BY id) e) t;

-- a key with a timestamp
SELECT count(*), count(DISTINCT (station, at)) FROM shop.measurements;
SELECT count(*) FROM (SELECT * FROM shop.measurements EXCEPT ALL SELECT * FROM uncapped.measurements) t;
SET timezone = 'America/St_Johns';
SET datestyle = 'SQL, DMY';
SELECT count(*), count(DISTINCT (station, at)) FROM shop.measurements;
RESET timezone;
RESET datestyle;

-- exactly a page, one more, none
SELECT count(*), sum(id) FROM shop.t1000;
SELECT count(*), sum(id) FROM shop.t1001;
SELECT sum(1) FROM shop.empty_table;
SELECT * FROM shop.empty_table;
SELECT sum(1) FROM shop.t1000 WHERE id <= 999;
SELECT sum(1) FROM shop.events WHERE id <= 2000;
SELECT sum(1) FROM shop.events WHERE id <= 2001;

-- how many requests that takes; each starts with a session that knows nothing of the cap
\c -
SELECT * FROM counters('SELECT * FROM shop.t1000');
\c -
SELECT * FROM counters('SELECT * FROM shop.t1001');
\c -
SELECT * FROM counters('SELECT * FROM shop.empty_table');
\c -
SELECT * FROM counters('SELECT * FROM shop.orders WHERE id = 5');
SELECT * FROM counters('SELECT * FROM shop.orders WHERE id IN (5, 6, 7)');
SELECT * FROM counters('SELECT * FROM shop.orders WHERE id = 5 AND id = 6');
SELECT * FROM counters('SELECT * FROM shop.orders LIMIT 7');
\c -
-- one request at a time: how many there are must not depend on which answer comes first
ALTER SERVER shop OPTIONS (ADD max_parallel_requests '1');
ALTER SERVER uncapped OPTIONS (ADD max_parallel_requests '1');
SELECT * FROM counters('SELECT a, b FROM shop.pairs');
\c -
SELECT * FROM counters('SELECT n FROM shop.nokey');
\c -
SELECT * FROM counters('SELECT * FROM uncapped.pairs');
\c -
-- as many rows as the last time will have room in the first page; not where the query may stop early
SELECT * FROM counters('SELECT * FROM uncapped.events WHERE id <= 4000');
SELECT * FROM counters('SELECT * FROM uncapped.events WHERE id <= 4000');
SELECT * FROM counters('SELECT * FROM uncapped.events WHERE id <= 3999');
SELECT * FROM counters('SELECT * FROM uncapped.events WHERE id <= 4000 LIMIT 3');
EXPLAIN (VERBOSE, COSTS OFF) DECLARE c CURSOR FOR SELECT * FROM uncapped.events WHERE id <= 4000;
SELECT * FROM counters('SELECT id FROM uncapped.events WHERE id <= 4000');
EXPLAIN (VERBOSE, COSTS OFF) SELECT EXISTS (SELECT FROM uncapped.events WHERE id <= 4000 OFFSET 1);
ALTER SERVER shop OPTIONS (DROP max_parallel_requests);
ALTER SERVER uncapped OPTIONS (DROP max_parallel_requests);

-- every size of a page gives the same rows
CREATE FUNCTION by_fetch_size(tab text, sizes int[], OUT fetch_size int, OUT "rows" bigint, OUT distinct_rows bigint,
  OUT requests int) RETURNS SETOF record
LANGUAGE plpgsql AS $$
BEGIN
  FOREACH fetch_size IN ARRAY sizes LOOP
    EXECUTE format('ALTER FOREIGN TABLE shop.%s OPTIONS (ADD fetch_size %L)', tab, fetch_size);
    EXECUTE format('SELECT count(*), count(DISTINCT t::text) FROM shop.%s t', tab) INTO "rows", distinct_rows;
    SELECT substring(c FROM 'Requests: (\d+)')::int INTO requests FROM counters('SELECT * FROM shop.' || tab) c
      WHERE c ~ 'Requests';
    RETURN NEXT;
    EXECUTE format('ALTER FOREIGN TABLE shop.%s OPTIONS (DROP fetch_size)', tab);
  END LOOP;
END $$;
\c -
SELECT fetch_size, "rows", distinct_rows FROM by_fetch_size('t1001', '{1,7,999,1000,1001,5000}');
SELECT fetch_size, "rows", distinct_rows FROM by_fetch_size('t1000', '{7,100,999,1000,1001,5000}');
SELECT fetch_size, "rows", distinct_rows FROM by_fetch_size('pairs', '{77,999,1000,1001,5000}');
SELECT fetch_size, "rows", distinct_rows FROM by_fetch_size('nokey', '{77,999,1000,1001,5000}');
ALTER SERVER shop OPTIONS (ADD max_parallel_requests '1');
SELECT fetch_size, "rows", distinct_rows, requests FROM by_fetch_size('orders', '{1,7,70,71,72}');
ALTER SERVER shop OPTIONS (DROP max_parallel_requests);
SELECT fetch_size, "rows", distinct_rows FROM by_fetch_size('empty_table', '{1,1000}');
ALTER SERVER shop OPTIONS (ADD fetch_size '30');
SELECT * FROM counters('SELECT id FROM shop.orders');
ALTER FOREIGN TABLE shop.orders OPTIONS (ADD fetch_size '50');
SELECT * FROM counters('SELECT id FROM shop.orders');
ALTER FOREIGN TABLE shop.orders OPTIONS (DROP fetch_size);
ALTER SERVER shop OPTIONS (DROP fetch_size);

-- what was learned about one server's cap is not believed of another
SELECT sum(1) FROM uncapped.pairs;
SELECT sum(1) FROM shop.pairs;
SELECT sum(1) FROM uncapped.nokey;
SELECT sum(1) FROM shop.nokey;

-- filters here and there
SELECT count(*), sum(c) FROM shop.pairs WHERE b LIKE 'plain%';
SELECT count(*), sum(c) FROM uncapped.pairs WHERE b LIKE 'plain%';
SELECT count(*), min(id), max(id) FROM shop.events WHERE kind = 'buy' AND value IS NULL;
SELECT count(*), min(id), max(id) FROM uncapped.events WHERE kind = 'buy' AND value IS NULL;
SELECT * FROM counters('SELECT id FROM shop.events WHERE kind = ''buy'' AND id <= 4000 AND payload || '''' LIKE ''%7''');

-- no columns at all
SELECT count(*) FROM (SELECT FROM shop.pairs) t;
SELECT count(*) FROM (SELECT 1 FROM shop.nokey) t;
SELECT sum(1) FROM shop.nokey WHERE n < 600;
SELECT count(*) FROM shop.pairs a WHERE EXISTS (SELECT FROM shop.t1000);

-- a cursor, piece by piece
BEGIN;
DECLARE piecewise CURSOR FOR SELECT c FROM shop.pairs;
CREATE TEMP TABLE pieces (c int);
DO $$
DECLARE
  piecewise refcursor := 'piecewise';
  value int; n int := 0;
BEGIN
  LOOP
    FETCH piecewise INTO value;
    EXIT WHEN NOT FOUND;
    INSERT INTO pieces VALUES (value);
    n := n + 1;
  END LOOP;
  RAISE INFO '% fetched', n;
END $$;
SELECT count(*), count(DISTINCT c), sum(c) FROM pieces;
COMMIT;
-- two at a time, with other queries between
BEGIN;
DECLARE one CURSOR FOR SELECT id FROM shop.events WHERE id <= 5000 ORDER BY id;
DECLARE two CURSOR FOR SELECT id FROM shop.events WHERE id > 95000 ORDER BY id;
FETCH 2 FROM one;
FETCH 2 FROM two;
MOVE 1500 FROM one;
FETCH 2 FROM one;
SELECT count(*) FROM shop.orders;
MOVE 999 FROM two;
FETCH 2 FROM two;
MOVE ALL FROM one;
FETCH 1 FROM one;
MOVE 3990 FROM two;
FETCH ALL FROM two;
CLOSE one;
FETCH BACKWARD 1 FROM two;
COMMIT;
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT id FROM shop.t1001 ORDER BY id;
MOVE 1001 FROM back;
FETCH PRIOR FROM back;
FETCH FIRST FROM back;
FETCH ABSOLUTE 1001 FROM back;
FETCH NEXT FROM back;
COMMIT;
-- rows that come and go between two pages: those that stay are seen once
CREATE TABLE seen (id int);
ALTER FOREIGN TABLE shop.t1001 OPTIONS (ADD fetch_size '100');
BEGIN;
DECLARE walking CURSOR FOR SELECT id FROM shop.t1001 ORDER BY id;
FETCH 1 FROM walking;
\! "$STACK_BIN/psql" -X -q -h "$STACK_REMOTE_HOST" -p "$STACK_REMOTE_PORT" -U postgres -d postgres -c 'DELETE FROM t1001 WHERE id IN (2, 500, 1001)' -c "INSERT INTO t1001 VALUES (-5, 'low'), (2000, 'high')"
DO $$
DECLARE
  walking refcursor := 'walking';
  value int;
BEGIN
  LOOP
    FETCH walking INTO value;
    EXIT WHEN NOT FOUND;
    INSERT INTO seen VALUES (value);
  END LOOP;
END $$;
SELECT count(*), count(DISTINCT id), min(id), max(id), array_agg(id) FILTER (WHERE id IN (-5, 500, 1001, 2000)) FROM seen;
COMMIT;
\! "$STACK_BIN/psql" -X -q -h "$STACK_REMOTE_HOST" -p "$STACK_REMOTE_PORT" -U postgres -d postgres -c 'DELETE FROM t1001 WHERE id IN (-5, 2000)' -c "INSERT INTO t1001 SELECT i, 'v' || i FROM unnest('{2,500,1001}'::int[]) i"
ALTER FOREIGN TABLE shop.t1001 OPTIONS (DROP fetch_size);
SELECT count(*), sum(id), count(val) FROM (TABLE shop.t1001 OFFSET 0) t;
DROP TABLE seen;
-- one that outlives its transaction, one that is left early
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM shop.events WHERE id <= 3000 ORDER BY id;
COMMIT;
MOVE 2998 FROM held;
FETCH ALL FROM held;
CLOSE held;
BEGIN;
DECLARE early CURSOR FOR SELECT id FROM shop.events;
FETCH 1 FROM early;
ROLLBACK;

-- scans that start again
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
CREATE TABLE few AS SELECT i FROM generate_series(1, 4) i;
SELECT few.i, count(*), count(DISTINCT t.id) FROM few, shop.t1001 t WHERE t.id % 5 <> few.i GROUP BY few.i
  ORDER BY few.i;
SELECT few.i, count(*), sum(t.id) FROM few, shop.t1000 t WHERE t.id > few.i * 10 GROUP BY few.i ORDER BY few.i;
SELECT few.i, count(*), sum(t.n) FROM few, shop.nokey t WHERE t.n % 4 = few.i - 1 GROUP BY few.i ORDER BY few.i;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;
SELECT few.i, t.* FROM few, LATERAL (SELECT count(*), count(DISTINCT id), sum(id) FROM shop.events
  WHERE id > few.i * 1000 AND id <= few.i * 3000) t ORDER BY few.i;
SELECT few.i, t.* FROM few, LATERAL (SELECT id FROM shop.events WHERE id > few.i * 1000 ORDER BY id LIMIT 2) t
  ORDER BY few.i, t.id;
SELECT few.i, (SELECT sum(1) FROM shop.pairs p WHERE p.a < few.i * 15) FROM few ORDER BY few.i;
SELECT count(*) FROM shop.t1001 x JOIN shop.t1000 y USING (id);
SELECT count(*) FROM shop.pairs x JOIN shop.pairs y USING (a, b);
DROP TABLE few;

-- a key that is none loses rows: an error
CREATE FOREIGN TABLE shop.wrong_key (n int OPTIONS (key 'true'), label text) SERVER shop OPTIONS (table_name 'nokey');
SELECT sum(1) FROM shop.wrong_key;
SELECT sum(length(label)) FROM shop.wrong_key WHERE n > 100;
CREATE FOREIGN TABLE shop.null_key (n int, label text OPTIONS (key 'true')) SERVER shop OPTIONS (table_name 'nokey');
SELECT sum(1) FROM shop.null_key WHERE label IS NULL;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE shop.part_key (order_id bigint OPTIONS (key 'true'), line_no int) SERVER shop
  OPTIONS (table_name 'order_items');
SELECT sum(1) FROM shop.part_key;
SELECT * FROM shop.part_key WHERE order_id = 3;
-- duplicates that fall on the boundary of two pages
CREATE FOREIGN TABLE shop.edge_key (order_id bigint OPTIONS (key 'true'), line_no int) SERVER shop
  OPTIONS (table_name 'order_items', fetch_size '1');
SELECT sum(1) FROM shop.edge_key;

SET client_min_messages = warning;
ALTER SERVER shop OPTIONS (DROP aggregates);
DROP FOREIGN TABLE shop.wrong_key, shop.null_key, shop.part_key, shop.edge_key;
DROP SCHEMA uncapped CASCADE;
DROP SERVER uncapped CASCADE;
DROP FUNCTION counters, by_fetch_size;

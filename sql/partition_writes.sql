-- UPDATE and DELETE of partitioned tables and inheritance trees: every statement is also run on a local copy. The requests
-- are counted at the remote.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT supabase_rpc('shop', 'clear', schema => 'writing');
CREATE SCHEMA pw;
CREATE SCHEMA copies;

-- Columns in another order and under other names in each partition; one had a column that was dropped, one is two levels down.
CREATE TABLE pw.log (a int, b text, v text) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE pw.low (v text, gone int, b text OPTIONS (key 'true'), a int OPTIONS (key 'true') NOT NULL) SERVER shop
  OPTIONS (schema_name 'writing', table_name 'pairs');
ALTER FOREIGN TABLE pw.low DROP COLUMN gone;
CREATE TABLE pw.here (b text, v text, a int);
CREATE TABLE pw.above (b text, a int, v text) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE pw.high (b text OPTIONS (column_name 'c,"d'), a int OPTIONS (column_name 'a b', key 'true') NOT NULL, v text OPTIONS (column_name 'select'))
  SERVER shop OPTIONS (schema_name 'writing', table_name 'odd (name), here');
ALTER TABLE pw.log ATTACH PARTITION pw.low FOR VALUES FROM (0) TO (1000);
ALTER TABLE pw.log ATTACH PARTITION pw.here FOR VALUES FROM (1000) TO (2000);
ALTER TABLE pw.log ATTACH PARTITION pw.above FOR VALUES FROM (2000) TO (4000);
ALTER TABLE pw.above ATTACH PARTITION pw.high FOR VALUES FROM (2000) TO (3000);
CREATE TABLE copies.log (a int, b text, v text) PARTITION BY RANGE (a);
CREATE TABLE copies.low PARTITION OF copies.log FOR VALUES FROM (0) TO (1000);
CREATE TABLE copies.here PARTITION OF copies.log FOR VALUES FROM (1000) TO (2000);
CREATE TABLE copies.above PARTITION OF copies.log FOR VALUES FROM (2000) TO (4000) PARTITION BY RANGE (a);
CREATE TABLE copies.high PARTITION OF copies.above FOR VALUES FROM (2000) TO (3000);
CREATE TABLE copies.wish (a int, w text) PARTITION BY RANGE (a);
CREATE TABLE copies.wish_low PARTITION OF copies.wish FOR VALUES FROM (0) TO (1000);
CREATE TABLE copies.wish_here PARTITION OF copies.wish FOR VALUES FROM (1000) TO (2000);
CREATE TABLE copies.wish_high PARTITION OF copies.wish FOR VALUES FROM (2000) TO (3000);
INSERT INTO copies.wish SELECT a, w FROM generate_series(0, 2990, 10) a, unnest('{x,y}'::text[]) w WHERE w = 'x' OR a % 20 = 0;
ANALYZE copies.wish;

CREATE FUNCTION pw.fill() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE copies.log, pw.here;
  DELETE FROM pw.low;
  DELETE FROM pw.high;
  INSERT INTO copies.log SELECT i, 'b' || i % 7, 'v' || i % 3 FROM generate_series(0, 2999, 5) i;
  INSERT INTO pw.log SELECT * FROM copies.log;
  ANALYZE copies.log, pw.here;
END $$;
-- The requests since the last call, by table.
CREATE FUNCTION pw.requests() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  counts text;
BEGIN
  SELECT string_agg(r.name || ' ' || lower(j ->> 'operation') || ' ' || (j ->> 'count'), ', ') INTO counts FROM (VALUES ('low', 'pairs'), ('high', 'odd (name), here')) r (name, relation),
    supabase_rpc('shop', 'statement_count', jsonb_build_object('of_relation', relation), 'writing') j;
  PERFORM supabase_rpc('shop', 'forget_statements', schema => 'writing');
  RETURN counts;
END $$;
CREATE FUNCTION pw.contents(log text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  rows text[];
BEGIN
  EXECUTE format('SELECT array_agg(concat_ws('','', a, b, v) ORDER BY a, b COLLATE "C", v COLLATE "C") FROM %s', log) INTO rows;
  RETURN rows;
END $$;
-- A statement on both (schema %1$s): whether the same number of rows was changed, the same was returned and is there now.
CREATE FUNCTION compare(VARIADIC statements text[]) RETURNS TABLE (statement text, "rows" bigint, same boolean, requests text) LANGUAGE plpgsql AS $$
DECLARE
  here text[]; there text[]; n bigint;
BEGIN
  FOREACH statement IN ARRAY statements LOOP
    PERFORM pw.requests();
    IF statement LIKE '%RETURNING%' THEN
      EXECUTE 'WITH t AS (' || format(statement, 'copies') || ') SELECT count(*), array_agg(t::text ORDER BY t::text COLLATE "C") FROM t' INTO "rows", here;
      EXECUTE 'WITH t AS (' || format(statement, 'pw') || ') SELECT count(*), array_agg(t::text ORDER BY t::text COLLATE "C") FROM t' INTO n, there;
    ELSE
      EXECUTE format(statement, 'copies');
      GET DIAGNOSTICS "rows" = ROW_COUNT;
      EXECUTE format(statement, 'pw');
      GET DIAGNOSTICS n = ROW_COUNT;
    END IF;
    requests := pw.requests();
    same := n = "rows" AND here IS NOT DISTINCT FROM there AND pw.contents('copies.log') IS NOT DISTINCT FROM pw.contents('pw.log');
    RETURN NEXT;
  END LOOP;
END $$;
SELECT pw.fill();

-- ---- what the plans are ----
EXPLAIN (VERBOSE, COSTS OFF) UPDATE pw.log SET v = v || a RETURNING tableoid, *;
EXPLAIN (COSTS OFF) UPDATE pw.log SET v = 'same' WHERE b = 'b1';
EXPLAIN (COSTS OFF) DELETE FROM pw.log WHERE mod(a, 3) = 0 AND a < 1500;
-- not where a row may have to go elsewhere, nor where the partitions are joined as a whole
EXPLAIN (COSTS OFF) UPDATE pw.log SET a = a + 1 WHERE mod(a, 3) = 0;
SET enable_hashjoin = off; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) DELETE FROM pw.log USING copies.wish_low w WHERE w.w = log.v;
RESET enable_hashjoin; RESET enable_mergejoin;
SET enable_partitionwise_join = on;
EXPLAIN (COSTS OFF) DELETE FROM pw.log l USING copies.log c WHERE c.a = l.a AND c.v = 'v0';
RESET enable_partitionwise_join;

-- ---- rows and requests ----
\pset format unaligned
SELECT * FROM compare($$UPDATE %1$s.log SET v = v || a$$,
  $$UPDATE %1$s.log SET v = 'new' WHERE mod(a, 3) = 0$$,
  $$UPDATE %1$s.log SET v = 'third' WHERE mod(a, 3) = 1 RETURNING split_part(tableoid::regclass::text, '.', 2) AS part, *$$,
  $$UPDATE %1$s.log SET v = b || a, b = 'c' || v WHERE a BETWEEN 950 AND 2050 RETURNING v, log.b, log.a, log$$,
  $$UPDATE %1$s.log SET v = upper(v) WHERE a < 30 RETURNING v || '!' AS v, a$$,
  $$UPDATE %1$s.log SET v = coalesce(b, v) WHERE a >= 2900 RETURNING a$$,
  $$UPDATE %1$s.log SET v = DEFAULT WHERE mod(a, 100) = 0 AND a > 500$$,
  $$UPDATE %1$s.log SET v = 'none' WHERE mod(a, 7) = 9 RETURNING *$$,
  $$UPDATE %1$s.log SET v = 'const' WHERE v = 'new' AND a > 100 RETURNING *$$,
  $$UPDATE %1$s.above SET v = v || '^' WHERE mod(a, 3) = 2 RETURNING a, b, v$$,
  $$DELETE FROM %1$s.log WHERE mod(a, 11) = 0 RETURNING split_part(tableoid::regclass::text, '.', 2) AS part, a, v$$,
  $$DELETE FROM %1$s.log WHERE mod(a, 4) = 0$$,
  $$DELETE FROM %1$s.log WHERE v = 'third'$$,
  $$DELETE FROM %1$s.log$$);
SELECT pw.fill();

-- ---- with other tables ----
SELECT * FROM compare($$UPDATE %1$s.log SET v = w FROM copies.wish w WHERE w.a = log.a AND w = 'x' RETURNING log.a, log.v, w.w$$,
  $$DELETE FROM %1$s.log WHERE a IN (SELECT a FROM copies.wish WHERE mod(a, 30) = 0)$$);
SET enable_partitionwise_join = on;
SELECT * FROM compare($$DELETE FROM %1$s.log l USING copies.wish w WHERE w.a = l.a AND mod(l.a, 50) = 0 RETURNING l.*, w, w.w || l.v AS both$$,
  $$DELETE FROM %1$s.log l USING copies.wish w WHERE w.a = l.a AND mod(l.a, 70) = 0$$);
RESET enable_partitionwise_join;
-- one partition is left when planned
EXPLAIN (COSTS OFF) UPDATE pw.log SET v = w FROM copies.wish_low w WHERE w.a = log.a AND log.a < 400;
SELECT * FROM compare($$UPDATE %1$s.log SET v = w.w || log.a FROM copies.wish_low w WHERE w.a = log.a AND log.a < 400 AND w.w = 'x' RETURNING log.*, w.*, split_part(log.tableoid::regclass::text, '.', 2) AS part$$,
  $$UPDATE %1$s.log SET v = w.w || log.a FROM copies.wish w WHERE w.a = log.a AND log.a < 300 AND w.w = 'x' RETURNING log.*$$,
  $$DELETE FROM %1$s.log USING copies.wish w WHERE w.a = log.a AND log.a < 200$$,
  $$DELETE FROM %1$s.log WHERE a = 2010 AND v IS NOT NULL RETURNING *$$);

-- ---- a statement does not see its own changes ----
SELECT pw.fill();
SELECT * FROM compare($$UPDATE %1$s.log l SET v = (SELECT max(v) || '+' FROM %1$s.log o WHERE o.a = mod(l.a, 1000)) WHERE l.a < 100 OR l.a >= 2900 RETURNING a, v$$,
  $$DELETE FROM %1$s.log l WHERE mod(l.a, 1000) < 50 AND EXISTS (SELECT FROM %1$s.log o WHERE o.a = mod(l.a, 1000) AND o.b = 'b0')$$,
  $$UPDATE %1$s.log l SET v = v || (SELECT count(*) FROM %1$s.log WHERE v = 'v1')$$);
-- partitions that show the same remote table: what each of them changes has been read before
CREATE TABLE pw.tree (a int, b text, v text);
CREATE FOREIGN TABLE pw.one (x int) INHERITS (pw.tree) SERVER shop OPTIONS (schema_name 'writing', table_name 'pairs');
CREATE FOREIGN TABLE pw.two () INHERITS (pw.tree) SERVER shop OPTIONS (schema_name 'writing', table_name 'pairs');
ALTER FOREIGN TABLE pw.one DROP COLUMN x, ALTER a OPTIONS (ADD key 'true'), ALTER b OPTIONS (ADD key 'true');
ALTER FOREIGN TABLE pw.two ALTER a OPTIONS (ADD key 'true'), ALTER b OPTIONS (ADD key 'true');
INSERT INTO pw.tree VALUES (1, 'local', 'v');
DELETE FROM pw.low WHERE a > 50;
-- the new values are made above the Append, unless the partition makes them
EXPLAIN (VERBOSE, COSTS OFF) UPDATE pw.tree SET v = v || '*' || a;
SELECT pw.requests() IS NOT NULL;
UPDATE pw.tree SET v = v || '*' || a;
UPDATE pw.tree SET v = v || '-' WHERE a < 11 RETURNING tableoid::regclass, *;
SELECT pw.requests();
EXPLAIN (COSTS OFF) UPDATE pw.tree SET v = coalesce(v, 'null') || a RETURNING v;
EXPLAIN (COSTS OFF) UPDATE pw.tree SET v = coalesce(v, 'null') || a;
SELECT a, v FROM pw.low WHERE a < 20 ORDER BY a;
WITH d AS (DELETE FROM pw.tree WHERE mod(a, 2) = 1 RETURNING tableoid::regclass AS part, a) SELECT part, count(*), sum(a) FROM d GROUP BY 1 ORDER BY 1;

-- ---- without a key: ctid and xmin ----
CREATE TABLE pw.keyless (a int, b text, v text) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE pw.keyless_low PARTITION OF pw.keyless FOR VALUES FROM (0) TO (1000) SERVER shop OPTIONS (schema_name 'writing', table_name 'pairs');
CREATE TABLE pw.keyless_here PARTITION OF pw.keyless FOR VALUES FROM (1000) TO (2000);
CREATE FOREIGN TABLE pw.keyless_high (v text OPTIONS (column_name 'select'), b text OPTIONS (column_name 'c,"d'), a int OPTIONS (column_name 'a b')) SERVER shop
  OPTIONS (schema_name 'writing', table_name 'odd (name), here');
ALTER TABLE pw.keyless ATTACH PARTITION pw.keyless_high FOR VALUES FROM (2000) TO (3000);
SELECT pw.fill();
DELETE FROM pw.log WHERE a > 20 AND a < 2980;
INSERT INTO pw.keyless VALUES (1001, 'h', 'local');
SELECT pw.requests() IS NOT NULL;
WITH u AS (UPDATE pw.keyless SET v = v || '~' || a RETURNING tableoid::regclass AS part, *) SELECT * FROM u ORDER BY a;
WITH u AS (UPDATE pw.keyless SET v = v || '~' || a RETURNING tableoid::regclass AS part, a) SELECT part, count(*) FROM u GROUP BY 1 ORDER BY 1;
DELETE FROM pw.keyless WHERE mod(a, 2) = 1;
SELECT * FROM pw.keyless ORDER BY a;
SELECT pw.requests();
-- keys that are alike but for their collation
CREATE TABLE pw.words (a text COLLATE "C", v text) PARTITION BY LIST (v);
CREATE FOREIGN TABLE pw.words_x (a text OPTIONS (column_name 'b', key 'true') COLLATE "C", v text) SERVER shop OPTIONS (schema_name 'writing', table_name 'pairs');
CREATE FOREIGN TABLE pw.words_y (v text OPTIONS (column_name 'b', key 'true'), a text OPTIONS (column_name 'v') COLLATE "C") SERVER shop OPTIONS (schema_name 'writing', table_name 'pairs');
ALTER TABLE pw.words ATTACH PARTITION pw.words_x FOR VALUES IN ('x');
ALTER TABLE pw.words ATTACH PARTITION pw.words_y FOR VALUES IN ('y');
EXPLAIN (COSTS OFF) DELETE FROM pw.words WHERE a || v = '';

-- ---- pruned when started and while running; prepared ----
SELECT pw.fill();
CREATE FUNCTION pw.analyzed(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement LOOP
    IF line !~ 'Bytes|Retries|Pages|Memory|Buckets|Filter' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;
PREPARE rub (int, int) AS UPDATE pw.log SET v = v || '%' WHERE a >= $1 AND a < $2 RETURNING a;
PREPARE wipe (int, int, text) AS DELETE FROM pw.log WHERE a >= $1 AND a < $2 AND b = $3;
SET plan_cache_mode = force_generic_plan;
SELECT * FROM pw.analyzed('EXECUTE rub (2000, 2015)');
EXECUTE rub (985, 1010);
EXECUTE rub (3500, 3600);
SELECT pw.requests();
EXECUTE wipe (990, 2011, 'b1');
EXECUTE wipe (0, 11, 'b0');
SELECT pw.requests();
RESET plan_cache_mode;
SELECT * FROM pw.analyzed($$UPDATE pw.log SET v = v || '#' WHERE a >= (SELECT max(a) - 5 FROM copies.log)$$);
SELECT a, b, v FROM pw.log WHERE v ~ '[%#]' ORDER BY a;

-- ---- failures and what is left to the row by row ----
-- a partition that fails does so after the earlier ones were changed
ALTER FOREIGN TABLE pw.high OPTIONS (SET table_name 'missing');
\set VERBOSITY sqlstate
SET client_min_messages = error;
UPDATE pw.log SET v = v || '?' WHERE a < 10 OR a >= 2990;
RESET client_min_messages;
\set VERBOSITY default
ALTER FOREIGN TABLE pw.high OPTIONS (SET table_name 'odd (name), here');
SELECT v FROM pw.low WHERE a = 5;
-- row triggers of one partition, a column of the partition key
CREATE FUNCTION pw.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% of %', tg_op, coalesce(new.a, old.a); RETURN coalesce(new, old); END $$;
CREATE TRIGGER tell BEFORE UPDATE OR DELETE ON pw.high FOR EACH ROW EXECUTE FUNCTION pw.tell();
EXPLAIN (COSTS OFF) UPDATE pw.log SET v = v || '&' WHERE a < 10 OR a >= 2990;
UPDATE pw.log SET v = v || '&' WHERE a < 10 OR a >= 2990;
SELECT pw.requests();
DROP TRIGGER tell ON pw.high;
UPDATE pw.log SET a = a + 1 WHERE a IN (5, 1005, 2005) RETURNING tableoid::regclass, *;
UPDATE pw.log SET a = a + 1000 WHERE a = 15;
UPDATE pw.log SET a = 7 WHERE a = 1010;
SELECT a FROM pw.log WHERE a < 20 ORDER BY a;

SET client_min_messages = warning;
DROP SCHEMA pw, copies CASCADE;
DROP FUNCTION compare;
SELECT supabase_rpc('shop', 'clear', schema => 'writing');

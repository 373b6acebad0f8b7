-- ORDER BY and LIMIT over columns that are fetched as text: the keys first, then the rows by these keys.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA top;
IMPORT FOREIGN SCHEMA public LIMIT TO (documents, pairs, nokey) FROM SERVER shop INTO top;
CREATE SCHEMA top_copies;
CREATE TABLE top_copies.documents AS SELECT * FROM top.documents;
CREATE TABLE top_copies.pairs AS SELECT * FROM top.pairs;
CREATE TABLE top_copies.nokey AS SELECT * FROM top.nokey;
ALTER FOREIGN TABLE top.pairs ADD c_text text OPTIONS (column_name 'c', remote_type 'integer');
ALTER TABLE top_copies.pairs ADD c_text text GENERATED ALWAYS AS (c::text) STORED;
ALTER FOREIGN TABLE top.nokey ALTER label OPTIONS (ADD remote_type 'text');
-- As ANALYZE leaves it for tables of a million rows.
UPDATE pg_class SET reltuples = 1e6, relpages = 1e4 WHERE relnamespace = 'top'::regnamespace AND relkind = 'f';
CREATE FUNCTION top.counters(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ '(Requests|Pages|Rows Received): ' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;
-- Whether a query has the same rows in the same order on the foreign tables and on their copies, and of how many
-- requests the plan speaks.
CREATE FUNCTION top.compare(VARIADIC queries text[]) RETURNS TABLE (query text, requests int, "rows" int, same boolean)
  LANGUAGE plpgsql AS $$
DECLARE line text; remote_rows text[]; local_rows text[];
BEGIN
  FOREACH query IN ARRAY queries LOOP
    requests := 0;
    FOR line IN EXECUTE 'EXPLAIN (VERBOSE) ' || format(query, 'top') LOOP
      IF line ~ 'Remote Request: ' THEN requests := requests + 1; END IF;
    END LOOP;
    EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'top') || ') t' INTO remote_rows;
    EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'top_copies') || ') t' INTO local_rows;
    "rows" := coalesce(cardinality(remote_rows), 0);
    same := remote_rows IS NOT DISTINCT FROM local_rows;
    RETURN NEXT;
  END LOOP;
END $$;
\c -

-- what is sent
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, body, numbers FROM top.documents WHERE small > 3 ORDER BY f8 DESC LIMIT 3 OFFSET 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT body FROM top.documents ORDER BY whole, f8 LIMIT 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT b, c_text FROM top.pairs ORDER BY c LIMIT 2;
SELECT * FROM top.counters('SELECT id, body, numbers FROM top.documents WHERE small > 3 ORDER BY f8 DESC LIMIT 3 OFFSET 1');
SELECT * FROM top.counters('SELECT id, body FROM top.documents WHERE whole > 123456789 ORDER BY f8 LIMIT 3');
-- at once: no casts; the key's own order; too many rows; no key; few rows are sorted; one row by its key
\c -
\pset format unaligned
SELECT * FROM top.compare('SELECT id, f8 FROM %s.documents ORDER BY f8, id LIMIT 3',
  'SELECT id, body FROM %s.documents ORDER BY id DESC LIMIT 3', 'SELECT id, body FROM %s.documents ORDER BY id LIMIT 3',
  'SELECT id, body FROM %s.documents ORDER BY f8, id LIMIT 101', 'SELECT n, label, amount FROM %s.nokey ORDER BY n LIMIT 9',
  'SELECT id, body FROM %s.documents WHERE whole = 3 ORDER BY f8, id LIMIT 3',
  'SELECT id, body FROM %s.documents WHERE id = 3 ORDER BY f8 LIMIT 3', 'SELECT id, body FROM %s.documents ORDER BY f8, id');
-- keys first: directions, nulls, the key within the order, offsets, any key
\c -
SELECT * FROM top.compare('SELECT id, body FROM %s.documents ORDER BY f8, id LIMIT 5',
  'SELECT id, body, tags FROM %s.documents ORDER BY f8 DESC NULLS LAST, id DESC LIMIT 20',
  'SELECT body, id FROM %s.documents ORDER BY whole NULLS FIRST, id LIMIT 20 OFFSET 30',
  'SELECT * FROM %s.documents ORDER BY day DESC, moment, id LIMIT 1',
  'SELECT id, body FROM %s.documents ORDER BY id NULLS FIRST, day LIMIT 7',
  'SELECT id, body FROM %s.documents ORDER BY id DESC NULLS LAST LIMIT 7',
  'SELECT id, numbers, span FROM %s.documents ORDER BY span, id LIMIT 30',
  'SELECT id, tags FROM %s.documents WHERE small IS NOT NULL OR id < 40 ORDER BY big, id LIMIT 60 OFFSET 40',
  'SELECT id, raw FROM %s.documents WHERE id > 64 ORDER BY instant, id LIMIT 4',
  'SELECT id, raw FROM %s.documents ORDER BY instant, id LIMIT 0',
  'SELECT a, b, c, c_text FROM %s.pairs ORDER BY c LIMIT 20',
  'SELECT a, c_text FROM %s.pairs WHERE a > 3 ORDER BY c DESC LIMIT 60 OFFSET 7');
\pset format aligned

-- parameters, rescans with other values and with the same, a cursor that stops early and goes back
\c -
PREPARE top_of (int, bigint) AS SELECT id, tags IS NULL AS none FROM top.documents WHERE whole > $1 ORDER BY f8, id LIMIT $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE top_of (1, 3);
EXECUTE top_of (1, 3);
EXECUTE top_of (20, 2);
EXECUTE top_of (20, NULL) \g /dev/null
DEALLOCATE top_of;
SELECT (SELECT array_agg(g || ':' || t.id) FROM generate_series(1, 9) g,
    LATERAL (SELECT id, body FROM top.documents WHERE whole > g ORDER BY f8, id LIMIT 2) t)
  = (SELECT array_agg(g || ':' || t.id) FROM generate_series(1, 9) g,
    LATERAL (SELECT id, body FROM top_copies.documents WHERE whole > g ORDER BY f8, id LIMIT 2) t) AS same;
BEGIN;
DECLARE early SCROLL CURSOR FOR SELECT id, numbers FROM top.documents ORDER BY big DESC, id LIMIT 50;
FETCH 2 FROM early;
MOVE ABSOLUTE 0 FROM early;
FETCH 1 FROM early;
COMMIT;

SET client_min_messages = warning;
DROP SCHEMA top, top_copies CASCADE;

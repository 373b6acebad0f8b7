-- Collations that are not the remote's: what they find equal, how they order and what they group is decided here.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk');
CREATE DOMAIN anycase_text AS text COLLATE anycase;
CREATE SCHEMA collated;
CREATE SCHEMA copies;
CREATE FOREIGN TABLE collated.documents (
  id int OPTIONS (key 'true'),
  any_case text OPTIONS (column_name 'title') COLLATE anycase,
  any_case_varchar varchar OPTIONS (column_name 'code') COLLATE anycase,
  any_case_domain anycase_text OPTIONS (column_name 'title'),
  any_case_array text[] OPTIONS (column_name 'tags') COLLATE anycase,
  phonebook text OPTIONS (column_name 'title') COLLATE german,
  bytes text OPTIONS (column_name 'title') COLLATE "C",
  same text OPTIONS (column_name 'title', text_ordering 'true'),
  body jsonb
) SERVER shop OPTIONS (table_name 'documents');
SET supabase_fdw.enable_pushdown = off;
CREATE TABLE copies.documents AS SELECT * FROM collated.documents;
RESET supabase_fdw.enable_pushdown;
SELECT attname, attcollation::regcollation FROM pg_attribute WHERE attrelid = 'copies.documents'::regclass AND attnum > 0 AND attcollation <> 0;

-- A query on the foreign table (schema %1$s) and on its copy: conditions that are sent, and whether the rows are the same.
CREATE FUNCTION compare(query text, OUT sent text, OUT here text, OUT "rows" int, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
  line text; remote_rows text[]; local_rows text[];
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || format(query, 'collated') LOOP
    sent := coalesce(sent, regexp_replace(substring(line FROM 'Remote Request: GET .*[?&]select=[^&]*&(.*)$'), '&?limit=.*$', ''));
    here := coalesce(here, substring(line FROM 'Local Filter Reason: (.*)'));
  END LOOP;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'collated') || ') t' INTO remote_rows;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'copies') || ') t' INTO local_rows;
  "rows" := coalesce(cardinality(remote_rows), 0);
  same := remote_rows IS NOT DISTINCT FROM local_rows;
END $$;
CREATE FUNCTION compare_each(VARIADIC queries text[]) RETURNS TABLE (query text, sent text, here text, "rows" int, same boolean)
LANGUAGE sql AS $$
  SELECT replace(replace(q, '%s.', ''), '%1$s.', ''), r.* FROM unnest(queries) WITH ORDINALITY u (q, n), compare(q) r ORDER BY n
$$;
CREATE FUNCTION compare_where(VARIADIC conditions text[]) RETURNS TABLE (condition text, sent text, here text, "rows" int, same boolean)
LANGUAGE sql AS $$
  SELECT c, r.* FROM unnest(conditions) WITH ORDINALITY u (c, n),
    compare('SELECT id FROM %s.documents t WHERE ' || replace(c, '%', '%%') || ' ORDER BY id') r ORDER BY n
$$;
\pset format unaligned

-- equality that is no equality of bytes
SELECT * FROM compare_where('any_case = ''ab''', 'any_case <> ''ab''', 'any_case IN (''ab'', ''É'')', 'any_case NOT IN (''ab'', ''É'')',
  'any_case IS DISTINCT FROM ''ab''', 'any_case = ANY (''{AB,x}'')', 'any_case <> ALL (''{AB,NULL}'')', 'any_case > ''ab''',
  'any_case BETWEEN ''A'' AND ''b''', 'NOT (any_case = ''ab'' OR id > 40)', '(any_case = ''ab'') IS NOT TRUE', '(any_case, id) = (''ab'', 52)',
  'any_case IS NULL', 'any_case_varchar = ''ab''', 'any_case_domain = ''ab''', 'any_case_array = ''{A_B}''', 'any_case_array @> ''{AB}''',
  '''AB'' = ANY (any_case_array)', 'any_case_array && ''{AB}''', 'any_case COLLATE "C" = ''ab''', 'any_case COLLATE "default" = ''AB''',
  'bytes COLLATE anycase = ''ab''', 'bytes = ''ab'' COLLATE anycase', 'bytes IN (''ab'' COLLATE anycase, ''x'')', 'bytes = ''ab''',
  'phonebook = ''ab''', 'same = ''ab''', 'body ->> ''a'' = ''[AB]'' COLLATE anycase', 'any_case = (SELECT ''AB''::text)');
-- order
SELECT * FROM compare_where('bytes < ''b''', 'bytes >= ''é''', 'phonebook < ''b''', 'same < ''b''', 'same COLLATE "C" < ''b''',
  'same COLLATE german < ''b''', 'same BETWEEN ''A'' AND ''a''');
SELECT * FROM compare_each('SELECT id, any_case FROM %s.documents ORDER BY any_case, id LIMIT 40', 'SELECT id FROM %s.documents ORDER BY phonebook, id LIMIT 40',
  'SELECT id FROM %s.documents ORDER BY bytes DESC, id LIMIT 40', 'SELECT id FROM %s.documents ORDER BY same, id LIMIT 40',
  'SELECT id FROM %s.documents ORDER BY same COLLATE german, id LIMIT 40', 'SELECT id FROM %s.documents ORDER BY same COLLATE "C" DESC, id LIMIT 40');
-- groups and aggregates
SELECT * FROM compare_each('SELECT lower(any_case) COLLATE "C" AS l, count(*) FROM %s.documents GROUP BY any_case ORDER BY 2, 1',
  'SELECT count(*) FROM (SELECT DISTINCT any_case FROM %s.documents) q', 'SELECT count(*) FROM (SELECT DISTINCT bytes FROM %s.documents) q',
  'SELECT count(DISTINCT any_case), count(DISTINCT bytes), count(any_case) FROM %s.documents', 'SELECT lower(min(any_case)), lower(max(any_case)) FROM %s.documents',
  'SELECT min(phonebook), max(phonebook) FROM %s.documents', 'SELECT min(bytes), max(bytes) FROM %s.documents', 'SELECT min(same), max(same) FROM %s.documents',
  'SELECT min(same COLLATE german), max(same COLLATE german) FROM %s.documents', 'SELECT count(*) FROM %s.documents WHERE any_case = ''ab''',
  'SELECT count(*) FILTER (WHERE any_case = ''ab'') FROM %s.documents', 'SELECT count(*) FROM (SELECT any_case FROM %s.documents WHERE id < 50 INTERSECT SELECT any_case FROM %1$s.documents WHERE id >= 50) q');
-- joins
SELECT * FROM compare_each('SELECT a.id, b.id AS b FROM copies.documents a JOIN %s.documents b ON b.any_case = a.any_case WHERE a.id IN (10, 52) ORDER BY 1, 2',
  'SELECT a.id, b.id AS b FROM copies.documents a JOIN %s.documents b ON b.bytes = a.any_case COLLATE anycase WHERE a.id IN (10, 52) ORDER BY 1, 2',
  'SELECT a.id, b.id AS b FROM copies.documents a JOIN %s.documents b ON b.bytes = a.bytes WHERE a.id IN (10, 52) ORDER BY 1, 2',
  'SELECT a.id FROM copies.documents a WHERE a.any_case IN (SELECT any_case FROM %s.documents WHERE id = 10) ORDER BY 1',
  'SELECT a.id, b.id AS b FROM copies.documents a, LATERAL (SELECT id FROM %s.documents d WHERE d.any_case = a.bytes COLLATE anycase ORDER BY id LIMIT 2) b WHERE a.id < 12 ORDER BY 1, 2');
\pset format aligned
-- the same error as that of a local table
SELECT id FROM collated.documents WHERE any_case COLLATE anycase SIMILAR TO 'ab' OR bytes = any_case;
SELECT id FROM copies.documents WHERE any_case COLLATE anycase SIMILAR TO 'ab' OR bytes = any_case;

-- a key whose local collation finds two of the remote's values equal is a key all the same
CREATE FOREIGN TABLE collated.pairs (a int OPTIONS (key 'true'), b text OPTIONS (key 'true') COLLATE anycase, c int) SERVER shop OPTIONS (table_name 'pairs');
SELECT count(*), count(DISTINCT c) FROM (SELECT c FROM collated.pairs OFFSET 0) t;
SELECT count(*), count(DISTINCT b) FROM (SELECT b FROM collated.pairs WHERE a = 3 OFFSET 0) t;

DROP SCHEMA collated, copies CASCADE;
DROP FUNCTION compare, compare_each, compare_where;
DROP DOMAIN anycase_text;
DROP COLLATION anycase, german;

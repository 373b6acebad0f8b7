-- Types of extensions: values arrive as they are, what their own operators and orders decide is decided here, and pages
-- can be read by keys of such types.
\getenv abs_srcdir PG_ABS_SRCDIR
\set definitions :abs_srcdir '/test/stack/remote/08-extensions.sql'
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION cube SCHEMA extensions;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;
CREATE EXTENSION seg SCHEMA extensions;
\set ECHO none
\i :definitions
\set ECHO all
CREATE SCHEMA copies;
ALTER TABLE public.extension_values SET SCHEMA copies;
ALTER TABLE public.extension_keys SET SCHEMA copies;
CREATE SCHEMA typed;
IMPORT FOREIGN SCHEMA public LIMIT TO (extension_values, extension_keys) FROM SERVER shop INTO typed;
RESET client_min_messages;
SELECT attname, format_type(atttypid, atttypmod), attfdwoptions FROM pg_attribute
WHERE attrelid = 'typed.extension_values'::regclass AND attnum > 0 ORDER BY attnum;

-- the same values, by their binary form
SELECT count(*) FILTER (WHERE record_image_ne(f, l)) AS differ, count(*) FROM typed.extension_values f JOIN copies.extension_values l USING (id);
SELECT count(*) FILTER (WHERE record_image_ne(f, l)) AS differ, count(*) FROM typed.extension_keys f JOIN copies.extension_keys l USING (n);
-- text of the same content where the local database has no such type
SELECT count(*) FILTER (WHERE f::text <> l::text) AS differ, count(*) FROM shop.extension_values f JOIN copies.extension_values l USING (id);

-- A query on the foreign tables and on their copies: what is sent (without the select list), and whether the rows are
-- the same.
SET search_path = public, extensions;
CREATE FUNCTION compare(query text, OUT sent text, OUT "rows" int, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
  line text; remote_rows text[]; local_rows text[];
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || format(query, 'typed') LOOP
    sent := coalesce(sent, regexp_replace(substring(line FROM 'Remote Request: GET /rest/v1/(.*)$'), '\?select=[^&]*', ''));
  END LOOP;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'typed') || ') t' INTO remote_rows;
  EXECUTE 'SELECT array_agg(t::text) FROM (' || format(query, 'copies') || ') t' INTO local_rows;
  "rows" := coalesce(cardinality(remote_rows), 0);
  same := remote_rows IS NOT DISTINCT FROM local_rows;
END $$;
CREATE FUNCTION compare_where(VARIADIC conditions text[]) RETURNS TABLE (condition text, sent text, "rows" int, same boolean) LANGUAGE sql AS $$
  SELECT c, r.* FROM unnest(conditions) WITH ORDINALITY u (c, n),
    compare('SELECT id FROM %s.extension_values t WHERE ' || replace(c, '%', '%%') || ' ORDER BY id') r ORDER BY n
$$;
\pset format unaligned
SELECT * FROM compare_where('c_citext = ''word''', 'c_citext = ''ünïcödé''', 'c_citext <> ''WORD''', 'c_citext IN (''wOrd'', '''')',
  'c_citext::text = ''word''', 'c_citext = ''word''::text', 'c_citext LIKE ''W%''', 'c_citext ~ ''^w''', 'c_citext > ''b''', 'c_citext IS NULL',
  'c_citext NOT IN (''word'', ''a,b'')', 'c_citext = ANY (''{WORD,NULL}''::citext[])', 'c_citext IS DISTINCT FROM ''word''',
  'strpos(c_citext, ''O'') > 0', 'c_citext || ''x'' = ''WORDX''', 'c_citext_array @> ''{WORD}''', '''WORD'' = ANY (c_citext_array)', 'c_citext_array = ''{}''',
  'c_citext_array IS NOT NULL');
SELECT * FROM compare_where('c_cube = ''(1,2)''', 'c_cube @> ''(2,3,4)''', 'c_cube <@ ''(0,0,0),(9,9,9)''', 'c_cube && ''(1)''', 'c_cube < ''(1)''',
  'cube_dim(c_cube) = 3', 'c_cube -> 1 > 0', 'c_cube <-> ''(0,0)'' < 3', 'c_cube IS NULL', 'c_cube IN (''0'', ''(3),(3)'')', 'c_cube_array @> ''{"(1,2)"}''');
SELECT * FROM compare_where('c_hstore ? ''a''', 'c_hstore @> ''a=>1''', 'c_hstore -> ''b'' IS NULL', 'c_hstore -> ''k =>'' = ''v, w''', 'c_hstore = ''a=>1''', 'c_hstore = ''''',
  'c_hstore ?| ''{a,ü}''', 'exist(c_hstore, ''b'') AND NOT defined(c_hstore, ''b'')', 'c_hstore IS NULL');
SELECT * FROM compare_where('c_ltree = ''Top.Science''', 'c_ltree <@ ''Top.Science''', 'c_ltree @> ''Top.Science''', 'c_ltree ~ ''*.Science.*''', 'c_ltree ~ c_lquery',
  'c_ltree @ ''Astro* & !hobbies''', 'c_ltree > ''Top''', 'nlevel(c_ltree) = 2', 'c_ltree = ''''', 'c_ltree_array @> ''Top.Science.Astronomy''::ltree', 'c_lquery IS NULL',
  'c_ltree BETWEEN ''Top.H'' AND ''Top.Sc''');
SELECT * FROM compare_where('c_seg = ''1''', 'c_seg = ''1.0''', 'c_seg @> ''1.7''', 'c_seg && ''2..4''', 'c_seg << ''4''', 'c_seg < ''2''', 'c_seg &> ''1''', 'c_seg IN (''<2'', ''~4'')', 'c_seg IS NOT NULL');

-- orders, groups, aggregates and joins by their own comparison
CREATE FUNCTION compare_each(VARIADIC queries text[]) RETURNS TABLE (query text, sent text, "rows" int, same boolean) LANGUAGE sql AS $$
  SELECT replace(replace(q, '%s.', ''), '%1$s.', ''), r.* FROM unnest(queries) WITH ORDINALITY u (q, n), compare(q) r ORDER BY n
$$;
SELECT * FROM compare_each('SELECT c_citext, id FROM %s.extension_values ORDER BY c_citext, id LIMIT 15', 'SELECT c_citext, id FROM %s.extension_values ORDER BY c_citext DESC NULLS LAST, id LIMIT 15',
  'SELECT id FROM %s.extension_values ORDER BY c_cube, id LIMIT 15', 'SELECT id FROM %s.extension_values ORDER BY c_cube <-> ''(0,0)'', id LIMIT 15',
  'SELECT id FROM %s.extension_values ORDER BY c_hstore, id LIMIT 15', 'SELECT id, c_ltree FROM %s.extension_values ORDER BY c_ltree DESC, id LIMIT 15', 'SELECT id FROM %s.extension_values ORDER BY c_seg, id LIMIT 15',
  'SELECT lower(c_citext::text) AS c, count(*) FROM %s.extension_values GROUP BY c_citext ORDER BY 1', 'SELECT c_ltree, count(*) FROM %s.extension_values GROUP BY c_ltree ORDER BY 1',
  'SELECT count(DISTINCT c_citext), count(c_citext), lower(min(c_citext)::text), lower(max(c_citext)::text) FROM %s.extension_values', 'SELECT count(*) FROM (SELECT DISTINCT c_citext FROM %s.extension_values) q',
  'SELECT count(*) FROM (SELECT DISTINCT c_seg, c_cube FROM %s.extension_values) q', 'SELECT count(*) FROM %s.extension_values a JOIN %1$s.extension_values b ON a.c_citext = b.c_citext',
  'SELECT count(*) FROM copies.extension_values a JOIN %s.extension_values b ON a.c_citext = b.c_citext AND b.id < 20', 'SELECT count(*) FROM %s.extension_values a JOIN %1$s.extension_values b ON a.c_ltree @> b.c_ltree',
  'SELECT a.id FROM copies.extension_values a WHERE EXISTS (SELECT FROM %s.extension_values b WHERE b.c_citext = upper(a.c_citext) AND b.id = a.id + 1) ORDER BY a.id');
\pset format aligned

-- a key that only the remote knows how to order
SELECT count(*), count(DISTINCT n), sum(n) FROM (SELECT n FROM typed.extension_keys OFFSET 0) t;
ALTER FOREIGN TABLE typed.extension_keys OPTIONS (ADD fetch_size '7');
SELECT count(*), count(DISTINCT n), sum(n) FROM (SELECT n FROM typed.extension_keys OFFSET 0) t;
ALTER FOREIGN TABLE typed.extension_keys OPTIONS (SET fetch_size '60', ADD max_parallel_requests '4');
SELECT count(*), count(DISTINCT n), sum(n) FROM (SELECT n FROM typed.extension_keys WHERE n % 10 > 0 OFFSET 0) t;
SELECT * FROM compare('SELECT word, path, n FROM %s.extension_keys ORDER BY word, path LIMIT 200');
SELECT n FROM typed.extension_keys WHERE word = 'ALPHA1' AND path = 'Top.n6' ORDER BY n;
SELECT k.n FROM copies.extension_keys w JOIN typed.extension_keys k ON k.word = upper(w.word::text)::citext AND k.path = w.path WHERE w.n IN (5, 600) ORDER BY 1;
-- the same columns as text
CREATE FOREIGN TABLE typed.text_keys (word text OPTIONS (key 'true', remote_type 'extensions.citext'), path text OPTIONS (key 'true', remote_type 'extensions.ltree'), n int)
  SERVER shop OPTIONS (table_name 'extension_keys', fetch_size '7');
SELECT count(*), count(DISTINCT (word, path)), sum(n) FROM (SELECT * FROM typed.text_keys OFFSET 0) t;
SELECT n FROM typed.text_keys WHERE word = 'Alpha1' AND path = 'Top.n6';
SELECT n FROM typed.text_keys WHERE word = 'alpha1' AND path = 'Top.n6';

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA typed, copies, extensions CASCADE;
DROP FUNCTION compare(text), compare_where, compare_each;

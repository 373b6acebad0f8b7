-- A table with spaces, commas, quotes and reserved words in every name.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET supabase_fdw.enable_pushdown = off;
CREATE SCHEMA copies;
CREATE TABLE copies.odd AS SELECT * FROM shop."odd, ""name"" (select)";
CREATE TABLE copies.mixed AS SELECT * FROM shop."Mixed Case";
CREATE TABLE copies.odd_types AS SELECT * FROM shop.odd_types;
RESET supabase_fdw.enable_pushdown;

-- how the names are sent
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop."odd, ""name"" (select)";
EXPLAIN (VERBOSE, COSTS OFF) SELECT "select", "order" FROM shop."odd, ""name"" (select)"
WHERE "limit" > 4 AND "offset" IN (9, 12) AND ("and" = 1 OR "or" = 2 AND NOT "not") AND "columns" IS NOT NULL
  AND "on_conflict" = 'o3' OR "apikey" = 'key1'
ORDER BY "order" DESC LIMIT 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT "com,ma" FROM shop."odd, ""name"" (select)"
WHERE "na me" = 3 AND "do.t" = 'd3' AND "quo""te" = '"3"' AND "back\slash" = '\3' AND "col:on" = 'a:b3'
  AND "star*" = '*3' AND "per%cent" = '%3' AND "amp&plus+" = '&+3'
  AND "ümlaut" = 'ü3' AND "Upper" = 'U3' AND "(paren)" = '(3)' AND "quest?ion#" = '?#3' AND "sla/sh" = '/3'
    AND " blank " = ' 3 ';
SELECT "com,ma" FROM shop."odd, ""name"" (select)"
WHERE "na me" = 3 AND "do.t" = 'd3' AND "quo""te" = '"3"' AND "back\slash" = '\3' AND "col:on" = 'a:b3'
  AND "star*" = '*3' AND "per%cent" = '%3' AND "amp&plus+" = '&+3'
  AND "ümlaut" = 'ü3' AND "Upper" = 'U3' AND "(paren)" = '(3)' AND "quest?ion#" = '?#3' AND "sla/sh" = '/3'
    AND " blank " = ' 3 ';

-- everything, and everything after a page of five rows
SELECT count(*) FROM (SELECT * FROM shop."odd, ""name"" (select)" EXCEPT ALL SELECT * FROM copies.odd) t;
SELECT count(*) FROM (SELECT * FROM copies.odd EXCEPT ALL SELECT * FROM shop."odd, ""name"" (select)") t;
ALTER FOREIGN TABLE shop."odd, ""name"" (select)" OPTIONS (ADD fetch_size '5');
SELECT count(*), count(DISTINCT t) FROM shop."odd, ""name"" (select)" t;
SELECT "na me", "com,ma" FROM shop."odd, ""name"" (select)" ORDER BY "na me" OFFSET 4 LIMIT 3;
ALTER FOREIGN TABLE shop."odd, ""name"" (select)" OPTIONS (DROP fetch_size);
SELECT "na me", "com,ma", "quo""te", "back\slash", "a->b", "not", "ümlaut", " blank " FROM shop."odd, ""name"" (select)"
  WHERE "na me" < 3 ORDER BY "na me";

-- each column alone: selected, filtered (also beside another condition and in an OR), tested for NULL, ordered
ALTER FOREIGN TABLE shop."odd, ""name"" (select)" OPTIONS (ADD text_ordering 'true');
CREATE FUNCTION each_column(OUT col name, OUT selected boolean, OUT filtered boolean, OUT in_list boolean,
  OUT in_tree boolean, OUT nulls boolean, OUT ordered boolean, OUT sent int)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  type text;
  query text; remote text; local text; plan text; outcome boolean[];
BEGIN
  FOR col, type IN SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = 'copies.odd'::regclass AND attnum > 0 ORDER BY attnum LOOP
    outcome := '{}'; sent := 0;
    FOREACH query IN ARRAY ARRAY[
      'SELECT %1$I FROM %2$s',
      'SELECT "na me" FROM %2$s WHERE %1$I = (SELECT %1$I FROM copies.odd WHERE "na me" = 4)',
      'SELECT "na me" FROM %2$s WHERE %1$I IN (%3$L, %4$L)',
      'SELECT "na me" FROM %2$s WHERE (%1$I = %3$L OR "na me" = 9) AND NOT (%1$I = %4$L AND "select" < 100)',
      'SELECT "na me" FROM %2$s WHERE %1$I IS NOT NULL',
      'SELECT "na me", %1$I FROM %2$s ORDER BY %1$I DESC, "na me" LIMIT 5'] LOOP
      query := format('SELECT array_agg(t::text ORDER BY t::text)::text FROM (' || query || ') t', col, '%s',
        (SELECT to_jsonb(o) ->> col FROM copies.odd o WHERE "na me" = 2), (SELECT to_jsonb(o) ->> col FROM copies.odd o
          WHERE "na me" = 5));
      EXECUTE format(replace(replace(query, '%', '%%'), '%%s', '%s'), 'shop."odd, ""name"" (select)"') INTO remote;
      EXECUTE format(replace(replace(query, '%', '%%'), '%%s', '%s'), 'copies.odd') INTO local;
      EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) ' || format(replace(replace(query, '%', '%%'), '%%s', '%s'),
        'shop."odd, ""name"" (select)"') INTO plan;
      outcome := outcome || (remote IS NOT DISTINCT FROM local);
      IF plan NOT LIKE '%Local Filter Reason%' THEN sent := sent + 1; END IF;
    END LOOP;
    selected := outcome[1]; filtered := outcome[2]; in_list := outcome[3]; in_tree := outcome[4]; nulls := outcome[5]; ordered := outcome[6];
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM each_column();
ALTER FOREIGN TABLE shop."odd, ""name"" (select)" OPTIONS (DROP text_ordering);

-- a table and columns that differ from others by case only
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop."Mixed Case" WHERE "Id" > 1 AND "Value" <> 'Value 3';
SELECT * FROM shop."Mixed Case" WHERE "Id" > 1 AND "Value" <> 'Value 3';
SELECT count(*) FROM (TABLE shop."Mixed Case" EXCEPT ALL TABLE copies.mixed) t;

-- local names that have nothing to do with the remote ones
CREATE FOREIGN TABLE shop.plain (number int OPTIONS (column_name 'na me', key 'true'), text_key text
  OPTIONS (column_name 'com,ma', key 'true'),
  choice int OPTIONS (column_name 'select'), "select" int OPTIONS (column_name 'order'), flag boolean
    OPTIONS (column_name 'not'))
SERVER shop OPTIONS (table_name 'odd, "name" (select)', fetch_size '7');
EXPLAIN (VERBOSE, COSTS OFF) SELECT "select", choice FROM shop.plain WHERE flag AND choice > 3;
SELECT number, text_key, choice, "select" FROM shop.plain WHERE flag AND choice > 3 ORDER BY number;
SELECT count(*), count(DISTINCT number) FROM shop.plain;

-- values of an enum with odd labels, and a type of an odd name, shown as text
SELECT * FROM shop.odd_types ORDER BY id;
SELECT id, v IS NULL AS is_null FROM shop.odd_types WHERE v = '' OR v = 'null' OR v IS NULL ORDER BY id;
SELECT id FROM shop.odd_types WHERE v IN ('e"f', 'c,d') ORDER BY id;

-- a column called "*" cannot be named in a request
CREATE FOREIGN TABLE shop.star (id int OPTIONS (key 'true'), all_columns text OPTIONS (column_name '*')) SERVER shop
  OPTIONS (table_name 't1000');
SELECT all_columns FROM shop.star WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM shop.star WHERE id = 1;

SET client_min_messages = warning;
DROP FOREIGN TABLE shop.plain, shop.star;
DROP SCHEMA copies CASCADE;
DROP FUNCTION each_column;

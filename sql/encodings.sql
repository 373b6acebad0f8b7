-- Databases of other encodings: what can be said in them arrives, and is sent; what cannot is an error that says where.
\getenv url STACK_URL
\getenv secret_key STACK_SECRET_KEY
\set VERBOSITY default
\set SHOW_CONTEXT errors
\encoding UTF8
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_latin1;
DROP DATABASE IF EXISTS regress_sql_ascii;
CREATE DATABASE regress_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
CREATE DATABASE regress_sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
-- What the rows are in UTF8: all of them, and those that LATIN1 can say.
\set texts 'ROW(id, v_text, v_varchar8, v_char6, v_text_array, v_varchar4_array, v_char3_array, v_json, t_json, t_jsonb, t_text_array, v_numeric, v_uuid)'
\set sum 'md5(string_agg(md5(convert_to((:texts)::text, ''UTF8'')), '''' ORDER BY id))'
SELECT count(*) AS all_count, :sum AS all_sum, array_agg(id ORDER BY id) FILTER (WHERE t::text !~ '[^\x01-\xff]') AS sayable,
  count(*) FILTER (WHERE t::text !~ '[^\x01-\xff]') AS sayable_count FROM shop.random_values t \gset
SELECT :sum AS sayable_sum FROM shop.random_values WHERE id = ANY (:'sayable') \gset
\echo :all_count :sayable_count
\set pairs_sum 'md5(string_agg(md5(convert_to(b, ''UTF8'')), '''' ORDER BY c))'
SELECT :pairs_sum AS all_pairs, count(*) AS all_pairs_count FROM shop.pairs \gset
SELECT :pairs_sum AS sayable_pairs FROM shop.pairs WHERE c % 17 NOT IN (6, 7) \gset

\c regress_latin1
\encoding UTF8
SET client_min_messages = warning;
CREATE EXTENSION supabase_fdw;
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (api_key :'secret_key');
CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA public FROM SERVER shop INTO shop;
-- names
SELECT attname, octet_length(attname::text) FROM pg_attribute WHERE attrelid = 'shop."odd, ""name"" (select)"'::regclass AND attname LIKE '%mlaut';
EXPLAIN (VERBOSE, COSTS OFF) SELECT "ümlaut" FROM shop."odd, ""name"" (select)" WHERE "ümlaut" = 'ü3';
SELECT "na me", "ümlaut" FROM shop."odd, ""name"" (select)" WHERE "ümlaut" = 'ü3' OR "ümlaut" IN ('ü5', 'é') ORDER BY "na me";
-- the same values: text, char(n), varchar(n), arrays, json
SELECT count(*) = :sayable_count AS all_rows, :sum = :'sayable_sum' AS same FROM shop.random_values WHERE id = ANY (:'sayable');
-- and jsonb, whose order of keys is that of the database's encoding
SELECT count(*) AS differing FROM shop.random_values WHERE id = ANY (:'sayable')
  AND CASE WHEN t_jsonb !~ '\\u20AC|\\uD83D'
    THEN record_image_ne(ROW(v_jsonb, v_jsonb_array), ROW(t_jsonb::jsonb, ARRAY[t_jsonb::jsonb, NULL, to_jsonb(t_jsonb)])) END;
-- in the database's encoding, with its lengths
SELECT name, city, octet_length(city), length(city) FROM shop.customers WHERE city IN ('Köln', 'São Paulo') ORDER BY id;
SELECT id, title, octet_length(title), octet_length(padded), octet_length(label::text), padded FROM shop.documents
WHERE title IN ('é', 'É', 'ß', 'ab ') ORDER BY id;
-- conditions of each kind
SELECT count(*) FROM shop.customers WHERE city LIKE 'K_ln' OR city ^@ 'São';
SELECT id FROM shop.documents WHERE title = U&'\00e9';
SELECT id FROM shop.documents WHERE tags @> '{é}' OR 'é' = ANY (tags) ORDER BY id;
CREATE FOREIGN TABLE shop.body (id int OPTIONS (key 'true'), body jsonb) SERVER shop OPTIONS (table_name 'documents');
SELECT id, body FROM shop.body WHERE body ->> 'é' = 'é' OR body @> '{"é": "é"}' ORDER BY id;
SELECT id FROM shop.body WHERE body -> 'é' = '"é"' AND body IN ('{"é": "é"}', '[]');
-- a key with such characters, through pages
CREATE FOREIGN TABLE shop.sayable (a int OPTIONS (key 'true'), b text OPTIONS (key 'true'), c int) SERVER shop
  OPTIONS (table_name 'pairs', fetch_size '900', max_parallel_requests '4');
SELECT :pairs_sum = :'sayable_pairs' AS same FROM shop.sayable
WHERE c = ANY ((SELECT array_agg(i) FROM generate_series(1, 10000) i WHERE i % 17 NOT IN (6, 7))::int[]);
SELECT b FROM shop.sayable WHERE a = 90 AND b ^@ 'ünïcödé 8' ORDER BY c;

-- what the database's encoding does not have
SELECT title FROM shop.documents WHERE id = 49;
\echo :LAST_ERROR_SQLSTATE
SELECT tags FROM shop.documents WHERE id = 51;
\echo :LAST_ERROR_SQLSTATE
SELECT b FROM shop.pairs ORDER BY c;
\echo :LAST_ERROR_SQLSTATE
SELECT v_jsonb FROM shop.random_values;
\echo :LAST_ERROR_SQLSTATE
SELECT count(title), count(*) FROM shop.documents;
SELECT id FROM shop.documents WHERE id = 49;

\c regress_sql_ascii
\encoding SQL_ASCII
SET client_min_messages = warning;
CREATE EXTENSION supabase_fdw;
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (api_key :'secret_key');
CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA public FROM SERVER shop INTO shop;
-- bytes are kept as they are; lengths are counted in bytes
SELECT id, encode(title::bytea, 'hex') AS title, length(title) FROM shop.documents WHERE id BETWEEN 45 AND 51 ORDER BY id;
SELECT v_varchar8 FROM shop.random_values ORDER BY id;
ALTER FOREIGN TABLE shop.random_values ALTER v_varchar8 TYPE text, ALTER v_char6 TYPE text, ALTER v_varchar4_array TYPE text[],
  ALTER v_char3_array TYPE text[];
SELECT count(*) = :all_count AS all_rows, :sum = :'all_sum' AS same FROM shop.random_values;
SELECT count(*) = :all_pairs_count AS all_rows, :pairs_sum = :'all_pairs' AS same FROM shop.pairs;
-- conditions; a pattern matches characters there and bytes here
SELECT id FROM shop.documents WHERE title = '日本' OR title IN ('é', '😀') ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.customers WHERE city LIKE 'K__ln' AND city = 'Köln';
SELECT count(*) FROM shop.customers WHERE city LIKE 'K_ln';
SELECT count(*) FROM shop.customers WHERE city LIKE 'K__ln';
SELECT "na me" FROM shop."odd, ""name"" (select)" WHERE "ümlaut" = 'ü3';
-- bytes that are no UTF-8 cannot be sent
SELECT id FROM shop.documents WHERE title = E'\xe9';
\echo :LAST_ERROR_SQLSTATE

\c contrib_regression
DROP DATABASE regress_latin1;
DROP DATABASE regress_sql_ascii;

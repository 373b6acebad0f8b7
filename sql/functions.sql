-- Remote functions: supabase_rpc, foreign tables over functions (option rpc), typed wrappers; supabase_request,
-- supabase_check_schema, supabase_disconnect.
\getenv alice STACK_ALICE_JWT
\getenv bob STACK_BOB_JWT
\set VERBOSITY default

-- every shape of result; values keep their text
SELECT * FROM supabase_rpc('shop', 'fn_default', '{"a": 1}');
SELECT * FROM supabase_rpc('shop', 'fn_default', '{"a": 1, "b": 2, "c": "z"}');
SELECT * FROM supabase_rpc('shop', 'fn_over', '{"a": 1}') UNION ALL
SELECT * FROM supabase_rpc('shop', 'fn_over', '{"a": 1, "b": 2}') UNION ALL
SELECT * FROM supabase_rpc('shop', 'fn_over', '{"t": "x"}');
SELECT * FROM supabase_rpc('shop', 'fn_null');
SELECT count(*) FROM supabase_rpc('shop', 'fn_void', '{"n": 1}');
SELECT * FROM supabase_rpc('shop', 'fn_numeric');
SELECT v ->> 'a' = '1' || repeat('0', 400) AS a, v -> 'b' AS b, v -> 'c' AS c, v -> 'd' AS d FROM supabase_rpc('shop', 'fn_exact') AS v;
SELECT * FROM supabase_rpc('shop', 'fn_setof_int', '{"n": 3}');
SELECT count(*) FROM supabase_rpc('shop', 'fn_setof_int', '{"n": 0}');
SELECT * FROM supabase_rpc('shop', 'fn_list', '{"n": 3}');
SELECT * FROM supabase_rpc('shop', 'fn_list', '{"n": 0}');
SELECT * FROM supabase_rpc('shop', 'fn_list', '{"n": 1}');
SELECT * FROM supabase_rpc('shop', 'fn_list', '{"n": 1}', result => 'value');
SELECT * FROM supabase_rpc('shop', 'fn_setof_json', '{"n": 1}', result => 'set');
SELECT * FROM supabase_rpc('shop', 'fn_table', '{"n": 2}');
SELECT * FROM supabase_rpc('shop', 'fn_out', '{"a": 2, "c": "x"}');
SELECT * FROM supabase_rpc('shop', 'fn_json', '{"j": {"x": [1, 1.50]}, "b": "text"}');
SELECT * FROM supabase_rpc('shop', 'fn_arrays', '{"i": [1, 2], "t": ["a,b", null]}');
SELECT * FROM supabase_rpc('shop', 'fn_variadic', '{"first": "x", "v": [1, 2]}');
SELECT * FROM supabase_rpc('shop', 'fn_composite', '{"a": {"street": "s", "zip": 1, "tags": ["t"]}}');
SELECT * FROM supabase_rpc('shop', 'fn_unnamed', '{"any": "thing"}');
SELECT * FROM supabase_rpc('shop', 'fn_echo', '{"select": "a", "limit": "1", "and": null, "k": "eq.1", "a b,c": "\\"}');
SELECT * FROM supabase_rpc('shop', 'fn odd, "name" (x)/y?z', '{"an \"arg": 5}');
SELECT * FROM supabase_rpc('shop', 'account_count', schema => 'private_api');
SELECT v ->> 'role' AS role FROM supabase_rpc('shop', 'whoami') AS v;

-- more rows than the cap: complete, or an error
SELECT count(*), count(DISTINCT v), min(v ->> 't'), max((v ->> 'i')::int) FROM supabase_rpc('shop', 'fn_many', '{"n": 3500}') AS v;
-- (the warning of what a rollback does not undo may come before or after the error)
SET client_min_messages = error;
SELECT count(*) FROM supabase_rpc('shop', 'fn_shuffled', '{"n": 3500}');
SELECT v AS calls FROM supabase_rpc('shop', 'fn_calls') AS v \gset
SELECT count(*) FROM supabase_rpc('shop', 'fn_volatile', '{"n": 2000}');
RESET client_min_messages;
-- it was called once
SELECT v::int - :calls AS calls FROM supabase_rpc('shop', 'fn_calls') AS v;

-- errors
SELECT * FROM supabase_rpc('shop', 'fn_raise', '{"state": "P0042"}');
SELECT * FROM supabase_rpc('shop', 'fn_raise', '{"state": "23505"}');
SELECT v::int - :calls AS calls FROM supabase_rpc('shop', 'fn_calls') AS v;
SELECT * FROM supabase_rpc('shop', 'no_such', '{"a": 1}');
SELECT * FROM supabase_rpc('shop', 'fn_default', '{"a": "x"}');
SELECT * FROM supabase_rpc('shop', 'fn_private');
SELECT * FROM supabase_rpc('shop', 'fn_default', '[1]');
SELECT * FROM supabase_rpc('shop', 'add', '{"a": 1, "b": 1}', 'no_such_schema');
SELECT * FROM supabase_rpc('shop', 'add', '{"a": 1, "b": 1}', result => 'rows');
SELECT * FROM supabase_rpc('shop', NULL);
SELECT * FROM supabase_rpc('no_such_server', 'add');

-- a foreign table over a function: "column = value" gives an argument, the rest is sent as for a table
CREATE FOREIGN TABLE shop.search (
  q text OPTIONS (rpc_argument 'true'), id bigint, name text, price numeric, tags text[], attrs jsonb
) SERVER shop OPTIONS (rpc 'search_products');
EXPLAIN (VERBOSE, COSTS OFF)
SELECT * FROM shop.search WHERE q = 'lamp' AND price > 100 ORDER BY id DESC LIMIT 2;
SELECT * FROM shop.search WHERE q = 'lamp' AND price > 100 ORDER BY id DESC LIMIT 2;
SELECT q, name FROM shop.search WHERE 'LAMP 8' = q;
SELECT q, count(*) FROM shop.search WHERE q = 'eq.lamp' GROUP BY q;
-- only what is selected can be filtered (12.x): the column is fetched too
SELECT count(*) FROM shop.search WHERE q = 'lamp' AND price > 100;
-- parameters, subqueries, functions
PREPARE search(text) AS SELECT count(*) FROM shop.search WHERE q = $1;
EXECUTE search('lamp');
EXECUTE search('chair');
EXECUTE search(NULL);
SELECT count(*) FROM shop.search WHERE q = (SELECT lower('LAMP'));
SELECT count(*) FROM shop.search WHERE q = left('lamp post', 4);
-- a null argument is passed; a comparison with null is never true
SELECT count(*) FROM shop.search WHERE q IS NULL;
SELECT count(*) FROM shop.search WHERE q = NULL;
-- what is given is also filtered by
SELECT count(*) FROM shop.search WHERE q = 'lamp' AND q LIKE '%x%';
-- joined relations give arguments
EXPLAIN (VERBOSE, COSTS OFF)
SELECT * FROM (VALUES ('lamp 8'), ('chair 1'), (NULL)) AS v (word) JOIN shop.search ON q = word;
SELECT word, id, q FROM (VALUES ('lamp 8'), ('chair 1'), (NULL)) AS v (word) JOIN shop.search ON q = word ORDER BY 1, 2;
SELECT word, id FROM (VALUES ('lamp 8'), ('none'), (NULL)) AS v (word)
  LEFT JOIN LATERAL (SELECT * FROM shop.search WHERE q = word ORDER BY id LIMIT 1) AS s ON true ORDER BY 1, 2;
SELECT id FROM shop.search WHERE q IN (SELECT 'lamp 8') ORDER BY id;
-- no value, no guess
SELECT count(*) FROM shop.search;
SELECT count(*) FROM shop.search WHERE q LIKE 'l%';
SELECT count(*) FROM shop.search WHERE q IN ('lamp', 'chair');
SELECT count(*) FROM shop.search JOIN shop.products p ON q > p.name;
SELECT count(*) FROM shop.search WHERE q = 'la' || random();

-- arguments of many types, defaults
CREATE FOREIGN TABLE shop.types (
  d date OPTIONS (rpc_argument 'true'), ts timestamptz OPTIONS (rpc_argument 'true'), n numeric OPTIONS (rpc_argument 'true'),
  f float8 OPTIONS (rpc_argument 'true'), b boolean OPTIONS (rpc_argument 'true'), u uuid OPTIONS (rpc_argument 'true'),
  y bytea OPTIONS (rpc_argument 'true'), iv interval OPTIONS (rpc_argument 'true'),
  rd date OPTIONS (column_name 'd'), rts timestamptz OPTIONS (column_name 'ts'), rn numeric OPTIONS (column_name 'n'),
  rf float8 OPTIONS (column_name 'f'), rb boolean OPTIONS (column_name 'b'), ru uuid OPTIONS (column_name 'u'),
  ry bytea OPTIONS (column_name 'y'), riv interval OPTIONS (column_name 'iv')
) SERVER shop OPTIONS (rpc 'fn_types');
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT d = rd AS d, ts = rts AS ts, n::text = rn::text AS n, f = rf AS f, b, rb, u = ru AS u, y = ry AS y, iv = riv AS iv FROM shop.types
WHERE d = 'infinity' AND ts = '2024-02-03 04:05:06.789+05:30' AND n = '12345678901234567890.1234567890123456789000'
  AND f = 0.1 + 0.2::float8 AND NOT b AND u = 'a11ce000-0000-4000-8000-000000000001' AND y = '\x00ff5c' AND iv = '-1 day 00:00:01';
RESET datestyle;
RESET intervalstyle;
RESET bytea_output;
RESET extra_float_digits;
CREATE FOREIGN TABLE shop.orders_by (
  of_status text OPTIONS (rpc_argument 'true'), id bigint OPTIONS (key 'true'), status text
) SERVER shop OPTIONS (rpc 'fn_orders', rpc_read_only 'true');
SELECT of_status, status, count(*) FROM shop.orders_by GROUP BY 1, 2;
SELECT of_status, status, count(*) FROM shop.orders_by WHERE of_status = 'paid' GROUP BY 1, 2;
SELECT id FROM shop.orders_by WHERE of_status = 'paid' AND id > 30 ORDER BY id LIMIT 3;
CREATE FOREIGN TABLE shop.arrays (
  i int[] OPTIONS (rpc_argument 'true'), t text[] OPTIONS (rpc_argument 'true'), v jsonb
) SERVER shop OPTIONS (rpc 'fn_arrays', rpc_result 'value');
SELECT * FROM shop.arrays WHERE i = '{1,2}' AND t = '{"a,b",NULL,"\"\\"}';
CREATE FOREIGN TABLE shop.jsons (
  j jsonb OPTIONS (rpc_argument 'true'), b jsonb OPTIONS (rpc_argument 'true'), v json
) SERVER shop OPTIONS (rpc 'fn_json', rpc_result 'value');
SELECT v FROM shop.jsons WHERE j = '{"x": [1.50, null]}' AND b = '"text"';
CREATE TYPE address AS (street text, zip int, tags text[]);
CREATE FOREIGN TABLE shop.composite (a address OPTIONS (rpc_argument 'true'), street text, zip int, tags text[])
SERVER shop OPTIONS (rpc 'fn_composite');
SELECT street, zip, tags FROM shop.composite WHERE a = ROW('x "y"', 1, '{"a,b"}')::address;
SELECT * FROM shop.composite WHERE a = ROW('x', 1, NULL)::address AND zip = 5;
CREATE FOREIGN TABLE shop.echo (
  s text OPTIONS (rpc_argument 'true', column_name 'select'), l text OPTIONS (rpc_argument 'true', column_name 'limit'),
  a text OPTIONS (rpc_argument 'true', column_name 'and'), k text OPTIONS (rpc_argument 'true'),
  "a b,c" text OPTIONS (rpc_argument 'true'), r_select text, r_limit text, r_and text, r_k text, r_odd text
) SERVER shop OPTIONS (rpc 'fn_echo', rpc_read_only 'true');
SELECT r_select, r_limit, r_and, r_k, r_odd FROM shop.echo
WHERE s = 'a' AND l = '1' AND a IS NULL AND k = 'eq.1' AND "a b,c" = E'\\"\n';

-- plain values: filtered and ordered remotely too, and none at all
CREATE FOREIGN TABLE shop.numbers (n int OPTIONS (rpc_argument 'true'), v int) SERVER shop OPTIONS (rpc 'fn_setof_int', rpc_result 'values');
EXPLAIN (VERBOSE, COSTS OFF) SELECT v FROM shop.numbers WHERE n = 5 AND v > 2 ORDER BY v DESC;
SELECT * FROM shop.numbers WHERE n = 5 AND v > 2 ORDER BY v DESC;
CREATE FOREIGN TABLE shop.json_values (n int OPTIONS (rpc_argument 'true'), v jsonb) SERVER shop OPTIONS (rpc 'fn_setof_json', rpc_result 'values');
SELECT * FROM shop.json_values WHERE n = 2;
CREATE FOREIGN TABLE shop.one (v int) SERVER shop OPTIONS (rpc 'fn_null', rpc_result 'value');
SELECT * FROM shop.one;
SELECT * FROM shop.one WHERE v = 1;
CREATE FOREIGN TABLE shop.nothing (n int OPTIONS (rpc_argument 'true'), v int) SERVER shop OPTIONS (rpc 'fn_void', rpc_result 'value');
SELECT * FROM shop.nothing WHERE n = 1;
CREATE FOREIGN TABLE shop.bad_values (n int OPTIONS (rpc_argument 'true'), v int[]) SERVER shop OPTIONS (rpc 'fn_list', rpc_result 'value');
SELECT * FROM shop.bad_values WHERE n = 1;
CREATE FOREIGN TABLE shop.two_values (n int OPTIONS (rpc_argument 'true'), v int, w int) SERVER shop OPTIONS (rpc 'fn_setof_int', rpc_result 'values');
SELECT * FROM shop.two_values WHERE n = 1;

-- a function that may write is called once for each scan, never once for each page
CREATE FOREIGN TABLE shop.counted (n int OPTIONS (rpc_argument 'true'), i int, call bigint) SERVER shop OPTIONS (rpc 'fn_volatile');
SELECT v AS calls FROM supabase_rpc('shop', 'fn_calls') AS v \gset
SELECT count(*), count(DISTINCT call) FROM shop.counted WHERE n = 1000;
SELECT count(*) FROM shop.counted WHERE n = 1001;
SELECT count(*) FROM shop.counted WHERE n = 1001 AND i <= 10;
SELECT count(*) FROM (SELECT * FROM shop.counted WHERE n = 5000 LIMIT 20) AS s;
SELECT v::int - :calls AS calls FROM supabase_rpc('shop', 'fn_calls') AS v;
-- one that is said not to write is read in pages, in its own order; GET holds it to that
CREATE FOREIGN TABLE shop.many (n int OPTIONS (rpc_argument 'true'), i int, t text) SERVER shop OPTIONS (rpc 'fn_many', rpc_read_only 'true');
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM shop.many WHERE n = 3500;
SELECT count(*), count(DISTINCT i), min(t), max(i) FROM shop.many WHERE n = 3500;
SELECT i FROM shop.many WHERE n = 3500 OFFSET 2998 LIMIT 3;
CREATE FOREIGN TABLE shop.shuffled (n int OPTIONS (rpc_argument 'true'), i int) SERVER shop OPTIONS (rpc 'fn_shuffled', rpc_read_only 'true');
SELECT count(*) FROM shop.shuffled WHERE n = 1000;
SELECT count(*) FROM shop.shuffled WHERE n = 3500;
ALTER FOREIGN TABLE shop.counted OPTIONS (ADD rpc_read_only 'true');
SELECT count(*) FROM shop.counted WHERE n = 1;

-- options
CREATE FOREIGN TABLE shop.bad (i int) SERVER shop OPTIONS (rpc 'f', table_name 't');
CREATE FOREIGN TABLE shop.bad (i int) SERVER shop OPTIONS (rpc_read_only 'true');
CREATE FOREIGN TABLE shop.bad (i int) SERVER shop OPTIONS (rpc 'f', rpc_result 'table');
CREATE FOREIGN TABLE shop.bad (i int OPTIONS (rpc_argument 'maybe')) SERVER shop OPTIONS (rpc 'f');

-- typed wrappers
CREATE SCHEMA fn;
CREATE TYPE fn.address AS (street text, zip int, tags text[]);
CREATE TYPE fn.mood AS ENUM ('sad', 'ok', 'happy', 'so, so', 'it''s "fine"');
CREATE TYPE fn.result AS (id int, label text, amount numeric, extra json);
SELECT f FROM supabase_import_functions('shop', 'fn', results => '{"fn_table": "SETOF fn.result", "fn_composite": "fn.address",
  "fn_list": "int[]", "fn_setof_int": "setof integer", "fn_numeric": "numeric", "fn_void": "void", "fn_null": "int"}') AS f
WHERE f ~ '^fn\.("?fn|search)' ORDER BY f COLLATE "C";
SELECT fn.fn_default(1), fn.fn_default(1, 2), fn.fn_default(1, c => 'z');
SELECT fn.fn_variadic('x', 1, 2), fn.fn_variadic('x', VARIADIC '{}');
SELECT fn.fn_arrays('{1,2}', '{"a,b",NULL}'), fn.fn_enum('it''s "fine"'), fn.fn_unnamed('{"a": 1}');
SELECT fn.fn_echo('a', NULL, 'eq.1', '', '\'), fn."fn odd, ""name"" (x)/y?z"(5);
SELECT * FROM fn.fn_table(2);
SELECT * FROM fn.fn_composite(ROW('s', 1, '{t,NULL}'));
SELECT fn.fn_list(1), fn.fn_numeric(), fn.fn_null(), fn.fn_void(1);
SELECT * FROM fn.fn_setof_int(2);
SELECT count(*) FROM fn.search_products('lamp');
SET intervalstyle = 'iso_8601';
SELECT * FROM fn.fn_types('infinity', '2024-01-01 BC', '1e40', 'NaN', true, 'a11ce000-0000-4000-8000-000000000001', '\xff', '1 day -00:00:01');
RESET intervalstyle;
SELECT prosrc, proconfig, proacl FROM pg_proc WHERE oid = 'fn.fn_default'::regproc;
SELECT obj_description('fn.fn_default'::regproc);
-- again: its own are replaced, even with another result; what somebody else made is not
SELECT count(*) > 20 AS again FROM supabase_import_functions('shop', 'fn', results => '{"fn_list": "jsonb"}');
SELECT fn.fn_list(2), fn.fn_numeric();
DROP FUNCTION fn.fn_null();
CREATE FUNCTION fn.fn_null() RETURNS text LANGUAGE sql AS 'SELECT ''mine''';
SELECT count(*) FROM supabase_import_functions('shop', 'fn');
SELECT fn.fn_null();
DROP FUNCTION fn.fn_null();
SELECT count(*) FROM supabase_import_functions('shop', 'fn', results => '{"no_such": "int"}');
SELECT count(*) FROM supabase_import_functions('shop', 'fn', results => '{"add": "int; DROP SCHEMA fn"}');
SELECT count(*) FROM supabase_import_functions('shop', 'fn', results => '{"add": "anyelement"}');
SELECT count(*) FROM supabase_import_functions('shop', 'no_such_schema');
CREATE SCHEMA fn2;
SELECT supabase_import_functions('shop', 'fn2', 'private_api');
SELECT fn2.account_count();

-- one request as it is
SELECT supabase_request('shop', 'GET', '/products', '{"select": "id,name", "id": ["gt.3", "lt.6"], "order": "id.desc"}');
SELECT supabase_request('shop', 'post', '/rpc/add', body => '{"a": 1, "b": 2}');
SELECT supabase_request('shop', 'HEAD', '/products') IS NULL AS empty;
SELECT jsonb_array_length(supabase_request('shop', 'GET', '/odd, "name" (select)'));
SELECT supabase_request('shop', 'GET', '/') -> 'info' ->> 'title' AS title;
SELECT supabase_request('shop', 'GET', '/products', '{"nope": "eq.1"}');
SELECT supabase_request('shop', 'GET', '/../auth/v1/admin/users');
SELECT supabase_request('shop', 'TRACE', '/products');
SELECT supabase_request('shop', 'GET', '/products', '{"a": null}');

-- what has changed since the import
CREATE SCHEMA checked;
IMPORT FOREIGN SCHEMA public LIMIT TO (products, orders, order_items, notes) FROM SERVER shop INTO checked;
SELECT * FROM supabase_check_schema('shop', 'checked');
ALTER FOREIGN TABLE checked.products DROP COLUMN attrs, ALTER COLUMN price TYPE text;
ALTER FOREIGN TABLE checked.orders ADD COLUMN gone int;
ALTER FOREIGN TABLE checked.order_items ALTER COLUMN line_no OPTIONS (DROP key), ALTER COLUMN quantity OPTIONS (ADD key 'true');
ALTER FOREIGN TABLE checked.notes ALTER COLUMN body SET NOT NULL, ALTER COLUMN title OPTIONS (SET column_name 'heading');
CREATE FOREIGN TABLE checked.no_such (id int) SERVER shop;
CREATE FOREIGN TABLE checked.no_function (id int) SERVER shop OPTIONS (rpc 'no_such');
CREATE FOREIGN TABLE checked.accounts (id bigint OPTIONS (key 'true'), label text, balance numeric) SERVER shop OPTIONS (schema_name 'private_api');
SELECT * FROM supabase_check_schema('shop', 'checked');
SELECT * FROM supabase_check_schema('shop', 'no_such_schema');

SELECT supabase_disconnect(), supabase_disconnect('shop'), supabase_disconnect('shop') AS again;
SELECT * FROM supabase_rpc('shop', 'add', '{"a": 1, "b": 2}');
SELECT supabase_disconnect('no_such_server');

-- privileges: nobody sends requests unless he may, and then as himself
GRANT USAGE ON SCHEMA fn TO regress_app;
GRANT SELECT ON shop.search, shop.orders_by TO regress_app;
\c - regress_app
\set VERBOSITY terse
SELECT supabase_rpc('shop', 'add');
SELECT supabase_request('shop', 'GET', '/products');
SELECT supabase_import_functions('shop', 'fn');
SELECT supabase_check_schema('shop', 'shop');
SELECT fn.fn_default(1);
SELECT supabase_disconnect();
\c - postgres
\set VERBOSITY terse
GRANT EXECUTE ON FUNCTION supabase_rpc, supabase_request, supabase_import_functions, supabase_check_schema TO regress_app;
CREATE SERVER other FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'https://localhost:1');
CREATE ROLE regress_unmapped LOGIN;
GRANT USAGE ON FOREIGN SERVER shop TO regress_unmapped;
GRANT EXECUTE ON FUNCTION supabase_rpc TO regress_unmapped;
\c - regress_app
\set VERBOSITY terse
SELECT supabase_rpc('other', 'add');
SELECT supabase_disconnect('other');
SELECT v ->> 'role' AS role FROM supabase_rpc('shop', 'whoami') AS v;
SET client_min_messages = error;
SELECT supabase_rpc('shop', 'fn_calls'), supabase_rpc('shop', 'fn_private');
RESET client_min_messages;
SELECT supabase_import_functions('shop', 'fn');
SELECT user_id IS NOT NULL AS known FROM supabase_set_auth(:'alice', server => 'shop');
SELECT v ->> 'role' AS role FROM supabase_rpc('shop', 'whoami') AS v;
SELECT count(*) FROM supabase_rpc('shop', 'fn_orders', '{"of_status": "paid"}');
SELECT count(*) FROM shop.orders_by WHERE of_status = 'paid';
SELECT jsonb_array_length(supabase_request('shop', 'GET', '/orders')) AS orders;
SELECT user_id IS NOT NULL AS known FROM supabase_set_auth(:'bob', server => 'shop');
SELECT jsonb_array_length(supabase_request('shop', 'GET', '/orders')) AS orders;
SELECT count(*) FROM shop.orders_by WHERE of_status = 'new';
\c - regress_unmapped
\set VERBOSITY terse
SELECT supabase_rpc('shop', 'add');
\c - postgres
SET client_min_messages = warning;
REVOKE EXECUTE ON FUNCTION supabase_rpc, supabase_request, supabase_import_functions, supabase_check_schema FROM regress_app, regress_unmapped;
REVOKE USAGE ON FOREIGN SERVER shop FROM regress_unmapped;
DROP ROLE regress_unmapped;
DROP SERVER other;
DROP SCHEMA fn, fn2, checked CASCADE;
DROP FOREIGN TABLE shop.search, shop.types, shop.orders_by, shop.arrays, shop.jsons, shop.composite, shop.echo, shop.numbers, shop.json_values,
  shop.one, shop.nothing, shop.bad_values, shop.two_values, shop.counted, shop.many, shop.shuffled;
DROP TYPE address;

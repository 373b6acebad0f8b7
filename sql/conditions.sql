-- WHERE: what is sent, what stays here and why, and that the rows are those of a local copy.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET supabase_fdw.enable_pushdown = off;
CREATE SCHEMA copies;
CREATE TABLE copies.all_types AS SELECT * FROM shop.all_types;
CREATE TABLE copies.pairs AS SELECT * FROM shop.pairs;
CREATE TABLE copies.orders AS SELECT * FROM shop.orders;
CREATE TABLE copies.products AS SELECT * FROM shop.products;
CREATE TABLE copies.odd_types AS SELECT * FROM shop.odd_types;
CREATE TABLE copies.timestamps_local AS SELECT * FROM shop.timestamps_local;
CREATE TABLE copies.customers AS SELECT * FROM shop.customers;
RESET supabase_fdw.enable_pushdown;
SELECT (SELECT count(*) FROM copies.all_types) AS all_types, (SELECT count(*) FROM copies.pairs) AS pairs,
       (SELECT count(*) FROM copies.orders) AS orders;

-- the whole plan
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, note FROM shop.orders WHERE id > 10 AND total < 500 AND note IS NOT NULL;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.orders WHERE status = 'paid' AND id < 20 AND note LIKE 'note 1%';
SET supabase_fdw.enable_pushdown = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.orders WHERE id > 10 AND note IS NOT NULL;
RESET supabase_fdw.enable_pushdown;

-- One condition on a foreign table and on its copy: what is sent (without the rest of the request), why something
-- stays here, how many rows, and whether they are those of the copy, with and without pushdown.
CREATE FUNCTION compare(tab text, condition text, OUT sent text, OUT here text, OUT "rows" bigint, OUT same boolean)
LANGUAGE plpgsql AS $$
DECLARE
  line text;
  bag text := 'SELECT count(*), md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")) FROM %s.%s t WHERE %s';
  remote_bag text; off_rows bigint; off_bag text; local_rows bigint; local_bag text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.%s t WHERE %s', tab, condition)
  LOOP
    IF line ~ 'Remote Request: none' THEN sent := 'nothing at all'; END IF;
    IF line ~ 'Remote Request: GET' THEN
      sent := regexp_replace(substring(line FROM 'select=[^&]*&(.*)$'), '&?(order|limit)=.*$', '');
    END IF;
    IF line ~ 'Local Filter Reason' THEN here := substring(line FROM 'Reason: (.*)'); END IF;
  END LOOP;
  EXECUTE format(bag, 'shop', tab, condition) INTO "rows", remote_bag;
  EXECUTE format(bag, 'copies', tab, condition) INTO local_rows, local_bag;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'off', true);
  EXECUTE format(bag, 'shop', tab, condition) INTO off_rows, off_bag;
  PERFORM set_config('supabase_fdw.enable_pushdown', 'on', true);
  same := ("rows", remote_bag) IS NOT DISTINCT FROM (local_rows, local_bag) AND (off_rows, off_bag) IS NOT DISTINCT
    FROM (local_rows, local_bag);
END $$;
CREATE FUNCTION compare_each(tab text, VARIADIC conditions text[])
RETURNS TABLE (condition text, sent text, here text, "rows" bigint, same boolean) LANGUAGE sql AS $$
  SELECT c, r.* FROM unnest(conditions) WITH ORDINALITY u (c, n), compare(tab, c) r ORDER BY n
$$;
\pset format unaligned

-- comparisons of the everyday types
SELECT * FROM compare_each('orders', 'id = 5', 'id <> 5', 'id < 5', 'id <= 5', 'id > 66', 'id >= 66', '5 = id',
  '66 < id',
  'id = -1', 'id = 5::smallint', 'id BETWEEN 5 AND 7', 'id NOT BETWEEN 5 AND 69', 'id = 5 AND id = 6');
SELECT * FROM compare_each('all_types', 'c_int2 = 12', 'c_int2 = 12::bigint', 'c_int2 < 100000',
  'c_int2 > -32769::bigint', 'c_int2 <> 32768',
  'c_int4 = 3456::int2', 'c_int4 = 3000000000', 'c_int8 = 9223372036854775807', 'c_int8 = 9223372036854775808',
  'c_int8 = -9223372036854775808', 'c_int8 = 9007199254740993', 'c_int4 IN (1, 3456)', 'c_int2 IN (0, 100000)',
    'c_oid = 4294967295');
SELECT * FROM compare_each('all_types', 'c_numeric = 12345.6789', 'c_numeric = 1.1', 'c_numeric > 0',
  'c_numeric = ''NaN''', 'c_numeric < ''Infinity''',
  'c_numeric = 0.000000000000000000000000000000000001', 'c_numeric_10_2 = 99.5', 'c_numeric_10_2 = 99.501',
    'c_numeric = 1',
  'c_numeric = 1.5::float8');
SELECT * FROM compare_each('all_types', 'c_float8 = 0.30000000000000004', 'c_float8 = 0.3', 'c_float8 > 2',
  'c_float8 = ''NaN''', 'c_float8 = ''-0''',
  'c_float8 = 5e-324', 'c_float8 < 0', 'c_float4 = 0.1::float4', 'c_float4 = 0.1::float8', 'c_float4 = 0.1',
    'c_float4 > 1.4', 'c_float8 = 1.5::float4',
  'c_float8 = 2');
SELECT * FROM compare_each('all_types', 'c_uuid = ''F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6''',
  'c_uuid > ''0a0b0c0d-0e0f-4000-8000-aabbccddeeff''',
  'c_bytea = ''\xdeadbeef''', 'c_bytea = ''\x''', 'c_bytea > ''\x10''', 'c_inet = ''192.168.1.5/24''',
    'c_inet < ''200.0.0.0''', 'c_inet << ''192.168.0.0/16''',
  'c_cidr = ''10.0.0.0/8''', 'c_macaddr = ''08-00-2b-01-02-03''', 'c_macaddr8 > ''00:00:00:00:00:00:00:00''',
    'c_bit3 = B''101''', 'c_varbit8 <> B''0''',
  'c_pg_lsn > ''0/1''', 'c_money > ''$1''', 'c_jsonb = ''{}''', 'c_int4range = ''[1,10)''',
    'c_int4_array = ''{1,2,3}''', 'c_point ~= ''(1.5,2.5)''');

-- dates and times; the session's settings do not matter, now() is evaluated here
SELECT * FROM compare_each('all_types', 'c_date = ''2024-02-29''', 'c_date = ''infinity''',
  'c_date < ''0001-01-01 BC''', 'c_date > ''2024-01-01''',
  'c_time = ''13:14:15.123456''', 'c_time = ''24:00''', 'c_timetz = ''13:14:15+02''', 'c_timetz > ''12:00+00''',
    'c_timestamp = ''2024-02-29 13:14:15.123456''',
  'c_timestamp > ''294276-01-01''', 'c_timestamptz = ''2024-02-29 13:14:15.123456+00''',
    'c_timestamptz < ''1900-01-01 00:00:00.000001+00''',
  'c_timestamptz = ''-infinity''', 'c_timestamptz = ''0044-03-15 12:00+00 BC''',
    'c_interval = ''1 year 2 mons 3 days 04:05:06.7''',
  'c_interval = ''366 days''', 'c_interval < ''00:00''', 'c_date = timestamp ''2024-02-29 00:00''',
    'c_timestamptz > date ''2024-01-01''',
  'c_timestamp = ''2024-02-29 13:14:15.123456''::timestamptz', 'c_timestamp > c_date');
BEGIN;
SET LOCAL timezone = 'Europe/Berlin';
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL intervalstyle = 'sql_standard';
SELECT * FROM compare_each('timestamps_local', 'at = ''31/03/2024 01:00:00 CET''', 'at >= ''31/03/2024 03:00:00''',
  'at < ''27/10/2024 02:30:00''', 'at_local = ''27/10/2024 02:00:00''',
  'on_day = ''31/03/2024''');
SELECT condition, "rows", same FROM compare_each('all_types', 'c_timestamptz < ''01/01/1900 01:00:00''',
  'c_interval = ''1-2 +3 +4:05:06.7''',
  'c_date = ''29/02/2024''');
ROLLBACK;
SET extra_float_digits = -10;
SELECT * FROM compare_each('all_types', 'c_float8 = 0.30000000000000004', 'c_float4 = 0.1::float4');
RESET extra_float_digits;
SELECT sent ~ '^placed_at=gt\.' AS sent, "rows", same FROM compare('orders', 'placed_at > now() - interval ''1 hour''');
SELECT "rows", same, here FROM compare('orders', 'placed_at < now()');
SELECT "rows", same, here FROM compare('orders', 'placed_at > clock_timestamp()');
SELECT "rows", same, here FROM compare('orders', 'placed_at::date = ''2024-03-05''');

-- text: equality is sent, order only with text_ordering
SELECT * FROM compare_each('all_types', 'c_text = ''text''', 'c_text <> ''text''', 'c_text = ''''', 'c_text < ''t''',
  'c_text >= ''t''', 'c_text COLLATE "C" = ''text''',
  'c_varchar = ''varchar''', 'c_varchar > ''v''', 'c_varchar20 = ''varchar 20''', 'c_varchar20 IN (''null'', '''')',
    'c_char5 = ''ab''', 'c_char5 = ''ab   ''',
  'c_char5 = ''  a''', 'c_char5 = ''ab ''::text', 'c_char5 < ''b''', 'c_name = ''a_name''', 'c_onechar = ''x''',
    'c_domain_text = ''short''', 'c_citext = ''citext''',
  'c_enum = ''happy''', 'c_enum < ''ok''', 'c_ltree = ''top.sub.leaf''');
ALTER FOREIGN TABLE shop.all_types ALTER c_text OPTIONS (ADD text_ordering 'true'), ALTER c_varchar
  OPTIONS (ADD text_ordering 'true');
SELECT * FROM compare_each('all_types', 'c_text < ''t''', 'c_text >= ''t''', 'c_varchar > ''v''',
  'c_text COLLATE "C" < ''t''', 'c_varchar20 > ''v''', 'c_text > c_varchar');
ALTER FOREIGN TABLE shop.all_types ALTER c_text OPTIONS (DROP text_ordering), ALTER c_varchar
  OPTIONS (SET text_ordering 'false');
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT * FROM compare('all_types', 'c_text COLLATE anycase = ''TEXT''');
SELECT * FROM compare_each('orders', 'status = ''paid''', 'status IN (''paid'', ''new'')', 'note LIKE ''note 1_''',
  'note ILIKE ''NOTE 1''', 'note ~ ''1$''', 'note NOT LIKE ''%1%''',
  'note SIMILAR TO ''note [12]''', 'starts_with(note, ''note 2'')', 'upper(note) = ''NOTE 2''', 'length(note) = 6',
    'note || ''x'' = ''note 2x''',
  'id = customer_id', 'id % 2 = 0', '-id = -5', 'id + 1 = 6', 'total > id', 'coalesce(note, ''?'') = ''?''',
    'note IS DISTINCT FROM ''note 2''',
  'CASE WHEN id > 5 THEN note = ''note 7'' ELSE id = 2 END', '(id, customer_id) = (2, 1)',
    '(id, customer_id) > (70, 1)');
SELECT * FROM compare_each('products', '''tag1'' = ANY (tags)', 'tags @> ''{tag1}''', 'tags = ''{}''',
  'attrs ->> ''colour'' = ''c1''', 'attrs @> ''{"weight": 10}''', 'tags IS NULL', 'attrs IS NULL');
-- an enum that exists here: equality is sent, its order is not
CREATE TYPE order_status AS ENUM ('cancelled', 'shipped', 'paid', 'new');
CREATE FOREIGN TABLE shop.with_enum (id bigint OPTIONS (key 'true'), status order_status) SERVER shop
  OPTIONS (table_name 'orders');
CREATE TABLE copies.with_enum AS SELECT id, status::order_status FROM copies.orders;
SELECT * FROM compare_each('with_enum', 'status = ''paid''', 'status <> ''paid''', 'status IN (''paid'', ''new'')',
  'status NOT IN (''paid'', ''new'')', 'status < ''paid''', 'status IS NULL', 'status = ANY (''{new,NULL}'')');
DROP FOREIGN TABLE shop.with_enum;
DROP TABLE copies.with_enum;
DROP TYPE order_status;

-- NULL tests, booleans
SELECT * FROM compare_each('orders', 'note IS NULL', 'note IS NOT NULL', 'NOT (note IS NULL)', 'NOT (note IS NOT NULL)',
  'status IS NULL', 'user_id IS NOT NULL');
SELECT * FROM compare_each('all_types', 'c_bool', 'NOT c_bool', 'c_bool IS TRUE', 'c_bool IS NOT TRUE',
  'c_bool IS FALSE', 'c_bool IS NOT FALSE', 'c_bool IS UNKNOWN',
  'c_bool IS NOT UNKNOWN', 'c_bool = true', 'c_bool = false', 'c_bool <> false', 'c_bool IN (true, false)',
    'c_bool < true', 'c_bool IS NULL', '(c_int4 > 5) IS TRUE', '(c_int4 > 5) IS NOT TRUE',
  '(c_int4 > 5) IS UNKNOWN', 'NOT (c_bool AND c_int4 > 5)', 'c_composite_array IS NULL', 'c_jsonb IS NULL',
    'c_json IS NOT NULL', 'c_hstore IS NULL');

-- a row of NULLs is not NULL in a text column
SELECT condition, "rows", same FROM compare_each('all_types', 'c_composite IS NULL', 'c_composite IS NOT NULL',
  'NOT (c_composite IS NULL)', 'id < 5 OR c_composite IS NULL');

-- trees
SELECT * FROM compare_each('orders', 'id < 3 OR id > 69', 'id < 3 OR (id > 60 AND (note IS NULL OR total < 100))',
  'NOT (id > 3 OR note IS NULL)', 'NOT (id > 3 AND note IS NOT NULL)',
  'NOT (NOT (id = 5))', 'id < 10 AND NOT (id IN (1, 2) OR id = 4)', 'id = 1 OR status = ''paid''',
    '(id = 1 OR note LIKE ''note 2%'') AND id < 30', 'NOT (note = ''note 1'')',
  'NOT (note = ''note 1'' OR note <> ''note 2'')', 'true', 'false', 'id = 1 AND false', 'id = 1 OR true',
    'NOT (id = 1 AND NULL)', 'id = 1 OR NULL');

-- NULL constants and lists
SELECT * FROM compare_each('orders', 'id = NULL', 'id <> NULL', 'NOT (id = NULL)', 'id IN (1, NULL)',
  'id NOT IN (1, NULL)', 'NOT (id IN (1, NULL))', 'NOT (id NOT IN (1, 2, NULL))', 'id = ANY (ARRAY[]::bigint[])',
  'id <> ALL (ARRAY[]::bigint[])', 'id = ANY (NULL::bigint[])', 'id <> ALL (NULL::bigint[])', 'NOT (id = ANY (''{}''))',
    'id = ALL (''{5}'')', 'id = ALL (''{5,6}'')', 'id <> ANY (''{5,6}'')', 'id > ANY (''{69,70}'')',
  'id > ALL (''{69,70}'')', 'id = ANY (''{{1,2},{3,4}}'')', 'id IN (5)', 'id NOT IN (5)', 'id IN (5, 5, 6)',
    'note IN ('''')', 'note IN ('''', ''note 1'')', 'note NOT IN ('''')', 'note = ANY (ARRAY[NULL]::text[])',
  'note NOT IN (''note 1'', ''note 2'')', '5 = ANY (ARRAY[id, customer_id])', 'id IN (customer_id, 71)',
    'customer_id = ANY (ARRAY[1, 2])', 'total IN (1, 10.50)', 'NULL', 'id = 1 AND note = NULL');
\pset format aligned

-- values: every text there is, compared in each way with each operator
CREATE FUNCTION sweep(tab text, col text, texts text[], OUT checked int, OUT failed text[]) LANGUAGE plpgsql AS $$
DECLARE
  value text; condition text; remote_ids text; local_ids text;
BEGIN
  checked := 0; failed := '{}';
  FOREACH value IN ARRAY texts LOOP
    FOREACH condition IN ARRAY ARRAY['%1$I = %2$L', '%1$I <> %2$L', '%1$I IN (%2$L, ''x'')',
      '%1$I NOT IN (%2$L, ''x'')', '%1$I = %2$L OR %1$I = ''x''', 'NOT (%1$I = %2$L AND %1$I <> ''y'')',
                                     '%1$I IN (%2$L)', '%1$I = ANY ((SELECT ARRAY[%2$L, NULL])::text[])',
                                       '%1$I = (SELECT %2$L::text)'] LOOP
      EXECUTE format('SELECT string_agg(t::text, '';'' ORDER BY t::text COLLATE "C") FROM (SELECT %1$I FROM shop.%3$I t WHERE ' || condition || ') t',
        col, value, tab) INTO remote_ids;
      EXECUTE format('SELECT string_agg(t::text, '';'' ORDER BY t::text COLLATE "C") FROM (SELECT %1$I FROM copies.%3$I t WHERE ' || condition || ') t',
        col, value, tab) INTO local_ids;
      checked := checked + 1;
      IF remote_ids IS DISTINCT FROM local_ids THEN failed := failed || format(condition, col, value); END IF;
    END LOOP;
  END LOOP;
END $$;
SELECT * FROM sweep('all_types', 'c_text', (SELECT array_agg(DISTINCT c_text) FROM copies.all_types
  WHERE c_text IS NOT NULL));
SELECT * FROM sweep('all_types', 'c_varchar20', (SELECT array_agg(DISTINCT c_varchar20) FROM copies.all_types
  WHERE c_varchar20 IS NOT NULL));
SELECT * FROM sweep('all_types', 'c_text', ARRAY['a,b', '(a)', '"', '\', '\\', '\"', '*', '%', '+', ';', '&', '=',
  E'\n', E'\r\n', E'\t', 'é', '日本', '😀', 'null', 'NULL', 'true', 'not.eq.x', 'eq.x', 'in.(1)',
  '{a}', '''', '''''', ' ', '  a ', '.', ':', '#', '?', '/', '%20', '%2B', '%', '$1', '{}', '()', ')', 'a),b.eq.c', ',',
    'ß', U&'\FEFF', U&'\200D', U&'\00A0', E'\x01', E'\x7f', 'x&limit=1', '-', '--', '/*']);
CREATE FOREIGN TABLE shop.shapes (id bigint OPTIONS (key 'true'), note text) SERVER shop OPTIONS (table_name 'orders');
CREATE TABLE copies.shapes AS SELECT id, note FROM copies.orders;
SELECT * FROM sweep('shapes', 'note', (SELECT array_agg(note) FROM copies.shapes WHERE id < 9));
SELECT count(*) AS checked, count(*) FILTER (WHERE n <> 1) AS failed
FROM (SELECT p.c, (SELECT count(*) FROM shop.pairs s WHERE s.b = p.b AND s.c = p.c) AS n FROM copies.pairs p
  WHERE p.c <= 170) t;
SELECT count(*) AS checked, count(*) FILTER (WHERE n <> 1) AS failed
FROM (SELECT p.c, (SELECT count(*) FROM shop.pairs s WHERE s.b = ANY (ARRAY[p.b, 'none']) AND s.a = p.a) AS n
  FROM copies.pairs p WHERE p.c <= 170) t;

-- each value of each comparable type by each operator
CREATE FUNCTION sweep_types(OUT col name, OUT checked int, OUT sent int, OUT failed text[]) RETURNS SETOF record
  LANGUAGE plpgsql AS $$
DECLARE
  type text; value text; op text; condition text; plan text; remote_ids int[]; local_ids int[];
BEGIN
  FOR col, type IN SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = 'copies.all_types'::regclass AND attnum > 2 AND atttypid NOT IN ('json'::regtype, 'xml'::regtype,
      'point'::regtype, 'line'::regtype, 'lseg'::regtype,
      'box'::regtype, 'path'::regtype, 'polygon'::regtype, 'circle'::regtype) ORDER BY attnum
  LOOP
    checked := 0; sent := 0; failed := '{}';
    FOR value IN EXECUTE format('SELECT DISTINCT ON (%1$I::text) %1$I::text FROM copies.all_types WHERE %1$I IS NOT NULL ORDER BY 1',
      col) LOOP
      FOREACH op IN ARRAY CASE WHEN type ~ 'range|\[\]|ts|json' THEN ARRAY['='] ELSE ARRAY['=', '<>', '<', '<=', '>',
        '>='] END LOOP
        condition := format('%I %s %L::%s', col, op, value,
          CASE type WHEN 'bit' THEN 'varbit::bit(3)' WHEN 'character' THEN 'bpchar' ELSE type END);
        EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT id FROM shop.all_types WHERE ' || condition INTO plan;
        EXECUTE 'SELECT array_agg(id ORDER BY id) FROM shop.all_types WHERE ' || condition INTO remote_ids;
        EXECUTE 'SELECT array_agg(id ORDER BY id) FROM copies.all_types WHERE ' || condition INTO local_ids;
        checked := checked + 1;
        IF plan NOT LIKE '%Local Filter Reason%' THEN sent := sent + 1; END IF;
        IF remote_ids IS DISTINCT FROM local_ids THEN failed := failed || condition; END IF;
      END LOOP;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM sweep_types();

-- parameters: custom and generic plans, NULL, arrays
PREPARE by_id (bigint) AS SELECT id, note FROM shop.orders WHERE id = $1;
PREPARE by_note (text) AS SELECT id FROM shop.orders WHERE note = $1 OR note IS NULL AND id < $2 ORDER BY id;
PREPARE by_list (bigint[]) AS SELECT id FROM shop.orders WHERE id = ANY ($1) ORDER BY id;
PREPARE by_not_list (bigint[]) AS SELECT count(*) FROM shop.orders WHERE id <> ALL ($1);
PREPARE by_time (timestamptz, interval) AS SELECT count(*) FROM shop.orders WHERE placed_at < $1 + $2;
PREPARE by_int (int) AS SELECT id FROM shop.orders WHERE id = $1;
PREPARE by_wide (bigint) AS SELECT id FROM shop.all_types WHERE c_int2 = $1;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_list ('{1,2}');
EXECUTE by_id (5);
EXECUTE by_id (NULL);
EXECUTE by_note ('note 2', 9);
EXECUTE by_list ('{3,1,NULL,99}');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_id (5);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_list ('{1,2}');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_wide (5);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_time (now(), '1 day');
EXECUTE by_id (5);
EXECUTE by_id (NULL);
EXECUTE by_note ('note 2', 9);
EXECUTE by_note (NULL, 9);
EXECUTE by_list ('{3,1,NULL,99}');
EXECUTE by_list ('{}');
EXECUTE by_list (NULL);
EXECUTE by_not_list ('{3,1,99}');
EXECUTE by_not_list ('{3,NULL}');
EXECUTE by_not_list ('{}');
EXECUTE by_not_list (NULL);
EXECUTE by_int (7);
EXECUTE by_wide (12);
EXECUTE by_wide (1200000);
EXECUTE by_time ('2024-03-02 00:00+00', '12 hours');
RESET plan_cache_mode;
DEALLOCATE ALL;

CREATE FUNCTION requests(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
    IF line ~ '(Remote Request|Local Filter Reason|One-Time Filter): ' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;

-- values of subqueries, pseudo-constant conditions, correlation
SELECT * FROM requests('SELECT id FROM shop.orders WHERE id = (SELECT max(id) - 1 FROM copies.orders)');
SELECT id FROM shop.orders WHERE id = (SELECT max(id) - 1 FROM copies.orders);
SELECT id FROM shop.orders WHERE id = (SELECT id FROM copies.orders WHERE false);
SELECT id FROM shop.orders WHERE id = ANY (ARRAY(SELECT id FROM copies.orders WHERE id < 4)) ORDER BY id;
SELECT id FROM shop.orders WHERE id IN (SELECT id FROM copies.orders WHERE id < 4) ORDER BY id;
SELECT count(*) FROM shop.orders WHERE id NOT IN (SELECT id FROM copies.orders WHERE id < 4);
SELECT count(*) FROM shop.orders WHERE current_date > '2000-01-01';
SELECT count(*) FROM shop.orders WHERE current_date < '2000-01-01';
SELECT count(*) FROM shop.orders WHERE (SELECT count(*) FROM copies.orders) = 71 AND id < 5;
SELECT count(*) FROM shop.orders WHERE random() < 2 AND id < 5;
SELECT *
  FROM requests('SELECT c.id, (SELECT count(*) FROM shop.orders o WHERE o.customer_id = c.id) FROM copies.customers c WHERE c.id < 4');
SELECT c.id, (SELECT count(*) FROM shop.orders o WHERE o.customer_id = c.id) AS n FROM copies.customers c WHERE c.id < 4
  ORDER BY c.id;
SELECT c.id FROM copies.customers c WHERE EXISTS (SELECT FROM shop.orders o WHERE o.customer_id = c.id
  AND o.total > 2000) ORDER BY c.id;
SELECT c.id, o.id FROM copies.customers c, LATERAL (SELECT id FROM shop.orders WHERE customer_id = c.id
  AND note IS NOT NULL) o WHERE c.id < 3 ORDER BY c.id, o.id;

-- requests that would be too long are shortened and the rows filtered here
SELECT count(*) FROM shop.pairs WHERE c IN (SELECT i FROM generate_series(1, 5000) i);
DO $$
DECLARE
  list text := (SELECT string_agg(i::text, ',') FROM generate_series(1, 10000, 2) i);
  texts text := (SELECT string_agg(quote_literal(b), ',') FROM copies.pairs WHERE c <= 5000);
  remote bigint; local bigint; condition text;
BEGIN
  FOREACH condition IN ARRAY ARRAY[format('c IN (%s)', list), format('c NOT IN (%s)', list),
    format('c IN (%s) AND a = 3', list), format('b IN (%s)', texts), format('b NOT IN (%s)', texts),
    format('c = ANY (''{%s}'')', list), format('(c IN (%s) OR a = 4) AND c > 5000', list), format('b = %L', repeat('ü',
      5000)), format('b <> %L', repeat('%', 5000)),
    format('b = %L OR b = %L', repeat('x', 10000), 'plain-17'), format('c < 100 AND b <> %L', repeat('y', 100000))] LOOP
    EXECUTE 'SELECT count(*) FROM shop.pairs WHERE ' || condition INTO remote;
    EXECUTE 'SELECT count(*) FROM copies.pairs WHERE ' || condition INTO local;
    RAISE INFO '% rows, same: %', remote, remote = local;
  END LOOP;
END $$;
PREPARE long_list (int[]) AS SELECT count(*), min(c), max(c) FROM shop.pairs WHERE c = ANY ($1);
PREPARE long_text (text) AS SELECT count(*) FROM shop.pairs WHERE b <> $1;
SET plan_cache_mode = force_generic_plan;
DO $$
DECLARE n bigint; low int; high int;
BEGIN
  EXECUTE format('EXECUTE long_list (%L)', (SELECT array_agg(i) FROM generate_series(101, 5100) i)) INTO n, low, high;
  RAISE INFO '% rows, % to %', n, low, high;
END $$;
EXECUTE long_text (repeat('ü', 10000));
RESET plan_cache_mode;
DEALLOCATE ALL;
SELECT id FROM shop.orders WHERE id = ANY (ARRAY(SELECT i FROM generate_series(60, 5000) i)) ORDER BY id LIMIT 3;
-- a wide select list leaves less room
SELECT count(t.*) FROM shop.all_types t WHERE c_text IN (SELECT repeat('ü', 20)) OR c_int4 IN (1, 2, 3);
DO $$
DECLARE found bigint;
BEGIN
  FOR length IN 100..1400 BY 50 LOOP
    EXECUTE format('SELECT count(t.*) FROM shop.all_types t WHERE c_text <> %L', repeat('%', length)) INTO found;
    IF found <> (SELECT count(c_text) FROM copies.all_types) THEN RAISE INFO 'length %: % rows', length, found; END IF;
  END LOOP;
END $$;

SET client_min_messages = warning;
DROP FOREIGN TABLE shop.shapes;
DROP SCHEMA copies CASCADE;
DROP FUNCTION compare, compare_each, sweep, sweep_types, requests;
DROP COLLATION anycase;

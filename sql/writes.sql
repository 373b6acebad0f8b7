-- Writing: every type, every way. What was written is compared at the remote itself.
\set VERBOSITY default
SELECT supabase_rpc('shop', 'clear', schema => 'writing');
SET client_min_messages = warning;
CREATE SCHEMA w;
IMPORT FOREIGN SCHEMA writing FROM SERVER shop INTO w;
RESET client_min_messages;
GRANT USAGE ON SCHEMA w TO regress_app;
GRANT ALL ON ALL TABLES IN SCHEMA w TO regress_app;

-- ---- every type ----
-- what cannot be written: a JSON null, a NUL character in a json value
SELECT id, c_json FROM shop.all_types WHERE c_json::text = 'null' OR strpos(c_json::text, '\u0000') > 0;
INSERT INTO w.all_types SELECT * FROM shop.all_types WHERE c_json::text = 'null';
INSERT INTO w.all_types (id, note, c_json) SELECT id, note, c_json FROM shop.all_types WHERE strpos(c_json::text, '\u0000') > 0;
SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'; SET intervalstyle = 'sql_standard'; SET extra_float_digits = -3; SET bytea_output = 'escape';
INSERT INTO w.all_types SELECT * FROM shop.all_types WHERE coalesce(c_json::text, '') <> 'null' AND coalesce(strpos(c_json::text, '\u0000'), 0) = 0;
RESET ALL;
SELECT j ->> 'column_name' AS column_name, j -> 'rows' AS rows FROM supabase_rpc('shop', 'differing', '{"relation": "all_types"}', 'writing') j;
SELECT id FROM shop.all_types EXCEPT SELECT id FROM w.all_types ORDER BY id;
INSERT INTO w.random_values SELECT * FROM shop.random_values WHERE v_json::text <> 'null' AND v_jsonb::text <> 'null';
SELECT j ->> 'column_name' AS column_name, (j -> 'rows')::int = (SELECT count(*) FROM shop.random_values WHERE (v_json::text <> 'null' AND v_jsonb::text <> 'null') IS NOT TRUE) AS left_out
  FROM supabase_rpc('shop', 'differing', '{"relation": "random_values"}', 'writing') j;
INSERT INTO w.documents SELECT * FROM shop.documents WHERE coalesce(body::text, '') <> 'null' AND coalesce(raw::text, '') <> 'null';
SELECT j ->> 'column_name' AS column_name, (j -> 'rows')::int = (SELECT count(*) FROM shop.documents WHERE body::text = 'null' OR raw::text = 'null') AS left_out
  FROM supabase_rpc('shop', 'differing', '{"relation": "documents"}', 'writing') j;

-- the same values as changes: by a join, each row its own
UPDATE w.all_types SET (c_numeric, c_timestamptz, c_jsonb, c_text_array, c_composite, c_bytea, c_interval, c_float8) =
  (s.c_numeric, s.c_timestamptz, s.c_jsonb, s.c_text_array, s.c_composite, s.c_bytea, s.c_interval, s.c_float8)
  FROM (SELECT * FROM shop.all_types) s WHERE s.id = all_types.id;
SELECT j ->> 'column_name' AS column_name, j -> 'rows' AS rows FROM supabase_rpc('shop', 'differing', '{"relation": "all_types"}', 'writing') j;

-- ---- INSERT ----
INSERT INTO w.items (id, name) VALUES (1, 'one') RETURNING id, name, amount, made_at > now() - interval '1 hour' AS recent;
INSERT INTO w.items (id, name, amount) VALUES (2, 'two', NULL), (3, E'thr"ee\\ \t\n\u0001 é 😀', 3) RETURNING id, name, amount, made_at IS NULL AS without;
INSERT INTO w.serials DEFAULT VALUES RETURNING *;
INSERT INTO w.serials (a) SELECT i FROM generate_series(1, 3) i RETURNING id > 0 AS id, fixed > 0 AS fixed, a, doubled, tableoid::regclass;
INSERT INTO w.serials (fixed) VALUES (5);
INSERT INTO w.serials (b) VALUES (1), (2), (5000), (3);
INSERT INTO w.items (id, name) VALUES (10, 'ten'), (11, 'eleven'), (3, 'twelve');
INSERT INTO w.triggered (id, v) VALUES (NULL, 'none');
INSERT INTO w.triggered DEFAULT VALUES;
INSERT INTO w."odd (name), here" VALUES (1, 'c', 's'), (2, NULL, '') RETURNING *;
WITH r AS (UPDATE w."odd (name), here" SET "c,""d" = "select" || '!' RETURNING *) SELECT * FROM r ORDER BY 1;
WITH r AS (DELETE FROM w."odd (name), here" WHERE "a b" IN (1, 2) RETURNING "select") SELECT * FROM r ORDER BY 1;
INSERT INTO w.triggered VALUES (1, 'keep'), (2, 'drop'), (3, 'change') RETURNING *;
INSERT INTO w.triggered VALUES (4, 'drop');
-- without the privilege to read what was written
INSERT INTO w.write_only VALUES (1, 'a');
INSERT INTO w.write_only VALUES (2, 'b') RETURNING id;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO w.items (id, name) SELECT i, 'n' FROM generate_series(1, 3) i ON CONFLICT DO NOTHING RETURNING id;

-- duplicates
INSERT INTO w.items (id, name) VALUES (1, 'again'), (20, 'twenty') ON CONFLICT DO NOTHING;
INSERT INTO w.items (id, name) VALUES (1, 'again'), (21, 'twenty-one') ON CONFLICT DO NOTHING RETURNING id, name;
INSERT INTO w.items (id, name) VALUES (22, 'twenty') ON CONFLICT DO NOTHING;
INSERT INTO w.items (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
INSERT INTO w.heap VALUES (1, 'a') ON CONFLICT DO NOTHING;
ALTER FOREIGN TABLE w.items OPTIONS (ADD insert_mode 'upsert');
INSERT INTO w.items (id, name, amount) VALUES (1, 'merged', 7), (23, 'new', 8) RETURNING id, name, amount;
INSERT INTO w.items (id, name, amount) VALUES (24, 'a', 7), (24, 'b', 8);
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO w.items (id, name) VALUES (1, 'x');
ALTER FOREIGN TABLE w.items OPTIONS (ADD on_conflict 'name');
INSERT INTO w.items (id, name, amount) VALUES (99, 'merged', 9) RETURNING id, name, amount;
ALTER FOREIGN TABLE w.items OPTIONS (SET on_conflict 'amount');
INSERT INTO w.items (id, name, amount) VALUES (99, 'merged', 9);
ALTER FOREIGN TABLE w.items OPTIONS (SET on_conflict 'nothing');
INSERT INTO w.items (id, name, amount) VALUES (99, 'merged', 9);
ALTER FOREIGN TABLE w.items OPTIONS (SET insert_mode 'ignore', SET on_conflict 'name');
INSERT INTO w.items (id, name, amount) VALUES (100, 'merged', 9), (101, 'hundred', 1) RETURNING id;
ALTER FOREIGN TABLE w.items OPTIONS (DROP insert_mode, DROP on_conflict);
ALTER FOREIGN TABLE w.items OPTIONS (ADD insert_mode 'replace');
ALTER FOREIGN TABLE w.heap OPTIONS (ADD insert_mode 'upsert');
INSERT INTO w.heap VALUES (1, 'a');
-- the remote finds no key either
ALTER FOREIGN TABLE w.heap ALTER n OPTIONS (ADD key 'true');
INSERT INTO w.heap VALUES (1, 'a');
ALTER FOREIGN TABLE w.heap ALTER n OPTIONS (DROP key);
ALTER FOREIGN TABLE w.heap OPTIONS (DROP insert_mode);

-- ---- UPDATE and DELETE in one request ----
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.items SET amount = 5 WHERE id < 3 AND name LIKE 'm%';
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) UPDATE w.items SET amount = 5 WHERE id < 3;
UPDATE w.items SET amount = 6, name = NULL WHERE id = 2 RETURNING id, name, amount;
UPDATE w.items SET amount = amount WHERE id = 2;
UPDATE w.items SET amount = 0 WHERE id = -1;
UPDATE w.items SET amount = 0 WHERE id = NULL;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.items SET amount = 0 WHERE id = NULL;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.items SET amount = 0;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM w.heap;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM w.items WHERE id IN (1, 2) RETURNING *;
-- rows that are found by what is changed come back all the same
INSERT INTO w.pairs SELECT i / 3, 'b' || i, 'v' || i % 4 FROM generate_series(1, 20) i;
WITH r AS (UPDATE w.pairs SET v = 'new' WHERE v = 'v1' OR a = 2 RETURNING *) SELECT * FROM r ORDER BY a, b;
UPDATE w.pairs SET v = 'newer' WHERE (a = 1 OR b = 'b20') RETURNING v;
WITH r AS (DELETE FROM w.pairs WHERE v = 'newer' OR (a = 3 AND b > 'b1') RETURNING a) SELECT * FROM r ORDER BY a;
WITH r AS (UPDATE w.pairs SET v = 'distinct' WHERE v IS DISTINCT FROM 'new' AND a = 4 RETURNING *) SELECT * FROM r ORDER BY a, b;
PREPARE change(text, text) AS UPDATE w.pairs SET v = $2 WHERE v = $1;
EXECUTE change('distinct', 'prepared');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE change('a', 'b');
SET plan_cache_mode = force_generic_plan;
EXECUTE change('prepared', NULL);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE change('a', 'b');
EXECUTE change(repeat('x', 9000), NULL);
-- an asterisk that stands for itself makes a regular expression of the pattern
PREPARE starred(text) AS DELETE FROM w.pairs WHERE v LIKE $1;
EXECUTE starred('*');
RESET plan_cache_mode;
DELETE FROM w.pairs WHERE v IS NULL RETURNING a;

-- ---- UPDATE and DELETE by key ----
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.pairs SET v = v || '!' WHERE a < 3;
WITH r AS (UPDATE w.pairs SET v = v || '!' WHERE a < 3 RETURNING *) SELECT * FROM r ORDER BY a, b;
WITH r AS (UPDATE w.pairs SET a = a + 100 WHERE a = 5 RETURNING a, b) SELECT * FROM r ORDER BY a, b;
UPDATE w.pairs p SET v = x.w FROM (VALUES ('b1', 'first'), ('b1', 'first'), ('b2', 'second')) x(b, w) WHERE p.b = x.b RETURNING p.*, x.w;
UPDATE w.pairs p SET b = p.b || x.w FROM (VALUES ('b1', '_1'), ('b2', '_2')) x(b, w) WHERE p.b = x.b RETURNING p.b, x.*;
DELETE FROM w.pairs p USING (VALUES ('b1_1'), ('b1_1'), ('none')) x(b) WHERE p.b = x.b RETURNING p.*, x.*;
DELETE FROM w.pairs WHERE b || '' = 'b2_2';
SET supabase_fdw.enable_pushdown = off;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM w.pairs WHERE a = 6;
WITH r AS (DELETE FROM w.pairs WHERE a = 6 RETURNING *) SELECT * FROM r ORDER BY a, b;
RESET supabase_fdw.enable_pushdown;
-- a statement does not see what it writes
INSERT INTO w.pairs SELECT a + 1000, b, v FROM w.pairs WHERE a < 1000 RETURNING a > 1000 AS moved, v IS NULL AS without;
UPDATE w.pairs SET a = a + 5000;
SELECT count(*), min(a) >= 5000 AS shifted FROM w.pairs;
DELETE FROM w.pairs p WHERE a > (SELECT min(a) FROM w.pairs) RETURNING a > 5000 AS high;
-- without a key, by the row's place and version
INSERT INTO w.heap SELECT i, 'label ' || i FROM generate_series(1, 5) i;
INSERT INTO w.heap VALUES (1, 'label 1');
WITH r AS (UPDATE w.heap SET label = label || '!' WHERE n = 1 RETURNING *) SELECT * FROM r ORDER BY 1, 2;
UPDATE w.heap SET label = label || '?' WHERE n <= 2;
DELETE FROM w.heap WHERE label || '' LIKE '%!?' RETURNING n;
DELETE FROM w.heap h USING (VALUES (3), (4)) x(n) WHERE h.n = x.n RETURNING h.n, x.n;
SELECT * FROM w.heap ORDER BY n;
-- nor is any column of all rows a condition that what is set could hide
WITH r AS (UPDATE w.heap SET n = 7, label = 'seven' RETURNING *) SELECT * FROM r;
-- views: by their key
UPDATE w.cheap_items SET name = name || '*' WHERE amount < 8 AND id > 100 RETURNING *;
DELETE FROM w.cheap_items WHERE name = 'hundred*' RETURNING id;
ALTER FOREIGN TABLE w.cheap_items ALTER id OPTIONS (DROP key);
UPDATE w.cheap_items SET name = name || '*';

-- constraints
INSERT INTO w.parents VALUES (1), (2);
INSERT INTO w.children VALUES (1, 1), (2, 3);
INSERT INTO w.children VALUES (1, 1);
DELETE FROM w.parents WHERE id = 1;
UPDATE w.children SET parent = 9 WHERE id = 1;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
DO $$ DECLARE name text; column_detail text; BEGIN
  INSERT INTO w.parents VALUES (5), (2);
EXCEPTION WHEN unique_violation THEN NULL; END $$;
SET supabase_fdw.write_in_subtransaction = allow;
DO $$ DECLARE name text; detail text; BEGIN
  INSERT INTO w.parents VALUES (5), (2);
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME, detail = PG_EXCEPTION_DETAIL;
  RAISE NOTICE 'constraint %, %', name, detail;
END $$;
RESET supabase_fdw.write_in_subtransaction;
\set VERBOSITY default
\set SHOW_CONTEXT errors

-- what may not be written
ALTER FOREIGN TABLE w.parents OPTIONS (ADD updatable 'false');
INSERT INTO w.parents VALUES (3);
UPDATE w.parents SET id = 3;
DELETE FROM w.parents;
TRUNCATE w.parents;
ALTER FOREIGN TABLE w.parents OPTIONS (SET updatable 'true', ADD truncatable 'false');
TRUNCATE w.parents;
ALTER FOREIGN TABLE w.parents OPTIONS (DROP truncatable);
TRUNCATE w.parents;
TRUNCATE w.children, w.parents;
SELECT count(*) FROM w.parents;
TRUNCATE w.heap RESTART IDENTITY;
TRUNCATE w.heap CASCADE;
TRUNCATE w.heap;
SELECT count(*) FROM w.heap;
MERGE INTO w.parents p USING (VALUES (1)) x(id) ON p.id = x.id WHEN NOT MATCHED THEN INSERT VALUES (x.id);

-- row level security: a refusal is an error where a new row is not allowed, and no row where an old one is not
SET ROLE regress_app;
\getenv alice_jwt STACK_ALICE_JWT
\getenv bob_jwt STACK_BOB_JWT
SELECT email FROM supabase_set_auth(:'alice_jwt');
INSERT INTO w.owned (id, v) VALUES (1, 'alice 1'), (2, 'alice 2') RETURNING id, v;
SELECT email FROM supabase_set_auth(:'bob_jwt');
INSERT INTO w.owned (id, v) VALUES (3, 'bob 3');
INSERT INTO w.owned SELECT 4, owner, 'not his' FROM w.owned WHERE id = 1;
UPDATE w.owned SET v = 'taken' RETURNING id;
UPDATE w.owned SET v = v || '!' RETURNING id;
DELETE FROM w.owned WHERE id || '' = '1';
SELECT id, v FROM w.owned ORDER BY id;
RESET ROLE;
SELECT supabase_clear_auth();

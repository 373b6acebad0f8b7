-- Writing and local transactions, triggers, partitions, COPY; how many requests a statement takes.
\set VERBOSITY default
SELECT supabase_rpc('shop', 'clear', schema => 'writing');
CREATE FUNCTION w.requests(relation text) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(j ->> 'operation' || ' ' || (j ->> 'count'), ', ') FROM supabase_rpc('shop', 'statement_count', jsonb_build_object('of_relation', relation), 'writing') j $$;

-- ---- what a rollback leaves ----
BEGIN;
INSERT INTO w.items (id, name) VALUES (1, 'one'), (2, 'two');
INSERT INTO w.items (id, name) VALUES (3, 'three');
UPDATE w.items SET amount = 2 WHERE id < 3;
DELETE FROM w.items WHERE id = 3;
INSERT INTO w.parents VALUES (1);
ROLLBACK;
SELECT id, amount FROM w.items ORDER BY id;
-- an error rolls back as well; its warning may come before or after it
SET client_min_messages = error;
BEGIN;
INSERT INTO w.parents VALUES (2);
INSERT INTO w.parents VALUES (2);
SELECT 1;
COMMIT;
RESET client_min_messages;
BEGIN;
INSERT INTO w.parents VALUES (3);
COMMIT;
-- calls by hand, which the settings leave alone
BEGIN;
SELECT supabase_rpc('shop', 'add', '{"a": 1, "b": 2}');
SELECT supabase_request('shop', 'POST', '/rpc/add', body => '{"a": 1, "b": 2}');
SAVEPOINT s;
SELECT supabase_request('shop', 'DELETE', '/no_such_table', '{"id": "eq.1"}');
ROLLBACK TO s;
SAVEPOINT t;
SELECT supabase_request('shop', 'DELETE', '/products', '{"id": "eq.-1"}') IS NULL AS sent;
ROLLBACK TO t;
SELECT supabase_request('shop', 'GET', '/products', '{"select": "id", "limit": "0"}');
ROLLBACK;
-- nothing was written, nothing is said
BEGIN;
UPDATE w.items SET amount = 1 WHERE id = -1;
ROLLBACK;
SET supabase_fdw.write_in_transaction = error;
BEGIN;
INSERT INTO w.parents VALUES (4);
ROLLBACK;
INSERT INTO w.parents VALUES (4);
SET supabase_fdw.write_in_transaction = allow;
BEGIN;
INSERT INTO w.parents VALUES (5);
-- savepoints
SAVEPOINT a;
INSERT INTO w.parents VALUES (6);
ROLLBACK TO a;
SET supabase_fdw.write_in_subtransaction = warn;
SAVEPOINT b;
INSERT INTO w.parents VALUES (6);
SAVEPOINT c;
INSERT INTO w.parents VALUES (7);
ROLLBACK TO c;
RELEASE b;
ROLLBACK;
SELECT id FROM w.parents ORDER BY id;
SET supabase_fdw.write_in_subtransaction = allow;
DO $$ BEGIN
  BEGIN
    INSERT INTO w.parents VALUES (8);
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught';
  END;
  INSERT INTO w.parents VALUES (9);
END $$;
RESET supabase_fdw.write_in_subtransaction;
CREATE PROCEDURE w.fill() LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO w.parents VALUES (10);
  COMMIT;
  INSERT INTO w.parents VALUES (11);
  ROLLBACK;
END $$;
CALL w.fill();
RESET supabase_fdw.write_in_transaction;
-- what may not be
BEGIN READ ONLY;
INSERT INTO w.parents VALUES (12);
ROLLBACK;
SET default_transaction_read_only = on;
DELETE FROM w.parents;
TRUNCATE w.parents;
RESET default_transaction_read_only;
SET supabase_fdw.write_in_transaction = allow;
BEGIN;
INSERT INTO w.parents VALUES (12);
SET client_min_messages = error;
PREPARE TRANSACTION 'with_remote_write';
RESET client_min_messages;
SET supabase_fdw.write_in_transaction = never;
RESET supabase_fdw.write_in_transaction;
-- a statement of several requests that fails
ALTER FOREIGN TABLE w.bulk OPTIONS (ADD batch_size '10', ADD max_parallel_requests '1');
SET client_min_messages = error;
INSERT INTO w.bulk (id, a) SELECT nullif(i, 25), i FROM generate_series(1, 100) i;
RESET client_min_messages;
SELECT count(*) FROM w.bulk;
SELECT w.requests('bulk');
TRUNCATE w.bulk;
ALTER FOREIGN TABLE w.bulk OPTIONS (DROP batch_size, DROP max_parallel_requests);

-- ---- how many requests ----
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
INSERT INTO w.bulk SELECT i, i % 7, 'b' || i, now(), i / 3.0, gen_random_uuid() FROM generate_series(1, 100000) i;
SELECT w.requests('bulk');
SELECT count(*), count(DISTINCT id), sum(a), max(d) FROM w.bulk;
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
UPDATE w.bulk SET b = 'changed' WHERE id <= 10000;
SELECT w.requests('bulk');
UPDATE w.bulk SET b = b || a WHERE id <= 10000;
SELECT w.requests('bulk');
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
CREATE TABLE w.unwanted AS SELECT i * 7 AS id FROM generate_series(1, 10000) i;
ANALYZE w.unwanted;
DELETE FROM w.bulk USING w.unwanted WHERE bulk.id = unwanted.id;
SELECT split_part(w.requests('bulk'), ' ', 2)::int <= 30 AS few;
SELECT count(*) FROM w.bulk;
DELETE FROM w.bulk WHERE id = ANY (ARRAY(SELECT generate_series(1, 5000)));
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
TRUNCATE w.bulk;
SELECT w.requests('bulk');
-- COPY
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
COPY (SELECT i, i % 7, 'b' || i, now(), i / 3.0, gen_random_uuid() FROM generate_series(101, 100100) i) TO PROGRAM 'cat > "$PWD/supabase_fdw_copy"';
COPY w.bulk FROM PROGRAM 'cat "$PWD/supabase_fdw_copy"; rm "$PWD/supabase_fdw_copy"';
SELECT count(*), count(DISTINCT id), sum(a) FROM w.bulk;
SELECT w.requests('bulk');
TRUNCATE w.bulk;
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
COPY w.bulk (id, a) FROM stdin;
-1	7
-2	\N
\.
COPY w.bulk FROM stdin WHERE id > 5;
1	1	\N	\N	\N	\N
10	1	a"b	2024-01-01 00:00:00+00	1	\N
\.
SELECT id, a, b, c AT TIME ZONE 'UTC' AS c, d, e FROM w.bulk ORDER BY id;
COPY w.bulk (id) FROM stdin;
100
100
\.
SELECT w.requests('bulk');
RESET ALL;
-- the order of what comes back
INSERT INTO w.pairs SELECT i, 'b', 'v' FROM generate_series(1, 5000) i;
WITH new AS (INSERT INTO w.pairs SELECT i, 'c', 'v' FROM generate_series(1, 5000) i RETURNING a)
  SELECT count(*), bool_and(a = n) AS in_order FROM (SELECT a, row_number() OVER () AS n FROM new) x;
-- within a larger statement
WITH gone AS (DELETE FROM w.pairs WHERE a > 10 RETURNING a, b), kept AS (INSERT INTO w.heap SELECT a, b FROM gone RETURNING n)
  SELECT count(*) FROM kept;
SELECT count(*) FROM w.heap;

-- ---- row by row ----
CREATE FUNCTION w.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'DELETE' THEN RAISE NOTICE '% % %', TG_WHEN, TG_OP, OLD; RETURN OLD; END IF;
  IF TG_WHEN = 'BEFORE' THEN NEW.b := coalesce(NEW.b, 0) + 1; END IF;
  RAISE NOTICE '% % %', TG_WHEN, TG_OP, NEW;
  RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON w.serials FOR EACH ROW EXECUTE FUNCTION w.stamp();
INSERT INTO w.serials (a) VALUES (1), (2);
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON w.serials FOR EACH ROW EXECUTE FUNCTION w.stamp();
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.serials SET a = 5 WHERE id = 1;
INSERT INTO w.serials (b) VALUES (10) RETURNING doubled;
-- nor does it see its own rows here
SET client_min_messages = warning;
INSERT INTO w.serials (id, a) SELECT 100 + i, i FROM generate_series(1, 30) i;
ALTER FOREIGN TABLE w.serials OPTIONS (ADD fetch_size '5', ADD max_parallel_requests '1');
UPDATE w.serials SET id = id + 1000 WHERE id > 100;
INSERT INTO w.serials (id, a) SELECT id + 1000, a FROM w.serials WHERE id > 1000;
SELECT count(*), max(id) FROM w.serials WHERE id > 100;
ALTER FOREIGN TABLE w.serials OPTIONS (DROP fetch_size, DROP max_parallel_requests);
RESET client_min_messages;
DROP TRIGGER before_row ON w.serials;
UPDATE w.serials SET a = 5 WHERE id = 1 RETURNING doubled;
DELETE FROM w.serials WHERE id < 3 RETURNING id;
DROP TRIGGER after_row ON w.serials;
-- a view that checks
CREATE VIEW w.small AS SELECT id, b FROM w.serials WHERE b < 100 WITH CHECK OPTION;
INSERT INTO w.small (b) VALUES (50) RETURNING b;
SET client_min_messages = error;
INSERT INTO w.small (b) VALUES (500);
RESET client_min_messages;
UPDATE w.small SET b = 60 WHERE b = 50 RETURNING b;
DELETE FROM w.small WHERE b = 60 RETURNING b;
-- local generated columns are not sent
CREATE FOREIGN TABLE w.computed (id bigint OPTIONS (key 'true'), a int, doubled int GENERATED ALWAYS AS (a * 2) STORED) SERVER shop
  OPTIONS (schema_name 'writing', table_name 'serials');
INSERT INTO w.computed (id, a) VALUES (50, 5) RETURNING doubled;
UPDATE w.computed SET a = 6 WHERE id = 50 RETURNING doubled;
-- local defaults are
ALTER FOREIGN TABLE w.triggered ALTER v SET DEFAULT 'local';
INSERT INTO w.triggered (id) VALUES (51), (52) RETURNING *;
INSERT INTO w.triggered VALUES (53, DEFAULT), (54, 'own') RETURNING *;
-- partitions
CREATE TABLE w.parted (a int, b text, v text) PARTITION BY RANGE (a);
CREATE TABLE w.parted_local PARTITION OF w.parted FOR VALUES FROM (0) TO (100);
CREATE FOREIGN TABLE w.parted_remote PARTITION OF w.parted FOR VALUES FROM (100) TO (10000) SERVER shop
  OPTIONS (schema_name 'writing', table_name 'pairs');
ALTER FOREIGN TABLE w.parted_remote ALTER a OPTIONS (ADD key 'true'), ALTER b OPTIONS (ADD key 'true');
TRUNCATE w.pairs;
SELECT supabase_rpc('shop', 'forget_statements', schema => 'writing');
INSERT INTO w.parted SELECT i, 'p', 'v' || i % 2 FROM generate_series(50, 1149) i;
SELECT tableoid::regclass, count(*) FROM w.parted GROUP BY 1 ORDER BY 1;
SELECT w.requests('pairs');
INSERT INTO w.parted VALUES (1200, 'p', 'x'), (1, 'p', 'y') RETURNING tableoid::regclass, *;
COPY w.parted FROM stdin;
1300	p	copied
2	p	copied
1301	p	copied
\.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE w.parted SET v = 'new' WHERE a > 1140;
WITH r AS (UPDATE w.parted SET v = 'new' WHERE a > 1140 RETURNING tableoid::regclass, a) SELECT * FROM r ORDER BY a;
WITH r AS (UPDATE w.parted SET v = v || '!' WHERE a IN (1, 1200) RETURNING tableoid::regclass, *) SELECT * FROM r ORDER BY a;
-- a row that a join finds twice is changed once
UPDATE w.parted p SET v = x.v FROM (VALUES (1200, 'same'), (1200, 'same'), (2, 'same'), (2, 'same')) x(a, v) WHERE p.a = x.a;
-- from a local partition into the remote one
UPDATE w.parted SET a = 1400 WHERE a = 1;
-- but not out of it
UPDATE w.parted SET a = 5 WHERE a = 1400;
UPDATE w.parted SET a = a + 1 WHERE a = 1400 RETURNING a;
DELETE FROM w.parted WHERE a > 1000 AND v || '' <> 'v0';
SELECT count(*) FROM w.parted;
DROP TABLE w.parted;
-- many rows changed by their keys, a few requests at a time
TRUNCATE w.pairs;
INSERT INTO w.pairs SELECT i, 'b' || i, 'v' || i FROM generate_series(1, 500) i;
UPDATE w.pairs SET v = v || b;
SELECT count(*) FROM w.pairs WHERE v = 'v' || a || b;
-- the acting user is the owner of the view
CREATE VIEW w.as_owner AS SELECT * FROM w.write_only;
GRANT INSERT ON w.as_owner TO regress_app;
SET ROLE regress_app;
INSERT INTO w.as_owner VALUES (1, 'through the view');
INSERT INTO w.write_only VALUES (2, 'without a token');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA w CASCADE;


-- 1. Connect to the project ---------------------------------------------------------------------------------------

\getenv url STACK_URL
\getenv secret_key STACK_SECRET_KEY
\getenv publishable_key STACK_PUBLISHABLE_KEY
CREATE EXTENSION supabase_fdw;
CREATE SERVER shop FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (api_key :'secret_key');
CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA public LIMIT TO (customers, orders, order_items, products, events) FROM SERVER shop INTO shop;
\det shop.*
\d shop.orders

-- 2. An application role, which has only the publishable key, and a table of its own --------------------------------

CREATE ROLE app;
CREATE USER MAPPING FOR app SERVER shop OPTIONS (api_key :'publishable_key');
GRANT USAGE ON SCHEMA shop TO app;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO app;
CREATE TABLE order_status (status text PRIMARY KEY, meaning text);
INSERT INTO order_status VALUES ('new', 'waiting for payment'), ('paid', 'being packed'),
  ('shipped', 'on its way'), ('cancelled', 'will not come');
GRANT SELECT ON order_status TO app;
SET ROLE app;

-- 3. Nobody has signed in: the project's row level security shows no order ------------------------------------------

SELECT count(*) AS orders FROM shop.orders;

-- 4. As Alice: two remote tables joined with a local one -------------------------------------------------------------

\getenv alice_token STACK_ALICE_JWT
SELECT email, role FROM supabase_set_auth(:'alice_token');
PREPARE my_orders AS
  SELECT c.name, o.id AS "order", o.placed_at::date AS placed, o.total, s.meaning
  FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id LEFT JOIN order_status s ON s.status = o.status
  ORDER BY o.id;
EXECUTE my_orders;

-- 5. The same query as Bob ---------------------------------------------------------------------------------------------

\getenv bob_token STACK_BOB_JWT
SELECT email, role FROM supabase_set_auth(:'bob_token');
EXECUTE my_orders;

-- 6. What is sent ------------------------------------------------------------------------------------------------------

EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, SUMMARY OFF)
SELECT id, total FROM shop.orders WHERE total > 100 AND placed_at >= '2020-01-01' ORDER BY total DESC LIMIT 3;

-- 7. 100,000 rows through a server that gives 1,000 at a time ------------------------------------------------------------

\timing on
SELECT count(*) AS rows, count(DISTINCT id) AS different, min(ts)::date AS first, max(ts)::date AS last FROM shop.events;
\timing off
EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF) SELECT id, ts FROM shop.events;

-- 8. A count moves no rows, a function of the project is called as the user ----------------------------------------------

RESET ROLE;
GRANT EXECUTE ON FUNCTION supabase_rpc TO app;
GRANT USAGE ON FOREIGN SERVER shop TO app;
SET ROLE app;
EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM shop.events WHERE kind LIKE 'b%' AND value > 50;
SELECT product ->> 'name' AS found FROM supabase_rpc('shop', 'search_products', '{"q": "1"}') AS product LIMIT 3;

-- 9. A nightly job as Bob, who signs in once; his session is kept, encrypted, and refreshed when it expires -------------

RESET ROLE;
\getenv bob_password STACK_BOB_PASSWORD
SELECT email FROM supabase_sign_in('shop', 'bob@example.com', :'bob_password', save_as => 'nightly');
SELECT supabase_clear_auth();
CREATE ROLE job;
CREATE USER MAPPING FOR job SERVER shop OPTIONS (api_key :'publishable_key', login 'nightly');
SELECT supabase_grant_login('nightly', 'job');
GRANT USAGE ON SCHEMA shop TO job;
GRANT SELECT ON shop.orders TO job;
CREATE TABLE orders_copy (LIKE shop.orders);
GRANT INSERT ON orders_copy TO job;
UPDATE supabase_fdw.logins SET expires_at = now();   -- as if a night had passed
SET ROLE job;
INSERT INTO orders_copy SELECT * FROM shop.orders;
SELECT email, status, refresh_count FROM supabase_fdw.saved_logins;
RESET ROLE;
SELECT count(*) AS copied FROM orders_copy;
SET ROLE app;

-- 10. Nobody is signed in any more -----------------------------------------------------------------------------------

SELECT supabase_clear_auth();
SELECT count(*) AS orders FROM shop.orders;

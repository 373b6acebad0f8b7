-- Whose mapping a foreign table is read with, and whose rows are seen: views of other owners, policies, definer functions,
-- materialized views, triggers.
\getenv publishable_key STACK_PUBLISHABLE_KEY
\getenv secret_key STACK_SECRET_KEY
\getenv alice STACK_ALICE_JWT
\getenv bob STACK_BOB_JWT
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
-- regress_owner has a secret key of his own that the session's user does not narrow; regress_app the publishable key;
-- regress_nobody no mapping at all
DROP ROLE IF EXISTS regress_owner, regress_nobody;
CREATE ROLE regress_owner;
CREATE ROLE regress_nobody;
CREATE SCHEMA viewed;
GRANT ALL ON SCHEMA viewed TO regress_owner;
GRANT USAGE ON SCHEMA shop, viewed TO regress_owner, regress_app, regress_nobody;
GRANT SELECT ON shop.orders, shop.customers TO regress_owner, regress_nobody;
CREATE USER MAPPING FOR regress_owner SERVER shop OPTIONS (api_key :'secret_key', session_auth 'ignore');
CREATE FUNCTION who(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT CASE n WHEN 6 THEN 'alice' WHEN 5 THEN 'bob' WHEN 71 THEN 'service' WHEN 0 THEN 'anon' ELSE n::text END $$;
SET ROLE regress_owner;
CREATE VIEW viewed.of_owner AS SELECT * FROM shop.orders;
CREATE VIEW viewed.of_caller WITH (security_invoker) AS SELECT * FROM shop.orders;
CREATE VIEW viewed.nested AS SELECT * FROM viewed.of_caller;
CREATE VIEW viewed.nested_of_caller WITH (security_invoker) AS SELECT * FROM viewed.of_owner;
CREATE VIEW viewed.barrier WITH (security_barrier) AS SELECT * FROM shop.orders WHERE id < 8;
CREATE FUNCTION viewed.definer() RETURNS SETOF shop.orders LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM shop.orders';
CREATE FUNCTION viewed.invoker() RETURNS SETOF shop.orders LANGUAGE sql STABLE AS 'SELECT * FROM shop.orders';
CREATE VIEW viewed.calls_invoker AS SELECT * FROM viewed.invoker();
CREATE FUNCTION viewed.definer_of_view() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
  'BEGIN RETURN (SELECT count(*) FROM viewed.of_caller); END';
GRANT SELECT ON ALL TABLES IN SCHEMA viewed TO regress_app, regress_nobody;
RESET ROLE;
CREATE FUNCTION seen(OUT direct text, OUT of_owner text, OUT of_caller text, OUT nested text, OUT nested_of_caller text, OUT definer text, OUT invoker text,
  OUT calls_invoker text, OUT definer_of_view text) LANGUAGE plpgsql AS $$
DECLARE
  queries text[] := ARRAY['shop.orders', 'viewed.of_owner', 'viewed.of_caller', 'viewed.nested', 'viewed.nested_of_caller', 'viewed.definer()', 'viewed.invoker()', 'viewed.calls_invoker'];
  found text[]; n bigint;
BEGIN
  FOR i IN 1 .. cardinality(queries) LOOP
    BEGIN
      EXECUTE format('SELECT count(id) FROM %s', queries[i]) INTO n;
      found := found || who(n);
    EXCEPTION WHEN invalid_authorization_specification THEN
      found := found || SQLSTATE::text;
    END;
  END LOOP;
  direct := found[1]; of_owner := found[2]; of_caller := found[3]; nested := found[4]; nested_of_caller := found[5]; definer := found[6]; invoker := found[7]; calls_invoker := found[8];
  definer_of_view := who(viewed.definer_of_view());
END $$;
SET ROLE regress_app;
SELECT * FROM seen();
SELECT email FROM supabase_set_auth(:'alice');
SELECT * FROM seen();
SET ROLE regress_nobody;
SELECT * FROM seen();
SET ROLE regress_owner;
SELECT * FROM seen();
RESET ROLE;
SELECT * FROM seen();
-- in one query, in either order
SET ROLE regress_app;
SELECT count(*), count(o.id) AS own FROM viewed.of_owner v LEFT JOIN shop.orders o USING (id);
SELECT count(*), count(v.id) AS owners FROM shop.orders o LEFT JOIN viewed.of_owner v USING (id);
SELECT (SELECT count(id) FROM shop.orders), (SELECT count(id) FROM viewed.of_owner), (SELECT count(*) FROM viewed.of_owner WHERE id IN (SELECT id FROM shop.orders));
SELECT count(*) FROM (SELECT id FROM shop.orders UNION ALL SELECT id FROM viewed.of_owner) q;
SELECT o.id, (SELECT count(*) FROM viewed.of_owner v WHERE v.customer_id = o.customer_id AND v.id <= o.id) AS n FROM shop.orders o ORDER BY o.id LIMIT 2;
-- one cached plan, executed as several roles
PREPARE two_owners AS SELECT (SELECT count(id) FROM shop.orders) AS own, (SELECT count(id) FROM viewed.of_owner) AS owners;
SET plan_cache_mode = force_generic_plan;
EXECUTE two_owners;
SET ROLE regress_nobody;
EXECUTE two_owners;
\echo :SQLSTATE
SET ROLE regress_owner;
EXECUTE two_owners;
SET ROLE regress_app;
SELECT email FROM supabase_set_auth(:'bob');
EXECUTE two_owners;
RESET plan_cache_mode;

-- a barrier keeps what a function of the caller's could see below it; what is safe is sent
RESET ROLE;
CREATE FUNCTION viewed.leak(id bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
  $$ BEGIN RAISE INFO 'leaked %', id; RETURN true; END $$;
SET ROLE regress_app;
SELECT count(*) FROM viewed.barrier WHERE id > 6 AND viewed.leak(id);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM viewed.barrier WHERE id > 6 AND viewed.leak(id) LIMIT 1;
RESET ROLE;

-- policies of local tables that ask the remote: as the role whom they apply to
CREATE TABLE viewed.comments (order_id bigint, comment text);
INSERT INTO viewed.comments SELECT id, 'on ' || id FROM viewed.of_owner WHERE id < 12;
ALTER TABLE viewed.comments ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_order ON viewed.comments TO regress_app USING (EXISTS (SELECT FROM shop.orders o WHERE o.id = order_id));
CREATE POLICY by_view ON viewed.comments TO regress_nobody USING (order_id IN (SELECT id FROM viewed.of_owner WHERE id > 9));
CREATE VIEW viewed.comments_of_postgres AS SELECT * FROM viewed.comments;
GRANT SELECT ON viewed.comments, viewed.comments_of_postgres TO regress_app, regress_nobody;
SET ROLE regress_app;
SELECT order_id FROM viewed.comments ORDER BY order_id;
SELECT count(*) FROM viewed.comments_of_postgres;
SELECT email FROM supabase_set_auth(:'alice');
SELECT order_id FROM viewed.comments ORDER BY order_id;
SELECT c.order_id, o.note FROM viewed.comments c JOIN shop.orders o ON o.id = c.order_id WHERE c.comment <> 'on 3' ORDER BY 1;
SET ROLE regress_nobody;
SELECT order_id FROM viewed.comments ORDER BY order_id;
RESET ROLE;

-- a materialized view has the rows of who refreshed it last: its owner, whoever asks
CREATE MATERIALIZED VIEW viewed.kept AS SELECT id FROM shop.orders WITH NO DATA;
ALTER MATERIALIZED VIEW viewed.kept OWNER TO regress_owner;
REFRESH MATERIALIZED VIEW viewed.kept;
SELECT who(count(*)) FROM viewed.kept;
ALTER USER MAPPING FOR regress_owner SERVER shop OPTIONS (DROP session_auth);
REFRESH MATERIALIZED VIEW viewed.kept;
SELECT who(count(*)) FROM viewed.kept;
ALTER USER MAPPING FOR regress_owner SERVER shop OPTIONS (ADD session_auth 'ignore');

-- a trigger function, by who fires it, or by its owner
CREATE TABLE viewed.fired (n int, invoker text, definer text);
CREATE FUNCTION viewed.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.invoker := who((SELECT count(id) FROM shop.orders)); RETURN new; END';
CREATE FUNCTION viewed.fire_as_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN new.definer := who((SELECT count(id) FROM shop.orders)); RETURN new; END';
ALTER FUNCTION viewed.fire_as_owner() OWNER TO regress_owner;
CREATE TRIGGER a BEFORE INSERT ON viewed.fired FOR EACH ROW EXECUTE FUNCTION viewed.fire();
CREATE TRIGGER b BEFORE INSERT ON viewed.fired FOR EACH ROW EXECUTE FUNCTION viewed.fire_as_owner();
GRANT INSERT ON viewed.fired TO regress_app;
SET ROLE regress_app;
INSERT INTO viewed.fired SELECT i FROM generate_series(1, 2) i;
SELECT supabase_clear_auth();
INSERT INTO viewed.fired VALUES (3);
RESET ROLE;
SELECT * FROM viewed.fired ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA viewed CASCADE;
DROP FUNCTION seen, who;
DROP OWNED BY regress_owner, regress_nobody;
DROP USER MAPPING IF EXISTS FOR regress_owner SERVER shop;
DROP ROLE regress_owner, regress_nobody;

-- Acting as a user: which credential a request carries.
-- Who a request acted as is seen by the orders it may see: Alice has 6, Bob 5, the secret key all 71, anon none.
\getenv url STACK_URL
\getenv url_http STACK_URL_HTTP
\getenv url_uncapped STACK_URL_UNCAPPED
\getenv rest_url STACK_REST_URL
\getenv publishable_key STACK_PUBLISHABLE_KEY
\getenv secret_key STACK_SECRET_KEY
\getenv anon_jwt STACK_ANON_JWT
\getenv service_jwt STACK_SERVICE_JWT
\getenv alice STACK_ALICE_JWT
\getenv alice_id STACK_ALICE_ID
\getenv alice_http STACK_ALICE_HTTP_JWT
\getenv bob STACK_BOB_JWT
\getenv bob_id STACK_BOB_ID
\getenv expired STACK_EXPIRED_JWT
\set who 'SELECT CASE count(*) WHEN 6 THEN ''alice'' WHEN 5 THEN ''bob'' WHEN 71 THEN ''service'' WHEN 0 THEN ''anon'' END AS who FROM shop.orders;'
\set status 'SELECT server, role, email, scope FROM supabase_auth() ORDER BY scope, server NULLS FIRST;'

-- set, status, clear
SELECT * FROM supabase_auth();
:who
SELECT role, email, user_id = :'alice_id' AS is_alice, expires_at > now() AS valid FROM supabase_set_auth(:'alice');
SELECT server, role, email, user_id = :'alice_id' AS is_alice, expires_at > now() AS valid, scope FROM supabase_auth();
:who
SELECT id FROM shop.orders ORDER BY id;
SELECT role, email, user_id = :'bob_id' AS is_bob FROM supabase_set_auth(:'bob');
:status
:who
SELECT id FROM shop.orders ORDER BY id;
SELECT o.id, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id ORDER BY o.id;
SELECT supabase_clear_auth();
:status
:who
SELECT supabase_clear_auth();
SELECT email FROM supabase_set_auth(:'alice');
SELECT supabase_set_auth(NULL) IS NULL AS cleared;
:status
:who

-- the scheme in front of a token, and blanks around it
SELECT email FROM supabase_set_auth('Bearer ' || :'alice');
SELECT email FROM supabase_set_auth('bEARER   ' || :'bob' || E' \n');
:who
SELECT supabase_clear_auth();

-- prepared statements under two identities in turn, custom plan
SET plan_cache_mode = force_custom_plan;
PREPARE custom_one (bigint) AS SELECT count(*), min(id) FROM shop.orders WHERE id > $1;
SELECT email FROM supabase_set_auth(:'alice');
EXECUTE custom_one(2);
SELECT email FROM supabase_set_auth(:'bob');
EXECUTE custom_one(2);
SELECT email FROM supabase_set_auth(:'alice');
EXECUTE custom_one(2);

-- the same, generic plan
SET plan_cache_mode = force_generic_plan;
PREPARE generic_one (bigint) AS SELECT count(*), min(id) FROM shop.orders WHERE id > $1;
EXECUTE generic_one(2);
SELECT email FROM supabase_set_auth(:'bob');
EXECUTE generic_one(2);
SELECT email FROM supabase_set_auth(:'alice');
EXECUTE generic_one(2);
SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'generic_one';

-- a plan made without a token
SELECT supabase_clear_auth();
PREPARE before_any AS SELECT count(*), min(id), max(id) FROM shop.orders;
EXECUTE before_any;
SELECT email FROM supabase_set_auth(:'bob');
EXECUTE before_any;
SELECT supabase_clear_auth();
EXECUTE before_any;

-- a cached plan under another role takes that role's mapping
SET ROLE regress_app;
EXECUTE before_any;
RESET ROLE;
EXECUTE before_any;
RESET plan_cache_mode;

-- a cursor keeps the identity that it was opened with
BEGIN;
SELECT email FROM supabase_set_auth(:'alice');
DECLARE opened CURSOR FOR SELECT id FROM shop.orders ORDER BY id;
FETCH 2 FROM opened;
SELECT email FROM supabase_set_auth(:'bob');
FETCH ALL FROM opened;
DECLARE unfetched CURSOR FOR SELECT id FROM shop.orders ORDER BY id;
SELECT email FROM supabase_set_auth(:'alice');
FETCH ALL FROM unfetched;
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id FROM shop.orders ORDER BY id;
SELECT supabase_clear_auth();
COMMIT;
FETCH ALL FROM held;
CLOSE held;
:who

-- one statement per identity, however often a scan starts again
SELECT email FROM supabase_set_auth(:'alice');
SELECT g, (SELECT count(*) FROM shop.orders WHERE id > g) FROM generate_series(0, 4, 2) g;

-- another role: the token stays, the mapping changes
SET ROLE regress_app;
:status
:who
SELECT supabase_clear_auth();
:who
RESET ROLE;
:who
SELECT email FROM supabase_set_auth(:'bob');
SET SESSION AUTHORIZATION regress_app;
:status
:who
RESET SESSION AUTHORIZATION;
:who
SELECT supabase_clear_auth();

-- session_auth of a user mapping
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD session_auth 'ignore');
SELECT email FROM supabase_set_auth(:'alice');
:who
SET ROLE regress_app;
:who
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET session_auth 'always');
:who
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (ADD session_auth 'setter');
SET ROLE regress_app;
-- set by postgres
:who
SELECT email FROM supabase_set_auth(:'bob');
:who
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (SET session_auth 'setter');
:who
ALTER USER MAPPING FOR regress_app SERVER shop OPTIONS (DROP session_auth);
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (DROP session_auth);
:who

-- session_auth of the server; a mapping's own choice wins
ALTER SERVER shop OPTIONS (ADD session_auth 'ignore');
:who
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD session_auth 'always');
:who
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (DROP session_auth);
ALTER SERVER shop OPTIONS (SET session_auth 'setter');
-- set by regress_app
:who
SELECT email FROM supabase_set_auth(:'alice');
:who
ALTER SERVER shop OPTIONS (DROP session_auth);
SELECT supabase_clear_auth();

-- a view is read with its owner's mapping; the session's user still decides
CREATE VIEW owned_orders AS SELECT * FROM shop.orders;
CREATE VIEW invoker_orders WITH (security_invoker = true) AS SELECT * FROM shop.orders;
GRANT SELECT ON owned_orders, invoker_orders TO regress_app;
SET ROLE regress_app;
SELECT count(*) FROM owned_orders;
SELECT count(*) FROM invoker_orders;
SELECT email FROM supabase_set_auth(:'alice');
SELECT count(*) FROM owned_orders;
SELECT count(*) FROM invoker_orders;
SELECT count(*) FROM owned_orders o JOIN shop.orders s ON s.id = o.id;
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD session_auth 'ignore');
SET ROLE regress_app;
SELECT count(*) FROM owned_orders;
SELECT count(*) FROM invoker_orders;
SELECT count(*) AS own_rows, (SELECT count(*) FROM owned_orders) AS all_rows FROM shop.orders;
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (DROP session_auth);

-- a function that runs as its owner
CREATE FUNCTION definer_count() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM shop.orders';
CREATE FUNCTION definer_count_plpgsql() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RETURN (SELECT count(*) FROM shop.orders); END $$;
SET ROLE regress_app;
SELECT definer_count(), definer_count_plpgsql(), (SELECT count(*) FROM shop.orders) AS own;
SELECT supabase_clear_auth();
SELECT definer_count(), definer_count_plpgsql(), (SELECT count(*) FROM shop.orders) AS own;
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (ADD session_auth 'ignore');
SET ROLE regress_app;
SELECT email FROM supabase_set_auth(:'bob');
SELECT definer_count(), definer_count_plpgsql(), (SELECT count(*) FROM shop.orders) AS own;
RESET ROLE;
ALTER USER MAPPING FOR postgres SERVER shop OPTIONS (DROP session_auth);
SELECT supabase_clear_auth();

-- a view of another owner has that owner's mapping, or none
CREATE ROLE regress_other;
GRANT USAGE ON SCHEMA shop TO regress_other;
GRANT SELECT ON shop.orders TO regress_other;
ALTER VIEW owned_orders OWNER TO regress_other;
SELECT count(*) FROM owned_orders;
CREATE USER MAPPING FOR regress_other SERVER shop OPTIONS (api_key :'publishable_key');
SELECT count(*) FROM owned_orders;
SELECT count(*) FROM shop.orders;

-- require_user_jwt
ALTER SERVER shop OPTIONS (ADD require_user_jwt 'true');
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
SELECT email FROM supabase_set_auth(:'alice');
:who
SELECT supabase_clear_auth();

-- option jwt of a user mapping: a user without a call; the session's token comes first
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (ADD jwt :'bob');
SET ROLE regress_other;
:who
SELECT email FROM supabase_set_auth(:'alice');
:who
SELECT supabase_clear_auth();
RESET ROLE;
ALTER SERVER shop OPTIONS (DROP require_user_jwt);
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (SET jwt :'expired');
SET ROLE regress_other;
\set VERBOSITY terse
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
\set VERBOSITY default
RESET ROLE;
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (DROP jwt);

-- the older keys are tokens themselves
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (SET api_key :'anon_jwt');
SET ROLE regress_other;
:who
SELECT email FROM supabase_set_auth(:'alice');
:who
RESET ROLE;
SELECT supabase_clear_auth();
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (SET api_key :'service_jwt');
SET ROLE regress_other;
:who
SELECT email FROM supabase_set_auth(:'bob');
:who
RESET ROLE;
SELECT supabase_clear_auth();

-- a key that the project does not know, a mapping without any, no mapping
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (SET api_key 'sb_publishable_unknown');
SET ROLE regress_other;
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
RESET ROLE;
ALTER USER MAPPING FOR regress_other SERVER shop OPTIONS (DROP api_key);
SET ROLE regress_other;
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
RESET ROLE;
DROP USER MAPPING FOR regress_other SERVER shop;
SET ROLE regress_other;
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
SELECT email FROM supabase_set_auth(:'alice');
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
SELECT supabase_clear_auth();
RESET ROLE;

-- the mapping of PUBLIC is for whoever has none of his own
CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (api_key :'secret_key', session_auth 'ignore');
SET ROLE regress_other;
:who
SET ROLE regress_app;
:who
RESET ROLE;
DROP USER MAPPING FOR PUBLIC SERVER shop;

-- a token that the remote refuses is an error, never the key's own role
\set forged `"$PG_ABS_SRCDIR"/test/stack/mint-jwt wrong-secret "{\"sub\":\"$STACK_ALICE_ID\",\"role\":\"authenticated\",\"iss\":\"$STACK_URL/auth/v1\",\"exp\":$(($(date +%s) + 3600))}"`
SELECT role FROM supabase_set_auth(:'forged');
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE

-- expired: at the call, and before each request
\set VERBOSITY terse
SELECT supabase_set_auth(:'expired');
\echo :SQLSTATE
\set VERBOSITY default
\set old `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"role\":\"authenticated\",\"iss\":\"$STACK_URL/auth/v1\",\"exp\":1000000000}"`
SELECT supabase_set_auth(:'old');
\echo :SQLSTATE
-- 30 seconds of clock skew: this one has still some seconds to go, then it has not
\set soon `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"role\":\"authenticated\",\"email\":\"soon\",\"iss\":\"$STACK_URL/auth/v1\",\"exp\":$(($(date +%s) - 25))}"`
SELECT email, expires_at AS soon_expires_at FROM supabase_set_auth(:'soon') \gset
\echo :email
SELECT pg_sleep_until(:'soon_expires_at'::timestamptz + interval '31.2 s');
\set VERBOSITY terse
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
\set VERBOSITY default
SELECT email FROM supabase_auth();
SELECT supabase_clear_auth();
:who

-- not valid yet
\set future `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"email\":\"future\",\"iss\":\"$STACK_URL/auth/v1\",\"nbf\":$(($(date +%s) + 3600)),\"exp\":$(($(date +%s) + 7200))}"`
SELECT email FROM supabase_set_auth(:'future');
SELECT supabase_clear_auth();
-- and one that never expires
\set eternal `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"role\":\"authenticated\",\"iss\":\"$STACK_URL/auth/v1\"}"`
SELECT role, email, expires_at FROM supabase_set_auth(:'eternal');
:who
SELECT supabase_clear_auth();

-- what is no token
CREATE FUNCTION pg_temp.jwt(header text, payload text, signature text DEFAULT 'c2lnbmF0dXJl') RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('.', translate(encode(convert_to(header, 'UTF8'), 'base64'), E'+/=\n', '-_'),
                   translate(encode(convert_to(payload, 'UTF8'), 'base64'), E'+/=\n', '-_'), signature) $$;
CREATE FUNCTION pg_temp.try(what text, token text) RETURNS TABLE (given text, state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
  given := what;
  PERFORM supabase_set_auth(token);
  state := '00000';
  RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN NEXT;
END $$;
SELECT email FROM supabase_set_auth(:'bob');
\pset expanded on
\pset tuples_only on
\pset format unaligned
SELECT t.* FROM (VALUES
  (1, 'empty', ''),
  (2, 'blanks', '   '),
  (3, 'the scheme alone', 'Bearer '),
  (4, 'a word', 'token'),
  (5, 'two parts', 'eyJhbGciOiJIUzI1NiJ9.e30'),
  (6, 'four parts', pg_temp.jwt('{"alg":"HS256"}', '{}') || '.x'),
  (7, 'no signature', pg_temp.jwt('{"alg":"none"}', '{}', '')),
  (8, 'no payload', 'eyJhbGciOiJIUzI1NiJ9..c2lnbmF0dXJl'),
  (9, 'a line break inside', replace(:'alice', '.', E'.\r\n')),
  (10, 'a header behind it', :'alice' || E'\r\nX-Evil: 1'),
  (11, 'a blank inside', replace(:'alice', '.', '. ')),
  (12, 'two tokens', :'alice' || ',' || :'bob'),
  (13, 'not base64url', pg_temp.jwt('{"alg":"HS256"}', '{}', 'ab+/')),
  (14, 'padding', pg_temp.jwt('{"alg":"HS256"}', '{}', 'YQ==')),
  (15, 'a length that base64 cannot have', pg_temp.jwt('{"alg":"HS256"}', '{}', 'abcde')),
  (16, 'payload not JSON', pg_temp.jwt('{"alg":"HS256"}', 'sub=me')),
  (17, 'payload an array', pg_temp.jwt('{"alg":"HS256"}', '[]')),
  (18, 'payload a string', pg_temp.jwt('{"alg":"HS256"}', '"me"')),
  (19, 'header not JSON', pg_temp.jwt('HS256', '{}')),
  (20, 'header an array', pg_temp.jwt('["HS256"]', '{}')),
  (21, 'a claim twice', pg_temp.jwt('{"alg":"HS256"}', '{"sub":"a","sub":"b"}')),
  (22, 'text behind the payload', pg_temp.jwt('{"alg":"HS256"}', '{"sub":"a"} {}')),
  (23, 'exp a string', pg_temp.jwt('{"alg":"HS256"}', '{"exp":"4102444800"}')),
  (24, 'exp null', pg_temp.jwt('{"alg":"HS256"}', '{"exp":null}')),
  (25, 'a control character in a claim', pg_temp.jwt('{"alg":"HS256"}', '{"email":"a\nb"}')),
  (26, 'deep', pg_temp.jwt('{"alg":"HS256"}', '{"x":' || repeat('[', 20) || repeat(']', 20) || '}')),
  (27, 'long', pg_temp.jwt('{"alg":"HS256"}', '{}', repeat('abcd', 2100))),
  (28, 'a publishable key', 'sb_publishable_0123456789abcdefghijklm'),
  (29, 'a secret key', 'sb_secret_0123456789abcdefghijklmnopqrstuv'),
  (30, 'a personal access token', 'sbp_0102030405060708091011121314151617181920'),
  (31, 'a key with a scheme', 'Bearer sb_secret_0123456789abcdefghijklmnopqrstuv')
) AS v (n, what, token), LATERAL pg_temp.try(what, token) AS t ORDER BY n;
\pset expanded off
\pset tuples_only off
\pset format aligned
-- none of them replaced Bob
SELECT email FROM supabase_auth();
:who
SELECT * FROM pg_temp.try('odd, but a token', pg_temp.jwt('{"alg":"HS256"}', '{"exp":4102444800.5,"sub":7,"email":null,"x":[{}]}'));
SELECT user_id, role, email, expires_at AT TIME ZONE 'UTC' AS expires FROM supabase_auth();
SELECT supabase_clear_auth();

-- the token of the request that a local PostgREST serves: for the transaction, from one header
BEGIN;
SELECT set_config('request.headers', json_build_object('x-supabase-auth', :'alice', 'authorization', 'Bearer ' || :'bob')::text, true) IS NOT NULL AS request;
SELECT role, email FROM supabase_set_auth_from_request();
:status
:who
COMMIT;
:status
:who
-- given by another name; names are compared without regard to case
BEGIN;
SELECT set_config('request.headers', json_build_object('x-user-token', 'Bearer ' || :'bob')::text, true) IS NOT NULL AS request;
SELECT email FROM supabase_set_auth_from_request('X-User-Token');
:who
SELECT supabase_set_auth_from_request() IS NULL AS without_header;
:status
ROLLBACK;
:who
-- only the named header: never the caller's own authorization
BEGIN;
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'bob')::text, true) IS NOT NULL AS request;
SELECT supabase_set_auth_from_request() IS NULL AS without_header;
:who
COMMIT;
-- absent, empty, null; what was set before stays
SELECT supabase_set_auth_from_request() IS NULL AS no_request;
SELECT email FROM supabase_set_auth(:'alice');
BEGIN;
SELECT set_config('request.headers', '', true);
SELECT supabase_set_auth_from_request() IS NULL AS empty_setting;
SELECT set_config('request.headers', '{"x-supabase-auth": ""}', true);
SELECT supabase_set_auth_from_request() IS NULL AS empty_header;
SELECT set_config('request.headers', '{"x-supabase-auth": null}', true);
SELECT supabase_set_auth_from_request() IS NULL AS null_header;
:who
COMMIT;
SELECT supabase_clear_auth();
-- bad ones are errors
SET request.headers = 'not JSON';
SELECT supabase_set_auth_from_request();
\echo :SQLSTATE
SET request.headers = '["x-supabase-auth"]';
SELECT supabase_set_auth_from_request();
SET request.headers = '{"x-supabase-auth": 1}';
SELECT supabase_set_auth_from_request();
SET request.headers = '{"x-supabase-auth": "token"}';
SELECT supabase_set_auth_from_request();
-- and so is one that would end its own line
SELECT set_config('request.headers', json_build_object('x-supabase-auth', :'alice' || E'\r\nX-Other: 1')::text, false) IS NOT NULL AS request;
SELECT supabase_set_auth_from_request();
SELECT supabase_set_auth_from_request(NULL);
RESET request.headers;
SELECT current_setting('request.headers') AS headers_after;
SELECT supabase_set_auth_from_request() IS NULL AS reset;
-- a token of another project: refused before it is sent, unless given for this server
BEGIN;
SELECT set_config('request.headers', json_build_object('x-supabase-auth', :'alice_http')::text, true) IS NOT NULL AS request;
SELECT email FROM supabase_set_auth_from_request();
SAVEPOINT before_refused;
SELECT count(*) FROM shop.orders;
ROLLBACK TO before_refused;
SELECT email FROM supabase_set_auth_from_request(server => 'shop');
:status
:who
COMMIT;

-- forward_request_jwt: the request's caller without any call
ALTER SERVER shop OPTIONS (ADD forward_request_jwt 'true');
:who
BEGIN;
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'bob')::text, true) IS NOT NULL AS request;
:who
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'bob', 'x-supabase-auth', :'alice')::text, true) IS NOT NULL AS request;
:who
-- a token that was set comes first
SELECT email FROM supabase_set_auth(:'bob', is_local => true);
:who
SELECT supabase_clear_auth();
:status
-- the caller's token for the local project stays here
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'alice_http')::text, true) IS NOT NULL AS request;
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
ROLLBACK;
BEGIN;
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'old')::text, true) IS NOT NULL AS request;
SELECT count(*) FROM shop.orders;
ROLLBACK;
BEGIN;
SELECT set_config('request.headers', '{"authorization": "Basic dXNlcjpwYXNzd29yZA=="}', true) IS NOT NULL AS request;
SELECT count(*) FROM shop.orders;
ROLLBACK;
ALTER SERVER shop OPTIONS (SET forward_request_jwt 'false');
BEGIN;
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'bob')::text, true) IS NOT NULL AS request;
:who
COMMIT;
ALTER SERVER shop OPTIONS (DROP forward_request_jwt);

-- the argument server: that server only
SELECT email FROM supabase_set_auth(:'bob', 'shop');
:status
:who
SELECT email FROM supabase_set_auth(:'alice');
-- the server's own comes before the general one
:who
SELECT supabase_clear_auth('shop');
:status
:who
SELECT supabase_clear_auth();
SELECT supabase_set_auth(:'alice', server => 'nosuch');
\echo :SQLSTATE
SELECT supabase_clear_auth('nosuch');
\echo :SQLSTATE

-- a token that names no project is fine as long as there is one project only
\set unnamed `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"email\":\"unnamed\",\"role\":\"authenticated\",\"exp\":$(($(date +%s) + 3600))}"`
SELECT email FROM supabase_set_auth(:'unnamed');
:who
CREATE SERVER second FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url_http');
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
SELECT supabase_set_auth(:'unnamed');
\echo :SQLSTATE
SELECT email FROM supabase_set_auth(:'unnamed', 'shop');
:who
SELECT supabase_clear_auth();
-- a management server is no project
CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw;
DROP SERVER second;
SELECT email FROM supabase_set_auth(:'unnamed');
:who
SELECT supabase_clear_auth();
DROP SERVER mgmt;

-- several servers: a token goes to its own project only, and nothing is sent before that is known
CREATE SERVER second FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url_http');
CREATE USER MAPPING FOR postgres SERVER second OPTIONS (api_key :'secret_key');
CREATE SCHEMA second;
IMPORT FOREIGN SCHEMA public LIMIT TO (orders) FROM SERVER second INTO second;
SELECT email FROM supabase_set_auth(:'alice');
:who
SELECT count(*) FROM second.orders WHERE id = 424242;
\echo :SQLSTATE
SELECT count(*) FROM shop.orders s JOIN second.orders o ON o.id = s.id;
SELECT email FROM supabase_set_auth(:'bob', 'second');
:status
:who
SELECT count(*) FROM second.orders WHERE id < 424243;
\set refused_requests `for i in $(seq 100); do grep -q 'lt.424243' "$STACK_GATEWAY_LOG" && break; sleep 0.05; done; grep -c 'eq.424242' "$STACK_GATEWAY_LOG"`
\echo :refused_requests
SELECT s.id AS alice_order, o.id AS bob_order FROM shop.orders s CROSS JOIN second.orders o
WHERE s.id > 5 AND o.id < 8 ORDER BY 1, 2;
SELECT supabase_clear_auth('second');
SELECT count(*) FROM second.orders;
SELECT supabase_clear_auth();
SELECT count(*) FROM second.orders;
SELECT email FROM supabase_set_auth(:'alice_http');
SELECT count(*) FROM second.orders;
SELECT count(*) FROM shop.orders;
SELECT supabase_clear_auth();

-- the older claim ref names a project too
\set other_ref `"$PG_ABS_SRCDIR"/test/stack/mint-jwt "$STACK_JWT_SECRET" "{\"sub\":\"$STACK_ALICE_ID\",\"role\":\"authenticated\",\"ref\":\"abcdefghijklmnopqrst\",\"exp\":$(($(date +%s) + 3600))}"`
SELECT role FROM supabase_set_auth(:'other_ref');
SELECT count(*) FROM shop.orders;
SELECT role FROM supabase_set_auth(:'other_ref', 'shop');
:who
SELECT supabase_clear_auth();

-- a token given for a server is for the address that it had: another host, another port, another scheme
SELECT email FROM supabase_set_auth(:'bob', 'second');
SELECT count(*) FROM second.orders;
ALTER SERVER second OPTIONS (SET url :'url_uncapped');
SELECT count(*) FROM second.orders;
\echo :SQLSTATE
ALTER SERVER second OPTIONS (SET url :'url_http');
SELECT count(*) FROM second.orders;
SELECT email FROM supabase_set_auth(:'bob', 'shop');
ALTER SERVER shop OPTIONS (SET url :'url_uncapped');
SELECT count(*) FROM shop.orders;
\echo :SQLSTATE
ALTER SERVER shop OPTIONS (SET url :'url');
:who
SELECT supabase_clear_auth();

-- a server that was dropped
CREATE SERVER third FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
SELECT email FROM supabase_set_auth(:'alice', 'third');
DROP SERVER third;
:status
:who
SELECT supabase_clear_auth();
:status

-- a PostgREST without gateway needs no key
CREATE SERVER bare FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'rest_url');
CREATE USER MAPPING FOR postgres SERVER bare;
CREATE SCHEMA bare;
CREATE FOREIGN TABLE bare.orders (id bigint OPTIONS (key 'true'), total numeric) SERVER bare;
SELECT count(*) FROM bare.orders;
SELECT email FROM supabase_set_auth(:'alice', 'bare');
SELECT count(*) FROM bare.orders;
SELECT supabase_clear_auth();
DROP SERVER bare CASCADE;

DROP SCHEMA bare, second CASCADE;
DROP SERVER second CASCADE;
DROP VIEW owned_orders, invoker_orders;
DROP FUNCTION definer_count, definer_count_plpgsql;
REVOKE ALL ON SCHEMA shop FROM regress_other;
REVOKE ALL ON shop.orders FROM regress_other;
DROP ROLE regress_other;

-- IMPORT FOREIGN SCHEMA: which tables, which columns, which types and options; what it says when it cannot.
\getenv url STACK_URL
\set VERBOSITY default
\set SHOW_CONTEXT never

CREATE VIEW column_options AS
SELECT n.nspname AS schema, c.relname AS tab, a.attname AS col, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS "not null",
       (SELECT string_agg(o.option_name || '=' || o.option_value, ' ' ORDER BY o.option_name)
        FROM pg_options_to_table(a.attfdwoptions) o
        WHERE NOT (o.option_name = 'column_name' AND o.option_value = a.attname)) AS options
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'f' AND a.attnum > 0
ORDER BY n.nspname, c.relname COLLATE "C", a.attnum;

-- LIMIT TO
CREATE SCHEMA few;
IMPORT FOREIGN SCHEMA public LIMIT TO (customers, order_items, "Mixed Case", absent) FROM SERVER shop INTO few;
SELECT * FROM column_options WHERE schema = 'few';
SELECT ftrelid::regclass AS tab, ftoptions FROM pg_foreign_table
WHERE ftrelid::regclass::text LIKE 'few.%' ORDER BY ftrelid::regclass::text COLLATE "C";
SELECT count(*) FROM few.customers;
SELECT * FROM few."Mixed Case" ORDER BY "Id";

-- EXCEPT: all but these
CREATE SCHEMA most;
SET client_min_messages = warning;
IMPORT FOREIGN SCHEMA public EXCEPT (all_types, odd_types, orders, "Mixed Case", "odd, ""name"" (select)")
  FROM SERVER shop INTO most;
RESET client_min_messages;
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'shop'
EXCEPT SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'most'
ORDER BY 1;
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'most'
EXCEPT SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'shop'
ORDER BY 1;

-- another remote schema, with a table of a name that public has too
CREATE SCHEMA private;
IMPORT FOREIGN SCHEMA private_api FROM SERVER shop INTO private;
SELECT * FROM column_options WHERE schema = 'private';
SELECT ftrelid::regclass AS tab, ftoptions FROM pg_foreign_table
WHERE ftrelid::regclass::text LIKE 'private.%' ORDER BY ftrelid::regclass::text COLLATE "C";
SELECT * FROM private.products ORDER BY code;
SELECT count(*), sum(balance) FROM private.accounts;
SELECT id, label FROM private.rich_accounts ORDER BY id;

-- odd identifiers
SELECT col, type, "not null", options FROM column_options WHERE schema = 'shop' AND tab = 'odd, "name" (select)';
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'shop."odd, ""name"" (select)"'::regclass;

-- types that the local database lacks become text, with the remote type as an option
CREATE SCHEMA lacking;
IMPORT FOREIGN SCHEMA public LIMIT TO (odd_types, orders, all_types) FROM SERVER shop INTO lacking;
SELECT tab, col, type, options FROM column_options WHERE schema = 'lacking' AND options LIKE '%remote_type=%';
SELECT * FROM lacking.odd_types ORDER BY id;

-- types that exist under the same name, in the remote's schema or in the one imported into, are used
CREATE TYPE public."odd type" AS ENUM ('a b', 'c,d', 'e"f', 'null', '');
CREATE SCHEMA present;
CREATE TYPE present.order_status AS ENUM ('new', 'paid', 'shipped', 'cancelled');
CREATE TYPE public.address AS (street text, zip int, tags text[]);
IMPORT FOREIGN SCHEMA public LIMIT TO (odd_types, orders, all_types) FROM SERVER shop INTO present;
SELECT tab, col, type, options FROM column_options WHERE schema = 'present'
AND (tab <> 'all_types' OR col LIKE '%composite%' OR col LIKE '%enum%') AND type <> 'bigint';
SELECT * FROM present.odd_types ORDER BY id;
SELECT id, (c_composite).zip, c_composite_array[1] FROM present.all_types WHERE (c_composite).zip IS NOT NULL
  ORDER BY id;
SELECT status, count(*) FROM present.orders GROUP BY status ORDER BY status;

-- keys on tables and on views that can be written, not on those that join or group
SELECT tab, string_agg(col, ', ' ORDER BY col) AS key FROM column_options
WHERE schema = 'shop' AND options LIKE '%key=true%' GROUP BY tab ORDER BY tab COLLATE "C";
SELECT tab, col, type, "not null", options FROM column_options
WHERE schema = 'shop' AND tab IN ('order_totals', 'open_orders', 'event_kinds', 'slow_view', 'nokey');

-- references
SELECT tab, col, options FROM column_options WHERE schema = 'shop' AND options LIKE '%references=%';

-- NOT NULL
SELECT tab, string_agg(col, ', ' ORDER BY col) AS not_null FROM column_options
WHERE schema = 'shop' AND "not null" AND tab IN ('customers', 'orders', 'order_items', 'products', 'events',
  'measurements')
GROUP BY tab ORDER BY tab;

-- lengths and precisions
SELECT col, type FROM column_options WHERE schema = 'shop' AND tab = 'all_types'
AND col IN ('c_varchar', 'c_varchar20', 'c_char5', 'c_onechar', 'c_name', 'c_bit3', 'c_numeric_10_2', 'c_timestamp3',
  'c_varchar_array');

-- nothing to import
CREATE SCHEMA nothing;
IMPORT FOREIGN SCHEMA public LIMIT TO (no_such_table) FROM SERVER shop INTO nothing;
IMPORT FOREIGN SCHEMA public LIMIT TO (forbidden) FROM SERVER shop INTO nothing;
SELECT count(*) FROM information_schema.foreign_tables WHERE foreign_table_schema = 'nothing';

-- errors
IMPORT FOREIGN SCHEMA public FROM SERVER shop INTO nothing OPTIONS (import_default 'true');
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA no_such_schema FROM SERVER shop INTO nothing;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA public LIMIT TO (customers) FROM SERVER shop INTO few;
\echo :LAST_ERROR_SQLSTATE

-- the publishable key may not read the description of the tables
CREATE SCHEMA app AUTHORIZATION regress_app;
SET ROLE regress_app;
IMPORT FOREIGN SCHEMA public FROM SERVER shop INTO app;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

-- no user mapping, no request
CREATE SERVER unmapped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url :'url');
IMPORT FOREIGN SCHEMA public FROM SERVER unmapped INTO nothing;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM information_schema.foreign_tables WHERE foreign_table_schema = 'nothing';

SET client_min_messages = warning;
DROP SERVER unmapped;
DROP SCHEMA few, most, private, lacking, present, nothing, app CASCADE;
DROP VIEW column_options;
DROP TYPE public."odd type", public.address;

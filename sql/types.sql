-- Every column type: what comes from the remote server equals a local copy made from the same definitions and data.
\getenv abs_srcdir PG_ABS_SRCDIR
\set definitions :abs_srcdir '/test/stack/remote/04-types.sql'
\set VERBOSITY default
SET client_min_messages = warning;
CREATE SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;
\set ECHO none
\i :definitions
\set ECHO all
ALTER TABLE public.all_types SET SCHEMA extensions;
ALTER TABLE extensions.all_types RENAME TO local_copy;
CREATE SCHEMA typed;
IMPORT FOREIGN SCHEMA public LIMIT TO (all_types) FROM SERVER shop INTO typed;
RESET client_min_messages;

-- how many columns and rows there are; all types were found, domains come as their base types
SELECT count(*) AS columns, count(DISTINCT atttypid) AS types,
       count(*) FILTER (WHERE attfdwoptions::text LIKE '%remote_type%') AS as_text
FROM pg_attribute WHERE attrelid = 'typed.all_types'::regclass AND attnum > 0;
SELECT f.attname, format_type(f.atttypid, f.atttypmod) AS imported, format_type(l.atttypid, l.atttypmod) AS local
FROM pg_attribute f JOIN pg_attribute l USING (attname)
WHERE f.attrelid = 'typed.all_types'::regclass AND l.attrelid = 'extensions.local_copy'::regclass AND f.attnum > 0
AND (f.atttypid, f.atttypmod) <> (l.atttypid, l.atttypmod) ORDER BY f.attnum;
SELECT count(*) FROM typed.all_types;

-- Compares column by column, as text, since some types have no equality. Returns what differs.
CREATE FUNCTION differences(of_table regclass, OUT checked_columns int, OUT checked_values bigint, OUT differs text[])
LANGUAGE plpgsql AS $$
DECLARE
  col name;
  found bigint;
  row_count bigint;
BEGIN
  checked_columns := 0; checked_values := 0; differs := '{}';
  FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'extensions.local_copy'::regclass AND attnum > 0
    ORDER BY attnum
  LOOP
    EXECUTE format(
      'SELECT count(*), count(*) FILTER (WHERE f.v IS DISTINCT FROM l.v)
       FROM (SELECT id, %1$I::text AS v FROM %2$s) f FULL JOIN (SELECT id, %1$I::text AS v FROM extensions.local_copy) l USING (id)',
      col, of_table) INTO row_count, found;
    checked_columns := checked_columns + 1;
    checked_values := checked_values + row_count;
    IF found > 0 THEN differs := differs || format('%s: %s rows', col, found); END IF;
  END LOOP;
END $$;

SELECT * FROM differences('typed.all_types');

-- all columns in one request: both differences are empty
CREATE FUNCTION as_text_rows(of_table regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT t::text FROM %s t', of_table);
END $$;
SELECT count(*) FROM (SELECT as_text_rows('typed.all_types') EXCEPT ALL SELECT as_text_rows('extensions.local_copy')) d;
SELECT count(*) FROM (SELECT as_text_rows('extensions.local_copy') EXCEPT ALL SELECT as_text_rows('typed.all_types')) d;

-- the settings that change how values are written and read
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kathmandu';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT * FROM differences('typed.all_types');
SET datestyle = 'German, DMY';
SET intervalstyle = 'iso_8601';
SET timezone = 'America/St_Johns';
SET extra_float_digits = -4;
SELECT * FROM differences('typed.all_types');
SET datestyle = 'Postgres, MDY';
SET intervalstyle = 'postgres_verbose';
SET timezone = 'Europe/Berlin';
SET bytea_output = 'hex';
SET extra_float_digits = 3;
SELECT * FROM differences('typed.all_types');
RESET datestyle; RESET intervalstyle; RESET timezone; RESET bytea_output; RESET extra_float_digits;

-- by binary equality where a type has it: nothing was only shown alike
SELECT count(*) FROM typed.all_types f JOIN extensions.local_copy l USING (id)
WHERE (f.c_int8, f.c_numeric, f.c_float4, f.c_float8, f.c_timestamptz, f.c_interval, f.c_jsonb, f.c_bytea, f.c_int4_2d,
       f.c_tstzmultirange, f.c_composite, f.c_inet, f.c_numeric_array)
IS DISTINCT FROM (l.c_int8, l.c_numeric, l.c_float4, l.c_float8, l.c_timestamptz, l.c_interval, l.c_jsonb, l.c_bytea,
  l.c_int4_2d,
       l.c_tstzmultirange, l.c_composite, l.c_inet, l.c_numeric_array);
SELECT id, c_json IS NULL AS sql_null, c_json, c_jsonb FROM typed.all_types WHERE id IN (2, 17, 20) ORDER BY id;
SELECT id, array_lower(c_int4_array, 1), array_lower(c_int4_2d, 2), c_int4_array FROM typed.all_types WHERE id IN (1,
  22, 23) ORDER BY id;

-- types the local database lacks are text of the same content
SELECT count(*) FILTER (WHERE attfdwoptions::text LIKE '%remote_type%') AS as_text
FROM pg_attribute WHERE attrelid = 'shop.all_types'::regclass AND attnum > 0;
SELECT * FROM differences('shop.all_types');

-- NULL and a row of NULLs are told apart where the type is only shown as text, as in any other text column
SELECT id, c_composite FROM shop.all_types WHERE c_composite IS NULL AND id IN (1, 2, 25, 26) ORDER BY id;
SELECT id, c_composite FROM shop.all_types WHERE c_composite IS NOT NULL ORDER BY id;
-- and by the rules of row types where it is one
SELECT id FROM typed.all_types WHERE c_composite IS NULL AND id IN (1, 2, 25, 26) ORDER BY id;
SELECT id FROM typed.all_types WHERE c_composite IS NOT NULL ORDER BY id;

-- every column declared as text, with the remote type named: the remote's text of each value
DO $$
BEGIN
  EXECUTE (SELECT format('CREATE FOREIGN TABLE typed.all_text (id int OPTIONS (key ''true''), %s)
                          SERVER shop OPTIONS (table_name ''all_types'')',
                         string_agg(format('%I text OPTIONS (remote_type %L)', attname, format_type(atttypid, NULL)),
                           ', ' ORDER BY attnum))
           FROM pg_attribute WHERE attrelid = 'extensions.local_copy'::regclass AND attnum > 1);
END $$;
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SELECT * FROM differences('typed.all_text');
RESET datestyle; RESET intervalstyle; RESET timezone;
SELECT id, c_int8, c_numeric, c_bool, c_date, c_timestamp, c_jsonb, c_int4_array, c_composite, c_enum
FROM typed.all_text WHERE id = 1;
SELECT id, c_json, c_jsonb, c_jsonb_array FROM typed.all_text WHERE id IN (17, 18, 19) ORDER BY id;

-- wider and narrower local types that the values fit
CREATE FOREIGN TABLE typed.other (
  id bigint OPTIONS (key 'true'),
  c_int2 numeric, c_int4 int8, c_int8 numeric, c_bool text, c_uuid varchar(36), c_varchar20 text, c_date timestamp,
  c_float4 float8, c_numeric_10_2 numeric(12,3), c_text varchar, c_enum name, c_jsonb json, c_int4range text
) SERVER shop OPTIONS (table_name 'all_types');
SELECT * FROM typed.other WHERE id IN (1, 2) ORDER BY id;

-- a domain's own check applies to what comes
CREATE DOMAIN typed.small AS int CHECK (VALUE < 1000);
CREATE FOREIGN TABLE typed.domains (id int OPTIONS (key 'true'), c_int4 typed.small, c_domain_text public.short_text)
SERVER shop OPTIONS (table_name 'all_types');
SELECT * FROM typed.domains WHERE id IN (2, 3, 10) ORDER BY id;

-- a value that does not fit: the type's own error, and where it was
CREATE FOREIGN TABLE typed.misfit (
  id int OPTIONS (key 'true'), c_int8 int2, c_int4 int2, c_numeric int4, c_text int4, c_varchar20 varchar(3),
    c_note uuid OPTIONS (column_name 'note'),
  c_bool int4, c_enum public.positive
) SERVER shop OPTIONS (table_name 'all_types');
CREATE FOREIGN TABLE typed.misfit_pair (a int OPTIONS (key 'true'), b text OPTIONS (key 'true'), c bool)
SERVER shop OPTIONS (table_name 'pairs');
\set SHOW_CONTEXT always
SELECT c_int8 FROM typed.misfit ORDER BY id;
\echo :LAST_ERROR_SQLSTATE
SELECT c_int4 FROM typed.misfit ORDER BY id;
\echo :LAST_ERROR_SQLSTATE
SELECT c_numeric FROM typed.misfit WHERE id = 4;
\echo :LAST_ERROR_SQLSTATE
SELECT c_text FROM typed.misfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c_varchar20 FROM typed.misfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c_note FROM typed.misfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c_bool FROM typed.misfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c_enum FROM typed.misfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c_int4 FROM typed.domains WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT c FROM typed.misfit_pair WHERE a = 1 ORDER BY a, b LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
-- of a long key only the beginning is shown
CREATE FOREIGN TABLE typed.misfit_text (c_text text OPTIONS (key 'true'), c_name int, c_uuid int) SERVER shop
  OPTIONS (table_name 'all_types');
SELECT c_name FROM typed.misfit_text WHERE c_text = (SELECT c_text FROM extensions.local_copy WHERE id = 16);
\set SHOW_CONTEXT errors

SET client_min_messages = warning;
DROP SCHEMA typed, extensions CASCADE;
DROP FUNCTION differences, as_text_rows;
DROP TYPE public.mood, public.address CASCADE;
DROP DOMAIN public.shorter_text, public.short_text, public.positive;

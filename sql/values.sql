-- Values that are converted without their input functions: thousands of each type equal those of a local copy, which
-- PostgreSQL made from the same text.
\getenv abs_srcdir PG_ABS_SRCDIR
\set definitions :abs_srcdir '/test/stack/remote/06-values.sql'
\set VERBOSITY terse
SET client_min_messages = warning;
\set ECHO none
\i :definitions
\set ECHO all
CREATE SCHEMA vals;
ALTER TABLE public.random_values SET SCHEMA vals;
ALTER TABLE vals.random_values RENAME TO local_copy;
IMPORT FOREIGN SCHEMA public LIMIT TO (random_values) FROM SERVER shop INTO vals;
RESET client_min_messages;
SELECT count(*) FROM vals.random_values;

-- The remote's texts read as another type: cells of any notation go to that type's conversion.
DO $$
DECLARE
  columns text;
BEGIN
  SELECT string_agg(format('%I %s OPTIONS (remote_type ''text'')', attname,
      CASE attname WHEN 't_text_array' THEN 'text[]' WHEN 't_int4_array' THEN 'int4[]' ELSE substr(attname, 3) END), ', ' ORDER BY attnum)
    INTO columns FROM pg_attribute WHERE attrelid = 'vals.local_copy'::regclass AND attname LIKE 't\_%';
  EXECUTE format('CREATE FOREIGN TABLE vals.texts (id int OPTIONS (key ''true''), %s) SERVER shop OPTIONS (table_name ''random_values'')',
    columns);
END $$;

-- Compares each column's values by their binary form, so that nothing is only shown alike.
CREATE FUNCTION vals.compare(foreign_table regclass, only_column name DEFAULT NULL,
  OUT columns bigint, OUT compared bigint, OUT differing text[])
LANGUAGE plpgsql AS $$
DECLARE
  conditions text;
BEGIN
  SELECT count(*), string_agg(format('CASE WHEN %1$s(f.%2$I) IS DISTINCT FROM %1$s(l.%2$I::%3$s) THEN %2$L || f.id END', t.typsend, attname,
      format_type(atttypid, atttypmod)), ', ')
    INTO columns, conditions
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
    WHERE attrelid = foreign_table AND attnum > 1 AND attname = coalesce(only_column, attname);
  EXECUTE format('SELECT count(*), array_agg(d) FILTER (WHERE d IS NOT NULL)
    FROM %s f FULL JOIN vals.local_copy l USING (id), unnest(ARRAY[%s]) d', foreign_table, conditions) INTO compared, differing;
END $$;
SELECT * FROM vals.compare('vals.random_values');
SELECT * FROM vals.compare('vals.texts');

-- the same whatever the session's settings
SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET extra_float_digits = -4;
SELECT * FROM vals.compare('vals.random_values');
SELECT * FROM vals.compare('vals.texts');
SET timezone = 'America/St_Johns'; SET datestyle = 'German'; SET extra_float_digits = 3;
SELECT * FROM vals.compare('vals.random_values');
SELECT * FROM vals.compare('vals.texts');
SET timezone = 'Europe/Berlin'; SET datestyle = 'Postgres, MDY';
SELECT * FROM vals.compare('vals.random_values');
SELECT * FROM vals.compare('vals.texts');
SET timezone = '-03:30'; SET datestyle = 'ISO, YMD';
SELECT * FROM vals.compare('vals.random_values');
SELECT * FROM vals.compare('vals.texts');
RESET timezone; RESET datestyle; RESET extra_float_digits;
-- off: NULL without quotes is a word
SET array_nulls = off;
SELECT * FROM vals.compare('vals.texts', 't_text_array');
SELECT id, t_text_array FROM vals.texts WHERE id IN (SELECT id FROM vals.local_copy WHERE t_text_array = '{NULL}' ORDER BY id LIMIT 2);
SELECT v_int4_array FROM vals.random_values;
RESET array_nulls;

-- storage too: the values are what the table's own would be
SELECT count(*) FROM vals.random_values f JOIN vals.local_copy l USING (id)
WHERE (pg_column_size(f.v_numeric), pg_column_size(f.v_numeric_12_3), pg_column_size(f.v_int4_array), pg_column_size(f.v_text_array))
IS DISTINCT FROM (pg_column_size(l.v_numeric + 0), pg_column_size(l.v_numeric_12_3 + 0), pg_column_size(l.v_int4_array[:]),
  pg_column_size(l.v_text_array[:]));
SELECT count(*) FROM vals.random_values f JOIN vals.local_copy l USING (id)
WHERE record_image_ne(ROW(f.v_jsonb, f.v_jsonb_array), ROW(l.t_jsonb::jsonb, ARRAY[l.t_jsonb::jsonb, NULL, to_jsonb(l.t_jsonb)]));
SELECT count(*) FROM vals.texts f JOIN vals.local_copy l USING (id)
WHERE record_image_ne(ROW(f.t_jsonb, f.t_json), ROW(l.t_jsonb::jsonb, l.t_jsonb::json));
SELECT count(DISTINCT scale(v_numeric)) > 20 AS scales, max(abs(v_numeric)) > 1e23 AS large FROM vals.random_values;

-- what is no JSON: jsonb_in's own error
CREATE FOREIGN TABLE vals.no_json (id int OPTIONS (key 'true'), v_text jsonb OPTIONS (remote_type 'text')) SERVER shop OPTIONS (table_name 'random_values');
SELECT v_text FROM vals.no_json WHERE id = 3;

SET client_min_messages = warning;
DROP SCHEMA vals CASCADE;

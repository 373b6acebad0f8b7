-- Operators beyond plain comparison: what is sent for each, why others stay here, and that the rows are those of a local
-- copy, also under NOT, IS NOT TRUE, OR and with parameters.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET client_min_messages = warning;
CREATE SCHEMA copies;
SET supabase_fdw.enable_pushdown = off;
CREATE TABLE copies.documents AS SELECT * FROM shop.documents;
RESET supabase_fdw.enable_pushdown;
ALTER TABLE copies.documents ADD PRIMARY KEY (id);
SELECT count(*), count(title), count(tags), count(span), count(words) FROM copies.documents;

-- The filters that a condition sends, or why it stays here.
CREATE FUNCTION sent(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text; filters text; reason text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM shop.documents WHERE ' || condition LOOP
    IF line ~ 'Remote Request: none' THEN filters := 'nothing at all'; END IF;
    IF line ~ 'Remote Request: GET' THEN
      filters := regexp_replace(substring(line FROM 'select=[^&]*&(.*)$'), '&?(order|limit)=.*$', '');
    END IF;
    IF line ~ 'Local Filter Reason' THEN reason := substring(line FROM 'Reason: (.*)'); END IF;
  END LOOP;
  RETURN coalesce('here: ' || reason, filters);
END $$;

-- Ids that a condition keeps, or its error's code.
CREATE FUNCTION kept(tab text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE ids text;
BEGIN
  EXECUTE format('SELECT count(*) || '': '' || coalesce(string_agg(id::text, '' '' ORDER BY id), '''') FROM %s WHERE %s', tab, condition)
    INTO ids;
  RETURN ids;
EXCEPTION WHEN OTHERS THEN
  RETURN 'error ' || SQLSTATE;
END $$;

-- Each condition as it is and in every place that logic has; `wrong` lists those whose rows are not the copy's.
CREATE FUNCTION check_each(VARIADIC conditions text[])
RETURNS TABLE (condition text, sent text, "rows" text, wrong text) LANGUAGE plpgsql AS $$
DECLARE
  place text; places text[] := ARRAY['%s', 'NOT (%s)', '(%s) IS TRUE', '(%s) IS NOT TRUE', '(%s) IS FALSE', '(%s) IS NOT FALSE',
    '(%s) IS UNKNOWN', '(%s) IS NOT UNKNOWN', '(%s) OR id = 7', 'NOT ((%s) AND id > 20)', 'id < 30 AND ((%s) OR title IS NULL)'];
BEGIN
  FOREACH condition IN ARRAY conditions LOOP
    sent := sent(condition);
    "rows" := split_part(kept('copies.documents', condition), ':', 1);
    wrong := NULL;
    FOREACH place IN ARRAY places LOOP
      IF kept('shop.documents', format(place, condition)) <> kept('copies.documents', format(place, condition)) THEN
        wrong := concat_ws(', ', wrong, format(place, condition));
      END IF;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;
\pset format unaligned

-- LIKE: * is an ordinary character here, but PostgREST's other name for %
SELECT * FROM check_each('title LIKE ''a%''', 'title LIKE ''a_b''', 'title LIKE ''a\_b''', 'title LIKE ''a\%b''', 'title LIKE ''a*b''',
  'title LIKE ''%*%''', 'title LIKE ''\*%''', 'title LIKE ''*\**''', 'title LIKE ''a\\b''', 'title LIKE ''%\\''', 'title LIKE ''''',
  'title LIKE ''%''', 'title LIKE ''_''', 'title LIKE ''日_本''', 'title LIKE ''%本''', 'title LIKE ''\a\b''', 'title LIKE ''%.%''',
  'title LIKE ''*.%''', 'title LIKE ''%+%''', 'title LIKE ''[ab]''', 'title LIKE ''{%}''', 'title LIKE ''%"%''', 'title LIKE ''%,%''',
  'title LIKE ''***%''', 'title LIKE ''***=ab''', 'title LIKE ''(?i)%''', 'title LIKE ''%\n%''', E'title LIKE ''a\nb''', 'title NOT LIKE ''%a%''',
  'title LIKE NULL', 'title LIKE ''ab\''', 'title LIKE ''x\\\''', 'title LIKE ''a*b\''', 'title LIKE ''a#*b'' ESCAPE ''#''',
  'code LIKE ''a*%''', 'padded LIKE ''ab''', 'padded LIKE ''ab%''', 'padded LIKE ''ab      ''', 'padded LIKE ''*%''', 'padded::text LIKE ''ab''',
  'label LIKE ''a%''', 'label LIKE ''%*''', 'title LIKE code', '''ab'' LIKE title', 'title LIKE ANY (''{a%,*,%b,NULL}'')',
  'title LIKE ALL (''{%a%,%b}'')', 'title NOT LIKE ALL (''{a%,*}'')', 'title NOT LIKE ANY (''{a%,%b}'')', 'title LIKE ANY (''{}'')',
  'title LIKE ALL (''{}'')', 'title ^@ ''a''', 'starts_with(title, ''a*'')', 'starts_with(title, ''\'')', 'title ^@ ''''',
  'starts_with(title, ''%'')', 'starts_with(title, NULL)', 'title COLLATE "C" LIKE ''a%''');
DO $$
DECLARE
  pattern text; op text; n int := 0;
BEGIN
  FOR pattern IN SELECT title FROM copies.documents WHERE title IS NOT NULL
      UNION SELECT '%' || title FROM copies.documents WHERE title IS NOT NULL UNION SELECT title || '%' FROM copies.documents WHERE title !~ '\\$'
      UNION SELECT replace(title, 'b', '_') FROM copies.documents WHERE title ~ 'b' LOOP
    FOREACH op IN ARRAY ARRAY['title LIKE %L', 'title NOT LIKE %L', 'title LIKE %L OR id = 1', 'title LIKE (SELECT %L::text)',
        'starts_with(title, %L)', 'title = ANY (ARRAY[%L, NULL])', 'title IS DISTINCT FROM %L', 'padded LIKE %L', 'padded = %L', 'padded = %L::text',
        'label = %L::text', '%L = ANY (tags)', 'tags @> ARRAY[%L]', 'codes && ARRAY[%L::varchar, ''x'']', 'body ->> ''a'' = %L', 'body -> ''a'' = to_jsonb(%L::text)',
        'body ? %L', 'raw ->> 0 = %L', 'body @> jsonb_build_object(''a'', %L::text)', 'tags = ARRAY[%L]', 'body ->> %L IS NOT NULL'] LOOP
      n := n + 1;
      IF kept('shop.documents', format(op, pattern)) <> kept('copies.documents', format(op, pattern)) THEN
        RAISE INFO '%', format(op, pattern);
      END IF;
    END LOOP;
  END LOOP;
  RAISE INFO '% conditions with nasty texts', n;
END $$;

-- ILIKE and regular expressions: only when the option says that case and classes are the same
SELECT * FROM check_each('title ILIKE ''AB''', 'title ~ ''^a''');
ALTER FOREIGN TABLE shop.documents OPTIONS (ADD case_mapping 'true');
SELECT * FROM check_each('title ILIKE ''AB''', 'title NOT ILIKE ''A%''', 'title ILIKE ''É''', 'title ILIKE ''a*B''', 'title ~ ''^a''',
  'title !~ ''^a''', 'title ~* ''^A.B$''', 'title !~* ''b''', 'title ~ ''\*''', 'title ~ ''^\\''', 'title ~ ''[[:space:]]''', 'title ~ ''''',
  'title SIMILAR TO ''a_b|ab''', 'padded ~ ''b ''', 'title ~ ANY (''{^a,^b}'')', 'title ~* NULL');
ALTER FOREIGN TABLE shop.documents OPTIONS (DROP case_mapping);

-- IS DISTINCT FROM
SELECT * FROM check_each('title IS DISTINCT FROM ''ab''', 'title IS NOT DISTINCT FROM ''ab''', 'title IS DISTINCT FROM NULL', 'title IS NOT DISTINCT FROM NULL',
  'big IS DISTINCT FROM 5', 'small IS DISTINCT FROM 100000', 'small IS NOT DISTINCT FROM 100000', 'flag IS DISTINCT FROM true', 'flag IS NOT DISTINCT FROM NULL',
  'tags IS DISTINCT FROM ''{}''', 'padded IS DISTINCT FROM ''ab''', 'span IS NOT DISTINCT FROM ''empty''', 'title IS DISTINCT FROM code', 'body IS NOT DISTINCT FROM ''[1]''');

-- IS TRUE and the like of expressions
SELECT * FROM check_each('(id > 5 AND title = ''ab'') IS NOT TRUE', '(NOT (flag OR big > 5)) IS UNKNOWN', '((title IN (''ab'', NULL)) IS TRUE) IS NOT FALSE',
  '(flag AND NULL) IS UNKNOWN', '(title = ''ab'' OR body IS NULL) IS FALSE', '((big > 5) IS UNKNOWN) = true', '(id = ANY (''{}'')) IS FALSE', '(id = 5 OR NULL) IS NOT TRUE', 'id = 5 OR (SELECT true) IS NOT TRUE', 'id = 5 AND (SELECT NULL::boolean)', 'id = 5 OR NOT (SELECT false)', '(flag IS TRUE) IS NOT TRUE');

-- ANY and ALL
SELECT * FROM check_each('big > ANY (''{5,60}'')', 'big > ALL (''{5,60}'')', 'big <> ANY (''{5,NULL}'')', 'big = ALL (''{5,5}'')', 'big <= ALL (''{5,NULL}'')', 'big < ALL (''{}'')',
  'big < ANY (NULL)', 'small IN (5, 100000)', 'small IN (100000, 200000)', 'small NOT IN (100000, 200000)', 'whole IN (5, 6.0, 7.5)', 'whole NOT IN (5, 6.0, 7.5, NULL)',
  'small = ALL (''{5,100000}''::bigint[])', 'f4 IN (0.1, 5)', 'span = ANY (''{empty,"[5,15)"}''::int4range[])', 'tags IN (''{}'', ''{ab}'')', 'tags NOT IN (''{}'', NULL)',
  'body IN (''1'', ''null'')', 'label IN (''ab'', ''null'')', 'padded IN (''ab'', ''null'')', 'title = ANY (ARRAY[code])');

-- numbers of another type, and out of the column's range
SELECT * FROM check_each('whole = 42.0', 'whole = 42.5', 'whole <> 42.5', 'whole > 4.5', 'whole >= 4.5', 'whole < -4.5', 'whole <= 2147483647.5', 'whole < 2147483648', 'whole > -2147483649',
  'whole = ''NaN''::numeric', 'whole < ''NaN''::numeric', 'whole > ''-Infinity''::float8', 'whole < ''Infinity''::float8', 'whole < 4.5::float8', 'whole >= 1e30::float8', 'whole < 4.5::float4',
  'big > 9223372036854775806.5', 'big <= 9223372036854775807.0', 'big < 9223372036854775808', 'big = 5.0', 'big = 5::float8', 'small < 3.5', 'small = 3::int8', 'small > 40000', 'small BETWEEN -40000 AND 5',
  'exact = 4.5', 'exact > 4', 'exact = 4.5::float8', 'exact < ''NaN''', 'f4 = 0.1', 'f4 = 0.1::float4', 'f4 > 0.1', 'f4 >= 0.1', 'f4 < 0.1', 'f4 <= 0.1', 'f4 < 1e300', 'f4 > 1e300', 'f4 > -1e300', 'f4 = ''NaN''::float8',
  'f4 >= ''NaN''::float8', 'f4 = ''Infinity''::float8', 'f4 = 0::float8', 'f4 < 3.402823669209385e38', 'f8 = 0.1::float4', 'f8 < 0.1::float4', 'f8 = 0.1', 'f4 = 4', 'f4 <> 4.7', 'f4 IS DISTINCT FROM 0.1');

-- dates and times of another type
SELECT * FROM check_each('day = timestamp ''2024-02-29''', 'day = timestamp ''2024-02-29 12:00''', 'day < timestamp ''2024-02-29 12:00''', 'day <= timestamp ''2024-02-29''', 'day > timestamp ''2024-02-29 23:59:59.999999''',
  'day >= timestamp ''infinity''', 'day <> timestamp ''-infinity''', 'day < timestamp ''4713-01-01 12:00 BC''', 'day > timestamptz ''2024-02-29''', 'moment = date ''2024-02-29''', 'moment > date ''2024-02-29''',
  'moment < date ''5874897-12-31''', 'moment >= date ''5874897-12-31''', 'moment = date ''5874897-12-31''', 'moment < date ''infinity''', 'moment <= date ''infinity''', 'instant > date ''2024-03-31''', 'instant <= timestamp ''2024-03-31 02:30''',
  'instant < date ''5874897-12-31''', 'instant <> date ''5874897-12-31''', 'moment < timestamptz ''2024-03-31''', 'day IN (timestamp ''2024-02-29'', timestamp ''2024-03-01 01:00'')');
BEGIN;
SET LOCAL timezone = 'Europe/Berlin';
SELECT * FROM check_each('instant > date ''2024-03-31''', 'instant <= timestamp ''2024-03-31 02:30''', 'instant = timestamp ''2024-03-31 01:00''', 'during @> timestamptz ''2024-02-29 13:30''',
  'times && tstzmultirange(tstzrange(''2024-02-29'', ''2024-03-01''))', 'days @> ARRAY[date ''2024-02-29'']');
ROLLBACK;

-- text of other types
SELECT * FROM check_each('padded = ''ab''::text', 'padded = ''ab ''::text', 'padded <> ''ab ''::text', 'padded = ''ab ''', 'padded IS DISTINCT FROM '' ''::text', 'label = ''ab''::text', 'label = repeat(''a'', 70)', 'label <> repeat(''a'', 70)',
  'code = ''ab''::text', 'code = ''ab''::bpchar', 'title = ''ab''::name', 'label = title');

-- arrays
SELECT * FROM check_each('tags @> ''{ab}''', 'tags @> ''{}''', 'tags @> ''{NULL}''', 'tags <@ ''{ab,"a,b","\"","\\",null,""," ",NULL}''', 'tags && ''{ab,x}''', '''{ab}'' <@ tags', '''{ab,x}'' && tags', 'tags = ''{}''', 'tags <> ''{NULL}''', 'tags < ''{b}''',
  'numbers = ''{1,2}''', 'numbers = ''[0:1]={1,2}''', 'numbers @> ''{1,2}''', 'numbers > ''{2}''', 'numbers && ''{{1},{7}}''', 'numbers <@ ''{1,2,3}''', 'codes @> ''{x}''', 'codes = ''{a,b,NULL}''', 'codes && ''{a}''::varchar[]', 'codes::text[] && ''{a}''', 'days @> ''{infinity}''', 'days && ''{0044-03-15 BC}''',
  '''ab'' = ANY (tags)', '''ab'' <> ALL (tags)', '2 = ANY (numbers)', '2::smallint = ANY (numbers)', 'NULL = ANY (tags)', '''x'' = ANY (codes)', 'date ''infinity'' = ANY (days)', '5 < ANY (numbers)', 'tags[1] = ''ab''', 'cardinality(tags) = 0', 'tags || ''{x}'' = ''{x}''');

-- ranges, multiranges, networks
SELECT * FROM check_each('span @> 5', 'span @> 2147483647', 'span @> NULL::int', '7 <@ span', 'span @> ''[5,7]''', 'span @> ''empty''', 'span <@ ''[0,50]''', 'span && ''[5,7]''', 'span -|- ''(,5)''', 'span << ''[50,60)''', 'span >> ''(,5]''', 'span &< ''[0,30)''', 'span &> ''[30,)''', '''[5,7]'' && span',
  '''[50,60)'' >> span', '''[0,30)'' &< span', 'span = ''[5,15)''', 'span <> ''empty''', 'span < ''[5,)''', 'span && ''{[5,7],[40,50]}''::int4multirange', 'wide @> 9223372036854775807', 'wide @> 1::bigint', 'period @> date ''2024-02-29''', 'period @> date ''infinity''', 'period @> date ''-infinity''', 'period @> date ''5874897-12-31''',
  'period && ''[2024-02-29,2024-03-01]''', 'during @> timestamptz ''2024-02-29 13:00+00''', 'during @> timestamptz ''infinity''', 'during @> now()', 'during <@ ''(,infinity)''', 'during = ''[2024-01-01 00:00+00,infinity]''', 'prices @> 1.50', 'prices @> ''NaN''::numeric', 'prices -|- ''[2.5,3]''',
  'isempty(span)', 'lower(span) = 5', 'spans @> 5', 'spans @> 2147483647', 'spans @> ''[5,6]''::int4range', 'spans @> ''empty''::int4range', 'spans @> ''{[1,2],[5,6]}''', 'spans <@ ''{[0,100]}''', 'spans <@ ''[0,100]''::int4range', 'spans && ''[5,6]''::int4range', 'spans && ''{[0,1),[6,7)}''', 'spans << ''[60,70)''::int4range',
  'spans >> ''{(,5)}''', 'spans &< ''[0,9]''::int4range', 'spans &> ''{[5,6)}''', 'spans -|- ''[8,9)''::int4range', 'spans = ''{}''', 'spans <> ''{(,)}''', 'spans < ''{[3,4)}''', 'times @> timestamptz ''2024-02-29 12:30+00''', 'times @> timestamptz ''infinity''', '5 <@ spans', '''[5,6]''::int4range <@ spans');
SELECT * FROM check_each('net << ''10.0.0.0/8''', 'net <<= ''10.0.0.0/8''', 'net >> ''10.1.2.3''', 'net && ''10.1.0.0/12''', '''10.0.0.0/8'' >> net', 'block << ''10.0.0.0/8''', 'block && ''10.1.2.3''', 'block = ''10.0.0.0/8''', 'block < ''10.1.2.3''', 'net = ''::1''');

-- jsonb and JSON paths
SELECT * FROM check_each('body @> ''{"a": {"b": "ab"}}''', 'body @> ''[2]''', 'body @> ''{}''', 'body <@ ''{"a": null, "0": {"-1": "minus", "x": 1}}''', 'body = ''{"a": null, "0": {"-1": "minus"}}''', 'body <> ''"ab"''', 'body = ''null''', 'body < ''1''', 'body ? ''a''', 'body @? ''$.a''',
  'body ->> ''a'' = ''ab''', 'body ->> ''a'' IS NULL', 'body -> ''a'' IS NULL', 'body -> ''a'' = ''null''', 'body -> ''a'' ->> ''b'' LIKE ''a%''', 'body -> ''a'' ->> ''b'' LIKE ''%*%''', 'body -> ''a'' -> ''b'' = ''"ab"''', 'body -> ''a'' ->> ''0'' = ''zero''', 'body -> ''a'' ->> 0 = ''zero''', 'body ->> 0 = ''ab''',
  'body ->> -1 IS NULL', 'body -> 1 = ''3''', 'body -> 1 > ''3''', 'body -> ''l'' @> ''["ab"]''', 'body -> ''l'' -> 0 IN (''1'', ''2'')', 'body -> ''l'' ->> -2 = ANY (''{*,a%b,NULL}'')', 'body -> ''0'' ->> ''-1'' = ''minus''', 'body -> 0 -> -1 IS NOT NULL', 'body -> '''' ->> '''' = ''empty''',
  'body -> ''sp ace'' -> ''do.t'' -> ''quo"te'' -> ''back\slash'' -> ''com,ma'' -> ''pa(r)en'' -> ''->>'' -> ''*'' ->> ''ümläut'' = ''deep''', 'body #>> ''{sp ace,do.t,"quo\"te","back\\slash","com,ma",pa(r)en,->>,*,ümläut}'' = ''deep''', 'body #>> ''{a,b}'' = ''ab''', 'body #> ''{a,b}'' = ''"ab"''', 'body #>> ''{l,0}'' = ''1''', 'body #>> ''{}'' = ''1''',
  'body #>> ''{a,NULL}'' IS NULL', 'body ->> ''a'' > ''b''', 'body ->> ''a'' IS DISTINCT FROM ''ab''', 'body ->> NULL = ''a''', 'body ->> title = ''a''', '(body ->> ''n'')::int = 9', 'body -> ''n'' = ''9''', 'body[''a''][''b''] = ''"ab"''', '''ab'' = body ->> ''a''', 'raw ->> ''a'' = ''ab''', 'raw -> 1 ->> ''a'' = ''2''', 'raw -> ''a'' IS NULL', 'raw ->> ''order'' = ''x''', 'raw ->> ''a.limit'' = ''y''', 'raw #>> ''{a}'' IS NOT NULL', 'raw -> ''a'' IS NOT NULL');

-- text search: the query is parsed here and sent as plain words
SELECT * FROM check_each('words @@ to_tsquery(''english'', ''running & foxes'')', 'words @@ to_tsquery(''simple'', ''fat & (cat | !rat)'')', 'words @@ ''fat:A''::tsquery', 'words @@ ''ca:*''::tsquery', 'words @@ ''ca:*A''::tsquery', 'words @@ phraseto_tsquery(''english'', ''fat cats'')', 'words @@ ''fat <2> sat''::tsquery',
  'words @@ websearch_to_tsquery(''english'', ''cat -rat'')', 'words @@ plainto_tsquery(''quick foxes'')', 'to_tsquery(''simple'', ''cat'') @@ words', 'words @@ ''köln''::tsquery', 'words @@ ''foo-bar''::tsquery', 'words @@ ''e5''::tsquery', 'words @@ ''3.14''::tsquery', 'words @@ ''''::tsquery', 'words @@ NULL', 'words @@ ''!cat''::tsquery', 'words @@ ''a & b''::tsquery',
  'words @@ to_tsquery(title)', 'words = ''''', 'title @@ to_tsquery(''ab'')', 'to_tsvector(''english'', title) @@ to_tsquery(''english'', ''ab'')');

-- rows
SELECT * FROM check_each('(small, id) > (5, 20)', '(small, id) >= (5, 5)', '(id, small) < (20, 5)', '(id, small) <= (20, 5)', '(flag, small, id) > (false, 10, 20)', '(small, id) > (100000, 1)', '(small, id) > (NULL, 1)', '(id, small) > (20, NULL)', '(title, id) > (''a'', 1)', '(small, whole) > (id, 1)');
\pset format aligned

-- parameters: what decides how a value is sent is its value
CREATE FUNCTION prepared(types text, condition text, VARIADIC arguments text[]) RETURNS TABLE (condition_sent text, same text) LANGUAGE plpgsql AS $$
DECLARE
  argument text; remote text; local text; line text;
BEGIN
  SET LOCAL plan_cache_mode = force_generic_plan;
  EXECUTE format('PREPARE remote_one (%s) AS SELECT count(*) || '': '' || string_agg(id::text, '' '' ORDER BY id) FROM (SELECT id FROM shop.documents WHERE %s) t', types, condition);
  EXECUTE format('PREPARE local_one (%s) AS SELECT count(*) || '': '' || string_agg(id::text, '' '' ORDER BY id) FROM (SELECT id FROM copies.documents WHERE %s) t', types, condition);
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) EXECUTE remote_one (NULL)' LOOP
    IF line ~ '(Remote Request|Local Filter)' THEN condition_sent := concat_ws(' ', condition_sent,
      regexp_replace(regexp_replace(line, '^.*select=[^&]*&?|^.*Reason: ', ''), '&?(order|limit)=.*$', '')); END IF;
  END LOOP;
  same := '';
  FOREACH argument IN ARRAY arguments LOOP
    BEGIN
      EXECUTE format('EXECUTE local_one (%L)', argument) INTO local;
    EXCEPTION WHEN OTHERS THEN local := SQLSTATE; END;
    BEGIN
      EXECUTE format('EXECUTE remote_one (%L)', argument) INTO remote;
    EXCEPTION WHEN OTHERS THEN remote := SQLSTATE; END;
    same := same || CASE WHEN remote IS NOT DISTINCT FROM local THEN 't' ELSE format(' %L: %s, not %s ', argument, remote, local) END;
  END LOOP;
  DEALLOCATE remote_one;
  DEALLOCATE local_one;
  RETURN NEXT;
END $$;
\pset format unaligned
SELECT * FROM prepared('text', 'title LIKE $1', 'a%', '*', 'a\*b', 'ab\', '*\', NULL, '', '%');
SELECT * FROM prepared('text', 'NOT (title LIKE $1) AND id < 50', 'a%', '*', 'ab\', NULL);
SELECT * FROM prepared('text', '(title LIKE $1) IS NOT TRUE', 'a%', '*', NULL);
SELECT * FROM prepared('text', 'starts_with(title, $1)', 'a', '*', '\', '%', NULL, '');
SELECT * FROM prepared('text', 'title IS DISTINCT FROM $1', 'ab', NULL, '');
SELECT * FROM prepared('numeric', 'whole = $1', '5', '5.0', '5.5', 'NaN', 'Infinity', '1e30', '-1e30', '9223372036854775808', NULL);
SELECT * FROM prepared('numeric', 'NOT (whole > $1)', '5', '5.5', 'NaN', '-Infinity', '1e30', NULL);
SELECT * FROM prepared('bigint', 'small IS DISTINCT FROM $1', '5', '100000', NULL);
SELECT * FROM prepared('float8', 'f4 > $1', '0.1', '1e300', '-1e300', 'NaN', '4', '-0', NULL);
SELECT * FROM prepared('float8', 'whole <= $1', '4.5', '1e300', 'NaN', '-Infinity', NULL);
SELECT * FROM prepared('bigint[]', 'small = ANY ($1)', '{5,100000}', '{100000}', '{}', '{NULL}', '{100000,NULL}', NULL);
SELECT * FROM prepared('bigint[]', 'small <> ALL ($1)', '{5,100000}', '{100000}', '{}', '{NULL}', '{100000,NULL}', NULL);
SELECT * FROM prepared('numeric[]', 'whole > ANY ($1)', '{5.5,60}', '{NaN}', '{}', '{NULL,20}', NULL);
SELECT * FROM prepared('numeric[]', 'whole < ALL ($1)', '{5.5,60}', '{NaN}', '{}', '{NULL,20}', NULL);
SELECT * FROM prepared('text[]', 'title LIKE ANY ($1)', '{a%,*}', '{}', '{NULL,%b}', NULL, '{"x\\"}');
SELECT * FROM prepared('text[]', 'title NOT LIKE ALL ($1)', '{a%,*}', '{}', '{NULL,%b}', NULL);
SELECT * FROM prepared('text', '$1 = ANY (tags)', 'ab', '"', '\', 'a,b', 'null', '', NULL);
SELECT * FROM prepared('text[]', 'tags && $1', '{ab,"\""}', '{}', '{NULL}', NULL);
SELECT * FROM prepared('int', 'span @> $1', '5', '2147483647', '-2147483648', NULL);
SELECT * FROM prepared('date', 'period @> $1', '2024-02-29', 'infinity', '5874897-12-31', '-infinity', NULL);
SELECT * FROM prepared('int', 'spans @> $1', '5', '2147483647', NULL);
SELECT * FROM prepared('int4range', 'spans && $1', '[5,6]', 'empty', '(,)', NULL);
SELECT * FROM prepared('timestamp', 'day >= $1', '2024-02-29', '2024-02-29 12:00', 'infinity', NULL);
SELECT * FROM prepared('date', 'instant >= $1', '2024-03-31', '5874897-12-31', 'infinity', NULL);
SELECT * FROM prepared('tsquery', 'words @@ $1', 'cat', 'cat & !rat', 'köln', 'foo-bar', '', NULL);
SELECT * FROM prepared('text', 'words @@ to_tsquery(''english'', $1)', 'cats', 'running', 'foo-bar', 'köln', NULL);
SELECT * FROM prepared('text', 'words @@ websearch_to_tsquery($1)', 'cats', 'running -fox', '"fat cat"', NULL);
SELECT * FROM prepared('text', '$1 IS NULL OR title = $1', 'ab', NULL);
SELECT * FROM prepared('boolean', 'NOT ($1 AND id > 50)', 'true', 'false', NULL);
SELECT * FROM prepared('boolean', '($1 OR title = ''ab'') IS UNKNOWN', 'true', 'false', NULL);
SELECT * FROM prepared('text', 'body ->> ''a'' = $1', 'ab', '"', NULL);
SELECT * FROM prepared('jsonb', 'body @> $1', '{"a": "ab"}', '[]', 'null', NULL);
SELECT * FROM prepared('text', 'label = $1', 'ab', repeat('a', 64), NULL);
SELECT * FROM prepared('text', 'padded = $1', 'ab', 'ab ', NULL);
SELECT * FROM prepared('int', '(small, id) > ($1, 20)', '5', '100000', NULL);
\pset format aligned

-- what is not sent is not evaluated for it either
SELECT count(*) FROM shop.documents WHERE id < 0 AND (id = 1 / (SELECT 0) OR upper(title) = 'X');

DROP SCHEMA copies CASCADE;
DROP FUNCTION sent, kept, check_each, prepared;

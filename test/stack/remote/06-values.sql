-- Many values of the types that are converted without their input functions: usual ones, all over their ranges, and
-- texts in notations that only the input functions know. Each is made from its row's number, so that running this file
-- in another database gives the same.
create function public.pick(row_number int, what text, below bigint) returns bigint
language sql immutable parallel safe as
$$ select (hashtextextended(what, row_number) & 9223372036854775807) % below $$;

-- one of `words`
create function public.pick_word(row_number int, what text, variadic words text[]) returns text
language sql immutable parallel safe as
$$ select words[1 + public.pick(row_number, what, cardinality(words))] $$;

-- so many decimal digits, up to 32
create function public.pick_digits(row_number int, what text, digits bigint) returns text
language sql immutable parallel safe as
$$ select substr(translate(md5(row_number || '//' || what), 'abcdef', '012345'), 1, digits::int) $$;

create table public.random_values (
  id int primary key,
  v_int2 int2,
  v_int4 int4,
  v_int8 int8,
  v_float4 float4,
  v_float8 float8,
  v_numeric numeric,
  v_numeric_12_3 numeric(12,3),
  v_numeric_3_5 numeric(3,5),
  v_numeric_5_minus_2 numeric(5,-2),
  v_bool bool,
  v_uuid uuid,
  v_date date,
  v_time time,
  v_time2 time(2),
  v_timestamp timestamp,
  v_timestamp3 timestamp(3),
  v_timestamptz timestamptz,
  v_timestamptz0 timestamptz(0),
  v_text text,
  v_varchar8 varchar(8),
  v_char6 char(6),
  v_int4_array int4[],
  v_text_array text[],
  v_varchar4_array varchar(4)[],
  v_numeric_8_2_array numeric(8,2)[],
  v_float8_array float8[],
  v_timestamptz_array timestamptz[],
  v_timestamp1_array timestamp(1)[],
  v_date_array date[],
  v_uuid_array uuid[],
  v_bool_array bool[],
  v_char3_array char(3)[],
  t_int4 text,
  t_float4 text,
  t_float8 text,
  t_numeric text,
  t_bool text,
  t_uuid text,
  t_date text,
  t_time text,
  t_timestamp text,
  t_timestamptz text,
  t_text_array text,
  t_int4_array text
);

insert into public.random_values
select i,
  pick(i, 'int2', 65536) - 32768,
  pick(i, 'int4', 4294967296) - 2147483648,
  ('x' || md5(i || 'int8'))::bit(64)::bigint >> pick(i, 'shift', 64)::int,
  (sign || mantissa || 'e' || pick(i, 'e4', 78) - 40)::float4,
  (sign || mantissa || 'e' || pick(i, 'e8', 610) - 305)::float8,
  (sign || pick_digits(i, 'a', 1 + pick(i, 'na', 24)) || '.' || pick_digits(i, 'b', pick(i, 'nb', 24)) || '0')::numeric,
  (sign || pick_digits(i, 'c', 1 + pick(i, 'nc', 9)) || '.' || pick_digits(i, 'd', 3))::numeric(12,3),
  (sign || '0.00' || pick_digits(i, 'e', 3))::numeric(3,5),
  (sign || pick_digits(i, 'f', 1 + pick(i, 'nf', 7)))::numeric(5,-2),
  pick(i, 'bool', 2) = 1,
  md5(i || 'uuid')::uuid,
  day,
  clock,
  clock,
  day + clock,
  day + clock,
  (day + clock) at time zone 'UTC',
  (day + clock) at time zone 'UTC',
  word || pick_digits(i, 'text', pick(i, 'ntext', 30)) || word,
  substr(word || pick_digits(i, 'varchar', 6), 1, pick(i, 'nvarchar', 9)::int),
  substr(word || pick_digits(i, 'char', 6), 1, pick(i, 'nchar', 7)::int),
  (select array_agg(nullif(pick(i, 'ia' || e, 4000), 7) - 2000) from generate_series(1, pick(i, 'nia', 80)) e),
  (select array_agg(nullif(word || pick_word(i, 'ta' || e, '', 'a', 'NULL', 'null', '"', '\', '{', '}', ',', 'b c', E'\n'),
                           'a')) from generate_series(1, pick(i, 'nta', 6)) e),
  (select array_agg(substr(word, 1, 3) || e) from generate_series(1, pick(i, 'nva', 5)) e),
  (select array_agg((pick(i, 'na' || e, 20000000) - 10000000) / 100.0) from generate_series(0, pick(i, 'nna', 5)) e),
  (select array_agg((sign || mantissa || 'e' || pick(i, 'fa' || e, 40) - 20)::float8) from generate_series(0, pick(i, 'nfa', 5)) e),
  (select array_agg((day + clock) at time zone 'UTC' + e * interval '24:00:01.5') from generate_series(0, pick(i, 'nza', 4)) e),
  (select array_agg(day + clock + e * interval '1.25 s') from generate_series(0, pick(i, 'nsa', 4)) e),
  (select array_agg(day + e::int) from generate_series(0, pick(i, 'nda', 5)) e),
  (select array_agg(md5(i || 'ua' || e)::uuid) from generate_series(1, pick(i, 'nua', 5)) e),
  (select array_agg(case pick(i, 'ba' || e, 5) when 0 then null else e % 2 = 1 end) from generate_series(1, pick(i, 'nba', 7)) e),
  (select array_agg(substr(word, 1, e::int)) from generate_series(1, pick(i, 'nca', 4)) e),
  pick_word(i, 'ti', '%s', ' %s', '%s ', '00%s', '-%s', '+%s', E'\t%s\n'),
  pick_word(i, 'tf', '1.5', ' 1.5', '1.5 ', '+1.5', '.5', '5.', '1e3', '1E-3', '0.0', '-0', '-0.0', '0', 'NaN', 'inf', '-Infinity',
            '1e-45', '1.17549429e-38', '3.4028235e38', '00012.50', '1.00000017881393432617187501', '16777217', '0.1',
            sign || mantissa || 'e' || pick(i, 'tf4', 70) - 40),
  pick_word(i, 'tg', '-1.5', E'\n1.5', '1.5  ', '+0', '.25e1', '7.e0', '1e308', '5e-324', '2.2250738585072011e-308', '-0', '0',
            'nan', 'Infinity', '-inf', '0.30000000000000004', '9007199254740993', '1e23', '8.41e21',
            '0.1000000000000000055511151231257827021181583404541015625',
            sign || mantissa || pick_digits(i, 'tgm', 20) || 'e' || pick(i, 'tg8', 560) - 305),
  pick_word(i, 'tn', ' 1.50', '1.50 ', '+1.5', '.5', '5.', '1e3', '1.5e-3', '-0', '-0.00', '0', '0.000', 'NaN', 'infinity', '-Infinity',
            '0007.10', '999999999999999999', '-999999999999999999', '1000000000000000000', '0.999999999999999999',
            '0.0000000000000000001', '9223372036854775807', '9223372036854775808.5',
            sign || pick_digits(i, 'tna', 1 + pick(i, 'tnb', 12)) || '.' || pick_digits(i, 'tnc', 1 + pick(i, 'tnd', 12))),
  pick_word(i, 'tb', 't', 'f', 'true', 'FALSE', ' yes ', 'off', '1', '0', 'T'),
  replace(pick_word(i, 'tu', '%s', '{%s}'), '%s', pick_word(i, 'tuu', md5(i::text)::uuid::text, md5(i::text),
    upper(md5(i::text)::uuid::text))),
  pick_word(i, 'td', '2024-02-29', '2024-2-9', ' 2024-02-29', '2024-02-29 ', '20240229', '2024.060', '10000-01-01', '0044-03-15 BC',
            'infinity', '-infinity', 'J2451187', '2024-02-29T23:59:59', '0001-01-01', '9999-12-31', '5874897-12-31', 'epoch',
            to_char(date '0001-01-01' + pick(i, 'tdd', 3650000)::int, 'YYYY-MM-DD')),
  pick_word(i, 'tt', '01:02:03', '01:02', '1:2:3', '010203', '24:00:00', '23:59:60', '01:02:03.1234567', '01:02:03.9999999', '01:02:03 PM',
            'allballs', '01:02:03+05', '01:02:03.5', ' 01:02:03', clock::text),
  pick_word(i, 'ts', '2024-02-29 01:02:03', '2024-02-29T01:02:03.5', '2024-02-29', '2024-02-29T24:00:00', '2024-02-29 01:02:60',
            '2024-02-29T01:02:03+05', '2024-02-29T01:02:03Z', '2024-02-29 01:02:03.1234567', '20240229T010203', 'infinity',
            '0044-03-15 01:02:03 BC', '10000-01-01T00:00:00', '0001-01-01T00:00:00', to_char(day + clock, 'YYYY-MM-DD"T"HH24:MI:SS.US')),
  pick_word(i, 'tz', '2024-02-29 01:02:03+00', '2024-02-29T01:02:03.5', '2024-02-29', '2024-03-31T02:30:00', '2024-10-27 02:30:00',
            '2024-02-29T01:02:03Z', '2024-02-29T01:02:03 Asia/Kathmandu', '2024-02-29 01:02:03.1234567+05', '2024-02-29T01:02:03+0530',
            '2024-02-29T01:02:60+01', '2024-02-29T24:00:00+01', '0044-03-15T01:02:03+05:53:28 BC', 'infinity', '-infinity', 'epoch',
            '0001-01-01T00:00:00+15:59:59', '9999-12-31T23:59:59.999999-15:59:59', '2024-02-29T01:02:03 EST',
            to_char(date '1900-01-01' + pick(i, 'tzd', 73000)::int + clock, 'YYYY-MM-DD"T"HH24:MI:SS.US')
              || pick_word(i, 'tzs', '+', '-') || to_char(interval '1 s' * pick(i, 'tzo', 57600),
                   pick_word(i, 'tzf', 'HH24', 'HH24:MI', 'HH24:MI:SS'))),
  pick_word(i, 'tx', '{}', '{ }', '{a}', '{ a }', '{a b}', '{"a"}', '{NULL}', '{null}', '{nUlL,"null"}', '{"",""}', '{{a},{b}}', '[2:2]={a}',
            '[1:2]={a,b}', '{"a\"b","\\"}', '{a\,b}', E'{\n"x",\ty}', '{ü,"😀"}', '{"a,b",c}'),
  pick_word(i, 'ty', '{1}', '{1,2}', '{ 1 , 2 }', '{"1"," 2"}', '{+1}', '{NULL,1}', '[0:1]={1,2}', '{{1,2},{3,4}}', '{-0}', '{"\1"}')
from (
  select i, pick_word(i, 'sign', '', '-') as sign,
    1 + pick(i, 'mantissa', 9) || '.' || pick_digits(i, 'm', pick(i, 'nm', 17)) || '5' as mantissa,
    case when pick(i, 'far', 8) > 0 then date '1970-01-01' + pick(i, 'day', 25000)::int
         else date '4713-01-02 BC' + pick(i, 'day', 109000000)::int end as day,
    time '00:00' + pick(i, 'clock', 86400) * interval '1 s'
      + case pick(i, 'precise', 3) when 0 then 0 when 1 then pick(i, 'us', 1000) * 1000 else pick(i, 'us', 1000000) end
        * interval '1 us' as clock,
    pick_word(i, 'word', '', 'a', ' ', 'word', 'ü', '日本', '😀', '"', '\', '(,)', E'\t', 'NULL', '%s', '{}') as word
  from generate_series(1, 1500) i offset 0
) r;

-- '%s' stood for a number: whole ones for the first, which plain digits are most often
update public.random_values set t_int4 = replace(replace(t_int4, '%s', pick(id, 'tin', 2000000000)::text), '+-', '-');
-- NULLs among everything
update public.random_values set v_int4 = null, v_float8 = null, v_numeric = null, v_uuid = null, v_date = null,
  v_timestamptz = null, v_text = null, v_text_array = null, t_timestamptz = null where id % 97 = 0;

-- JSON text with every kind of value, escape, number and blank, duplicate keys, and more elements than share an offset
create function public.pick_json(row_number int, what text, levels int) returns text
language plpgsql immutable as $$
declare
  blank text := pick_word(row_number, what || 'b', '', '', '', ' ', E'\n', E'\t\r ');
  kind bigint := pick(row_number, what || 'k', 4 + least(levels, 1) * 4);
  size bigint := case when pick(row_number, what || 's', 12) = 0 then 40 else pick(row_number, what || 's', 6) end;
  parts text[];
begin
  if kind = 0 then
    return blank || pick_word(row_number, what, 'true', 'false', 'null');
  elsif kind = 1 then
    return blank || pick_word(row_number, what, '0', '-0', '-0.00', '10', '0.10', '1e5', '-1.5E+3', '0e-3', '100000000000000000000',
      '9223372036854775807', '-9223372036854775808', '9223372036854775808', '0.000000000000000001', '12345.678900', '10000.0001',
      pick_digits(row_number, what, 1 + pick(row_number, what || 'n', 30))::numeric::text,
      '-' || pick_digits(row_number, what, 5)::numeric || '.' || pick_digits(row_number, what || 'f', 1 + pick(row_number, what || 'n', 20)));
  elsif kind < 4 then
    return blank || '"' || pick_word(row_number, what, '', 'plain', 'é', '日本', '\"', '\\', '/', chr(127))
      || pick_word(row_number, what || '2', '', '\/', '\b\f\n\r\t', '\u0001', '\u0041\u00e9\u20AC', '\uD83D\uDE00', '😀', '{', ',')
      || repeat('x', pick(row_number, what || '3', 5)::int) || '"';
  end if;
  select array_agg(case when kind > 5 then blank || '"' || pick_word(row_number, what || 'key' || e, '', 'a', 'b', 'ab', 'ba',
        '\u0061', 'é', '\\n', repeat('k', 300), 'k' || e, 'k' || e, 'k' || e) || '"' || blank || ':' else '' end
      || public.pick_json(row_number, what || e, levels - 1) || blank) into parts
    from generate_series(1, size) e;
  return case when kind > 5 then '{' else '[' end || blank || coalesce(array_to_string(parts, ','), '')
    || case when kind > 5 then '}' else ']' end || blank;
end $$;
alter table public.random_values add v_json json, add v_jsonb jsonb, add v_jsonb_array jsonb[], add t_json text, add t_jsonb text;
update public.random_values set t_jsonb = pick_json(id, 'json', id % 4);
update public.random_values set t_json = t_jsonb, v_json = t_jsonb::json, v_jsonb = t_jsonb::jsonb,
  v_jsonb_array = array[t_jsonb::jsonb, null, to_jsonb(t_jsonb)];

drop function public.pick_json, public.pick_digits, public.pick_word, public.pick;

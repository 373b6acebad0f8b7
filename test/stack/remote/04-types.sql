-- One column of every type, and rows with what is hard to carry over the wire.
-- Needs only the schema `extensions` with citext, hstore and ltree: a test can run
-- this file in a local database as well and compare.
create type public.mood as enum ('sad', 'ok', 'happy', 'so, so', 'it''s "fine"');
create type public.address as (street text, zip int, tags text[]);
create domain public.positive as int check (value > 0);
create domain public.short_text as text check (length(value) <= 20);
create domain public.shorter_text as public.short_text check (length(value) <= 10);

create table public.all_types (
  id int primary key,
  note text not null,
  c_int2 int2,
  c_int4 int4,
  c_int8 int8,
  c_numeric numeric,
  c_numeric_10_2 numeric(10,2),
  c_float4 float4,
  c_float8 float8,
  c_money money,
  c_bool bool,
  c_text text,
  c_varchar varchar,
  c_varchar20 varchar(20),
  c_char5 char(5),
  c_name name,
  c_onechar "char",
  c_bytea bytea,
  c_date date,
  c_time time,
  c_time3 time(3),
  c_timetz timetz,
  c_timestamp timestamp,
  c_timestamptz timestamptz,
  c_timestamp3 timestamp(3),
  c_timestamptz0 timestamptz(0),
  c_interval interval,
  c_uuid uuid,
  c_json json,
  c_jsonb jsonb,
  c_inet inet,
  c_cidr cidr,
  c_macaddr macaddr,
  c_macaddr8 macaddr8,
  c_bit3 bit(3),
  c_varbit8 varbit(8),
  c_oid oid,
  c_tsvector tsvector,
  c_tsquery tsquery,
  c_int4range int4range,
  c_int8range int8range,
  c_numrange numrange,
  c_tsrange tsrange,
  c_tstzrange tstzrange,
  c_daterange daterange,
  c_int4multirange int4multirange,
  c_int8multirange int8multirange,
  c_nummultirange nummultirange,
  c_tsmultirange tsmultirange,
  c_tstzmultirange tstzmultirange,
  c_datemultirange datemultirange,
  c_int4_array int4[],
  c_int8_array int8[],
  c_text_array text[],
  c_varchar_array varchar(20)[],
  c_numeric_array numeric[],
  c_float8_array float8[],
  c_timestamptz_array timestamptz[],
  c_date_array date[],
  c_uuid_array uuid[],
  c_bool_array bool[],
  c_jsonb_array jsonb[],
  c_bytea_array bytea[],
  c_int4_2d int4[][],
  c_enum public.mood,
  c_enum_array public.mood[],
  c_composite public.address,
  c_composite_array public.address[],
  c_domain_int public.positive,
  c_domain_text public.short_text,
  c_domain_domain public.shorter_text,
  c_point point,
  c_line line,
  c_lseg lseg,
  c_box box,
  c_path path,
  c_polygon polygon,
  c_circle circle,
  c_pg_lsn pg_lsn,
  c_xml xml,
  c_citext extensions.citext,
  c_hstore extensions.hstore,
  c_ltree extensions.ltree
);

insert into public.all_types values (
  1, 'a usual value everywhere',
  12, 3456, 7890123456, 12345.6789, 99.50, 1.5, 2.25, '$1,234.50', true,
  'text', 'varchar', 'varchar 20', 'ab', 'a_name', 'x', '\xdeadbeef',
  '2024-02-29', '13:14:15.123456', '13:14:15.123', '13:14:15+02', '2024-02-29 13:14:15.123456',
  '2024-02-29 13:14:15.123456+00', '2024-02-29 13:14:15.123', '2024-02-29 13:14:15+05:30',
  '1 year 2 mons 3 days 04:05:06.7', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  '{"a": [1, 2, {"b": null}], "c": "d"}', '{"a": [1, 2, {"b": null}], "c": "d"}',
  '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
  '101', '110', 4294967295, 'a fat cat sat', 'fat & (cat | rat)',
  '[1,10)', '[1,10)', '[1.5,2.5]', '[2024-01-01 00:00,2024-01-02 00:00)',
  '[2024-01-01 00:00+00,2024-01-02 00:00+00)', '[2024-01-01,2024-02-01)',
  '{[1,3),[5,8)}', '{[1,3),[5,8)}', '{[1.5,2.5],(3,4)}',
  '{[2024-01-01 00:00,2024-01-02 00:00)}', '{[2024-01-01 00:00+00,2024-01-02 00:00+00)}',
  '{[2024-01-01,2024-02-01)}',
  '{1,2,3}', '{1,2,9007199254740993}', '{a,"b c","d,e"}', '{x,y}', '{1.10,2.200}', '{1.5,2.25}',
  '{"2024-02-29 13:14:15+00"}', '{2024-02-29}', '{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}', '{t,f}',
  array['{"a": 1}', '[1, 2]']::jsonb[], array['\x00ff', '\x']::bytea[], '{{1,2},{3,4}}',
  'happy', '{sad,happy}', '("Main St 1",12345,"{a,b}")', array['("Main St 1",12345,{a})']::public.address[],
  42, 'short', 'shorter', '(1.5,2.5)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]',
  '((0,0),(1,1),(2,0))', '<(0,0),5>', '16/B374D848', '<a b="c">d</a>', 'CiText', 'a=>1, b=>NULL', 'top.sub.leaf');

insert into public.all_types (id, note) values (2, 'NULL everywhere');

insert into public.all_types (id, note, c_int2, c_int4, c_int8, c_numeric, c_numeric_10_2, c_float4, c_float8,
    c_money, c_oid, c_date, c_timestamp, c_timestamptz, c_time, c_timetz, c_interval, c_uuid, c_domain_int) values
  (3, 'smallest', -32768, -2147483648, -9223372036854775808, -123456789012345678901234567890123456789, -99999999.99,
   -3.4028235e38, -1.7976931348623157e308, '-$92,233,720,368,547,758.08', 0, '4713-01-01 BC', '4713-01-01 00:00 BC',
   '4713-01-02 00:00+00 BC', '00:00', '00:00+15:59', '-178000000 years', '00000000-0000-0000-0000-000000000000', 1),
  (4, 'largest', 32767, 2147483647, 9223372036854775807, 123456789012345678901234567890123456789, 99999999.99,
   3.4028235e38, 1.7976931348623157e308, '$92,233,720,368,547,758.07', 4294967295, '5874897-12-31',
   '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '24:00:00', '24:00:00-15:59',
   '178000000 years 11 mons 29 days', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 2147483647);

insert into public.all_types (id, note, c_numeric, c_float4, c_float8, c_date, c_timestamp, c_timestamptz,
    c_numeric_array, c_float8_array, c_date_array, c_timestamptz_array, c_numrange, c_tstzrange) values
  (5, 'NaN and -infinity', 'NaN', 'NaN', 'NaN', '-infinity', '-infinity', '-infinity',
   '{NaN,1}', '{NaN,-Infinity}', '{-infinity}', '{-infinity}', '[NaN,NaN]', '[-infinity,2024-01-01 00:00+00)'),
  (6, 'infinity', 'Infinity', 'Infinity', 'Infinity', 'infinity', 'infinity', 'infinity',
   '{Infinity}', '{Infinity}', '{infinity}', '{infinity}', '(,)', '[2024-01-01 00:00+00,infinity]'),
  (7, 'minus infinity', '-Infinity', '-Infinity', '-Infinity', '0044-03-15 BC', '0044-03-15 12:00 BC',
   '0044-03-15 12:00+00 BC', '{-Infinity,NULL}', '{-0,0}', '{"0044-03-15 BC",NULL}', '{NULL}', 'empty', 'empty');

insert into public.all_types (id, note, c_numeric, c_numeric_10_2, c_float4, c_float8, c_int2, c_int4, c_int8, c_money,
    c_interval, c_timestamptz, c_time) values
  (8, 'small digits and trailing zeros', 0.000000000000000000000000000000000001, 0.00, 1e-45, 5e-324, 0, 0, 0, '$0.00',
   '0', '1970-01-01 00:00+00', '00:00:00.000001'),
  (9, 'rounding', 1.10000, 0.10, 0.1, 0.30000000000000004, -1, -1, 9007199254740993, '-$0.01',
   '-1 year +2 days -03:04:05.000001', '1900-01-01 00:00:00+00', '23:59:59.999999'),
  (10, 'negative zero', -0.0, -0.0, '-0', '-0', 1, 1, -9007199254740993, '$1.00',
   '1 mon -1 day', '2024-03-31 01:00:00+00', '12:00');

insert into public.all_types (id, note, c_text, c_varchar, c_varchar20, c_char5, c_name, c_onechar, c_bytea, c_domain_text,
    c_domain_domain, c_citext, c_xml, c_text_array, c_ltree, c_hstore, c_tsvector, c_varbit8) values
  (11, 'empty strings', '', '', '', '', '', '', '', '', '', '', '', '{""}', '', '', '', ''),
  (12, 'the word null', 'null', 'NULL', 'null', 'null', 'null', 'n', 'null', 'null', 'NULL', 'NULL', 'null',
   '{"NULL",NULL,"null"}', 'null', '"null"=>"NULL"', 'null', '0'),
  (13, 'punctuation', E'a,b;c:d.e"f\\g\'h(i)j{k}l*m%n_o&p+q=r?s#t/u|v<w>x', ',', '"', '\', '''', '\',
   '\x2c225c', '(),', '{}', '*%_', '<a>&amp;&lt;</a>', E'{",","\\"","\\\\","{}"," "}', 'a_b.C1', E'"a,b"=>"c\\"d"',
   '''it''''s'':1A,2B', '00000000'),
  (14, 'blanks', '  leading and trailing  ', ' ', '    ', '  a', ' ', ' ', '\x20', ' x ', '   ', ' ', ' <a/> ',
   '{"  "," a "}', 'a', '" "=>" "', ''' '':1', '11111111'),
  (15, 'control characters', E'tab\tnewline\nreturn\rbell\x07back\bform\fesc\x1bdel\x7f', E'\r\n', E'\x01\x1f', E'a\tb',
   E'\n', E'\t', '\x000102030405060708090a0b0c0d0e0f101f7f80ff', E'\n', E'\t', E'\n', E'<a>\n</a>',
   E'{"a\nb","\t"}', 'z', E'"\n"=>"\t"', E'''\n'':1', '1'),
  (16, 'other scripts', 'ünïcödé 日本語 العربية 😀 👩‍👩‍👧 é ￿', '😀', '日本語日本語日本語日本語日本語日本語日本', 'ü😀', 'ñame', 'q',
   convert_to('😀', 'UTF8'), '😀😀', 'ß', 'STRASSE ß', '<ü>😀</ü>', '{😀,日本}', 'a.b', '"ü"=>"😀"', 'ü 😀', '10');

insert into public.all_types (id, note, c_json, c_jsonb, c_jsonb_array) values
  (17, 'JSON null, not SQL NULL', 'null', 'null', array['null', null]::jsonb[]),
  (18, 'JSON with duplicate keys and blanks', E' { "a" : 1,\n\t"a":2 , "b":1.0e3 } ', '{"a": 1, "a": 2, "b": 1.0e3}',
   array['{"z":1,"a":2}']::jsonb[]),
  (19, 'JSON scalars', '"a \"quoted\" \\ string \u00e9 \ud83d\ude00"', '"a \"quoted\" \\ string \u00e9 \ud83d\ude00"',
   array['1', '"1"', 'true', '""']::jsonb[]),
  (20, 'JSON big numbers and nesting', '[12345678901234567890123456789.10, 1E400, -0, 0.10]',
   '[12345678901234567890123456789.10, -0, 0.10, [[[[{}]]]], {"": ""}]', '{}'),
  (21, 'JSON with an escaped zero byte', '{"a":"\u0000"}', '{}', null);

insert into public.all_types (id, note, c_int4_array, c_int8_array, c_text_array, c_varchar_array, c_numeric_array,
    c_uuid_array, c_bool_array, c_bytea_array, c_int4_2d, c_enum_array, c_composite_array, c_jsonb_array) values
  (22, 'empty arrays', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (23, 'array bounds', '[2:3]={1,2}', '[0:1]={1,2}', '[-1:0]={a,b}', '[5:5]={x}', '[2:2]={1.0}',
   '[2:2]={f81d4fae-7dec-11d0-a765-00a0c91e6bf6}', '[2:2]={t}', array['\x01']::bytea[], '[0:1][2:3]={{1,2},{3,4}}',
   '[3:3]={ok}', array[row('', null, '{}')]::public.address[], '[2:2]={"{\"a\": 1}"}'),
  (24, 'NULL elements', '{NULL,1,NULL}', '{NULL}', '{NULL,"",a}', '{NULL}', '{NULL,0.00}', '{NULL}', '{NULL,t}',
   array[null, '\x']::bytea[], '{{NULL,1},{2,NULL}}', '{NULL,"so, so","it''s \"fine\""}',
   array[null, row(null, null, null)]::public.address[], array[null]::jsonb[]);

insert into public.all_types (id, note, c_enum, c_composite, c_composite_array, c_bool, c_inet, c_cidr, c_bit3, c_point, c_box,
    c_path, c_circle, c_int4range, c_int8range, c_daterange, c_int4multirange, c_tstzmultirange, c_tsquery, c_pg_lsn) values
  (25, 'nested quoting', 'it''s "fine"', row(E'a "b", (c) \\ ''d''', -1, array['x,"y"', null]),
   array[row('a,b', 1, '{}'), row('"', null, null)]::public.address[], false, '::1', '2001:db8::/32', '000',
   '(Infinity,-0)', '(1e300,1),(-1e300,0)', '((0,0),(1,1))', '<(1,2),0>', 'empty', '(,)', '[2024-01-01,)',
   '{}', '{(,2024-01-01 00:00+00),[2025-01-01 00:00+00,)}', '''a b'':*A & !c', '0/0'),
  (26, 'empty composite and open ranges', 'so, so', row(null, null, null), '{}', false, '255.255.255.255', '0.0.0.0/0', '111',
   '(0,0)', '(0,0),(0,0)', '[(NaN,NaN)]', '<(0,0),Infinity>', '(,5)', '[5,)', '(,infinity]',
   '{(,1),[3,)}', '{}', 'a <-> b', 'FFFFFFFF/FFFFFFFF');

insert into public.all_types (id, note, c_time3, c_timestamp3, c_timestamptz0, c_macaddr, c_macaddr8, c_tsrange, c_int8multirange,
    c_nummultirange, c_tsmultirange, c_datemultirange, c_line, c_lseg, c_polygon, c_citext, c_ltree, c_uuid) values
  (27, 'a second value of the rarer types', '24:00', '1999-12-31 23:59:59.9996', '1999-12-31 23:59:59.4+00',
   'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00', '(,"1999-12-31 23:59:59.5"]', '{}', '{(,1.50),[2.00,2.00]}',
   '{[-infinity,infinity]}', '{(,2000-01-01),[infinity,)}', '{0,1,-1.5}', '[(1e-10,0),(0,1e10)]', '((0.1,0.2))',
   'straße', 'A.b_c.1', '0a0b0c0d-0e0f-4000-8000-aabbccddeeff');

-- What conditions are compared on: texts with every character that patterns, lists, JSON paths and query strings treat
-- specially; arrays, ranges, JSON and words with NULLs at every depth; numbers and times at their type's limits.
create table public.documents (
  id int primary key,
  title text,
  code varchar(30),
  padded char(8),
  label name,
  body jsonb,
  raw json,
  words tsvector,
  tags text[],
  codes varchar(10)[],
  numbers int[],
  days date[],
  span int4range,
  wide int8range,
  period daterange,
  during tstzrange,
  prices numrange,
  spans int4multirange,
  times tstzmultirange,
  net inet,
  block cidr,
  small smallint,
  whole int,
  big bigint,
  exact numeric,
  f4 real,
  f8 double precision,
  flag boolean,
  day date,
  moment timestamp,
  instant timestamptz
);
insert into public.documents (id, title, code, padded, label, body, raw)
select n, t, left(t, 30), left(t, 8), left(t, 20),
       case n % 8 when 0 then null when 1 then jsonb_build_object('a', t, 'n', n, 'l', jsonb_build_array(n, t, null))
         when 2 then jsonb_build_object('a', jsonb_build_object('b', t, '0', 'zero')) when 3 then jsonb_build_array(t, n, null)
         when 4 then to_jsonb(t) when 5 then jsonb_build_object(t, t) when 6 then '{"a": null, "0": {"-1": "minus"}}'
         else '{"": {"": "empty"}, "sp ace": {"do.t": {"quo\"te": {"back\\slash": {"com,ma": {"pa(r)en": {"->>": {"*": {"ümläut": "deep"}}}}}}}}}' end,
       case n % 4 when 0 then null when 1 then json_build_object('a', t, 'l', json_build_array(n, t, null))
         when 2 then json_build_array(n, json_build_object('a', n)) else '{"a": null, "order": "x", "a.limit": "y"}' end
from unnest(array[
  '*', '**', 'a*b', 'A*B', 'a\b', 'a\\b', 'a%b', 'a_b', 'axb', 'ab', 'aXXb', E'a\nb', 'ends\', '\', '***=ab', '(?i)AB', '[ab]', 'a.b',
  'a+b', '^ab$', 'a|b', 'a?b', '{1,2}', '{}', '{"a"}', '""', '"', '''', ',', 'a,b', '(a)', ')', 'null', 'NULL', ' ab', 'ab ', ' ', '',
  'a&b', 'a;b=c', '%2B', '+', 'a b', '#', 'é', 'É', 'ß', 'SS', '日本', '日_本', '😀', 'AB', 'Ab', 'eq.ab', 'not.is.null', 'in.(1)', E'tab\t',
  '-', 'true', '0', '00', '1e5', null, null, null]) with ordinality as x (t, n);
update public.documents set
  tags = case id % 6 when 0 then null when 1 then '{}' when 2 then array[title] when 3 then array[title, null, 'ab']
         when 4 then array[null]::text[] else array['ab', 'a,b', '"', '\', 'null', '', ' '] end::text[],
  codes = case id % 3 when 0 then null when 1 then array[left(title, 10), 'x'] else '{a,b,NULL}' end::varchar[],
  numbers = case id % 5 when 0 then null when 1 then '{}' when 2 then array[id, null, 2] when 3 then '[0:1]={1,2}'
            else array[[id, 1], [2, null]] end::int[],
  days = case id % 3 when 0 then null when 1 then '{2024-02-29,infinity,NULL}' else '{"0044-03-15 BC"}' end::date[],
  span = case id % 7 when 0 then null when 1 then 'empty' when 2 then '(,)' when 3 then '(,5]' when 4 then '[5,)'
         when 5 then '[2147483640,)' else int4range(id, id + 10) end::int4range,
  wide = case id % 4 when 0 then null when 1 then '[9223372036854775800,)' when 2 then '[1,2]' else '(,0)' end::int8range,
  period = case id % 6 when 0 then null when 1 then '[2024-01-01,infinity]' when 2 then '[2024-01-01,infinity)'
           when 3 then '[2024-01-01,)' when 4 then '(,2024-02-29]' else daterange('2024-02-01', date '2024-02-02' + id) end::daterange,
  during = case id % 5 when 0 then null when 1 then '[-infinity,2024-03-01 00:00+00)' when 2 then '[2024-01-01 00:00+00,infinity]'
           when 3 then '(2024-02-29 12:00+00,2024-02-29 13:00:00.5+00]' else 'empty' end::tstzrange,
  prices = case id % 4 when 0 then null when 1 then '[1.5,2.5)' when 2 then '[NaN,NaN]' else '(,Infinity]' end::numrange,
  spans = case id % 6 when 0 then null when 1 then '{}' when 2 then '{(,)}' when 3 then '{[1,3),[5,8)}' when 4 then '{(,1),[10,)}'
          else int4multirange(int4range(id, id + 5)) end::int4multirange,
  times = case id % 3 when 0 then null when 1 then '{[2024-02-29 12:00+00,2024-02-29 13:00+00)}' else '{(,2024-01-01 00:00+00),[2025-01-01 00:00+00,infinity]}' end::tstzmultirange,
  net = case id % 5 when 0 then null when 1 then '10.0.0.0/8' when 2 then '10.1.2.3' when 3 then '10.1.0.0/16' else '::1' end::inet,
  block = case id % 3 when 0 then null when 1 then '10.0.0.0/8' else '10.1.2.0/24' end::cidr,
  words = case id % 6 when 0 then null when 1 then 'a fat cat sat:2A' when 2 then '''cat'':1A,3 ''rat'':2B' when 3 then ''
          when 4 then to_tsvector('english', 'The quick brown foxes are running: foo-bar e5 3.14 a/b') else '''fat'':1 ''cat'':3 ''köln'':4' end::tsvector,
  small = case id % 6 when 0 then null when 1 then 32767 when 2 then -32768 else id end::int2,
  whole = case id % 6 when 0 then null when 1 then 2147483647 when 2 then -2147483648 else id end::int,
  big = case id % 6 when 0 then null when 1 then 9223372036854775807 when 2 then -9223372036854775808 else id end::bigint,
  exact = case id % 6 when 0 then null when 1 then 'NaN' when 2 then 'Infinity' when 3 then 4.50 else id / 3.0 end::numeric,
  f4 = case id % 7 when 0 then null when 1 then 'NaN' when 2 then 'Infinity' when 3 then 0.1 when 4 then 3.4028235e38 when 5 then '-0' else id / 3.0 end::float4,
  f8 = case id % 6 when 0 then null when 1 then 'NaN' when 2 then '-Infinity' when 3 then 0.1::float4 else id / 3.0 end::float8,
  flag = case id % 3 when 0 then null when 1 then true else false end,
  day = case id % 7 when 0 then null when 1 then 'infinity' when 2 then '-infinity' when 3 then '5874897-12-31' when 4 then '4713-01-01 BC'
        else date '2024-02-01' + id end::date,
  moment = case id % 5 when 0 then null when 1 then 'infinity' when 2 then '294276-12-31 23:59:59.999999' when 3 then '2024-02-29 00:00'
           else timestamp '2024-02-29 00:00:00.000001' + id * interval '1 hour' end::timestamp,
  instant = case id % 5 when 0 then null when 1 then 'infinity' when 2 then '-infinity' when 3 then '2024-03-31 00:00+00'
            else timestamptz '2024-03-30 22:00+00' + id * interval '1 hour' end::timestamptz;

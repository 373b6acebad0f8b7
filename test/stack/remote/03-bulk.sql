-- Tables larger than a page of 1000 rows, and the limits of one page.
create table public.events (
  id bigint primary key,
  kind text not null,
  ts timestamptz not null,
  value float8,
  payload text
);
insert into public.events
select i, (array['click', 'view', 'buy', 'login', 'logout'])[1 + i % 5],
       timestamptz '2024-01-01 00:00+00' + i * interval '10 seconds',
       case when i % 11 = 0 then null else (i * 37 % 1000) / 8.0 end,
       case when i % 13 = 0 then null else 'payload of event ' || i end
from generate_series(1, 100000) i;

-- a composite key with every character that needs quoting somewhere
create table public.pairs (
  a int,
  b text,
  c int not null,
  primary key (a, b)
);
insert into public.pairs
select i % 100,
       format((array['plain-%s', 'a,b %s', 'say "%s"', E'back\\%s', '(paren) %s', 'ünïcödé %s', '日本 %s',
                     '😀%s', 'a.b:%s*', '  blank %s ', 'per%%cent %s', 'amp&plus+%s', '{%s}', '''%s''',
                     E'line\n%s', 'semi;colon #%s', 'null %s'])[1 + i % 17], i),
       i
from generate_series(1, 10000) i;

-- no key, and each row is there exactly four times
create table public.nokey (n int, label text, amount numeric);
insert into public.nokey
select i % 2500, case when i % 2500 % 50 = 0 then null else 'label ' || i % 2500 end, (i % 2500) * 1.25
from generate_series(1, 10000) i;

create table public.t1000 (id int primary key, val text);
insert into public.t1000 select i, 'v' || i from generate_series(1, 1000) i;
create table public.t1001 (id int primary key, val text);
insert into public.t1001 select i, 'v' || i from generate_series(1, 1001) i;
create table public.empty_table (id int primary key, val text);

-- 20 rows of 200 kB: an answer that takes time to arrive and compresses badly
create table public.blobs (id int primary key, body text not null);
insert into public.blobs
select i, (select string_agg(md5(i || '-' || j), '') from generate_series(1, 6250) j)
from generate_series(1, 20) i;

create table public.measurements (
  station int not null,
  at timestamptz not null,
  celsius numeric(5,2),
  primary key (station, at)
) partition by range (at);
create table public.measurements_2024_01 partition of public.measurements
  for values from ('2024-01-01 00:00+00') to ('2024-02-01 00:00+00');
create table public.measurements_2024_02 partition of public.measurements
  for values from ('2024-02-01 00:00+00') to ('2024-03-01 00:00+00');
create table public.measurements_rest partition of public.measurements default;
insert into public.measurements
select s, timestamptz '2024-01-01 00:00+00' + i * interval '5 hours', (i * 7 + s * 3) % 40 - 5.25
from generate_series(1, 3) s, generate_series(0, 499) i;

-- each hour around both clock changes of Europe/Berlin in 2024
create table public.timestamps_local (
  id int primary key,
  at timestamptz not null,
  at_local timestamp not null,
  on_day date not null
);
insert into public.timestamps_local
select row_number() over (order by h), h, h at time zone 'Europe/Berlin', (h at time zone 'Europe/Berlin')::date
from (select generate_series(timestamptz '2024-03-30 00:00+00', '2024-04-01 00:00+00', '1 hour')
      union all
      select generate_series(timestamptz '2024-10-26 00:00+00', '2024-10-28 00:00+00', '1 hour')) as t (h);

create materialized view public.event_kinds as
select kind, count(*) as n, avg(value) as mean from public.events group by kind;
create unique index on public.event_kinds (kind);

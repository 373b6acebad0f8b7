-- The rows all peers read, in the remote database. psql variables: the numbers of rows.
SET client_min_messages = warning;
CREATE TABLE narrow (id bigint PRIMARY KEY, n int NOT NULL, label text NOT NULL);
INSERT INTO narrow SELECT i, i % 1000, 'label ' || i % 97 FROM generate_series(1::bigint, :narrow_rows) i;

CREATE TABLE wide (
  id bigint PRIMARY KEY,
  bucket int NOT NULL,
  amount numeric(12,2) NOT NULL,
  score float8,
  active boolean NOT NULL,
  created_at timestamptz NOT NULL,
  day date NOT NULL,
  ref uuid NOT NULL,
  note text,
  code varchar(20) NOT NULL,
  meta jsonb,
  tags text[]
);
INSERT INTO wide
SELECT i,
  (i * 7919) % 100,
  ((i * 7919) % 1000003)::numeric / 100,
  CASE WHEN i % 20 <> 0 THEN sqrt(i) * 1.2345678901 END,
  i % 3 = 0,
  timestamptz '2020-01-01 00:00:00+00' + i * interval '317.123456 s',
  date '2015-01-01' + (i % 4000)::int,
  md5(i::text)::uuid,
  CASE WHEN i % 10 <> 0 THEN 'row ' || i || E', "quoted" \u00e9 ' || md5((i + 1)::text) END,
  'C-' || lpad((i % 100000)::text, 8, '0'),
  CASE WHEN i % 15 <> 0 THEN jsonb_build_object('k', i % 50, 'kind', 'type ' || i % 7, 'list', jsonb_build_array(i, i + 1)) END,
  CASE WHEN i % 12 <> 0 THEN ARRAY['red', 'tag ' || i % 30, 'a,b'] END
FROM generate_series(1::bigint, :wide_rows) i;

-- for the far server: the same rows, fewer of them
CREATE TABLE wide_part (LIKE wide INCLUDING ALL);
INSERT INTO wide_part SELECT * FROM wide WHERE id <= :part_rows;

CREATE TABLE fact (
  id bigint PRIMARY KEY,
  dim_id int NOT NULL,
  amount numeric(10,2) NOT NULL,
  status text NOT NULL,
  happened timestamptz NOT NULL
);
INSERT INTO fact
SELECT i, i % 1000 + 1, ((i * 31) % 100000)::numeric / 100,
  (ARRAY['new', 'paid', 'sent', 'closed'])[i % 4 + 1], timestamptz '2022-01-01 00:00:00+00' + i * interval '41 s'
FROM generate_series(1::bigint, :fact_rows) i;
CREATE INDEX ON fact (dim_id);

-- to be written
CREATE TABLE wide_in (LIKE wide INCLUDING ALL);

VACUUM (FREEZE, ANALYZE) narrow, wide, wide_part, fact;
NOTIFY pgrst, 'reload schema';

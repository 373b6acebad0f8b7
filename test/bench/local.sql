-- One schema per peer with the same table names in each, and the local tables. What differs between two runs of a
-- statement is the search path only. Environment: the variables of
-- test/stack; psql variables: the numbers of rows.
SET client_min_messages = warning;
\getenv rest_url STACK_REST_URL_UNCAPPED
\getenv capped_url STACK_REST_URL
\getenv far_url STACK_FAR_REST_URL
\getenv jwt STACK_SERVICE_JWT
\getenv remote_port STACK_REMOTE_PORT
\getenv far_port STACK_FAR_REMOTE_PORT

CREATE EXTENSION supabase_fdw;
CREATE SERVER ours FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'rest_url');
CREATE SERVER ours_capped FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'capped_url');
CREATE SERVER ours_far FOREIGN DATA WRAPPER supabase_fdw OPTIONS (rest_url :'far_url');
CREATE USER MAPPING FOR postgres SERVER ours OPTIONS (jwt :'jwt');
CREATE USER MAPPING FOR postgres SERVER ours_capped OPTIONS (jwt :'jwt');
CREATE USER MAPPING FOR postgres SERVER ours_far OPTIONS (jwt :'jwt');

CREATE EXTENSION postgres_fdw;
CREATE SERVER pg10000 FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port :'remote_port', dbname 'postgres', fetch_size '10000');
CREATE SERVER pg100 FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port :'remote_port', dbname 'postgres', fetch_size '100');
CREATE SERVER pg10000_far FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port :'far_port', dbname 'postgres', fetch_size '10000');
-- the same for writing, with its best batch_size on this machine and with ours
CREATE SERVER batch100 FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port :'remote_port', dbname 'postgres', batch_size '100');
CREATE SERVER batch1000 FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port :'remote_port', dbname 'postgres', batch_size '1000');
CREATE USER MAPPING FOR postgres SERVER batch100 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER batch1000 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER pg10000 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER pg100 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER pg10000_far OPTIONS (user 'postgres');

SELECT format('CREATE SCHEMA %1$I', server) AS create,
  format('IMPORT FOREIGN SCHEMA public LIMIT TO (narrow, wide, wide_part, wide_in, fact) FROM SERVER %1$I INTO %1$I', server) AS import
FROM unnest(ARRAY['ours', 'ours_capped', 'ours_far', 'pg10000', 'pg100', 'pg10000_far', 'batch100', 'batch1000']) server \gexec

CREATE TABLE dim (id int PRIMARY KEY, region int NOT NULL, name text NOT NULL);
INSERT INTO dim SELECT i, i % 10, 'dimension ' || i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE wide_copy AS SELECT * FROM pg10000.wide WITH NO DATA;
CREATE UNLOGGED TABLE outgoing AS SELECT * FROM pg10000.wide WHERE id <= :part_rows;
CREATE TABLE unwanted AS SELECT id FROM outgoing WHERE id % 10 = 3;
CREATE TABLE rows_of (name text PRIMARY KEY, rows bigint NOT NULL);
INSERT INTO rows_of VALUES ('wide', :wide_rows), ('narrow', :narrow_rows), ('wide_part', :part_rows), ('fact', :fact_rows);
VACUUM ANALYZE dim, outgoing, unwanted;

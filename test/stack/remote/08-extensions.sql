-- Types of extensions, with operators, orders and an equality of their own. Needs only the schema `extensions` with
-- citext, cube, hstore, ltree and seg: a test can run this file in a local database as well and compare.
create table public.extension_values (
  id int primary key,
  c_citext extensions.citext,
  c_cube extensions.cube,
  c_hstore extensions.hstore,
  c_ltree extensions.ltree,
  c_seg extensions.seg,
  c_lquery extensions.lquery,
  c_citext_array extensions.citext[],
  c_ltree_array extensions.ltree[],
  c_cube_array extensions.cube[]
);
insert into public.extension_values
select i,
  (array['Word', 'word', 'WORD', '', ' ', 'Ünïcödé', 'ÜNÏCÖDÉ', 'a,b', '"quoted"', 'back\slash', 'x*y%', null])[1 + i % 12],
  (array['(1,2,3)', '(1,2,3),(4,5,6)', '0', '(-1.5)', '(0.1,1e-300)', '(1e+300),(NaN)', '(1,2)', '(3),(3)', null])[1 + i % 9]
    ::extensions.cube,
  (array['a=>1', 'b=>NULL, a=>"NULL"', '', '"q\"uo"=>"back\\slash"', '"k =>"=>"v, w"', 'ü=>日本', 'a=>1, b=>2', null])[1 + i % 8]
    ::extensions.hstore,
  (array['Top', 'Top.Science', 'Top.Science.Astronomy', 'Top.Hobbies', '', 'a_1.B_2', null])[1 + i % 7]::extensions.ltree,
  (array['1.0', '1.00', '<2', '>3.5', '1.5 .. 2.50', '~4', '10(+-)1', '.. 7', '-1e-7', null])[1 + i % 10]::extensions.seg,
  (array['Top.*', '*.Science.*{1,2}', 'a_1|b_2@', null])[1 + i % 4]::extensions.lquery,
  case i % 5 when 0 then null when 1 then '{}' when 2 then '{Word,"a,b",NULL}' else '{word}' end::extensions.citext[],
  case i % 4 when 0 then null else '{Top.Science,Top}' end::extensions.ltree[],
  case i % 3 when 0 then null else '{"(1,2)","(1),(2)"}' end::extensions.cube[]
from generate_series(1, 60) i;

-- keys of such types
create table public.extension_keys (
  word extensions.citext,
  path extensions.ltree,
  n int not null,
  primary key (word, path)
);
insert into public.extension_keys
select (array['Alpha', 'beta', 'Gamma', 'delta', 'Épsilon', 'épsilom'])[1 + i % 6] || i / 60, ('Top.n' || i % 60)::extensions.ltree, i
from generate_series(1, 600) i;

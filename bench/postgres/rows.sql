-- 300,000 rows made, joined, sorted and hashed.
set max_parallel_workers_per_gather = 0;
set jit = off;
create temp table item as
  select i as id, i * 7919 % 300007 as key, md5(i::text) as name from generate_series(1, 300000) i;
create index on item (key);
select count(*), sum(a.id * b.key % 1000003) from item a join item b on b.id = a.key;
select md5(string_agg(name, '' order by key desc)) from item where key % 3 = 0;
select key % 10 as class, count(*), max(name) from item group by 1 order by 1 limit 3;

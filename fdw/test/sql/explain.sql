-- What is pushed, as EXPLAIN tells it; no service is needed.
create server machine_e foreign data wrapper linuxsql options (machine 'machine_e');
create schema e;
import foreign schema linux from server machine_e into e;
set search_path = e, public;
-- comparisons, either way round, any integer type
explain (costs off) select pid from processes where pid = 1 and 5::int2 < uid and nice <> -5 and ppid >= 2;
explain (costs off) select pid from processes where kthread and not (threads > 3);
explain (costs off) select pid from processes where not kthread or kthread is unknown;
explain (costs off) select pid from processes where kthread is not true;
-- text: equality under a deterministic collation, order under C alone
explain (costs off) select pid from processes where name = 'init' or name <> 'sh';
explain (costs off) select pid from processes where name > 'm' collate "C";
explain (costs off) select pid from processes where name > 'm' collate "en-x-icu";
explain (costs off) select pid from processes where name ~>=~ 'm' and name ~<~ 'n';
-- LIKE: exact, in part, not at all
explain (costs off) select pid from processes where name like 'kworker/%';
explain (costs off) select pid from processes where name like 'k\_w%er%';
explain (costs off) select pid from processes where name like '%er';
explain (costs off) select pid from processes where name ^@ 'kw' and starts_with(name, 'k');
-- IN, ANY, ALL, nulls
explain (costs off) select pid from processes where pid in (1, 2, 3) and uid <> all (array[4, 5]) and gid < any (array[6, 7]);
explain (costs off) select pid from processes where path is null or cwd is not null;
-- trees; what cannot be pushed stays
explain (costs off) select pid from processes where (pid = 1 and name = 'a') or (pid = 2 and (uid = 3 or gid = 4));
explain (costs off) select pid from processes where pid = 1 or length(name) = 3;
explain (costs off) select pid from processes where (pid < 9 and length(name) = 3) or uid = 7;
explain (costs off) select pid from processes where pid % 2 = 0 and pid < 10;
-- parameters in generic plans, stable expressions, volatile ones
set plan_cache_mode = force_generic_plan;
prepare by_pid (bigint, text, bigint[]) as select name from processes where pid = $1 and name like $2 and uid = any ($3);
explain (costs off) execute by_pid (1, 'a%', '{1,2}');
reset plan_cache_mode;
explain (costs off) select pid from processes where start_time_ns < extract(epoch from now())::bigint;
explain (costs off) select pid from processes where pid = (random() * 10)::bigint;
explain (costs off) select pid from processes where pid = (select 1::bigint);
-- columns
explain (verbose, costs off) select count(*) from processes;
explain (verbose, costs off) select name from processes where length(comm) = 1 and pid = 4;
explain (verbose, costs off) select p from processes p;
-- order and limit
explain (costs off) select pid from processes order by pid limit 5;
explain (costs off) select pid from processes order by pid desc limit 5;
explain (costs off) select seq from page_faults order by seq desc limit 3;
explain (costs off) select seq from page_faults where cause = 'Load page fault' order by seq desc limit 3 offset 2;
explain (costs off) select seq from page_faults where length(cause) = 3 order by seq desc limit 3;
explain (costs off) select pid from processes where name like '%x' limit 2;
explain (costs off) select cause, count(*) from page_faults group by cause limit 2;
explain (costs off) select pid from processes order by pid, name limit 2;
prepare some_rows (bigint) as select pid from processes limit $1;
set plan_cache_mode = force_generic_plan;
explain (costs off) execute some_rows (7);
reset plan_cache_mode;
-- keys in joins
explain (costs off) select p.name, f.path from processes p join process_open_files f on f.pid = p.pid where p.name = 'sh';
explain (costs off) select * from generate_series(1, 2) as n (pid), lateral (select name from processes where pid = n.pid) as x;
explain (costs off) select 1 from processes a join processes b on a.ppid = b.pid join threads t on t.tgid = b.pid where a.pid = 5;
reset search_path;
set client_min_messages = warning;
drop server machine_e cascade;
drop schema e;

-- Guest memory may hold anything: each row has one parent row at most, a row without one is a root, and rows on a
-- cycle or too deep to draw follow at the end as roots, so every process appears exactly once.
with recursive process as materialized (
  select row_number() over (order by p.pid, p.task_addr) as row, p.pid, p.ppid, p.comm, p.state, p.uid, p.vm_rss_kb,
         p.threads, p.start_time, p.task_addr, p.kthread
  from linux.processes p
), first_of_pid as (
  select distinct on (pid) pid, row from process order by pid, row
), linked as (
  select p.row, f.row as parent,
         case when f.row is not null
              then row_number() over (partition by f.row order by p.row desc) = 1 end as is_last
  from process p left join first_of_pid f on f.pid = p.ppid and f.row <> p.row
), tree as (
  select l.row, array[l.row] as path, ''::text as branch, ''::text as below
  from linked l where l.parent is null
  union all
  select l.row, t.path || l.row, t.below || case when l.is_last then '└─ ' else '├─ ' end,
         t.below || case when l.is_last then '   ' else '│  ' end
  from tree t join linked l on l.parent = t.row
  where cardinality(t.path) < 200
), drawn as (
  select t.row, t.path, t.branch, 0 as part from tree t
  union all
  select p.row, array[p.row], '', 1 from process p where not exists (select from tree t where t.row = p.row)
)
select d.branch || case when p.kthread then '(' || p.comm || ')' else p.comm end,
       p.pid, p.ppid, p.comm, p.state, p.uid, p.vm_rss_kb, p.threads, p.start_time, p.task_addr
from drawn d join process p on p.row = d.row
order by d.part, d.path

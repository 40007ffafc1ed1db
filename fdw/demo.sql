-- A Linux machine whose firmware, kernel and disk are Large Objects of this database, read by SELECT.
-- Run it in fdw/:  psql -d linuxsql -v root="$(pwd)/.." -f demo.sql     (`npm run demo` makes everything it needs)
-- With -v machine=NAME, or linuxsql.machine set, another machine than the oldest; it must come to the mini image's prompt.
\set ON_ERROR_STOP on
\pset pager off
\if :{?root} \else
  \set root ..
\endif
set client_min_messages = warning;

select exists (select from pg_extension where extname = 'linuxsql') and to_regclass('linuxsql.machine') is not null as ready \gset
\if :ready \else
  \echo 'This database has no machine yet. Make everything with:  node' :root/cli/linuxsql.mjs up
  \q
\endif

\echo
\echo '== Its images: all it is made of'
select name, kind, pg_size_pretty(size) as size, left(encode(sha256, 'hex'), 16) || '…' as sha256 from linuxsql.image order by id;

\echo '== A machine at its first instruction'
\if :{?machine} \else
  select coalesce(nullif(current_setting('linuxsql.machine', true), ''), (select name from linuxsql.machine order by id limit 1)) as machine \gset
\endif
set linuxsql.machine = :'machine';
select vm_stop() as before \gset
select vm_start(paused => true) as desired;

\echo '== Run until the first instruction of the first user process'
select * from vm_step_until('init:proc', 5000000000);

\echo '== Its processes'
select tree_display as "Process", ppid as "Parent", vmrss_kb || ' KB' as "RAM" from vm_proc_tree();

\echo '== Its last page faults'
select cause as "Fault Type", '0x' || to_hex(fault_addr::bigint) as "Address", '0x' || to_hex(pc::bigint) as "Program Counter" from vm_pagefault_trace order by seq desc limit 3;

\echo '== Its counters'
select metric, value from vm_dashboard();

\echo '== Where it faults most'
select memory_page as "Physical Boundary", fault_type as "Page Fault Class", hit_count as "Trap Frequency" from vm_mmu_hotspots limit 3;

\echo '== On to the shell'
select stopped_by, condition_met, instret, guest_time, round(mips::numeric) as mips from vm_step_until('console:linuxsql:~# ', 50000000000);
select tree_display as "Process", ppid as "Parent", vmrss_kb || ' KB' as "RAM" from vm_proc_tree();

\echo '== Type a command, read what it wrote'
select coalesce(max(seq), -1) as typed_after from linux.console \gset
select vm_console_write(E'uname -srm; cat /proc/loadavg; ls /\n') as bytes_typed;
select stopped_by, executed, round(mips::numeric) as mips from vm_step_until('console:linuxsql:~# ', 50000000000);
select regexp_replace(replace(string_agg(text, '' order by seq), E'\r', ''), E'\x1b\\[[0-9;]*[A-Za-z]', '', 'g') as console
from linux.console where seq > :typed_after;

\echo '== What the shell has mapped and opened, at one instant'
select p.pid, p.comm, m.areas, m.kb as "mapped KB", f.files
from linux.processes p,
     lateral (select count(*) as areas, sum("end" - start)::bigint / 1024 as kb from linux.process_memory_map where pid = p.pid) m,
     lateral (select count(*) as files from linux.process_open_files where pid = p.pid) f
where not p.kthread order by p.pid;

\echo '== The same, kept fresh: a materialized view over the running machine'
drop materialized view if exists top_faults;
create materialized view top_faults as
  select memory_page, fault_type, hit_count, (select value::bigint from linux.counters where metric = 'instret') as at_instret
  from linux.mmu_hotspots order by hit_count desc limit 5;
create unique index on top_faults (memory_page, fault_type);
select * from top_faults order by hit_count desc;
select vm_refresh_every('top_faults', '1 second') as refreshed_by;
select state from vm_resume();
select vm_console_write(E'for i in 1 2 3 4 5 6 7 8 9; do find / -xdev -type f | wc -l; done\n') as bytes_typed;
select pg_sleep(3.5);
select * from top_faults order by hit_count desc;
select view, every, method, runs, failures, round(last_ms::numeric, 1) as last_ms from vm_refreshes;
select vm_refresh_stop('top_faults') as stopped;

\echo '== The machine runs on:  linuxsql console,  select * from vm_list()'
select machine, state, instret, guest_time, round(hz / 1e6) as mips from vm_list();

-- What the extension makes, who may use it, and how it goes away.
set client_min_messages = warning;
select p.oid::regprocedure as function, pg_get_function_result(p.oid) as result
from pg_depend d join pg_proc p on p.oid = d.objid and d.classid = 'pg_proc'::regclass
where d.refclassid = 'pg_extension'::regclass and d.refobjid = (select oid from pg_extension where extname = 'linuxsql')
order by p.proname;
-- nothing is granted to PUBLIC
select count(*) from pg_depend d join pg_proc p on p.oid = d.objid and d.classid = 'pg_proc'::regclass
where d.refclassid = 'pg_extension'::regclass and d.refobjid = (select oid from pg_extension where extname = 'linuxsql')
  and has_function_privilege('public', p.oid, 'execute');
select count(*) from pg_depend d join pg_class c on c.oid = d.objid and d.classid = 'pg_class'::regclass
where d.refclassid = 'pg_extension'::regclass and d.refobjid = (select oid from pg_extension where extname = 'linuxsql')
  and has_table_privilege('public', c.oid, 'select');
select has_schema_privilege('public', 'linux', 'usage'), has_server_privilege('public', 'linuxsql_current', 'usage');
-- readers read, operators operate
set role linuxsql_reader;
select hex(-1), hex(4096);
select * from vm_step_until('idle');
explain (costs off) select * from vm_pagefault_trace order by seq desc limit 3;
explain (costs off) select memory_page from vm_mmu_hotspots limit 3;
explain (costs off) select metric from vm_dashboard();
reset role;
-- refresh schedules
create materialized view refreshed as select 1 as one;
select vm_refresh_every('refreshed', '500 milliseconds');
create view plain as select 1 as one;
select vm_refresh_every('plain', '5 seconds');
select vm_refresh_run('refreshed');
select sqlstate, message from vm_refresh_log;
select * from vm_refreshes;
select vm_refresh_stop('refreshed');
drop view plain;
drop materialized view refreshed;
select vm_step_until(null);
select vm_step_until('idle', 0);

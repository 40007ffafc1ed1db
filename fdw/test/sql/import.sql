-- IMPORT FOREIGN SCHEMA, options and their validator; no service is needed.
\set VERBOSITY terse
set client_min_messages = warning;
create extension if not exists linuxsql;
create server machine_a foreign data wrapper linuxsql options (machine 'machine_a');
create schema a;
import foreign schema linux from server machine_a into a;
select foreign_table_name from information_schema.foreign_tables where foreign_table_schema = 'a' order by 1;
select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute
  where attrelid = 'a.page_faults'::regclass and attnum > 0 order by attnum;
create schema few;
import foreign schema linux limit to (processes, console) from server machine_a into few;
import foreign schema linux except (processes, console, page_faults, traps, mmu_hotspots) from server machine_a into few;
\det few.*
import foreign schema windows from server machine_a into few;
import foreign schema linux from server machine_a into few options (speed '9');
-- the definition must fit the catalogue
create foreign table few.renamed (number bigint options (column 'pid'), what text options (column 'comm'))
  server machine_a options (relation 'processes');
explain (verbose, costs off) select what from few.renamed where number = 1;
create foreign table few.bad_type (pid integer) server machine_a options (relation 'processes');
explain select * from few.bad_type;
create foreign table few.bad_column (pid bigint, shoe_size integer) server machine_a options (relation 'processes');
explain select * from few.bad_column;
create foreign table few.bad_relation (pid bigint) server machine_a;
explain select * from few.bad_relation;
alter foreign table few.bad_column drop column shoe_size;
explain (verbose, costs off) select * from few.bad_column;
-- options
create server wrong foreign data wrapper linuxsql options (machine 'No Such Name');
create server wrong foreign data wrapper linuxsql options (host 'localhost');
create server wrong foreign data wrapper linuxsql options (socket 'relative/path');
create user mapping for current_user server machine_a options (user 'x');
create role import_user nologin;
grant usage on foreign data wrapper linuxsql to import_user;
set role import_user;
create server theirs foreign data wrapper linuxsql options (socket '/tmp/other.sock');
create server theirs foreign data wrapper linuxsql options (machine 'theirs');
alter server theirs options (add socket '/tmp/other.sock');
set linuxsql.run_directory = '/tmp';
reset role;
-- settings
set linuxsql.machine = 'Bad Name';
set linuxsql.machine = 'good_name-1';
set linuxsql.nothing = 1;
-- writes
insert into a.processes (pid) values (1);
update a.processes set pid = 2;
delete from a.processes;
truncate a.processes;
copy a.processes from stdin;
\.
-- nobody answers
alter server machine_a options (add socket '/nonexistent/introspect.sock');
\set VERBOSITY default
select * from a.processes;
\set VERBOSITY terse
drop server machine_a cascade;
drop server theirs;
revoke all on foreign data wrapper linuxsql from import_user;
drop role import_user;
drop schema a, few cascade;

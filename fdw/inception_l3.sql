-- Three levels: this PostgreSQL runs VM 1, whose PostgreSQL runs VM 2, whose PostgreSQL runs VM 3, whose PostgreSQL answers.
-- Run it in fdw/:  psql -d linuxsql -v root="$(pwd)/.." -f inception_l3.sql     (`npm run inception` makes everything it needs)
--
-- VM 1 is driven through a forwarded port, VM 2 from VM 1 and VM 3 from VM 2 through their consoles, on which a session of
-- psql reads. All three boot the same image. The first run leaves checkpoints of VM 1 at each level; later ones go on from
-- the deepest, or from the one that -v from=N names (0: from nothing). -v port=N is the port of this host that leads to VM 1.
\set ON_ERROR_STOP on
\set QUIET on
\pset pager off
\pset footer off
\if :{?root} \else
  \set root ..
\endif
\if :{?port} \else
  \set port 54417
\endif
\if :{?from} \else
  \set from 3
\endif
set client_min_messages = warning;
\set home_database :DBNAME
\set home_user :USER
\set home_host :HOST
\set home_port :PORT
\set begun `date +%s.%3N`
\set since :begun
\set tree 'select tree_display as "Process", pid, ppid as "Parent", vmrss_kb as "RAM, KB" from vm_proc_tree() where tree_display !~ ''[(]'';'
\set dashboard 'select string_agg(metric || '' '' || round(value::numeric), '', '' order by metric) as answer from vm_dashboard() where value <> 0'

select to_regclass('linuxsql.image') is not null as ready \gset
\if :ready
  select exists (select from linuxsql.image where name = 'debian' and shown) as ready \gset
\endif
\if :ready \else
  \echo 'This database has no Debian image yet. Make everything with:  npm run inception'
  \q
\endif

select coalesce(max(substring(c.name from '^level-([123])$')::integer), 0) as reached
from linuxsql.checkpoint c join linuxsql.machine m on m.id = c.machine and m.name = 'inception'
where substring(c.name from '^level-([123])$')::integer <= :from \gset
select :reached < 1 as boot1, :reached < 2 as boot2, :reached < 3 as boot3 \gset

\if :boot1
  select count(*) > 0 as left_over from linuxsql.machine where name = 'inception' \gset
  \if :left_over
    select vm_stop('inception', force => true) as was \gset
    select vm_destroy('inception');
  \endif
  select vm_create('inception', disk => 'debian', memory => '2 GB', network => 'isolated', seed => sha256('inception'),
    bootargs => 'console=ttyS0 root=/dev/vda rw init=/usr/lib/linuxsql/init quiet linuxsql.level=1') as made \gset
  select vm_forward('inception', :port, 5432) as made \gset
  set linuxsql.machine = 'inception';
  select vm_start(paused => true) as desired \gset
  select executed as insns from vm_step_until('init:proc', 100000000000) \gset
  \set level 1
  \set what 'VM 1 has a user process'
  \ir inception/stage.sql
  select executed as insns from vm_step_until('console:linuxsql: level 1 ready', 100000000000) \gset
  \set what 'VM 1 runs PostgreSQL 17'
  \ir inception/stage.sql
\else
  \echo going on from checkpoint level-:reached of VM 1
  set linuxsql.machine = 'inception';
  select vm_restore('level-' || :reached, 'inception') as was \gset
  select vm_start(paused => true) as desired \gset
\endif

\echo
\echo '== Level 1: VM 1, as this PostgreSQL sees it'
:dashboard \gset
\echo :answer
\echo
:tree
select state as state from vm_resume() \gset
\if :boot1
  select checkpoint as saved from vm_checkpoint('level-1') \gset
\endif

\set since `date +%s.%3N`
\connect linuxsql postgres 127.0.0.1 :port
select version();
\if :boot2
  select inception.make('vm2', 2, '1 GB', false) as made \gset
  select vm_start('vm2', paused => true) as desired \gset
  select executed as insns from vm_step_until('init:proc', 100000000000, 'vm2') \gset
  \set level 2
  \set what 'VM 2 has a user process'
  \ir inception/stage.sql
  select executed as insns from vm_step_until('console:linuxsql: level 2 ready', 100000000000, 'vm2') \gset
  \set what 'VM 2 runs PostgreSQL 17'
  \ir inception/stage.sql
  \connect :home_database :home_user :home_host :home_port
  select checkpoint as saved from vm_checkpoint('level-2', 'inception') \gset
  \connect linuxsql postgres 127.0.0.1 :port
\endif
\echo '== Level 2: VM 2, as the PostgreSQL in VM 1 sees it'
set linuxsql.machine = 'vm2';
:dashboard \gset
\echo :answer
\echo
:tree

\set since `date +%s.%3N`
\if :boot3
  select inception.ask('vm2', $$select inception.make('vm3', 3, '256 MB', true) as made \gset$$) as made \gset
  select inception.ask('vm2', $$select vm_start('vm3', paused => true) as desired \gset$$) as made \gset
  select substring(inception.ask('vm2', $$select inception.run('vm3', 'init:proc');$$) from 'executed=(\d+)') as insns \gset
  \set level 3
  \set what 'VM 3 has a user process'
  \ir inception/stage.sql
  select substring(inception.ask('vm2', $$select inception.run('vm3', 'console:linuxsql: level 3 ready');$$) from 'executed=(\d+)') as insns \gset
  \set what 'VM 3 runs PostgreSQL 17'
  \ir inception/stage.sql
  select instret as before from vm_status('vm2') \gset
  select inception.ask('vm2', $$set linuxsql.machine = 'vm3'; select inception.introspect();$$) as made \gset
  select instret - :before as insns from vm_status('vm2') \gset
  \set level 2
  \set what 'VM 2 has started its introspection'
  \ir inception/stage.sql
  \connect :home_database :home_user :home_host :home_port
  select checkpoint as saved from vm_checkpoint('level-3', 'inception') \gset
  \connect linuxsql postgres 127.0.0.1 :port
\endif
\echo '== Level 3: VM 3, as the PostgreSQL in VM 2 sees it'
\set since `date +%s.%3N`
select instret as before from vm_status('vm2') \gset
select inception.ask('vm2', :'dashboard' || E' \\gset\n\\echo :answer') as answer \gset
\echo :answer
\echo
select inception.ask('vm2', :'tree') as answer \gset
\echo :answer
select instret - :before as insns from vm_status('vm2') \gset
\set level 2
\set what 'VM 2 has read the kernel of VM 3'
\ir inception/stage.sql

\echo '== What the PostgreSQL in VM 3 answers, asked by VM 2, asked by VM 1, asked by this one'
select instret as before from vm_status('vm2') \gset
select inception.ask('vm2', $$select inception.ask('vm3', 'select version(), sum(n) as "1 + … + 100" from generate_series(1, 100) n;');$$) as answer \gset
\echo :answer
select instret - :before as insns from vm_status('vm2') \gset
\set what 'VM 3 has answered (counted at level 2)'
\ir inception/stage.sql

\connect :home_database :home_user :home_host :home_port
set linuxsql.machine = 'inception';
\echo '== All of it, seen from outside: the processes of VM 1'
:tree
select machine, state, instret, guest_time, host_seconds from vm_status('inception');
select state as state from vm_pause('inception') \gset

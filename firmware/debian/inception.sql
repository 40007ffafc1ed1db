-- What a guest's PostgreSQL needs to make a guest of its own and to speak with the PostgreSQL inside that:
-- fdw/inception_l3.sql uses it at every level. Part of the image's database.
create schema inception;

create function inception.make(machine text, level integer, memory text, deepest boolean) returns text language sql as $$
  select vm_create(machine, disk => 'debian', memory => memory, bootargs =>
    'console=ttyS0 root=/dev/vda rw init=/usr/lib/linuxsql/init quiet linuxsql.console=statements linuxsql.introspect=off linuxsql.level='
    || level || case when deepest then ' linuxsql.machines=off' else '' end);
$$;
comment on function inception.make(text, integer, text, boolean) is
  'a machine over the image this guest lies in, without introspection so far; the deepest one runs none itself';

-- Node costs the guest more instructions than the machine it would watch, so it is started when there is something to read.
create function inception.introspect() returns text language plpgsql as $$
begin
  copy (select) to '/run/postgresql/linuxsql.conf';
  perform pg_reload_conf();
  for attempt in 1..600 loop
    begin
      perform from linux.console limit 1;
      return 'introspection answers';
    exception when others then perform pg_sleep(1);
    end;
  end loop;
  raise exception 'introspection does not answer';
end $$;
comment on function inception.introspect() is 'start the introspection service of this guest and wait until it answers';

-- Its own transaction ends before vm_step_until looks for the daemon, hence a procedure of its own.
create function inception.run(machine text, condition text) returns text language sql as $$
  select format('%s %s: stopped_by=%s instret=%s executed=%s', machine, condition, stopped_by, instret, executed)
  from vm_step_until(condition, 100000000000, machine);
$$;
comment on function inception.run(text, text) is 'vm_step_until, answered in one line';

create function inception.ask(machine text, statement text, budget bigint default 100000000000) returns text
  language plpgsql as $$
declare
  number text := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  typed text := E'\\echo ma''rk' || number || E'_''\n'; -- the terminal echoes it, psql prints it without the quotes
  mark text := 'mark' || number || '_';
  before bigint;
  stopped text;
  answer text;
begin
  perform set_config('linuxsql.machine', machine, true);
  select coalesce(max(seq), -1) into before from linux.console;
  perform vm_console_write(statement || E'\n' || typed, machine);
  select s.stopped_by into stopped from vm_step_until('console:' || mark, budget, machine) s;
  select replace(string_agg(text, '' order by seq), chr(13), '') into answer from linux.console where seq > before;
  if stopped <> 'console' then
    raise exception '% did not answer within % instructions', machine, budget using detail = answer;
  end if;
  return rtrim(split_part(split_part(answer, typed, 2), mark, 1), E'\n'); -- without the echo of what was typed
end $$;
comment on function inception.ask(text, text, bigint) is
  'type a statement into the psql session on the console of a machine and return what it prints';

/** A fork has the network card of the machine it comes from: the saved state has one or has none. */
import { type Kysely } from 'kysely';
import { run } from './statements.js';

const forkMachine = (
  column: string,
): string => `create or replace function linuxsql.fork_machine(checkpoint_id bigint, new_name text) returns bigint
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  saved linuxsql.checkpoint;
  made bigint;
begin
  select * into saved from linuxsql.checkpoint where id = checkpoint_id for key share;
  if not found then
    raise exception 'there is no checkpoint %', checkpoint_id using errcode = 'undefined_object';
  end if;
  if exists (select from linuxsql.machine where name = new_name) then
    raise exception 'machine "%" already exists', new_name using errcode = 'duplicate_object';
  end if;
  insert into linuxsql.machine (name, memory_bytes, bootargs, firmware_image, kernel_image, dtb_image, initrd_image,
                                disk_layer, seed, rtc_epoch_ns, restore_from${column})
    select new_name, m.memory_bytes, m.bootargs, m.firmware_image, m.kernel_image, m.dtb_image, m.initrd_image,
           case when saved.disk_layer is not null then linuxsql.add_disk_layer(saved.disk_layer, null, null) end,
           m.seed, m.rtc_epoch_ns, saved.id${column.replace(', ', ', m.')}
      from linuxsql.machine m where m.id = saved.machine
    returning id into made;
  return made;
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [forkMachine(', network')]);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [forkMachine('')]);
}

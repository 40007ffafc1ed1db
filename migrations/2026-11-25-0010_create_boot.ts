/** Where each life of a machine's daemon began: the disk as it was then, so that the boot can be replayed. */
import type { Kysely } from 'kysely';
import { comment, run, type TableComments } from './statements.js';

const boot: TableComments = {
  table: 'boot',
  doc: 'Boots from which a machine can be replayed: one a life of its daemon, whose later boots (the guest rebooted) follow from it.',
  columns: {
    machine: 'its machine',
    boot: 'number of the boot, counted as in machine.boots',
    leaf: 'disk layer written from then on: the disk at boot is what lies below; null = no disk, or it is not kept, or the boot went on from a checkpoint',
    has_disk: 'whether the machine had a disk',
    started_at: 'when',
  },
};

const setPath = 'set search_path = pg_catalog, pg_temp';

const beginBoot = `create function linuxsql.begin_boot(machine_id bigint, held bigint, boot_number bigint, restored boolean) returns void
  language plpgsql ${setPath} as $$
declare
  old_leaf linuxsql.layer;
  new_leaf bigint;
begin
  perform linuxsql.check_fence(machine_id, held);
  if restored or exists (select from linuxsql.machine m where m.id = machine_id and m.restore_from is not null) then
    insert into linuxsql.boot (machine, boot, leaf, has_disk) values (machine_id, boot_number, null, true);
    return;
  end if;
  select l.* into old_leaf from linuxsql.machine m join linuxsql.layer l on l.id = m.disk_layer where m.id = machine_id;
  if old_leaf.id is null then
    insert into linuxsql.boot (machine, boot, leaf, has_disk) values (machine_id, boot_number, null, false);
    return;
  end if;
  new_leaf := old_leaf.id;
  if octet_length(lo_get(old_leaf.presence_lo)) > 0 then
    if old_leaf.depth < 48 then
      update linuxsql.layer set sealed = true where id = old_leaf.id;
      new_leaf := linuxsql.add_disk_layer(old_leaf.id, null, null);
      update linuxsql.machine set disk_layer = new_leaf where id = machine_id;
    else
      new_leaf := null;
    end if;
  end if;
  insert into linuxsql.boot (machine, boot, leaf, has_disk) values (machine_id, boot_number, new_leaf, true);
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    `create table linuxsql.boot (
       machine bigint not null references linuxsql.machine (id) on delete cascade,
       boot bigint not null check (boot > 0),
       leaf bigint references linuxsql.layer (id) on delete set null,
       has_disk boolean not null,
       started_at timestamptz not null default now(),
       primary key (machine, boot))`,
    'create index boot_leaf on linuxsql.boot (leaf)',
    'grant select on linuxsql.boot to linuxsql_reader',
    'grant select, insert, update, delete on linuxsql.boot to linuxsql_operator',
    beginBoot,
    "comment on function linuxsql.begin_boot(bigint, bigint, bigint, boolean) is 'for its daemon, after take_machine: seal what the disk holds and put an empty layer over it, so that this boot can be replayed; not over more than 47 layers'",
    'revoke all on function linuxsql.begin_boot(bigint, bigint, bigint, boolean) from public',
    'grant execute on function linuxsql.begin_boot(bigint, bigint, bigint, boolean) to linuxsql_operator',
  ]);
  await comment(db, boot);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, ['drop function linuxsql.begin_boot(bigint, bigint, bigint, boolean)', 'drop table linuxsql.boot']);
}

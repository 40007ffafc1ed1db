/** Checkpoints: what a running machine's daemon needs to write one, to come back from one, and what a fork is. */
import { type Kysely } from 'kysely';
import { run } from './statements.js';

const setPath = 'set search_path = pg_catalog, pg_temp';

const columns = [
  `alter table linuxsql.machine
     add column restore_from bigint references linuxsql.checkpoint (id),
     add column ram_layer bigint references linuxsql.layer (id),
     add column checkpoint_every bigint check (checkpoint_every >= 1000000),
     add column checkpoint_keep integer not null default 3 check (checkpoint_keep between 1 and 1000)`,
  `comment on column linuxsql.machine.restore_from is 'checkpoint its next daemon goes on from; null = it boots'`,
  `comment on column linuxsql.machine.ram_layer is 'RAM layer its daemon reads from or will write the next one over; null = none'`,
  `comment on column linuxsql.machine.checkpoint_every is 'instructions between automatic checkpoints; null = none'`,
  `comment on column linuxsql.machine.checkpoint_keep is 'automatic checkpoints that are kept'`,
  `alter table linuxsql.checkpoint
     add column boot bigint not null default 1 check (boot > 0),
     add column input_seq bigint not null default 0 check (input_seq >= 0),
     add column automatic boolean not null default false,
     add column stored_bytes bigint not null default 0 check (stored_bytes >= 0)`,
  `comment on column linuxsql.checkpoint.boot is 'boot it was taken in, as in input_log'`,
  `comment on column linuxsql.checkpoint.input_seq is 'seq of the first input of that boot that came after it'`,
  `comment on column linuxsql.checkpoint.automatic is 'taken by the daemon on its own; the oldest make room'`,
  `comment on column linuxsql.checkpoint.stored_bytes is 'RAM written for it, bytes before compression'`,
  'create index checkpoint_ram_layer on linuxsql.checkpoint (ram_layer)',
  'create index checkpoint_disk_layer on linuxsql.checkpoint (disk_layer)',
  'create index machine_restore_from on linuxsql.machine (restore_from)',
  'create index machine_ram_layer on linuxsql.machine (ram_layer)',
  'grant select (restore_from, ram_layer, checkpoint_every, checkpoint_keep) on linuxsql.machine to linuxsql_reader',
  // The saved state has the machine's seed in it, which readers may not see.
  'revoke select on linuxsql.checkpoint from linuxsql_reader',
  `grant select (id, machine, name, ram_layer, disk_layer, instret, time_ns, created_at, boot, input_seq, automatic, stored_bytes)
     on linuxsql.checkpoint to linuxsql_reader`,
];

/** Replaces the functions of the same signature: a layer may now also be held by machine.ram_layer. */
const replaced = [
  `create or replace function linuxsql.drop_layer_chain(leaf bigint) returns void language plpgsql ${setPath} as $$
declare
  this linuxsql.layer;
begin
  while leaf is not null loop
    select * into this from linuxsql.layer where id = leaf for update;
    exit when not found
      or exists (select from linuxsql.layer where parent = leaf)
      or exists (select from linuxsql.machine where disk_layer = leaf or ram_layer = leaf)
      or exists (select from linuxsql.checkpoint where disk_layer = leaf or ram_layer = leaf);
    delete from linuxsql.layer where id = leaf;
    perform linuxsql.unlink_large_object(this.lo), linuxsql.unlink_large_object(this.index_lo),
            linuxsql.unlink_large_object(this.presence_lo);
    leaf := this.parent;
  end loop;
end $$`,
  `create or replace function linuxsql.drop_machine(machine_name text) returns void language plpgsql ${setPath} as $$
declare
  machine_id bigint := linuxsql.lock_idle_machine(machine_name);
  leaves bigint[];
  leaf bigint;
  fork text;
begin
  select f.name into fork from linuxsql.machine f join linuxsql.checkpoint c on c.id = f.restore_from
    where c.machine = machine_id and f.id <> machine_id limit 1;
  if found then
    raise exception 'machine "%" begins at a checkpoint of machine "%"', fork, machine_name
      using errcode = 'dependent_objects_still_exist', hint = format('Start %I once, or drop it first.', fork);
  end if;
  select array_agg(l) into leaves from (
    select disk_layer from linuxsql.machine where id = machine_id
    union select ram_layer from linuxsql.machine where id = machine_id
    union select disk_layer from linuxsql.checkpoint where machine = machine_id
    union select ram_layer from linuxsql.checkpoint where machine = machine_id) as used(l) where l is not null;
  delete from linuxsql.machine where id = machine_id;
  foreach leaf in array coalesce(leaves, '{}') loop perform linuxsql.drop_layer_chain(leaf); end loop;
end $$`,
];

/** As migration 0002 made them. */
const former = [
  `create or replace function linuxsql.drop_layer_chain(leaf bigint) returns void language plpgsql ${setPath} as $$
declare
  this linuxsql.layer;
begin
  while leaf is not null loop
    select * into this from linuxsql.layer where id = leaf for update;
    exit when not found
      or exists (select from linuxsql.layer where parent = leaf)
      or exists (select from linuxsql.machine where disk_layer = leaf)
      or exists (select from linuxsql.checkpoint where disk_layer = leaf or ram_layer = leaf);
    delete from linuxsql.layer where id = leaf;
    perform linuxsql.unlink_large_object(this.lo), linuxsql.unlink_large_object(this.index_lo),
            linuxsql.unlink_large_object(this.presence_lo);
    leaf := this.parent;
  end loop;
end $$`,
  `create or replace function linuxsql.drop_machine(machine_name text) returns void language plpgsql ${setPath} as $$
declare
  machine_id bigint := linuxsql.lock_idle_machine(machine_name);
  leaves bigint[];
  leaf bigint;
begin
  select array_agg(l) into leaves from (
    select disk_layer from linuxsql.machine where id = machine_id
    union select disk_layer from linuxsql.checkpoint where machine = machine_id
    union select ram_layer from linuxsql.checkpoint where machine = machine_id) as used(l) where l is not null;
  delete from linuxsql.machine where id = machine_id;
  foreach leaf in array coalesce(leaves, '{}') loop perform linuxsql.drop_layer_chain(leaf); end loop;
end $$`,
];

interface SqlFunction {
  /** Name and argument types, as DROP FUNCTION and GRANT take them. */
  signature: string;
  doc: string;
  grantee: 'linuxsql_operator' | 'linuxsql_reader, linuxsql_operator';
  definition: string;
}

const daemonFunctions: SqlFunction[] = [
  {
    signature: 'linuxsql.begin_checkpoint(bigint, bigint, text, bigint, bigint)',
    doc: 'for its daemon, first in the transaction of a checkpoint: an unsealed RAM layer over `below` if that is still there and its chain is short, else over nothing',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.begin_checkpoint(machine_id bigint, held bigint, checkpoint_name text, below bigint,
    memory_bytes bigint, out layer bigint, out lo oid, out index_lo oid, out parent bigint)
  language plpgsql ${setPath} as $$
declare
  below_depth integer := 0;
begin
  perform linuxsql.check_fence(machine_id, held);
  if exists (select from linuxsql.checkpoint c where c.machine = machine_id and c.name = checkpoint_name) then
    raise exception 'checkpoint "%" already exists', checkpoint_name
      using errcode = 'duplicate_object', hint = 'Choose another name, or delete it with vm_checkpoint_delete.';
  end if;
  select l.id, l.depth into begin_checkpoint.parent, below_depth from linuxsql.layer l
    where l.id = below and l.sealed and l.kind = 'ram' and l.size = memory_bytes and l.depth < 32 for key share;
  begin_checkpoint.lo := linuxsql.new_large_object();
  begin_checkpoint.index_lo := linuxsql.new_large_object();
  insert into linuxsql.layer as l (parent, kind, lo, index_lo, size, granule, depth)
    values (begin_checkpoint.parent, 'ram', begin_checkpoint.lo, begin_checkpoint.index_lo, memory_bytes, 65536,
            coalesce(below_depth, 0) + 1)
    returning l.id into begin_checkpoint.layer;
end $$`,
  },
  {
    signature:
      'linuxsql.end_checkpoint(bigint, bigint, text, bigint, bigint, bytea, bigint, bigint, bigint, bigint, boolean, bigint)',
    doc: 'for its daemon, last in the transaction of a checkpoint: seal its RAM layer and add its row; automatic ones beyond checkpoint_keep are deleted',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.end_checkpoint(machine_id bigint, held bigint, checkpoint_name text, new_ram_layer bigint,
    sealed_disk_layer bigint, state bytea, at_instret bigint, at_time_ns bigint, in_boot bigint, next_input bigint,
    on_its_own boolean, bytes bigint) returns bigint
  language plpgsql ${setPath} as $$
declare
  made bigint;
  former bigint;
  old record;
begin
  perform linuxsql.check_fence(machine_id, held);
  update linuxsql.layer set sealed = true where id = new_ram_layer;
  insert into linuxsql.checkpoint (machine, name, cpu, ram_layer, disk_layer, instret, time_ns, boot, input_seq, automatic, stored_bytes)
    values (machine_id, checkpoint_name, state, new_ram_layer, sealed_disk_layer, at_instret, at_time_ns, in_boot, next_input,
            on_its_own, bytes)
    returning id into made;
  select ram_layer into former from linuxsql.machine where id = machine_id;
  update linuxsql.machine set ram_layer = new_ram_layer where id = machine_id;
  perform linuxsql.drop_layer_chain(former);
  if on_its_own then
    for old in select c.id from linuxsql.checkpoint c where c.machine = machine_id and c.automatic
        and not exists (select from linuxsql.machine m where m.restore_from = c.id)
        order by c.id desc offset (select checkpoint_keep from linuxsql.machine where id = machine_id)
    loop
      perform linuxsql.delete_checkpoint(old.id);
    end loop;
  end if;
  return made;
end $$`,
  },
  {
    signature: 'linuxsql.push_running_disk_layer(bigint, bigint)',
    doc: 'for its daemon, after the last pages of the leaf: seal the disk layer and put an empty one over it',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.push_running_disk_layer(machine_id bigint, held bigint,
    out sealed_layer bigint, out layer bigint, out lo oid, out presence_lo oid)
  language plpgsql ${setPath} as $$
declare
  height integer;
begin
  perform linuxsql.check_fence(machine_id, held);
  select m.disk_layer, l.depth into sealed_layer, height
    from linuxsql.machine m join linuxsql.layer l on l.id = m.disk_layer where m.id = machine_id;
  if height >= 64 then
    raise exception 'the disk of machine % has 64 layers', machine_id using errcode = 'program_limit_exceeded';
  end if;
  update linuxsql.layer set sealed = true where id = sealed_layer;
  push_running_disk_layer.layer := linuxsql.add_disk_layer(sealed_layer, null, null);
  update linuxsql.machine set disk_layer = push_running_disk_layer.layer where id = machine_id;
  select l.lo, l.presence_lo into push_running_disk_layer.lo, push_running_disk_layer.presence_lo
    from linuxsql.layer l where l.id = push_running_disk_layer.layer;
end $$`,
  },
  {
    signature: 'linuxsql.begin_restore(bigint, bigint, bigint)',
    doc: 'for its daemon, which goes on from a checkpoint: a new disk layer over that of the checkpoint takes the place of the present one, which is dropped; returns it',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.begin_restore(machine_id bigint, held bigint, checkpoint_id bigint) returns bigint
  language plpgsql ${setPath} as $$
declare
  saved linuxsql.checkpoint;
  present linuxsql.machine;
  made bigint;
begin
  perform linuxsql.check_fence(machine_id, held);
  select * into saved from linuxsql.checkpoint where id = checkpoint_id for key share;
  if not found then
    raise exception 'there is no checkpoint %', checkpoint_id using errcode = 'undefined_object';
  end if;
  select * into strict present from linuxsql.machine where id = machine_id;
  if saved.disk_layer is not null then made := linuxsql.add_disk_layer(saved.disk_layer, null, null); end if;
  update linuxsql.machine set disk_layer = made, ram_layer = saved.ram_layer, restore_from = null where id = machine_id;
  perform linuxsql.drop_layer_chain(present.disk_layer);
  perform linuxsql.drop_layer_chain(present.ram_layer);
  return made;
end $$`,
  },
];

const operatorFunctions: SqlFunction[] = [
  {
    signature: 'linuxsql.checkpoint_named(bigint, text)',
    doc: 'the id of a checkpoint of a machine; an error when there is none',
    grantee: 'linuxsql_reader, linuxsql_operator',
    definition: `create function linuxsql.checkpoint_named(machine_id bigint, checkpoint_name text) returns bigint
  language plpgsql stable ${setPath} as $$
declare
  found_id bigint;
begin
  select id into found_id from linuxsql.checkpoint where machine = machine_id and name = checkpoint_name;
  if not found then
    raise exception 'checkpoint "%" does not exist', checkpoint_name
      using errcode = 'undefined_object', hint = 'Checkpoints are listed by vm_snapshots().';
  end if;
  return found_id;
end $$`,
  },
  {
    signature: 'linuxsql.delete_checkpoint(bigint)',
    doc: 'delete a checkpoint and every layer that nothing else needs',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.delete_checkpoint(checkpoint_id bigint) returns void language plpgsql ${setPath} as $$
declare
  gone linuxsql.checkpoint;
  waiting text;
begin
  select name into waiting from linuxsql.machine where restore_from = checkpoint_id;
  if found then
    raise exception 'machine "%" begins at this checkpoint', waiting
      using errcode = 'dependent_objects_still_exist', hint = format('Start %I once, or drop it first.', waiting);
  end if;
  delete from linuxsql.checkpoint where id = checkpoint_id returning * into gone;
  -- A stopped machine builds on nothing.
  update linuxsql.machine m set ram_layer = null
    where m.ram_layer = gone.ram_layer and pg_try_advisory_xact_lock(linuxsql.machine_lock_key(m.id));
  perform linuxsql.drop_layer_chain(gone.ram_layer);
  perform linuxsql.drop_layer_chain(gone.disk_layer);
end $$`,
  },
  {
    signature: 'linuxsql.fork_machine(bigint, text)',
    doc: 'a new machine that will go on from a checkpoint, its disk over that of the checkpoint; returns its id',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.fork_machine(checkpoint_id bigint, new_name text) returns bigint
  language plpgsql ${setPath} as $$
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
                                disk_layer, seed, rtc_epoch_ns, restore_from)
    select new_name, m.memory_bytes, m.bootargs, m.firmware_image, m.kernel_image, m.dtb_image, m.initrd_image,
           case when saved.disk_layer is not null then linuxsql.add_disk_layer(saved.disk_layer, null, null) end,
           m.seed, m.rtc_epoch_ns, saved.id
      from linuxsql.machine m where m.id = saved.machine
    returning id into made;
  return made;
end $$`,
  },
];

const functions = [...operatorFunctions, ...daemonFunctions];

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, columns);
  await run(db, replaced);
  for (const { signature, doc, grantee, definition } of functions) {
    await run(db, [
      definition,
      `comment on function ${signature} is '${doc.replaceAll("'", "''")}'`,
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to ${grantee}`,
    ]);
  }
}

/** RAM layers need the columns of this migration only to be written; those that are there can still be read. */
export async function down(db: Kysely<unknown>): Promise<void> {
  for (const { signature } of [...functions].reverse()) await run(db, [`drop function ${signature}`]);
  await run(db, [
    ...former,
    `alter table linuxsql.checkpoint drop column boot, drop column input_seq, drop column automatic, drop column stored_bytes`,
    'drop index linuxsql.checkpoint_ram_layer, linuxsql.checkpoint_disk_layer',
    `alter table linuxsql.machine drop column restore_from, drop column ram_layer, drop column checkpoint_every,
       drop column checkpoint_keep`,
    // Dropping columns took their grants along; the table grant of migration 0001 comes back.
    'grant select on linuxsql.checkpoint to linuxsql_reader',
  ]);
}

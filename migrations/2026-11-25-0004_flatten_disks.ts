/** Long chains of disk layers made short again, beside the running machine. */
import { type Kysely } from 'kysely';
import { run } from './statements.js';

const setPath = 'set search_path = pg_catalog, pg_temp';

interface SqlFunction {
  signature: string;
  doc: string;
  definition: string;
}

const functions: SqlFunction[] = [
  {
    signature: 'linuxsql.begin_flatten(bigint, bigint)',
    doc: 'for its daemon: an empty layer over the image below the disk, to take up what all sealed layers of the disk hold; one left over is dropped',
    definition: `create function linuxsql.begin_flatten(machine_id bigint, held bigint, out layer bigint, out lo oid, out presence_lo oid)
  language plpgsql ${setPath} as $$
declare
  leftover bigint;
  leaf bigint;
  bottom linuxsql.layer;
begin
  perform linuxsql.check_fence(machine_id, held);
  select flatten_layer, disk_layer into leftover, leaf from linuxsql.machine where id = machine_id;
  update linuxsql.machine set flatten_layer = null where id = machine_id;
  perform linuxsql.drop_layer_chain(leftover);
  with recursive chain as (
    select l.* from linuxsql.layer l where l.id = leaf
    union all select p.* from linuxsql.layer p join chain c on p.id = c.parent)
  select * into strict bottom from chain where chain.parent is null;
  begin_flatten.lo := linuxsql.new_large_object();
  begin_flatten.presence_lo := linuxsql.new_large_object();
  insert into linuxsql.layer as l (image, kind, lo, presence_lo, size)
    select bottom.image, 'disk', begin_flatten.lo, begin_flatten.presence_lo, d.size from linuxsql.layer d where d.id = leaf
    returning l.id into begin_flatten.layer;
  update linuxsql.machine set flatten_layer = begin_flatten.layer where id = machine_id;
end $$`,
  },
  {
    signature: 'linuxsql.rebase_disk(bigint, bigint, bigint, bigint)',
    doc: 'for its daemon: the layer of begin_flatten is complete; the leaf of the disk goes over it. Returns the layer that was below the leaf',
    definition: `create function linuxsql.rebase_disk(machine_id bigint, held bigint, leaf bigint, base bigint) returns bigint
  language plpgsql ${setPath} as $$
declare
  former bigint;
begin
  perform linuxsql.check_fence(machine_id, held);
  if not exists (select from linuxsql.machine where id = machine_id and disk_layer = leaf and flatten_layer = base) then
    raise exception 'the disk of machine % has changed', machine_id using errcode = 'object_not_in_prerequisite_state';
  end if;
  select parent into strict former from linuxsql.layer where id = leaf and not sealed;
  update linuxsql.layer set sealed = true where id = base;
  update linuxsql.layer set parent = base, image = null, depth = 2 where id = leaf;
  update linuxsql.machine set flatten_layer = null where id = machine_id;
  return former;
end $$`,
  },
];

/** Replaces that of migration 0003: a layer that was not finished goes too. */
const dropMachine = (leaves: string): string =>
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
    union select ram_layer from linuxsql.machine where id = machine_id${leaves}
    union select disk_layer from linuxsql.checkpoint where machine = machine_id
    union select ram_layer from linuxsql.checkpoint where machine = machine_id) as used(l) where l is not null;
  delete from linuxsql.machine where id = machine_id;
  foreach leaf in array coalesce(leaves, '{}') loop perform linuxsql.drop_layer_chain(leaf); end loop;
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    'alter table linuxsql.machine add column flatten_layer bigint references linuxsql.layer (id)',
    `comment on column linuxsql.machine.flatten_layer is 'layer that its daemon is filling to make its chain short; null = none'`,
    'grant select (flatten_layer) on linuxsql.machine to linuxsql_reader',
    dropMachine('\n    union select flatten_layer from linuxsql.machine where id = machine_id'),
  ]);
  for (const { signature, doc, definition } of functions) {
    await run(db, [
      definition,
      `comment on function ${signature} is '${doc.replaceAll("'", "''")}'`,
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to linuxsql_operator`,
    ]);
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const { signature } of [...functions].reverse()) await run(db, [`drop function ${signature}`]);
  await run(db, [dropMachine(''), 'alter table linuxsql.machine drop column flatten_layer']);
}

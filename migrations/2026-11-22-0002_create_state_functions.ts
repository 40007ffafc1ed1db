/** What the daemon, the extension and the command line do with the state, stated once. All run with the caller's rights. */
import { type Kysely } from 'kysely';
import { run } from './statements.js';

interface SqlFunction {
  /** Name and argument types, as DROP FUNCTION and GRANT take them. */
  signature: string;
  doc: string;
  grantee: 'linuxsql_operator' | 'linuxsql_reader, linuxsql_operator';
  definition: string;
}

const setPath = 'set search_path = pg_catalog, pg_temp';

const largeObjects: SqlFunction[] = [
  {
    signature: 'linuxsql.new_large_object()',
    doc: 'an empty Large Object which operators own and readers may read',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.new_large_object() returns oid language plpgsql ${setPath} as $$
declare
  made oid := lo_create(0);
begin
  if pg_has_role('linuxsql_operator', 'member') then
    execute format('alter large object %s owner to linuxsql_operator', made);
  end if;
  execute format('grant select on large object %s to linuxsql_reader', made);
  return made;
end $$`,
  },
  {
    signature: 'linuxsql.unlink_large_object(oid)',
    doc: 'unlink a Large Object if it exists',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.unlink_large_object(lo oid) returns void language plpgsql ${setPath} as $$
begin
  if exists (select from pg_largeobject_metadata where oid = lo) then perform lo_unlink(lo); end if;
end $$`,
  },
];

const layers: SqlFunction[] = [
  {
    signature: 'linuxsql.image_id(text, text)',
    doc: 'the sealed image of this name and kind; null for a null name, an error for any other that is not there',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.image_id(image_name text, image_kind text) returns bigint
  language plpgsql stable ${setPath} as $$
declare
  found_image linuxsql.image;
begin
  if image_name is null then return null; end if;
  select * into found_image from linuxsql.image where name = image_name;
  if not found then
    raise exception 'image "%" does not exist', image_name
      using errcode = 'undefined_object', hint = 'Import it with: linuxsql image import.';
  elsif found_image.kind <> image_kind then
    raise exception 'image "%" is a % image, not a % image', image_name, found_image.kind, image_kind
      using errcode = 'wrong_object_type';
  elsif not found_image.sealed then
    raise exception 'image "%" is not completely imported', image_name
      using errcode = 'object_not_in_prerequisite_state', hint = 'Run its import again: it goes on where it stopped.';
  end if;
  return found_image.id;
end $$`,
  },
  {
    signature: 'linuxsql.add_disk_layer(bigint, bigint, bigint)',
    doc: 'an empty unsealed disk layer over a sealed layer, over an image, or (both null) over zeros; size in bytes or null = as below',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.add_disk_layer(parent_layer bigint, base_image bigint, size_bytes bigint) returns bigint
  language plpgsql ${setPath} as $$
declare
  below_size bigint := 0;
  below_depth integer := 0;
  whole bigint;
  made bigint;
begin
  if parent_layer is not null then
    select size, depth into strict below_size, below_depth from linuxsql.layer where id = parent_layer and sealed and kind = 'disk';
  elsif base_image is not null then
    select size into strict below_size from linuxsql.image where id = base_image and sealed;
  end if;
  whole := (coalesce(size_bytes, below_size) + 4095) / 4096 * 4096;
  if whole < below_size then
    raise exception 'a disk of % bytes is smaller than what lies below it (% bytes)', whole, below_size
      using errcode = 'invalid_parameter_value';
  end if;
  insert into linuxsql.layer (parent, image, kind, lo, presence_lo, size, depth)
    values (parent_layer, base_image, 'disk', linuxsql.new_large_object(), linuxsql.new_large_object(), whole, below_depth + 1)
    returning id into made;
  return made;
end $$`,
  },
  {
    signature: 'linuxsql.drop_layer_chain(bigint)',
    doc: 'drop a layer and the layers below it, down to the first that something else still needs',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.drop_layer_chain(leaf bigint) returns void language plpgsql ${setPath} as $$
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
  },
  {
    signature: 'linuxsql.drop_image(text)',
    doc: 'drop an image and its Large Objects; an error while a machine or layer uses it',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.drop_image(image_name text) returns void language plpgsql ${setPath} as $$
declare
  gone linuxsql.image;
begin
  delete from linuxsql.image where name = image_name returning * into gone;
  if not found then raise exception 'image "%" does not exist', image_name using errcode = 'undefined_object'; end if;
  perform linuxsql.unlink_large_object(gone.lo), linuxsql.unlink_large_object(gone.presence_lo);
end $$`,
  },
];

const machines: SqlFunction[] = [
  {
    signature: 'linuxsql.machine_lock_key(bigint)',
    doc: 'key of the session advisory lock that the daemon of a machine holds',
    grantee: 'linuxsql_reader, linuxsql_operator',
    definition: `create function linuxsql.machine_lock_key(machine bigint) returns bigint language sql immutable strict ${setPath}
  return (x'4c53514c'::bigint << 32) | (machine & x'ffffffff'::bigint)`,
  },
  {
    signature: 'linuxsql.wait_for_machine_lock(bigint, boolean)',
    doc: 'take the lock of a machine, for the session or the transaction; false when it is still held after a second, which the server may need to notice that a daemon is gone',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.wait_for_machine_lock(machine bigint, for_session boolean) returns boolean
  language plpgsql ${setPath} as $$
declare
  key bigint := linuxsql.machine_lock_key(machine);
  taken boolean := false;
begin
  for attempt in 1..20 loop
    taken := case when for_session then pg_try_advisory_lock(key) else pg_try_advisory_xact_lock(key) end;
    exit when taken;
    perform pg_sleep(0.05);
  end loop;
  return taken;
end $$`,
  },
  {
    signature: 'linuxsql.machine_named(text)',
    doc: 'the id of a machine; an error when there is none',
    grantee: 'linuxsql_reader, linuxsql_operator',
    definition: `create function linuxsql.machine_named(machine_name text) returns bigint language plpgsql stable ${setPath} as $$
declare
  machine_id bigint;
begin
  select id into machine_id from linuxsql.machine where name = machine_name;
  if not found then
    raise exception 'machine "%" does not exist', machine_name
      using errcode = 'undefined_object', hint = 'Machines are listed by vm_list().';
  end if;
  return machine_id;
end $$`,
  },
  {
    signature:
      'linuxsql.create_machine(text, text, text, text, text, text, bigint, text, bigint, bytea, bigint, boolean)',
    doc: 'a machine and, with a base image or a size, its empty leaf disk layer; returns its id',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.create_machine(
    machine_name text,
    firmware text,
    kernel text,
    base_image text default null,
    initrd text default null,
    dtb text default null,
    memory_bytes bigint default 1073741824,
    bootargs text default 'console=ttyS0 root=/dev/vda rw earlycon=sbi',
    disk_bytes bigint default null,
    seed bytea default null,
    rtc_epoch_ns bigint default null,
    autostart boolean default false) returns bigint language plpgsql ${setPath} as $$
declare
  base bigint := linuxsql.image_id(base_image, 'disk');
  leaf bigint;
  made bigint;
begin
  if exists (select from linuxsql.machine where name = machine_name) then
    raise exception 'machine "%" already exists', machine_name using errcode = 'duplicate_object';
  end if;
  if firmware is null or kernel is null then
    raise exception 'a machine needs a firmware and a kernel image' using errcode = 'null_value_not_allowed';
  end if;
  if base is not null or disk_bytes is not null then leaf := linuxsql.add_disk_layer(null, base, disk_bytes); end if;
  insert into linuxsql.machine (name, memory_bytes, bootargs, firmware_image, kernel_image, dtb_image, initrd_image,
                                disk_layer, seed, rtc_epoch_ns, autostart)
    values (machine_name, memory_bytes, bootargs, linuxsql.image_id(firmware, 'firmware'),
            linuxsql.image_id(kernel, 'kernel'), linuxsql.image_id(dtb, 'dtb'), linuxsql.image_id(initrd, 'initrd'), leaf,
            coalesce(seed, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))), rtc_epoch_ns, autostart)
    returning id into made;
  return made;
end $$`,
  },
  {
    signature: 'linuxsql.lock_idle_machine(text)',
    doc: 'the id of a machine, locked until the transaction ends; an error while a daemon runs it',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.lock_idle_machine(machine_name text) returns bigint language plpgsql ${setPath} as $$
declare
  machine_id bigint := linuxsql.machine_named(machine_name);
begin
  if not linuxsql.wait_for_machine_lock(machine_id, false) then
    raise exception 'machine "%" is running', machine_name
      using errcode = 'object_in_use', hint = 'Stop it first with vm_stop().';
  end if;
  perform from linuxsql.machine where id = machine_id for update;
  if not found then raise exception 'machine "%" does not exist', machine_name using errcode = 'undefined_object'; end if;
  return machine_id;
end $$`,
  },
  {
    signature: 'linuxsql.drop_machine(text)',
    doc: 'drop a machine that does not run, its checkpoints, its log, and every layer that nothing else needs',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.drop_machine(machine_name text) returns void language plpgsql ${setPath} as $$
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
  },
  {
    signature: 'linuxsql.push_disk_layer(text)',
    doc: 'seal the disk layer of a machine that does not run and put an empty one over it; returns the new layer',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.push_disk_layer(machine_name text) returns bigint language plpgsql ${setPath} as $$
declare
  machine_id bigint := linuxsql.lock_idle_machine(machine_name);
  leaf bigint;
  made bigint;
begin
  select disk_layer into leaf from linuxsql.machine where id = machine_id;
  if leaf is null then
    raise exception 'machine "%" has no disk', machine_name using errcode = 'object_not_in_prerequisite_state';
  end if;
  update linuxsql.layer set sealed = true where id = leaf;
  made := linuxsql.add_disk_layer(leaf, null, null);
  update linuxsql.machine set disk_layer = made where id = machine_id;
  return made;
end $$`,
  },
];

const daemons: SqlFunction[] = [
  {
    signature: 'linuxsql.take_machine(text)',
    doc: 'for its daemon: take the session lock, raise the fence and the boot counter',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.take_machine(machine_name text, out id bigint, out fence bigint, out boot bigint)
  language plpgsql ${setPath} as $$
declare
  machine_id bigint := linuxsql.machine_named(machine_name);
  holder integer;
begin
  if not linuxsql.wait_for_machine_lock(machine_id, true) then
    select l.pid into holder from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and (l.classid::bigint << 32) | l.objid::bigint = linuxsql.machine_lock_key(machine_id);
    raise exception 'machine "%" is already running', machine_name
      using errcode = 'object_in_use', detail = format('Its daemon is connected as server process %s.', holder);
  end if;
  -- Waits for commits under the old fence (they hold FOR KEY SHARE) and keeps out new ones.
  perform from linuxsql.machine m where m.id = machine_id for update;
  update linuxsql.machine m set fence = m.fence + 1, ended = null,
      boots = greatest(m.boots, (select coalesce(max(i.boot), 0) from linuxsql.input_log i where i.machine = machine_id)) + 1
    where m.id = machine_id returning m.id, m.fence, m.boots into take_machine.id, take_machine.fence, take_machine.boot;
end $$`,
  },
  {
    signature: 'linuxsql.check_fence(bigint, bigint)',
    doc: 'for its daemon, first in every write transaction: an error (LQ001) when another daemon has taken the machine',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.check_fence(machine_id bigint, held bigint) returns void language plpgsql ${setPath} as $$
begin
  perform from linuxsql.machine m where m.id = machine_id and m.fence = held for key share;
  if not found then
    raise exception 'another daemon has taken machine %', machine_id using errcode = 'LQ001';
  end if;
end $$`,
  },
  {
    signature: 'linuxsql.retake_machine(bigint, bigint)',
    doc: 'for its daemon after a lost connection: true once the session lock is held again; LQ001 when the fence was raised',
    grantee: 'linuxsql_operator',
    definition: `create function linuxsql.retake_machine(machine_id bigint, held bigint) returns boolean language plpgsql ${setPath} as $$
begin
  perform linuxsql.check_fence(machine_id, held);
  if not pg_try_advisory_lock(linuxsql.machine_lock_key(machine_id)) then return false; end if;
  perform linuxsql.check_fence(machine_id, held);
  return true;
end $$`,
  },
];

const functions = [...largeObjects, ...layers, ...machines, ...daemons];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const { signature, doc, grantee, definition } of functions) {
    await run(db, [
      definition,
      `comment on function ${signature} is '${doc.replaceAll("'", "''")}'`,
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to ${grantee}`,
    ]);
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const { signature } of [...functions].reverse()) await run(db, [`drop function ${signature}`]);
}

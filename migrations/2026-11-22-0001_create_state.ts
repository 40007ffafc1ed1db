/** The state of virtual machines: images and layers in Large Objects, machines, checkpoints, input logs. */
import { sql, type CreateTableBuilder, type Kysely } from 'kysely';
import { comment, ensureRole, run, type TableComments } from './statements.js';

const mib = 1024 * 1024;
const identity = (table: CreateTableBuilder<string, 'id'>): CreateTableBuilder<string, 'id'> => table;

const imageComments: TableComments = {
  table: 'image',
  doc: 'Firmware, kernels, device trees, initial RAM disks and base disks; immutable once sealed.',
  columns: {
    id: 'identity',
    name: 'unique name',
    kind: 'firmware, kernel, dtb, initrd or disk',
    lo: 'Large Object with the bytes; runs of zero pages may be holes',
    presence_lo: 'Large Object with two bits for each 4 KB page: 1 = bytes in lo, 2 = zeros; written when sealed',
    size: 'bytes',
    sha256: 'SHA-256 of all bytes, known once sealed',
    content_sha256: 'SHA-256 over the size and every non-zero 64 KB granule with its offset: tells equal images fast',
    progress: 'bytes of the source imported and committed',
    sealed: 'complete; nothing but the name may change any more',
    created_at: 'when the import began',
  },
};

const layerComments: TableComments = {
  table: 'layer',
  doc: 'One layer of a disk or of guest RAM. A layer holds the pages written to it; others come from its parent.',
  columns: {
    id: 'identity',
    parent: 'layer below; null for a bottom layer',
    image: 'image below a bottom layer; null over zeros',
    kind: 'disk or ram',
    lo: 'Large Object with page contents',
    index_lo: 'ram: Large Object that maps granules to positions in lo',
    presence_lo: 'disk: Large Object with two bits for each 4 KB page: 0 = below, 1 = bytes in lo, 2 = zeros',
    size: 'bytes, a multiple of the granule',
    granule: 'bytes of a page',
    depth: 'layers from the bottom, this one included',
    sealed: 'complete; only unsealed layers are written to',
    created_at: 'when it was made',
  },
};

const machineComments: TableComments = {
  table: 'machine',
  doc: 'A virtual machine: what it is made of and what its supervisor shall do with it.',
  columns: {
    id: 'identity',
    name: 'unique name; also the name of its sockets',
    memory_bytes: 'guest RAM, bytes',
    bootargs: 'kernel command line',
    firmware_image: 'M-mode firmware (OpenSBI fw_dynamic)',
    kernel_image: 'kernel Image',
    dtb_image: 'device tree; null = the one built into the daemon',
    initrd_image: 'initial RAM disk; null = none',
    disk_layer: 'unsealed leaf layer of its disk; null = no disk',
    seed: 'seed of every random number the guest is given, 32 bytes',
    rtc_epoch_ns: 'clock at boot, ns since 1970; null = wall clock, recorded in the input log',
    autostart: 'start with the server',
    desired: 'what the supervisor keeps it at: stopped, paused or running',
    fence: 'raised by every daemon that takes the machine; a daemon with an older one may not write',
    boots: 'boots so far, the present one included',
    ended: 'why its last daemon ended; null while one runs or before the first',
    created_at: 'when it was made',
  },
};

const checkpointComments: TableComments = {
  table: 'checkpoint',
  doc: 'An instant of a machine: CPU and device state, RAM and disk, committed together.',
  columns: {
    id: 'identity',
    machine: 'its machine',
    name: 'unique for the machine',
    cpu: 'CPU and device state',
    ram_layer: 'sealed layer with guest RAM',
    disk_layer: 'sealed layer with the disk; null = no disk',
    instret: 'instructions retired',
    time_ns: 'guest time, ns',
    created_at: 'when it was taken',
  },
};

const inputLogComments: TableComments = {
  table: 'input_log',
  doc: 'Every input from outside, with the instant at which the guest was given it: enough to replay a boot.',
  columns: {
    machine: 'its machine',
    boot: 'which boot, counted as in machine.boots',
    seq: 'order within the boot, from 0',
    instret: 'instructions retired when it was taken',
    time_ns: 'guest time when it was taken, ns',
    kind: 'boot, clock, console, ...',
    payload: 'the bytes',
  },
};

const imageNamePattern = '^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$';
const machineNamePattern = '^[a-z][a-z0-9_-]{0,62}$';

async function createImage(db: Kysely<unknown>): Promise<void> {
  await identity(
    db.schema
      .withSchema('linuxsql')
      .createTable('image')
      .addColumn('id', 'bigint', (c) => c.generatedAlwaysAsIdentity().primaryKey()),
  )
    .addColumn('name', 'text', (c) =>
      c
        .notNull()
        .unique()
        .check(sql`name ~ ${sql.lit(imageNamePattern)}`),
    )
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('firmware', 'kernel', 'dtb', 'initrd', 'disk')`))
    .addColumn('lo', sql`oid`, (c) => c.notNull().unique())
    .addColumn('presence_lo', sql`oid`, (c) => c.notNull().unique())
    .addColumn('size', 'bigint', (c) => c.notNull().check(sql`size between 1 and 1099511627776`))
    .addColumn('sha256', 'bytea', (c) => c.check(sql`octet_length(sha256) = 32`))
    .addColumn('content_sha256', 'bytea', (c) => c.notNull().check(sql`octet_length(content_sha256) = 32`))
    .addColumn('progress', 'bigint', (c) =>
      c
        .notNull()
        .defaultTo(0)
        .check(sql`progress between 0 and size`),
    )
    .addColumn('sealed', 'boolean', (c) => c.notNull().defaultTo(false))
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
    .addCheckConstraint('image_sealed_complete', sql`not sealed or (sha256 is not null and progress = size)`)
    .execute();
}

async function createLayer(db: Kysely<unknown>): Promise<void> {
  await identity(
    db.schema
      .withSchema('linuxsql')
      .createTable('layer')
      .addColumn('id', 'bigint', (c) => c.generatedAlwaysAsIdentity().primaryKey()),
  )
    .addColumn('parent', 'bigint', (c) => c.references('linuxsql.layer.id'))
    .addColumn('image', 'bigint', (c) => c.references('linuxsql.image.id'))
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('disk', 'ram')`))
    .addColumn('lo', sql`oid`, (c) => c.notNull().unique())
    .addColumn('index_lo', sql`oid`, (c) => c.unique())
    .addColumn('presence_lo', sql`oid`, (c) => c.unique())
    .addColumn('size', 'bigint', (c) => c.notNull().check(sql`size between 4096 and 1099511627776`))
    .addColumn('granule', 'integer', (c) =>
      c
        .notNull()
        .defaultTo(4096)
        .check(sql`granule in (4096, 65536)`),
    )
    .addColumn('depth', 'integer', (c) =>
      c
        .notNull()
        .defaultTo(1)
        .check(sql`depth between 1 and 64`),
    )
    .addColumn('sealed', 'boolean', (c) => c.notNull().defaultTo(false))
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
    .addCheckConstraint('layer_one_below', sql`parent is null or image is null`)
    .addCheckConstraint('layer_depth_bottom', sql`(parent is null) = (depth = 1)`)
    .addCheckConstraint('layer_whole_granules', sql`size % granule = 0`)
    .addCheckConstraint('layer_disk_presence', sql`kind <> 'disk' or (presence_lo is not null and granule = 4096)`)
    .execute();
  await run(db, [
    'create index layer_parent on linuxsql.layer (parent)',
    'create index layer_image on linuxsql.layer (image)',
  ]);
}

async function createMachine(db: Kysely<unknown>): Promise<void> {
  await identity(
    db.schema
      .withSchema('linuxsql')
      .createTable('machine')
      .addColumn('id', 'bigint', (c) => c.generatedAlwaysAsIdentity().primaryKey()),
  )
    .addColumn('name', 'text', (c) =>
      c
        .notNull()
        .unique()
        .check(sql`name ~ ${sql.lit(machineNamePattern)}`),
    )
    .addColumn('memory_bytes', 'bigint', (c) =>
      c
        .notNull()
        .check(
          sql`memory_bytes between ${sql.lit(32 * mib)} and 1099511627776 and memory_bytes % ${sql.lit(2 * mib)} = 0`,
        ),
    )
    .addColumn('bootargs', 'text', (c) => c.notNull().check(sql`octet_length(bootargs) < 1024`))
    .addColumn('firmware_image', 'bigint', (c) => c.notNull().references('linuxsql.image.id'))
    .addColumn('kernel_image', 'bigint', (c) => c.notNull().references('linuxsql.image.id'))
    .addColumn('dtb_image', 'bigint', (c) => c.references('linuxsql.image.id'))
    .addColumn('initrd_image', 'bigint', (c) => c.references('linuxsql.image.id'))
    .addColumn('disk_layer', 'bigint', (c) => c.unique().references('linuxsql.layer.id'))
    .addColumn('seed', 'bytea', (c) => c.notNull().check(sql`octet_length(seed) = 32`))
    .addColumn('rtc_epoch_ns', 'bigint', (c) => c.check(sql`rtc_epoch_ns >= 0`))
    .addColumn('autostart', 'boolean', (c) => c.notNull().defaultTo(false))
    .addColumn('desired', 'text', (c) =>
      c
        .notNull()
        .defaultTo('stopped')
        .check(sql`desired in ('stopped', 'paused', 'running')`),
    )
    .addColumn('fence', 'bigint', (c) =>
      c
        .notNull()
        .defaultTo(0)
        .check(sql`fence >= 0`),
    )
    .addColumn('boots', 'bigint', (c) =>
      c
        .notNull()
        .defaultTo(0)
        .check(sql`boots >= 0`),
    )
    .addColumn('ended', 'text')
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
    .execute();
}

async function createHistory(db: Kysely<unknown>): Promise<void> {
  await identity(
    db.schema
      .withSchema('linuxsql')
      .createTable('checkpoint')
      .addColumn('id', 'bigint', (c) => c.generatedAlwaysAsIdentity().primaryKey()),
  )
    .addColumn('machine', 'bigint', (c) => c.notNull().references('linuxsql.machine.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull().check(sql`name <> ''`))
    .addColumn('cpu', 'bytea', (c) => c.notNull())
    .addColumn('ram_layer', 'bigint', (c) => c.notNull().references('linuxsql.layer.id'))
    .addColumn('disk_layer', 'bigint', (c) => c.references('linuxsql.layer.id'))
    .addColumn('instret', 'bigint', (c) => c.notNull().check(sql`instret >= 0`))
    .addColumn('time_ns', 'bigint', (c) => c.notNull().check(sql`time_ns >= 0`))
    .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
    .addUniqueConstraint('checkpoint_machine_name', ['machine', 'name'])
    .execute();
  await db.schema
    .withSchema('linuxsql')
    .createTable('input_log')
    .addColumn('machine', 'bigint', (c) => c.notNull().references('linuxsql.machine.id').onDelete('cascade'))
    .addColumn('boot', 'bigint', (c) => c.notNull().check(sql`boot > 0`))
    .addColumn('seq', 'bigint', (c) => c.notNull().check(sql`seq >= 0`))
    .addColumn('instret', 'bigint', (c) => c.notNull().check(sql`instret >= 0`))
    .addColumn('time_ns', 'bigint', (c) => c.notNull().check(sql`time_ns >= 0`))
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind ~ '^[a-z][a-z0-9_]{0,31}$'`))
    .addColumn('payload', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('input_log_pkey', ['machine', 'boot', 'seq'])
    .execute();
}

/** Sealed images and layers never change: everything that reads them may cache them. */
const sealing = [
  `create function linuxsql.refuse_sealed_change() returns trigger language plpgsql
     set search_path = pg_catalog, pg_temp as $$
   begin
     raise exception '% % is sealed', tg_table_name, old.id using errcode = 'object_not_in_prerequisite_state';
   end $$`,
  `comment on function linuxsql.refuse_sealed_change() is 'trigger: sealed images and layers never change'`,
  `create trigger sealed before update on linuxsql.image for each row
     when (old.sealed and (old.lo, old.presence_lo, old.kind, old.size, old.sha256, old.content_sha256, new.sealed)
           is distinct from (new.lo, new.presence_lo, new.kind, new.size, new.sha256, new.content_sha256, true))
     execute function linuxsql.refuse_sealed_change()`,
  `create trigger sealed before update on linuxsql.layer for each row when (old.sealed and old is distinct from new)
     execute function linuxsql.refuse_sealed_change()`,
];

/** Readers see everything but the seed, from which the guest's random numbers could be told. */
const readerMachineColumns = Object.keys(machineComments.columns).filter((name) => name !== 'seed');
const grants = [
  'grant usage on schema linuxsql to linuxsql_reader, linuxsql_operator',
  'grant select on linuxsql.image, linuxsql.layer, linuxsql.checkpoint, linuxsql.input_log to linuxsql_reader',
  `grant select (${readerMachineColumns.join(', ')}) on linuxsql.machine to linuxsql_reader`,
  'grant select, insert, update, delete on linuxsql.image, linuxsql.layer, linuxsql.machine, linuxsql.checkpoint, linuxsql.input_log to linuxsql_operator',
  'revoke all on function linuxsql.refuse_sealed_change() from public',
];

export async function up(db: Kysely<unknown>): Promise<void> {
  await ensureRole(db, 'linuxsql_reader');
  await ensureRole(db, 'linuxsql_operator');
  await run(db, ['create schema if not exists linuxsql']);
  await createImage(db);
  await createLayer(db);
  await createMachine(db);
  await createHistory(db);
  for (const comments of [imageComments, layerComments, machineComments, checkpointComments, inputLogComments]) {
    await comment(db, comments);
  }
  await run(db, sealing);
  await run(db, grants);
}

/** Unlinks every Large Object of the state too. The schema stays: the migrator keeps its tables there. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    `select pg_catalog.lo_unlink(o.lo) from (
       select lo from linuxsql.image union all select presence_lo from linuxsql.image union all
       select lo from linuxsql.layer union all select index_lo from linuxsql.layer union all
       select presence_lo from linuxsql.layer) as o
     where exists (select from pg_catalog.pg_largeobject_metadata m where m.oid = o.lo)`,
    'drop table linuxsql.input_log, linuxsql.checkpoint, linuxsql.machine, linuxsql.layer, linuxsql.image',
    'drop function linuxsql.refuse_sealed_change()',
    'revoke usage on schema linuxsql from linuxsql_reader, linuxsql_operator',
  ]);
}

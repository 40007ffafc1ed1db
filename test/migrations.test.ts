/** Migrations on a real server: up, down, up; what is left; what is described; what is granted. */
import { readdirSync } from 'node:fs';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { migrateDown, migrateUp, migrations, pendingMigrations } from '../migrations/migrator.js';
import { atEnd } from './harness/cleanup.js';
import { createDatabase, type TestDatabase } from './harness/cluster.js';
import { collectGarbage } from './harness/garbage.js';

/** Everything of schema linuxsql that a migration makes, in a stable order. */
const catalogueQuery = `
  select 'relation' as kind, c.relname::text as name, c.relkind::text || ' ' || coalesce(c.relacl::text, '') as detail
    from pg_class c where c.relnamespace = (select oid from pg_namespace where nspname = 'linuxsql')
  union all select 'column', a.attrelid::regclass || '.' || a.attname,
      format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || coalesce(a.attacl::text, '')
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = (select oid from pg_namespace where nspname = 'linuxsql') and a.attnum > 0 and not a.attisdropped
  union all select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = (select oid from pg_namespace where nspname = 'linuxsql')
  union all select 'function', oid::regprocedure::text, prosrc || coalesce(proacl::text, '')
    from pg_proc where pronamespace = (select oid from pg_namespace where nspname = 'linuxsql')
  union all select 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
  union all select 'comment', classoid::regclass || ' ' || objsubid, description from pg_description d
    where objoid in (select oid from pg_class where relnamespace = (select oid from pg_namespace where nspname = 'linuxsql')
                     union all select oid from pg_proc where pronamespace = (select oid from pg_namespace where nspname = 'linuxsql'))
  union all select 'schema', nspname, coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_'
  order by 1, 2, 3`;

let database: TestDatabase;
let client: pg.Client;

async function catalogue(): Promise<string[]> {
  const { rows } = await client.query<{ kind: string; name: string; detail: string }>(catalogueQuery);
  return rows.map(({ kind, name, detail }) => `${kind} ${name} ${detail}`);
}

beforeAll(async () => {
  database = await createDatabase({ empty: true });
  client = await database.connect();
  atEnd(() => client.end());
});

describe('migrations', () => {
  test('every file of the folder is known to the migrator', () => {
    const files = readdirSync(new URL('../migrations/', import.meta.url)).filter((file) => /^\d{4}-/.test(file));
    expect(Object.keys(migrations).sort()).toEqual(files.map((file) => file.replace(/\.ts$/, '')).sort());
  });

  test('up, down, up: down leaves nothing, the second up makes the same', async () => {
    expect(await pendingMigrations(database.config)).toEqual(Object.keys(migrations));
    const empty = await catalogue();
    expect((await migrateUp(database.config)).map(({ name }) => name)).toEqual(Object.keys(migrations));
    const first = await catalogue();
    expect(await migrateUp(database.config)).toEqual([]);
    await client.query(
      "insert into linuxsql.image (name, kind, lo, presence_lo, size, content_sha256) values ($1, $2, linuxsql.new_large_object(), linuxsql.new_large_object(), 1, sha256(''))",
      ['i', 'disk'],
    );
    expect((await migrateDown(database.config)).every(({ direction }) => direction === 'Down')).toBe(true);
    const down = await catalogue();
    // What stays is the migrator's: the schema, without rights for anybody else, and two tables.
    expect(down).toContain('schema linuxsql {postgres=UC/postgres}');
    expect(down.filter((line) => !/schema_migration|^schema linuxsql /.test(line) && !empty.includes(line))).toEqual(
      [],
    );
    expect((await client.query('select from pg_largeobject_metadata')).rowCount).toBe(0);
    expect((await migrateUp(database.config)).length).toBe(Object.keys(migrations).length);
    expect(await catalogue()).toEqual(first);
  });

  test('two migrators at once do the work once', async () => {
    const other = await createDatabase({ empty: true });
    const reports = await Promise.all([migrateUp(other.config), migrateUp(other.config), migrateUp(other.config)]);
    expect(reports.map((report) => report.length).sort()).toEqual([0, 0, Object.keys(migrations).length]);
  });
});

describe('the schema', () => {
  test('describes every table, column and function', async () => {
    const { rows } = await client.query<{ name: string }>(`
      select c.relname || coalesce('.' || a.attname, '') as name from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'linuxsql'::regnamespace and c.relkind = 'r' and c.relname !~ '^schema_migration'
          and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
      union all select proname from pg_proc p
        where pronamespace = 'linuxsql'::regnamespace and obj_description(oid, 'pg_proc') is null`);
    expect(rows).toEqual([]);
  });

  test('keeps Large Objects in oid columns, where vacuumlo sees them', async () => {
    const { rows } = await client.query<{ name: string }>(`
      select c.relname || '.' || a.attname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'linuxsql'::regnamespace and c.relkind = 'r' and a.attname ~ '(^|_)lo$' and a.atttypid <> 'oid'::regtype`);
    expect(rows).toEqual([]);
  });

  test('grants nothing to PUBLIC', async () => {
    const { rows } = await client.query(`
      select relname::text from pg_class, aclexplode(relacl) g where relnamespace = 'linuxsql'::regnamespace and g.grantee = 0
      union all select proname::text from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) g
        where pronamespace = 'linuxsql'::regnamespace and g.grantee = 0
      union all select nspname::text from pg_namespace, aclexplode(nspacl) g where nspname = 'linuxsql' and g.grantee = 0`);
    expect(rows).toEqual([]);
  });

  test('lets readers read, but not the seed, and not write', async () => {
    await client.query('set role linuxsql_reader');
    try {
      await client.query('select name, desired, fence from linuxsql.machine');
      await client.query('select * from linuxsql.layer');
      await expect(client.query('select seed from linuxsql.machine')).rejects.toMatchObject({ code: '42501' });
      await expect(client.query('delete from linuxsql.image')).rejects.toMatchObject({ code: '42501' });
      await expect(client.query("select linuxsql.drop_image('i')")).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.query('reset role');
    }
  });

  test('fixes the search path of every function that runs statements', async () => {
    const { rows } = await client.query(`
      select proname from pg_proc where pronamespace = 'linuxsql'::regnamespace
        and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)`);
    expect(rows).toEqual([]);
  });
});

describe('machines', () => {
  const count = async (): Promise<number> => (await client.query('select from pg_largeobject_metadata')).rowCount ?? 0;

  beforeAll(async () => {
    for (const kind of ['firmware', 'kernel', 'disk']) {
      await client.query(
        `insert into linuxsql.image (name, kind, lo, presence_lo, size, content_sha256, sha256, progress, sealed)
         values ($1, $1, linuxsql.new_large_object(), linuxsql.new_large_object(), 10000, sha256(''), sha256(''), 10000, true)`,
        [kind],
      );
    }
  });

  test('are made with an empty disk layer and dropped with their Large Objects, as an operator', async () => {
    const before = await count();
    await client.query('set role linuxsql_operator');
    try {
      await client.query("select linuxsql.create_machine('m1', 'firmware', 'kernel', 'disk')");
      await client.query("select linuxsql.push_disk_layer('m1')");
      const { rows } = await client.query('select l.size::int, depth, sealed from linuxsql.layer l order by depth');
      expect(rows).toEqual([
        { size: 12288, depth: 1, sealed: true },
        { size: 12288, depth: 2, sealed: false },
      ]);
      expect(await count()).toBe(before + 4);
      await client.query("select linuxsql.drop_machine('m1')");
      await collectGarbage(client);
      expect(await count()).toBe(before);
      expect((await client.query('select from linuxsql.layer')).rowCount).toBe(0);
    } finally {
      await client.query('reset role');
    }
  });

  test('refuse what makes no sense, in words', async () => {
    const create = (args: string) => client.query(`select linuxsql.create_machine(${args})`);
    await expect(create("'m', 'firmware', 'nothing'")).rejects.toMatchObject({
      code: '42704',
      message: 'image "nothing" does not exist',
    });
    await expect(create("'m', 'kernel', 'kernel'")).rejects.toMatchObject({ code: '42809' });
    await expect(create("'M!', 'firmware', 'kernel'")).rejects.toMatchObject({ code: '23514' });
    await expect(create("'m', 'firmware', 'kernel', 'disk', disk_bytes => 4096")).rejects.toMatchObject({
      code: '22023',
    });
    await expect(client.query("select linuxsql.drop_machine('m')")).rejects.toMatchObject({ code: '42704' });
    await expect(client.query("select linuxsql.drop_image('nothing')")).rejects.toMatchObject({ code: '42704' });
  });

  test('may not be dropped while a daemon holds them, nor taken twice', async () => {
    const daemon = await database.connect();
    try {
      await client.query("select linuxsql.create_machine('held', 'firmware', 'kernel')");
      const { rows } = await daemon.query("select * from linuxsql.take_machine('held')");
      expect(rows).toMatchObject([{ fence: '1', boot: '1' }]);
      await expect(client.query("select linuxsql.drop_machine('held')")).rejects.toMatchObject({ code: '55006' });
      await expect(client.query("select linuxsql.take_machine('held')")).rejects.toMatchObject({ code: '55006' });
    } finally {
      await daemon.end();
    }
    await expect
      .poll(() =>
        client.query("select fence from linuxsql.take_machine('held')").then(
          (r) => r.rows,
          () => [],
        ),
      )
      .toEqual([{ fence: '2' }]);
    await client.query('select pg_advisory_unlock_all()');
    await client.query("select linuxsql.drop_machine('held')");
  });

  test('sealed images and layers do not change', async () => {
    await expect(
      client.query("update linuxsql.image set size = 1, progress = 1 where name = 'disk'"),
    ).rejects.toMatchObject({ code: '55000' });
    await expect(client.query("update linuxsql.image set sealed = false where name = 'disk'")).rejects.toMatchObject({
      code: '55000',
    });
    await client.query("update linuxsql.image set name = 'disk2' where name = 'disk'");
  });
});

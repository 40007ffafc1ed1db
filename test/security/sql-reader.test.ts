/**
 * What roles may do in SQL: nobody anything, readers read, operators operate, and only superusers name files or sockets.
 * And that no text a user can give (options, settings, arguments, conditions) takes the backend down.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import pg from 'pg';
import { functions } from '../../schema/functions.js';
import { relations } from '../../schema/relations/index.js';
import { atEnd } from '../harness/cleanup.js';
import { createDatabase, type TestDatabase } from '../harness/cluster.js';
import { randomFrom } from '../harness/random.js';
import { failure } from '../fdw/setup.js';

const denied = '42501';
let database: TestDatabase;
let root: pg.Client;

async function as(role: string): Promise<pg.Client> {
  const client = new pg.Client({ ...database.config, user: role });
  client.on('error', () => undefined);
  await client.connect();
  atEnd(() => client.end());
  return client;
}

/** Roles are the cluster's, so their names are this database's own. */
const name = (role: string): string => `${role}_${database.name}`;

beforeAll(async () => {
  database = await createDatabase();
  root = await database.connect();
  await root.query(`
    create role ${name('nobody')} login;
    create role ${name('reader')} login in role linuxsql_reader;
    create role ${name('operator')} login in role linuxsql_operator;
    insert into linuxsql.image (name, kind, lo, presence_lo, size, content_sha256, sha256, progress, sealed)
      select k, k, linuxsql.new_large_object(), linuxsql.new_large_object(), 1, sha256(''), sha256(''), 1, true
      from unnest(array['firmware', 'kernel']) k;
    select vm_create('m', 'kernel', 'firmware', disk_size => '1 MB')`);
  atEnd(async () => {
    await root.query(
      ['nobody', 'reader', 'operator'].map((role) => `drop owned by ${name(role)}; drop role ${name(role)}`).join(';'),
    );
    await root.end();
  });
});

async function expectDenied(client: pg.Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    const code = await client.query(statement).then(
      () => 'done',
      (error: unknown) => (error as pg.DatabaseError).code,
    );
    expect(`${statement}: ${code}`).toBe(`${statement}: ${denied}`);
  }
}

const tables = ['machine', 'image', 'layer', 'checkpoint', 'input_log'].map((table) => `linuxsql.${table}`);
/** A strict function of null is null before anybody asks for rights. */
const call = ({ name: fn, args, strict }: (typeof functions)[number]): string =>
  `select ${fn}(${args.map(({ type }) => `${strict === true ? "'1'" : 'null'}::${type}`).join(', ')})`;

async function largeObject(of: pg.Client): Promise<string> {
  const { rows } = await of.query<{ lo: string }>(`select lo_from_bytea(0, 'private')::text as lo`);
  return rows[0]?.lo ?? '';
}

describe('a role with no rights', () => {
  test('can read and do nothing', async () => {
    const nobody = await as(name('nobody'));
    await expectDenied(
      nobody,
      relations.map((relation) => `select * from linux.${relation.name}`),
    );
    await expectDenied(
      nobody,
      tables.map((table) => `select * from ${table}`),
    );
    await expectDenied(nobody, functions.map(call));
    const { rows } = await root.query<{ lo: string }>(
      'select lo from linuxsql.image union select lo from linuxsql.layer',
    );
    expect(rows.length).toBeGreaterThan(2);
    await expectDenied(
      nobody,
      rows.map(({ lo }) => `select lo_get(${lo})`),
    );
    await expectDenied(nobody, [
      'create server s foreign data wrapper linuxsql',
      'create schema x; import foreign schema linux from server linuxsql_current into x',
    ]);
  });
});

describe('a reader', () => {
  test('reads, and cannot call what changes a machine', async () => {
    const reader = await as(name('reader'));
    const forbidden = functions.filter(({ grantee }) => grantee !== 'reader');
    expect(forbidden.length).toBeGreaterThan(10);
    await expectDenied(reader, forbidden.map(call));
    expect((await reader.query('select machine from vm_list()')).rows).toEqual([{ machine: 'm' }]);
    expect((await reader.query('select name from linuxsql.machine')).rows).toEqual([{ name: 'm' }]);
  });

  test('cannot call a function of the state schema that changes anything', async () => {
    const reader = await as(name('reader'));
    const { rows } = await reader.query<{ f: string; volatile: boolean }>(
      `select oid::regprocedure::text as f, provolatile = 'v' as volatile from pg_proc
       where pronamespace = 'linuxsql'::regnamespace and has_function_privilege(oid, 'execute') and prorettype <> 'trigger'::regtype`,
    );
    expect(rows.filter(({ volatile }) => volatile)).toEqual([]);
    await expectDenied(reader, [
      "select linuxsql.take_machine('m')",
      "select linuxsql.drop_machine('m')",
      "select linuxsql.push_disk_layer('m')",
      "select linuxsql.drop_image('kernel')",
      'select linuxsql.new_large_object()',
    ]);
  });

  test('cannot change state, nor read the seed of the guest’s random numbers', async () => {
    const reader = await as(name('reader'));
    await expectDenied(
      reader,
      tables.flatMap((table) => [`delete from ${table}`, `truncate ${table}`, `insert into ${table} default values`]),
    );
    await expectDenied(reader, [
      'select seed from linuxsql.machine',
      "update linuxsql.machine set desired = 'running'",
      'select * from linuxsql.machine',
      'insert into linux.processes (pid) values (1)',
    ]);
  });

  test('reads images and layers but cannot write them; Large Objects of others stay theirs', async () => {
    const reader = await as(name('reader'));
    const { rows } = await reader.query<{ lo: string }>(
      'select lo from linuxsql.image union select lo from linuxsql.layer',
    );
    const [first] = rows;
    await reader.query(`select lo_get(${first?.lo})`);
    const foreign = await largeObject(root);
    const operator = await as(name('operator'));
    const operators = await largeObject(operator);
    await expectDenied(reader, [
      `select lo_put(${first?.lo}, 0, 'x')`,
      `select lo_unlink(${first?.lo})`,
      `select lo_open(${first?.lo}, x'20000'::int)`,
      `select lo_get(${foreign})`,
      `select lo_get(${operators})`,
      'select * from pg_largeobject',
      "select lo_import('/etc/passwd')",
      `select lo_export(${first?.lo}, '/tmp/x')`,
    ]);
    await expectDenied(operator, [`select lo_get(${foreign})`, 'select * from pg_largeobject']);
    await root.query(`select lo_unlink(${foreign}); select lo_unlink(${operators})`);
  });
});

describe('files and sockets of the server', () => {
  test('are named by superusers alone', async () => {
    const operator = await as(name('operator'));
    await root.query(
      `grant usage on foreign data wrapper linuxsql to ${name('operator')}; grant create on database "${database.name}" to ${name('operator')}`,
    );
    await operator.query("create server mine foreign data wrapper linuxsql options (machine 'm')");
    await expectDenied(operator, [
      "set linuxsql.run_directory = '/tmp'",
      "create server other foreign data wrapper linuxsql options (socket '/tmp/x')",
      "alter server mine options (add socket '/tmp/x')",
      "alter system set linuxsql.vm_path = '/bin/sh'",
      "alter role current_user set linuxsql.run_directory = '/tmp'",
    ]);
    for (const setting of ['vm_path', 'introspect_command', 'conninfo', 'database'])
      expect((await failure(() => operator.query(`set linuxsql.${setting} = 'x'`))).code, setting).toMatch(
        /^(42501|55P02)$/,
      );
    await operator.query('drop server mine');
  });
});

/** Texts that have broken parsers before, and random ones. */
function nasty(seed: number): string[] {
  const random = randomFrom(seed);
  const pieces = [
    '%s%n%x',
    '../../etc/passwd',
    "'; drop table x; --",
    'a'.repeat(100_000),
    '\u{1f4a5}'.repeat(500),
    '\n\r\t',
    'é',
    '"',
    "''",
    '\\',
    '$1',
    '',
    ' ',
    '-',
    ':',
    'pc:',
    'sym:',
    'console:',
    '0x',
    '999999999999999999999999',
    '&str:',
    'x=y',
    '/'.repeat(4000),
  ];
  const texts = [...pieces];
  for (let i = 0; i < 150; i++) {
    let text = '';
    for (let n = 1 + random.below(5); n > 0; n--)
      text +=
        random.below(2) === 0
          ? (pieces[random.below(pieces.length)] ?? '')
          : String.fromCharCode(1 + random.below(0x2ff));
    texts.push(text.slice(0, 200_000));
  }
  return texts;
}

const literal = pg.escapeLiteral;
const identifier = (text: string): string => pg.escapeIdentifier(text === '' ? 'x' : text.slice(0, 60));

describe('hostile text', () => {
  test(
    'as option of a server, table, column; as setting; as argument: errors, and the same backend',
    { timeout: 120_000 },
    async () => {
      const client = await database.connect();
      const pid = async (): Promise<number> =>
        (await client.query<{ p: number }>('select pg_backend_pid() as p')).rows[0]?.p ?? 0;
      const before = await pid();
      let refused = 0;
      const attempt = async (statement: string): Promise<void> => {
        await client.query('begin');
        await client.query(statement).catch((error: unknown) => {
          const { code } = error as pg.DatabaseError;
          expect(code, `${statement.slice(0, 200)}: ${String(error)}`).toMatch(/^(?!XX|57P0|08006).{5}$/);
          refused++;
        });
        await client.query('rollback');
      };
      for (const text of nasty(1)) {
        await attempt(`create server s foreign data wrapper linuxsql options (machine ${literal(text)})`);
        await attempt(`create server s foreign data wrapper linuxsql options (socket ${literal(text)})`);
        await attempt(`create server s foreign data wrapper linuxsql options (${identifier(text)} 'x')`);
        await attempt(
          `create foreign table t (a bigint options (column ${literal(text)})) server linuxsql_current options (relation ${literal(text)}); select * from t`,
        );
        await attempt(
          `create foreign table t (${identifier(text)} text) server linuxsql_current options (relation 'processes'); select * from t`,
        );
        await attempt(`set linuxsql.machine = ${literal(text)}; select count(*) from linux.processes`);
        await attempt(`select * from vm_step_until(${literal(text)}, 1, 'm')`);
        await attempt(`select * from vm_status(${literal(text)})`);
        await attempt(`select vm_console_write(${literal(text)}, 'm')`);
        await attempt(`select vm_create(${literal(text)}, memory => ${literal(text)})`);
        await attempt(`import foreign schema ${identifier(text)} from server linuxsql_current into public`);
      }
      expect(refused).toBeGreaterThan(1000);
      expect(await pid()).toBe(before);
      await client.end();
    },
  );
});

/**
 * The wrappers must agree: the extension of fdw/ and the Python class of fdw/multicorn/ run the same cases over one held
 * machine (a real Multicorn in a Debian 11 chroot; multicorn2 too where the server has it), and each of them survives
 * what may become of the service.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relations } from '../schema/relations/index.js';
import { cases, refusals, type Case } from './conformance/cases.js';
import { startHeldMachine, type HeldMachine, type Service } from './conformance/held-machine.js';
import { randomFrom } from './harness/random.js';
import { chrootWrapper, extensionWrapper, failureOf, installedWrapper, type Wrapper } from './conformance/wrappers.js';

let machine: HeldMachine;
let service: Service;
let reference: Wrapper;
const others: Wrapper[] = [];
const clients = new Map<Wrapper, pg.Client>();

beforeAll(async () => {
  machine = await startHeldMachine();
  service = machine.service;
  reference = await extensionWrapper(service.folder);
  others.push(await chrootWrapper(service.folder));
  const installed = await installedWrapper(service.folder);
  if (installed !== undefined) others.push(installed);
  console.log(`wrappers compared with the C extension: ${others.map(({ name }) => name).join(', ')}`);
  if (installed === undefined) console.log('multicorn2 is not installed on this server; Multicorn 1.4 stands for it');
  for (const wrapper of everyWrapper()) clients.set(wrapper, await wrapper.connect());
}, 420_000);

afterAll(async () => {
  for (const client of clients.values()) await client.end();
});

function everyWrapper(): Wrapper[] {
  return [reference, ...others];
}

function session(wrapper: Wrapper): pg.Client {
  const client = clients.get(wrapper);
  if (client === undefined) throw new Error(`no session with ${wrapper.name}`);
  return client;
}

async function rowsOf(client: pg.Client, one: Case, planning: string): Promise<string[]> {
  if (one.before !== undefined) await client.query(one.before);
  try {
    if (one.values !== undefined) await client.query(`set plan_cache_mode = ${planning}`);
    const name = one.values === undefined ? {} : { name: `${one.name} ${planning}`, values: one.values };
    const { rows } = await client.query<unknown[]>({ text: one.sql, rowMode: 'array', ...name });
    const texts = rows.map((row) => JSON.stringify(row));
    return one.ordered === true ? texts : texts.sort();
  } finally {
    if (one.before !== undefined) {
      await client.query('reset enable_hashjoin; reset enable_mergejoin; reset enable_material');
    }
  }
}

describe('the wrappers give equal rows', () => {
  test.each(cases)('$name', async (one) => {
    for (const planning of one.values === undefined ? ['auto'] : ['force_custom_plan', 'force_generic_plan']) {
      const expected = await rowsOf(session(reference), one, planning);
      expect(expected.length).toBeGreaterThanOrEqual(one.atLeast ?? 0);
      for (const other of others) {
        expect(await rowsOf(session(other), one, planning), `${other.name}, ${planning}`).toEqual(expected);
      }
    }
  });
});

describe('random conditions give equal rows', () => {
  const leaves = cases.flatMap(({ name, sql }) =>
    name.startsWith('processes where') ? [sql.slice(sql.indexOf(' where ') + 7)] : [],
  );

  test.each([1, 2, 3, 4])('seed %i', async (seed) => {
    const random = randomFrom(seed);
    const tree = (depth: number): string => {
      if (depth === 0 || random.chance(0.3)) return `(${leaves[random.below(leaves.length)] ?? 'true'})`;
      const junction = random.chance(0.5) ? 'and' : 'or';
      return `${random.chance(0.25) ? 'not ' : ''}(${tree(depth - 1)} ${junction} ${tree(depth - 1)})`;
    };
    for (let i = 0; i < 40; i++) {
      const one = { name: '', sql: `select pid, name, path from processes where ${tree(3)}` };
      const expected = await rowsOf(session(reference), one, 'auto');
      for (const other of others) expect(await rowsOf(session(other), one, 'auto'), one.sql).toEqual(expected);
    }
  });
});

describe('the wrappers refuse alike', () => {
  test.each(refusals)('$name', async ({ sql, sqlstate }) => {
    for (const wrapper of everyWrapper()) {
      const failure = await failureOf(() => session(wrapper).query(sql));
      expect(failure.sqlstate, `${wrapper.name}: ${failure.message}`).toBe(sqlstate);
    }
  });
});

describe('a machine that has not begun', () => {
  const statements = [
    'select * from fresh.processes',
    'select count(*) > 10000 from fresh.kernel_symbols',
    'select * from fresh.dmesg',
    "select * from fresh.mounts where path = '/'",
    'select count(*) from fresh.page_faults',
    'select count(*) from fresh.traps where seq < 5',
    'select count(*) from fresh.console',
    "select metric, value from fresh.counters where metric in ('instret', 'traps', 'state')",
    'select machine, state, instret from fresh.machines',
  ];

  async function outcome(wrapper: Wrapper, sql: string): Promise<string> {
    try {
      const { rows } = await session(wrapper).query<unknown[]>({ text: sql, rowMode: 'array' });
      return JSON.stringify(rows);
    } catch {
      return (await failureOf(() => session(wrapper).query(sql))).sqlstate;
    }
  }

  test('gives telemetry, and 55000 for what its kernel has not made yet', async () => {
    const expected: string[] = [];
    for (const sql of statements) expected.push(await outcome(reference, sql));
    expect(expected.slice(0, 6)).toEqual(['55000', '[["t"]]', '55000', '55000', '[["0"]]', '[["0"]]']);
    expect(expected[7]).toContain('["instret","0"]');
    for (const other of others) {
      for (const [i, sql] of statements.entries())
        expect(await outcome(other, sql), `${other.name}: ${sql}`).toBe(expected[i]);
    }
  });

  test('and then ends is unknown', async () => {
    await machine.fresh.stop();
    const sql = 'select * from fresh.processes';
    for (const wrapper of everyWrapper())
      await expect.poll(() => outcome(wrapper, sql), { message: wrapper.name }).toBe('42704');
  });
});

describe('import foreign schema', () => {
  async function imported(wrapper: Wrapper, restriction: string): Promise<string[]> {
    const client = session(wrapper);
    await client.query('drop schema if exists part cascade; create schema part');
    await client.query(`import foreign schema linux ${restriction} from server vm1 into part`);
    const { rows } = await client.query<unknown[]>({
      text: `select relname, attname, atttypid::regtype from pg_attribute join pg_class on attrelid = pg_class.oid
             where relnamespace = 'part'::regnamespace and attnum > 0 order by relname, attnum`,
      rowMode: 'array',
    });
    return rows.map((row) => row.join(' '));
  }

  test.each(['', 'limit to (mounts, processes)', 'except (page_faults, traps)', 'limit to (kernel_symbols)'])(
    'all %s',
    async (restriction) => {
      const expected = await imported(reference, restriction);
      expect(expected.length).toBeGreaterThan(4);
      for (const other of others) expect(await imported(other, restriction), other.name).toEqual(expected);
    },
  );

  test('brings every relation', async () => {
    const tables = new Set((await imported(reference, '')).map((line) => line.split(' ')[0]));
    expect([...tables].sort()).toEqual(relations.map(({ name }) => name).sort());
  });
});

describe('one instant', () => {
  const instant = "select value from counters where metric = 'instret'";

  test('statements of a transaction, cursors between them, and errors in it', async () => {
    for (const wrapper of everyWrapper()) {
      const client = session(wrapper);
      await client.query('begin; declare c cursor for select seq from page_faults order by seq');
      const first = await client.query<{ seq: string }>('fetch 3 from c');
      expect(first.rows.map(({ seq }) => seq)).toEqual(['0', '1', '2']);
      const total = await client.query<{ n: string }>('select count(*) as n from processes');
      await client.query('savepoint s');
      await expect(client.query('select 1 / (pid - 1) from processes')).rejects.toThrow('division by zero');
      await client.query('rollback to s');
      const next = await client.query<{ seq: string }>('fetch 2 from c');
      expect(
        next.rows.map(({ seq }) => seq),
        wrapper.name,
      ).toEqual(['3', '4']);
      await client.query('close c');
      const after = await client.query<{ n: string }>('select count(*) as n from processes');
      expect(after.rows).toEqual(total.rows);
      await client.query('commit');
    }
  });

  test('repeatable read keeps it', async () => {
    for (const wrapper of everyWrapper()) {
      const client = session(wrapper);
      await client.query('begin isolation level repeatable read');
      const [one, two] = [await client.query(instant), await client.query(instant)];
      expect(one.rows).toEqual(two.rows);
      await client.query('commit');
    }
  });

  test('two sessions read at the same time', async () => {
    for (const wrapper of everyWrapper()) {
      const second = await wrapper.connect();
      const query = 'select count(*) as n from kernel_symbols a where a.addr < 0';
      const [one, two] = await Promise.all([session(wrapper).query(query), second.query(query)]);
      expect(one.rows).toEqual(two.rows);
      await second.end();
    }
  });
});

describe('when the service stands still or goes away', () => {
  /** Multicorn's waits look at interrupts every 50 ms; a second leaves room for a busy machine. */
  const soonMs = 1000;

  test('statement_timeout and cancel end a wait, and the next statement works', async () => {
    for (const wrapper of everyWrapper()) {
      const client = session(wrapper);
      const { rows } = await client.query<{ pid: string }>('select pg_backend_pid() as pid');
      service.signal('SIGSTOP');
      try {
        await client.query("set statement_timeout = '200ms'");
        const timeout = await failureOf(() => client.query('select count(*) from processes'));
        expect(timeout.sqlstate, `${wrapper.name}: ${timeout.message}`).toBe('57014');
        expect(timeout.ms).toBeLessThan(200 + soonMs);
        await client.query('reset statement_timeout');
        const canceller = await wrapper.connect();
        const cancelled = failureOf(() => client.query('select count(*) from processes'));
        await sleep(300);
        await canceller.query(`select pg_cancel_backend(${rows[0]?.pid ?? '0'})`);
        const asked = performance.now();
        expect((await cancelled).sqlstate).toBe('57014');
        expect(performance.now() - asked).toBeLessThan(soonMs);
        await canceller.end();
      } finally {
        service.signal('SIGCONT');
      }
      const again = await client.query<{ n: string }>('select count(*) as n from processes');
      expect(Number(again.rows[0]?.n), wrapper.name).toBeGreaterThan(5);
    }
  });

  test('without it statements fail at once with 08001; after its restart they work in the same session', async () => {
    const query = 'select pid, name from processes order by pid';
    const before = await session(reference).query(query);
    await service.kill();
    for (const wrapper of everyWrapper()) {
      const failure = await failureOf(() => session(wrapper).query(query));
      expect(failure.sqlstate, `${wrapper.name}: ${failure.message}`).toBe('08001');
      expect(failure.ms).toBeLessThan(2000);
    }
    await service.start();
    for (const wrapper of everyWrapper()) expect((await session(wrapper).query(query)).rows).toEqual(before.rows);
  });

  test('a restart between two statements goes unnoticed', async () => {
    const query = 'select count(*) from threads';
    const before = await session(reference).query(query);
    for (const wrapper of everyWrapper()) await session(wrapper).query(query);
    await service.kill();
    await service.start();
    for (const wrapper of everyWrapper()) {
      expect((await session(wrapper).query(query)).rows, wrapper.name).toEqual(before.rows);
    }
  });

  test('its death in the middle of a cursor is an error, not a hang or fewer rows', async () => {
    for (const wrapper of everyWrapper()) {
      const client = session(wrapper);
      await client.query('begin; declare c cursor for select * from kernel_symbols');
      await client.query('fetch 10 from c');
      await service.kill();
      const failure = await failureOf(() => client.query('fetch all from c'));
      expect(failure.sqlstate.slice(0, 2), `${wrapper.name}: ${failure.message}`).toBe('08');
      await client.query('rollback');
      await service.start();
      await client.query('select count(*) from processes');
    }
  });
});

describe('while the machine runs', () => {
  const instret = "(select value from counters where metric = 'instret' offset 0)";

  beforeAll(async () => {
    await machine.control.run();
    machine.guest.send('while :; do (true); true | true; done\n');
  });

  async function numbers(wrapper: Wrapper, sql: string): Promise<number[]> {
    const { rows } = await session(wrapper).query<unknown[]>({ text: sql, rowMode: 'array' });
    return (rows[0] ?? []).map(Number);
  }

  test('all tables of a statement show one instant, the next statement a later one', async () => {
    for (const wrapper of everyWrapper()) {
      const seen: number[] = [];
      for (let i = 0; i < 25; i++) {
        const [one, two, wrong] = await numbers(
          wrapper,
          `select ${instret}, ${instret}, (select count(*) from processes p
             where p.threads <> (select count(*) from threads t where t.tgid = p.pid) and p.state not in ('Z', 'X'))`,
        );
        expect(two, wrapper.name).toBe(one);
        expect(wrong, `${wrapper.name}: processes whose threads are not there`).toBe(0);
        seen.push(one ?? 0);
        await sleep(10);
      }
      expect(seen, wrapper.name).toEqual([...seen].sort((a, b) => a - b));
      expect(new Set(seen).size, wrapper.name).toBeGreaterThan(5);
    }
  });

  test('an idle transaction does not hold it; repeatable read keeps one instant', async () => {
    for (const wrapper of everyWrapper()) {
      for (const [level, kept] of [
        ['read committed', false],
        ['repeatable read', true],
      ] as const) {
        await session(wrapper).query(`begin isolation level ${level}`);
        const [first] = await numbers(wrapper, `select ${instret}`);
        await sleep(200);
        const [second] = await numbers(wrapper, `select ${instret}`);
        await session(wrapper).query('commit');
        if (kept) expect(second, `${wrapper.name}, ${level}`).toBe(first);
        else expect(second, `${wrapper.name}, ${level}`).toBeGreaterThan(first ?? 0);
      }
    }
  });
});

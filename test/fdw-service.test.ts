/** The extension against a service that stalls, dribbles, dies, lies or floods: errors in time, never a crash or a hang. */
import { beforeAll, describe, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { createDatabase, type TestDatabase } from './harness/cluster.js';
import { defineMachine, failure, startPeer } from './fdw/setup.js';
import type { Peer } from './fdw/peer.js';

let database: TestDatabase;
let client: pg.Client;
let peer: Peer;

beforeAll(async () => {
  peer = await startPeer();
  database = await createDatabase();
  client = await database.connect();
  for (const machine of [
    'vm1',
    'stalled',
    'mute',
    'cut',
    'error',
    'badstate',
    'noisy',
    'wrongview',
    'dribble',
    'hangup',
    'flood',
  ])
    await defineMachine(client, peer, machine);
  for (const machine of ['rows-100000', 'rows-3000']) await defineMachine(client, peer, machine);
});

/** The same backend still answers, with the right rows. */
async function stillWell(): Promise<void> {
  const { rows } = await client.query('select count(*)::int as n, sum(pid)::int as s from vm1.processes');
  expect(rows).toEqual([{ n: 40, s: 780 }]);
}

async function until(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 200 && !holds(); i++) await sleep(5);
  return holds();
}

const unresponsive = [
  ['answers no OPEN', 'select * from stalled.processes'],
  ['answers no VIEW_OPEN', 'select * from mute.processes a join mute.processes b using (pid)'],
  ['sends notices for ever', 'select * from noisy.processes'],
  ['dribbles bytes', 'select * from dribble.processes'],
] as const;

describe.each(unresponsive)('a service that %s', (_, query) => {
  test('statement_timeout is obeyed', async () => {
    await client.query("set statement_timeout = '200ms'");
    const { code, ms } = await failure(() => client.query(query));
    await client.query('reset statement_timeout');
    expect(code).toBe('57014');
    expect(ms).toBeLessThan(200 + 150);
    await stillWell();
  });

  test('cancel is obeyed', async () => {
    const other = await database.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = failure(() => client.query(query));
    await sleep(100);
    const asked = performance.now();
    await other.query('select pg_cancel_backend($1)', [rows[0]?.pid]);
    expect((await ended).code).toBe('57014');
    expect(performance.now() - asked).toBeLessThan(150);
    await other.end();
    await stillWell();
  });

  test('terminate is obeyed', async () => {
    const victim = await database.connect();
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = failure(() => victim.query(query));
    await sleep(100);
    const asked = performance.now();
    await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    expect((await ended).code).toBe('57P01');
    expect(performance.now() - asked).toBeLessThan(150);
  });
});

describe('failures', () => {
  test.each([
    ['cut', '08006'],
    ['error', '55000'],
    ['badstate', '08P01'],
    ['hangup', '08006'],
  ])('%s: %s', async (machine, state) => {
    expect((await failure(() => client.query(`select * from ${machine}.processes`))).code).toBe(state);
    await stillWell();
  });

  test('more DATA than was granted is a protocol violation, and never costs the next statement', async () => {
    const codes = new Set<string>();
    for (let i = 0; i < 10; i++) {
      // a batch that arrives after credit was granted for the ones before it is within its rights
      const query = client.query('select seq from flood.page_faults where length(cause) >= 0 limit 1');
      codes.add(
        await query.then(
          () => 'answered',
          (error: pg.DatabaseError) => error.code ?? '',
        ),
      );
      await stillWell();
      await client.query('begin; declare c cursor for select * from flood.page_faults');
      await client.query('fetch 1 from c').catch(() => undefined);
      await client.query('rollback');
      await stillWell();
    }
    codes.delete('answered');
    expect([...codes]).toEqual(['08P01']);
  });

  test('an answer of the wrong kind to VIEW_OPEN', async () => {
    const query = 'select count(*) from wrongview.processes a join wrongview.threads b on a.pid = b.tid';
    expect((await failure(() => client.query(query))).code).toBe('08P01');
    await stillWell();
  });

  test('the error of a service is raised as it is', async () => {
    const error = await client.query('select * from error.processes').then(
      () => undefined,
      (raised: pg.DatabaseError) => raised,
    );
    expect(error).toMatchObject({ code: '55000', message: 'the peer was told to fail', detail: 'made up' });
  });

  test('nobody listens: 08001 with a hint', async () => {
    await client.query(
      "create server absent foreign data wrapper linuxsql options (machine 'absent', socket '/tmp/no-such.sock')",
    );
    await client.query('create schema absent; import foreign schema linux from server absent into absent');
    const error = await client.query('select * from absent.processes').then(
      () => undefined,
      (raised: pg.DatabaseError) => raised,
    );
    expect(error?.code).toBe('08001');
    expect(error?.detail).toContain('/tmp/no-such.sock');
    expect(error?.hint).toContain('linuxsql up');
  });

  test('a restart between statements goes unnoticed', async () => {
    await stillWell();
    for (let i = 0; i < 5; i++) {
      peer.dropConnections();
      await stillWell();
      peer.dropConnections();
      await client.query('select a.pid from vm1.processes a join vm1.threads b on a.pid = b.tid');
    }
  });

  test('a restart inside a scan is an error, and the next statement is well', async () => {
    await client.query('begin; declare c cursor for select seq from rows_100000.page_faults; fetch 10 from c');
    peer.dropConnections();
    await sleep(20);
    expect((await failure(() => client.query('fetch 90000 from c'))).code).toBe('08006');
    await client.query('rollback');
    await stillWell();
  });
});

describe('protocol fuzz', () => {
  test('mutated answers: an error or an answer, and the backend lives', async () => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const seen = new Map<string, number>();
    await client.query("set statement_timeout = '300ms'; set linuxsql.connect_timeout = '300ms'");
    await defineMachine(client, peer, 'mutate-1');
    for (let seed = 1; seed <= 250; seed++) {
      await client.query(`alter server "mutate-1" options (set machine 'mutate-${seed}')`);
      const query =
        seed % 3 === 0
          ? 'select a.pid, b.comm from mutate_1.processes a join mutate_1.threads b on b.tgid = a.pid'
          : 'select * from mutate_1.processes';
      const code = await client.query(query).then(
        () => 'answered',
        (error: pg.DatabaseError) => error.code ?? 'connection lost',
      );
      seen.set(code, (seen.get(code) ?? 0) + 1);
      peer.dropConnections();
    }
    await client.query('reset statement_timeout; reset linuxsql.connect_timeout');
    expect([...seen.keys()].filter((code) => !/^(answered|08P01|08006|08001|57014|55000|XX001)$/.test(code))).toEqual(
      [],
    );
    expect(seen.get('08P01')).toBeGreaterThan(50);
    expect((await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows).toEqual(rows);
    await stillWell();
  }, 120_000);
});

describe('instants', () => {
  test('a lone scan opens none, a join shares one, and it is closed afterwards', async () => {
    const before = peer.viewsOpened;
    await client.query('select * from vm1.processes order by name limit 3');
    expect(peer.viewsOpened).toBe(before);
    peer.log.length = 0;
    await client.query(
      'select 1 from vm1.processes a join vm1.threads b on a.pid = b.tid join vm1.mounts c on c.mount_id = a.nice',
    );
    expect(peer.viewsOpened).toBe(before + 1);
    expect(new Set(peer.log.map(({ view }) => view)).size).toBe(1);
    expect(peer.log[0]?.view).not.toBe(0n);
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
  });

  test('each statement of READ COMMITTED has its own, a REPEATABLE READ transaction one', async () => {
    const join = 'select count(*) from vm1.processes a join vm1.threads b on a.pid = b.tid';
    const before = peer.viewsOpened;
    await client.query('begin');
    await client.query(join);
    await client.query(join);
    await client.query('commit');
    expect(peer.viewsOpened).toBe(before + 2);
    await client.query('begin isolation level repeatable read');
    await client.query(join);
    await client.query('select pid from vm1.processes where pid = 1');
    expect(peer.viewsOpened).toBe(before + 3);
    expect(peer.openViews.size).toBe(1);
    await client.query('commit');
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
  });

  test('errors, subtransactions and abandoned cursors close them', async () => {
    const join = 'select 1 / (a.pid - 20) from vm1.processes a join vm1.threads b on a.pid = b.tid';
    expect((await failure(() => client.query(join))).code).toBe('22012');
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
    await client.query('begin; savepoint s');
    expect((await failure(() => client.query(join))).code).toBe('22012');
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
    await client.query('rollback to s');
    await client.query(
      `do $$ begin perform ${join.slice('select '.length)}; exception when division_by_zero then null; end $$`,
    );
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
    await client.query(
      'declare c cursor for select a.seq from rows_3000.page_faults a join rows_3000.traps b on a.seq = b.seq',
    );
    await client.query('fetch 5 from c');
    expect(peer.openViews.size).toBe(1);
    await client.query('close c');
    expect(await until(() => peer.openViews.size === 0)).toBe(true);
    await client.query('rollback');
    await stillWell();
  });

  test('cursors go on while other statements run', async () => {
    await client.query(
      'begin; declare c cursor for select seq from rows_3000.page_faults; declare d scroll cursor for select pid from vm1.processes',
    );
    const seen: number[] = [];
    for (let i = 0; i < 30; i++) {
      const { rows } = await client.query<{ seq: string }>('fetch 100 from c');
      seen.push(...rows.map(({ seq }) => Number(seq)));
      await stillWell();
      await client.query(i % 2 === 0 ? 'fetch 3 from d' : 'fetch backward 2 from d');
    }
    await client.query('commit');
    expect(seen).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });

  test('a scan that ends early is cancelled', async () => {
    const before = peer.cancels;
    await client.query('select seq from rows_100000.page_faults where length(cause) >= 0 limit 1');
    expect(await until(() => peer.cancels > before)).toBe(true);
    await stillWell();
  });
});

test('a large scan is whole', async () => {
  const { rows } = await client.query(
    'select count(*)::int as n, sum(seq)::bigint as s, count(physical_page)::int as p from rows_100000.page_faults',
  );
  expect(rows).toEqual([{ n: 100000, s: '4999950000', p: 80000 }]);
});

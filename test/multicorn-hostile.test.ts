/** The Python class against a service that stalls, dribbles, dies, lies or floods: errors in time, never a lost backend. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf, multicornServer, startChroot } from './conformance/wrappers.js';
import { Peer } from './fdw/peer.js';
import { atEnd } from './harness/cleanup.js';
import { tempDir } from './harness/temp.js';

const timeoutMs = 300;
/** Multicorn's waits look at interrupts every 50 ms; a second leaves room for a busy machine. */
const slackMs = 1000;
let client: pg.Client;
let peer: Peer;
let backend: number;

beforeAll(async () => {
  const folder = tempDir();
  peer = await Peer.start(join(folder, 'introspect.sock'));
  atEnd(() => peer.stop());
  chmodSync(peer.path, 0o666);
  client = new pg.Client(await startChroot(folder));
  await client.connect();
  await client.query("set client_min_messages = error; set statement_timeout = '60s'");
  backend = await backendPid();
}, 420_000);

afterAll(() => client.end());

/** Runs a statement that gets only `timeoutMs`. */
async function hurried(sql: string): Promise<void> {
  await client.query(`set statement_timeout = ${timeoutMs}`);
  try {
    await client.query(sql);
  } finally {
    await client.query("set statement_timeout = '60s'");
  }
}

async function backendPid(): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

/** A server of that machine, its processes and page_faults in schema peer. */
async function machine(name: string): Promise<void> {
  peer.dropConnections();
  await client.query('drop server if exists peer cascade; drop schema if exists peer cascade; create schema peer');
  await client.query(multicornServer('peer', name, '/run/linuxsql/introspect.sock'));
  await client.query('import foreign schema linux limit to (processes, page_faults) from server peer into peer');
}

/** The backend is still the same and gets right answers from a peer that behaves. */
async function expectSound(): Promise<void> {
  expect(await backendPid()).toBe(backend);
  await machine('good');
  const { rows } = await client.query<{ n: string }>('select count(*) as n from peer.processes');
  expect(rows).toEqual([{ n: '40' }]);
  await expect.poll(() => peer.openViews.size).toBe(0);
}

describe('a service that', () => {
  test.each([
    ['stalled', '57014'],
    ['mute', '57014'],
    ['dribble', '57014'],
    ['noisy', '57014'],
    ['wrongview', '08P01'],
    ['cut', '08006'],
    ['hangup', '08006'],
    ['error', '55000'],
    ['badstate', '00000'],
  ])('is %s gets SQLSTATE %s', async (name, sqlstate) => {
    await machine(name);
    const failure = await failureOf(() => hurried('select * from peer.page_faults, peer.processes'));
    expect(failure.sqlstate, failure.message).toBe(sqlstate);
    expect(failure.ms).toBeLessThan(timeoutMs + slackMs);
    await expectSound();
  });

  test('sends more than it was granted is read to its end, or refused where it would fill memory', async () => {
    await machine('flood');
    const { rows } = await client.query<{ n: string }>('select count(*) as n from peer.processes');
    expect(rows).toEqual([{ n: '3000' }]);
    const join = `select count(*) from peer.processes a, lateral (select * from peer.page_faults where seq = a.pid offset 0) b`;
    await client.query(join).catch((error: pg.DatabaseError) => expect(error.detail).toContain('08P01'));
    await expectSound();
  });
});

describe('changed bytes', () => {
  test('200 answers with random changes', async () => {
    let failures = 0;
    for (let seed = 1; seed <= 200; seed++) {
      await machine(`mutate-${seed}`);
      const started = performance.now();
      await hurried('select * from peer.processes').catch((error: pg.DatabaseError) => {
        failures++;
        expect(error.code, `seed ${seed}: ${error.message}`).not.toBe('57P01');
      });
      expect(performance.now() - started, `seed ${seed}`).toBeLessThan(timeoutMs + slackMs);
    }
    expect(failures).toBeGreaterThan(60);
    await expectSound();
  }, 240_000);
});

describe('many scans', () => {
  test('in one statement, each getting its own rows', async () => {
    await machine('rows-500');
    await client.query('set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off');
    const { rows } = await client.query<{ n: string; right: string }>(
      `select count(*) as n, count(*) filter (where a.pid = b.seq) as right
       from (select pid from peer.processes limit 200) a join peer.page_faults b on b.seq = a.pid`,
    );
    expect(rows[0]?.n).toBe(rows[0]?.right);
    await client.query('reset enable_hashjoin; reset enable_mergejoin; reset enable_material');
    await expectSound();
  }, 90_000);

  test('given up early are cancelled', async () => {
    await machine('rows-20000');
    const before = peer.cancels;
    await client.query('select * from peer.page_faults limit 3');
    await expect.poll(() => peer.cancels).toBeGreaterThan(before);
    await expectSound();
  }, 90_000);
});

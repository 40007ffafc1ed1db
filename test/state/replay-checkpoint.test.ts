/**
 * Replays that begin at checkpoints: from each to the next the state is the saved one, bit for bit; past instants are
 * shown from the nearest; and the histories of restored and forked machines lead back through their parents.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failure } from '../fdw/setup.js';
import { StateMachine } from './machine.js';

interface Replayed {
  boot: string;
  instret: string;
  equal: boolean;
  state_sha256: string;
  replayed_sha256: string;
}

interface Moment {
  instret: string;
  hash: string;
  rows: Record<string, unknown[]>;
}

/** Relations that guest memory has, whole; and of the rings and counters what a replay from `since` has of them. */
const relations = (since: string): Record<string, string> => ({
  processes: 'select * from linux.processes order by pid',
  process_open_files: 'select * from linux.process_open_files order by pid, fd',
  process_memory_map: 'select * from linux.process_memory_map order by pid, start',
  dmesg: 'select * from linux.dmesg order by 1',
  traps: `select * from linux.traps where instret > ${since} order by seq`,
  page_faults: `select seq, instret, cause, fault_addr, pc, priv, satp from linux.page_faults where instret > ${since} order by seq`,
  counters:
    "select metric, value from linux.counters where metric in ('instret', 'guest_time_ns', 'console_bytes', 'blk_reads', 'blk_writes') or metric like 'exc%' order by 1",
});

let machine: StateMachine;
const moments = new Map<string, Moment>();
const at = (name: string): Moment => {
  const moment = moments.get(name);
  if (moment === undefined) throw new Error(`no moment ${name}`);
  return moment;
};

async function rows(since: string): Promise<Record<string, unknown[]>> {
  const all: Record<string, unknown[]> = {};
  for (const [name, query] of Object.entries(relations(since))) all[name] = (await machine.client.query(query)).rows;
  return all;
}

async function stand(name: string, since = '0'): Promise<Moment> {
  const { instret } = await machine.one<{ instret: string }>('select instret from vm_status()');
  const moment = { instret, hash: await machine.hash(), rows: await rows(since) };
  moments.set(name, moment);
  return moment;
}

/** A checkpoint where it stands, and what it looked like there. */
async function checkpoint(name: string): Promise<void> {
  const { instret } = await machine.checkpoint(name);
  expect((await stand(name)).instret).toBe(instret);
}

const replay = (from: string | null, until: string | null, name = 'vm1'): Promise<Replayed> =>
  machine.one<Replayed>('select * from vm_replay($1, $2, $3)', [name, from, until]);

const refused = (query: string, values: unknown[] = []): Promise<unknown> =>
  failure(() => machine.client.query(query, values));

async function asOf<T>(instant: string, read: () => Promise<T>): Promise<T> {
  await machine.client.query(`set linuxsql.as_of = '${instant}'`);
  try {
    return await read();
  } finally {
    await machine.client.query('reset linuxsql.as_of');
  }
}

const processes = async (): Promise<unknown[]> => (await machine.client.query(relations('0')['processes'] ?? '')).rows;

/** Types something and goes on, into the middle of what it does. */
async function live(command: string, insns: number): Promise<void> {
  await machine.type(`${command}\n`);
  await machine.step('', insns);
}

beforeAll(async () => {
  machine = await StateMachine.boot();
  await machine.shell('while :; do dd if=/dev/urandom of=/root/f bs=32k count=8 2>/dev/null; sync; done & sleep 0.1');
  await checkpoint('a');
  await live('md5sum /dev/zero & ls -lR /etc >/root/one; sleep 0.05', 12_345_678);
  await checkpoint('b');
  await live('echo typed', 3_000_000);
  await stand('between', at('b').instret);
  await live('kill %2; cat /root/one | md5sum', 23_456_789);
  await checkpoint('c');
  await live('echo after c', 7_654_321);
  await stand('after c', at('c').instret);
}, 300_000);
afterAll(() => machine.client.end());

describe('vm_replay', () => {
  test.each([
    ['a', 'b'],
    ['b', 'c'],
    ['a', 'c'],
    [null, 'b'],
    ['c', 'c'],
  ])('from %s comes to checkpoint %s bit for bit', { timeout: 120_000 }, async (from, until) => {
    const replayed = await replay(from, until);
    expect(replayed).toMatchObject({ equal: true, boot: '1', instret: at(until).instret });
    expect(replayed.state_sha256).toBe(at(until).hash);
    expect(replayed.replayed_sha256).toBe(at(until).hash);
  });

  test('comes from each checkpoint to where the machine stands', { timeout: 120_000 }, async () => {
    for (const from of ['a', 'b', 'c', null])
      expect(await replay(from, null)).toMatchObject({ equal: true, replayed_sha256: at('after c').hash });
  });

  test('refuses what leads nowhere', async () => {
    expect(await refused("select vm_replay('vm1', 'nothing')")).toMatchObject({ code: '55000' });
    expect(await refused("select vm_replay('vm1', until => 'nothing')")).toMatchObject({ code: '55000' });
    expect(await refused("select vm_replay('vm1', 'c', 'b')")).toMatchObject({ code: '55000' });
    expect(await refused("select vm_replay('vm1', '')")).toMatchObject({ code: '22023' });
  });
});

describe('set linuxsql.as_of', () => {
  test('shows an instant from the nearest checkpoint: every relation, numbered and counted as then', async () => {
    await asOf(at('between').instret, async () => {
      const again = await rows(at('b').instret);
      for (const [name, then] of Object.entries(at('between').rows)) expect(again[name], name).toEqual(then);
      const { first } = await machine.one<{ first: string }>('select min(instret) as first from linux.page_faults');
      expect(Number(first)).toBeGreaterThan(Number(at('b').instret));
    });
  }, 60_000);

  test('shows a checkpoint’s own instant', async () => {
    for (const name of ['c', 'a', 'b'])
      expect(await asOf(at(name).instret, processes), name).toEqual(at(name).rows['processes']);
  }, 60_000);
});

describe('a machine that went back', () => {
  beforeAll(async () => {
    await machine.restore('b');
    await live('echo another life', 5_000_000);
    await stand('other', at('b').instret);
    await live('sleep 0.02; echo on', 9_000_000);
    await stand('other still');
  }, 120_000);

  test('is replayed from there', { timeout: 120_000 }, async () => {
    expect(await replay(null, null)).toMatchObject({ equal: true, boot: '2', state_sha256: at('other still').hash });
    expect(await replay('b', null)).toMatchObject({ equal: true, boot: '2' });
    expect(await refused("select vm_replay('vm1', 'c')")).toMatchObject({ code: '55000' });
  });

  test('shows its present life, the one it had before, and what both have in common', async () => {
    const { instret } = at('other');
    await asOf(instret, async () => {
      const again = await rows(at('b').instret);
      // The rings and counters of the machine itself have both lives.
      for (const name of ['processes', 'process_open_files', 'process_memory_map', 'dmesg'])
        expect(again[name], name).toEqual(at('other').rows[name]);
    });
    expect(await asOf(`1:${at('after c').instret}`, processes)).toEqual(at('after c').rows['processes']);
    expect(await asOf(at('a').instret, processes)).toEqual(at('a').rows['processes']);
    expect(await asOf(`2:${at('b').instret}`, processes)).toEqual(at('b').rows['processes']);
    const early = await asOf('60000000', processes);
    expect(await asOf('1:60000000', processes)).toEqual(early);
    expect(early.length).toBeGreaterThan(5);
  }, 120_000);

  test('a daemon that begins at a checkpoint is replayed too, and through the guest’s reboot', async () => {
    await machine.client.query('select vm_stop()');
    await machine.restore('c');
    await machine.client.query('select vm_start(paused => true)');
    await live('echo third life', 6_000_000);
    expect(await replay(null, null)).toMatchObject({ equal: true, boot: '3', state_sha256: await machine.hash() });
    await checkpoint('d');
    await machine.type('reboot\n');
    await machine.step('console:Linux version', 20_000_000_000);
    await live('', 50_000_000);
    const present = await stand('rebooted');
    expect(await replay('d', null)).toMatchObject({ equal: true, boot: '4', replayed_sha256: present.hash });
    expect(await asOf(present.instret, processes)).toEqual(present.rows['processes']);
    expect(await asOf(`3:${at('d').instret}`, processes)).toEqual(at('d').rows['processes']);
  }, 200_000);
});

test('a fork’s past is its own from the checkpoint on, and its parent’s before', { timeout: 200_000 }, async () => {
  await machine.client.query("select vm_fork('b', 'twin', machine => 'vm1')");
  await machine.client.query("select vm_start('twin', paused => true); set linuxsql.machine = 'twin'");
  await live('echo twin', 8_000_000);
  const own = await stand('twin', at('b').instret);
  expect(await replay(null, null, 'twin')).toMatchObject({ equal: true, boot: '1', state_sha256: own.hash });
  await live('echo later', 8_000_000);
  expect(await asOf(own.instret, processes)).toEqual(own.rows['processes']);
  expect(await asOf(at('a').instret, processes)).toEqual(at('a').rows['processes']);
  await machine.client.query("select vm_stop('twin'); set linuxsql.machine = 'vm1'");
});

test('what a deleted checkpoint began is refused, unless a later one is there', { timeout: 120_000 }, async () => {
  await machine.client.query("select vm_destroy('twin')");
  await machine.restore('b');
  await live('echo fifth life', 4_000_000);
  const early = await stand('fifth');
  await checkpoint('e');
  await live('echo later', 4_000_000);
  const late = await stand('late');
  await machine.client.query("select vm_checkpoint_delete('b')");
  expect(await asOf(late.instret, processes)).toEqual(late.rows['processes']);
  expect(await replay('e', null)).toMatchObject({ equal: true });
  const middle = String(BigInt(early.instret) - 1_000_000n);
  await expect(asOf(middle, processes)).rejects.toMatchObject({
    code: '55000',
    detail: expect.stringMatching(/the checkpoint it went on from has been deleted/) as string,
  });
});

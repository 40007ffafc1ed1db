/**
 * Foreign tables at past instants: what they showed when the machine stood there is what they show again later, for
 * every relation, while the machine has gone on; in one statement beside the present; and within bounds.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { failure } from '../fdw/setup.js';
import { StateMachine } from './machine.js';

/** Whole relations, without what depends on when the service looked or on the host. */
const relations: Record<string, string> = {
  processes: 'select * from linux.processes order by pid',
  threads: 'select * from linux.threads order by tid',
  process_open_files: 'select * from linux.process_open_files order by pid, fd',
  process_memory_map: 'select * from linux.process_memory_map order by pid, start',
  mounts: 'select * from linux.mounts order by 1, 2, 3',
  kernel_modules: 'select * from linux.kernel_modules order by 1',
  dmesg: 'select * from linux.dmesg order by 1',
  // Where its records are cut depends on the host.
  console: "select string_agg(text, '' order by seq) as text from linux.console",
  traps: 'select * from linux.traps order by seq desc limit 500',
  page_faults:
    'select seq, instret, cause, fault_addr, pc, priv, satp, physical_page from linux.page_faults order by seq',
  counters:
    "select metric, value from linux.counters where metric in ('instret', 'guest_time_ns', 'console_bytes', 'blk_reads', 'blk_writes', 'wfi')",
};

interface Moment {
  instret: string;
  rows: Record<string, unknown[]>;
}

let machine: StateMachine;
const moments: Moment[] = [];

async function everything(client: pg.Client): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for (const [name, query] of Object.entries(relations)) rows[name] = (await client.query(query)).rows;
  return rows;
}

const pasts = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return (
          words.includes('--replay-boot') && words.some((word) => word.startsWith(`${machine.chain.runDirectory}/`))
        );
      } catch {
        return false;
      }
    });

async function stand(condition: string, most?: number): Promise<void> {
  const { instret } = await machine.step(condition, most);
  moments.push({ instret, rows: await everything(machine.client) });
}

beforeAll(async () => {
  machine = await StateMachine.boot();
  await machine.shell('md5sum /dev/zero & echo one >/root/one; sync');
  await stand('', 3_000_000);
  await machine.shell('kill $!; cat /proc/meminfo >/dev/null');
  await stand('', 4_000_000);
  await machine.shell('sleep 0.2; ls -lR /etc >/root/two; sync');
  await stand('', 1_234_567);
  await machine.shell('echo later');
}, 300_000);
afterAll(() => machine.client.end());

const moment = (n: number): Moment => {
  const found = moments[n];
  if (found === undefined) throw new Error(`no moment ${n}`);
  return found;
};

describe('set linuxsql.as_of', () => {
  test.each([2, 0, 1])('shows moment %i as it was, every relation', { timeout: 120_000 }, async (n) => {
    const { instret, rows } = moment(n);
    expect(rows['processes']?.length).toBeGreaterThan(10);
    await machine.client.query(`set linuxsql.as_of = '${instret}'`);
    const again = await everything(machine.client);
    for (const name of Object.keys(relations)) expect(again[name], name).toEqual(rows[name]);
    await machine.client.query('reset linuxsql.as_of');
    expect((await machine.client.query(relations['processes'] ?? '')).rows).not.toEqual(rows['processes']);
  });

  test('takes the boot’s number too; both names are one instant', async () => {
    const { instret, rows } = moment(0);
    const before = pasts();
    await machine.client.query(`set linuxsql.as_of = '1:${instret}'`);
    expect((await machine.client.query(relations['processes'] ?? '')).rows).toEqual(rows['processes']);
    await machine.client.query('reset linuxsql.as_of');
    expect(pasts()).toEqual(before);
  });

  test('a past is no machine, and leaves nothing in the database', async () => {
    expect(pasts().length).toBe(3);
    expect((await machine.client.query('select machine from linux.machines')).rows).toEqual([{ machine: 'vm1' }]);
    expect(machine.chain.pids('machine').length).toBe(1);
    const { rows } = await machine.client.query(
      'select boots, (select count(*)::int from linuxsql.boot) as lives from linuxsql.machine',
    );
    expect(rows).toEqual([{ boots: '1', lives: 1 }]);
  });

  test('refuses what has not happened, and what is no instant', async () => {
    await machine.client.query("set linuxsql.as_of = '999999999999999'");
    expect(await failure(() => machine.client.query('select * from linux.processes'))).toMatchObject({ code: '55000' });
    await machine.client.query("set linuxsql.as_of = '7:1'");
    expect(await failure(() => machine.client.query('select * from linux.processes'))).toMatchObject({ code: '55000' });
    await machine.client.query('reset linuxsql.as_of');
    for (const wrong of ['now', '1:', ':1', '-1', '1:2:3', '9'.repeat(19)])
      expect(await failure(() => machine.client.query(`set linuxsql.as_of = '${wrong}'`))).toMatchObject({
        code: '22023',
      });
  });
});

test('vm_at moves a session, and back', async () => {
  const { instret, rows } = moment(1);
  expect(await machine.one('select vm_at($1, $2) as at', ['vm1', instret])).toEqual({ at: `vm1@${instret}` });
  expect((await machine.client.query(relations['threads'] ?? '')).rows).toEqual(rows['threads']);
  expect(await machine.one("select vm_at('vm1', null) as at")).toEqual({ at: 'vm1' });
  expect((await machine.client.query('show linuxsql.as_of')).rows).toEqual([{ 'linuxsql.as_of': '' }]);
});

test('what is different between two instants is one query', async () => {
  const [first, second] = [moment(0), moment(1)];
  for (const [name, { instret }] of Object.entries({ first, second }))
    await machine.client
      .query(`create server ${name} foreign data wrapper linuxsql options (machine 'vm1', as_of '${instret}');
      create schema ${name}; import foreign schema linux from server ${name} into ${name}`);
  const { rows } = await machine.client.query<{ comm: string }>(
    'select pid, comm from first.processes except select pid, comm from second.processes order by 1',
  );
  expect(rows.map(({ comm }) => comm)).toContain('md5sum');
  const explained = await machine.client.query<{ 'QUERY PLAN': string }>(
    'explain (verbose) select * from first.processes',
  );
  expect(explained.rows.map((row) => row['QUERY PLAN']).join('\n')).toContain(`As of: ${first.instret}`);
  expect(
    await failure(() => machine.client.query("create server x foreign data wrapper linuxsql options (as_of 'x')")),
  ).toMatchObject({ code: '22023' });
});

test('a range of instants is searched, not read: of the past as of the present', { timeout: 120_000 }, async () => {
  const [first, second] = [moment(0), moment(1)];
  const query = `select * from linux.traps where instret > ${first.instret} and instret <= ${second.instret}`;
  const explained = async (): Promise<{ rows: number; all: number; examined: number }> => {
    const examine = async (text: string): Promise<Record<string, number>> => {
      const row = await machine.one<{ 'QUERY PLAN': { Plan: Record<string, number> }[] }>(
        `explain (analyze, format json) ${text}`,
      );
      return row['QUERY PLAN'][0]?.Plan ?? {};
    };
    const [part, whole] = [await examine(query), await examine('select * from linux.traps')];
    return { rows: part['Actual Rows'] ?? -1, examined: part['Rows examined'] ?? -1, all: whole['Actual Rows'] ?? -1 };
  };
  const present = await explained();
  expect(present.rows).toBeGreaterThan(10);
  expect(present.examined).toBeLessThan(present.rows + 3);
  expect(present.all).toBeGreaterThan(present.rows * 2);
  await machine.client.query(`set linuxsql.as_of = '${moment(2).instret}'`);
  expect(await explained()).toMatchObject({ rows: present.rows, examined: present.examined });
  await machine.client.query('reset linuxsql.as_of');
});

test('more instants than are kept make room for each other', { timeout: 200_000 }, async () => {
  const { instret } = moment(0);
  for (let i = 1; i <= 5; i++) {
    await sleep(1100); // an instant just looked at is not given up
    const at = BigInt(instret) + BigInt(i * 1_000_003);
    await machine.client.query(`set linuxsql.as_of = '${at}'`);
    expect(await machine.one("select value::bigint::text as v from linux.counters where metric = 'instret'")).toEqual({
      v: String(at),
    });
    expect(pasts().length).toBeLessThanOrEqual(3);
  }
  await machine.client.query(`set linuxsql.as_of = '${instret}'`);
  expect((await machine.client.query(relations['processes'] ?? '')).rows).toEqual(moment(0).rows['processes']);
  await machine.client.query('reset linuxsql.as_of');
});

test('vm_replay lives a running machine’s boot again, bit for bit', { timeout: 180_000 }, async () => {
  await machine.client.query('select vm_resume()');
  await machine.type('while :; do md5sum /root/two >/root/three; sleep 0.1; done &\n');
  for (let i = 0; i < 4; i++) {
    if (i % 2 === 0) await sleep(200);
    // Typed bytes that arrive about when the machine is looked at count as taken before or after that, never both.
    else await machine.type('echo typed\n');
    const replayed = await machine.one<{ equal: boolean; state_sha256: string; replayed_sha256: string }>(
      'select * from vm_replay()',
    );
    expect(replayed).toMatchObject({ equal: true, boot: '1' });
    expect(replayed.replayed_sha256).toBe(replayed.state_sha256);
  }
  await machine.client.query('select vm_pause()');
});

test('vm_replay compares with a machine that is being stepped, too', { timeout: 120_000 }, async () => {
  const other = await machine.chain.connect();
  await other.query('set linuxsql.transactional = off');
  const stepped = other.query("select vm_step_until('', 500000000)");
  expect(await machine.one('select equal from vm_replay()')).toEqual({ equal: true });
  await stepped;
  await other.end();
});

test('what waits when the hash of an instant is taken comes at a later one', { timeout: 180_000 }, async () => {
  const instant = async () =>
    (
      await machine.client.query(
        "select value::bigint::text as v from linux.counters where metric in ('instret', 'guest_time_ns') order by metric",
      )
    ).rows.map(({ v }: { v: string }) => v);
  await machine.type('kill $!\n');
  for (let i = 0; i < 2; i++) {
    await machine.client.query('select vm_pause()');
    const [timeNs, instret] = await instant();
    await machine.type(`echo wai''ted ${i}\n`);
    const hash = await machine.hash();
    expect(await machine.hash()).toBe(hash);
    await machine.client.query('select vm_resume()');
    await machine.step(`console:waited ${i}`);
    await machine.client.query('select vm_resume()');
    expect(await machine.one('select equal from vm_replay()')).toEqual({ equal: true });
    const taken = await machine.client.query(
      "select instret::text, time_ns::text from linuxsql.input_log where position(convert_to($1, 'UTF8') in payload) > 0",
      [`ted ${i}`],
    );
    expect(taken.rows).toHaveLength(1);
    expect(taken.rows[0]).not.toEqual({ instret, time_ns: timeNs });
  }
  await machine.client.query('select vm_pause()');
});

test('the pasts end with the service', async () => {
  expect(pasts().length).toBeGreaterThan(0);
  for (const pid of machine.chain.pids('introspect')) process.kill(pid, 'SIGKILL');
  expect(await waitUntil(() => pasts().length === 0, 10_000)).toBe(true);
});

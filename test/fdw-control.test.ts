/** Control functions, supervisor and refresh over the whole product: a machine from Large Objects, driven by SQL alone. */
import { beforeAll, describe, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { startChain, type Chain } from './harness/chain.js';
import { conditions, queries, sameRows } from './fdw/conditions.js';
import { failure } from './fdw/setup.js';

const prompt = 'linuxsql:~# ';
let chain: Chain;
let client: pg.Client;

interface Step {
  stopped_by: string;
  condition_met: boolean;
  instret: string;
  executed: string;
}

async function one<T extends pg.QueryResultRow>(query: string, values: unknown[] = []): Promise<T> {
  const { rows } = await client.query<T>(query, values);
  const [row] = rows;
  if (row === undefined) throw new Error(`no row: ${query}`);
  return row;
}

const step = (condition: string, most = '20000000000'): Promise<Step> =>
  one<Step>('select * from vm_step_until($1, $2)', [condition, most]);

async function eventually(query: string, expected: unknown, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  for (;;) {
    const { rows } = await client.query<{ v: unknown }>(query).catch(() => ({ rows: [] as { v: unknown }[] }));
    if (rows[0]?.v === expected) return;
    if (Date.now() > end) expect(rows[0]?.v, query).toBe(expected);
    await sleep(100);
  }
}

async function shell(command: string): Promise<string> {
  const { seq } = await one<{ seq: string }>('select coalesce(max(seq), -1) as seq from linux.console');
  await client.query('select vm_console_write($1)', [`${command}\n`]);
  expect((await step(`console:${prompt}`)).condition_met).toBe(true);
  const { text } = await one<{ text: string }>(
    "select string_agg(text, '' order by seq) as text from linux.console where seq > $1",
    [seq],
  );
  return text.replaceAll('\r', '');
}

beforeAll(async () => {
  chain = await startChain({ machine: 'vm1' });
  client = await chain.connect();
}, 180_000);

describe('a machine from nothing to its shell', () => {
  test('is stopped, and says how to start it', async () => {
    expect(await one('select machine, state, desired from vm_list()')).toEqual({
      machine: 'vm1',
      state: 'stopped',
      desired: 'stopped',
    });
    expect((await failure(() => step('idle'))).code).toBe('08001');
    expect((await client.query("select * from vm_status('vm1', true)")).rows).toEqual([]);
  });

  test('starts paused before its first instruction', async () => {
    expect(await one('select vm_start(paused => true) as v')).toEqual({ v: 'paused' });
    expect(await one('select state, instret from vm_status()')).toEqual({ state: 'paused', instret: '0' });
  });

  test('introspection before the kernel is up fails with a reason', async () => {
    const { code } = await failure(() => client.query('select * from linux.processes'));
    expect(code).toBe('55000');
  });

  test('a rolled back start starts nothing', async () => {
    await client.query("select vm_create('other', memory => '64 MB')");
    await client.query("begin; select vm_start('other'); rollback");
    await sleep(1500);
    expect(await one("select state, desired from vm_list() where machine = 'other'")).toEqual({
      state: 'stopped',
      desired: 'stopped',
    });
    const ambiguous = await failure(() => client.query("select vm_start('no_such')"));
    expect(ambiguous.code).toBe('42704');
    await client.query("select vm_destroy('other')");
    expect((await failure(() => client.query("select vm_stop('no_such')"))).code).toBe('42704');
    expect((await failure(() => client.query("select vm_create('other', 'no-such', 'opensbi')"))).code).toBe('42704');
    for (const wrong of ["'a/b'", 'null', "'x', memory => '3 MB'", "'x', memory => null", "'x', seed => '\\x00'"])
      expect((await failure(() => client.query(`select vm_create(${wrong})`))).code, wrong).toBe('22023');
  });

  test('runs to conditions in hart and kernel words', async () => {
    expect(await step('init:proc', '5000000000')).toMatchObject({ stopped_by: 'init:proc', condition_met: true });
    const { rows } = await client.query<{ comm: string }>('select comm from vm_proc_tree() where pid = 1');
    expect(rows).toEqual([{ comm: 'init' }]);
    const before = await one<{ instret: string }>('select instret from vm_status()');
    const budget = await step('pc:0x1', '1000000');
    expect(budget).toMatchObject({ stopped_by: 'budget', condition_met: false, executed: '1000000' });
    expect(BigInt(budget.instret)).toBe(BigInt(before.instret) + 1_000_000n);
    expect(await step('sym:do_sys_openat2')).toMatchObject({ stopped_by: 'sym', condition_met: true });
    expect(await step('syscall:write')).toMatchObject({ stopped_by: 'syscall', condition_met: true });
    expect(await step('fault:store')).toMatchObject({ condition_met: true });
    expect(await step('proc:login')).toMatchObject({ stopped_by: 'proc', condition_met: true });
    expect(await one("select count(*) as n from linux.processes where comm = 'login'")).toEqual({ n: '1' });
    expect(await step(`console:${prompt}`)).toMatchObject({ stopped_by: 'console', condition_met: true });
    expect(await step('proc:sh')).toMatchObject({ stopped_by: 'proc', condition_met: true, executed: '0' });
    const exits = await one("select sum(value) as n from vm_dashboard() where metric like 'jit_exit_%'");
    expect(exits).toEqual(
      await one("select value as n from vm_dashboard() where metric = 'jit_entries' and value > 1000"),
    );
    expect((await failure(() => step('nonsense:1'))).code).toBe('22023');
    expect((await failure(() => step('sym:no_such_symbol_at_all'))).code).toMatch(/^(22023|42704)$/);
  });

  test('takes console input and shows its output', async () => {
    expect(await shell('echo sum $((20 + 22))')).toContain('sum 42\n');
    const { rows } = await client.query<{ text: string }>("select text from vm_console where text like '%sum 42%'");
    expect(rows.length).toBeGreaterThan(0);
  });
});

test('pushdown to the live service changes no answer', async () => {
  await client.query(`create schema copy;
    create table copy.processes as select * from linux.processes;
    create table copy.threads as select * from linux.threads;
    create table copy.page_faults as select * from linux.page_faults`);
  const same = (query: string): Promise<number> => sameRows(client, 'linux', 'copy', query);
  for (const condition of conditions) {
    await same(`select * from processes where ${condition}`);
    await same(`select count(*) from processes where not (${condition})`);
  }
  for (const query of queries) await same(query);
  await same("select * from page_faults where cause = 'Store page fault' and seq > 20 order by seq desc limit 5");
  await same("select seq from page_faults where priv in ('U', 'M') or pid is null");
  await client.query('set enable_hashjoin = off; set enable_mergejoin = off');
  await same('select p.pid, t.tid from processes p join threads t on t.tgid = p.pid order by 1, 2');
  await client.query('reset all; drop schema copy cascade');
});

test('readers read, operators operate', async () => {
  await client.query('set role linuxsql_reader');
  await client.query(
    'select * from vm_proc_tree(); select * from vm_list(); select * from vm_status(); select * from vm_console limit 1',
  );
  for (const query of ["vm_step_until('idle')", 'vm_stop()', "vm_console_write('x')", 'vm_pause()'])
    expect((await failure(() => client.query(`select ${query}`))).code).toBe('42501');
  await client.query('set role linuxsql_operator');
  expect((await step('instret:0')).executed).toBe('0');
  expect(await one('select state from vm_pause()')).toEqual({ state: 'paused' });
  await client.query("select vm_create('second', memory => '64 MB'); select vm_destroy('second')");
  await client.query('reset role');
});

describe('waits are ours', () => {
  test('a step obeys statement_timeout, and the machine is paused after it', async () => {
    await client.query("select vm_console_write(E'while :; do :; done\\n')");
    await client.query("set statement_timeout = '300ms'");
    const { code, ms } = await failure(() => step('pc:0x1', '900000000000'));
    await client.query('reset statement_timeout');
    expect(code).toBe('57014');
    expect(ms).toBeLessThan(600);
    await eventually('select state as v from vm_status()', 'paused');
    await client.query("select vm_console_write(E'\\x03')");
    expect((await step(`console:${prompt}`)).condition_met).toBe(true);
  });

  test('a step is refused while this session reads the machine at one instant', async () => {
    await client.query('begin isolation level repeatable read; select count(*) from linux.processes');
    expect((await failure(() => step('idle'))).code).toBe('55006');
    await client.query('rollback');
    expect((await step('instret:0')).executed).toBe('0');
  });

  test('pause and resume', async () => {
    expect(await one('select state from vm_resume()')).toEqual({ state: 'running' });
    expect(await one('select state from vm_pause()')).toEqual({ state: 'paused' });
    const first = await one('select instret from vm_status()');
    await sleep(100);
    expect(await one('select instret from vm_status()')).toEqual(first);
  });
});

describe('refresh', () => {
  test('below a minute by the worker, while the guest runs; a failure is logged and does not end it', async () => {
    await client.query(`create materialized view counts as select metric, value, 1 / (value + 1)::numeric as x from linux.counters where metric = 'instret';
      create unique index on counts (metric)`);
    const before = await one<{ value: number }>('select value from counts');
    expect(await one("select vm_refresh_every('counts', '1 second') as v")).toEqual({ v: 'worker' });
    await client.query('select vm_resume()');
    await client.query("select vm_console_write(E'while :; do sleep 1; done\\n')");
    await eventually("select runs >= 2 and failures = 0 as v from vm_refreshes where view = 'counts'::regclass", true);
    expect((await one<{ value: number }>('select value from counts')).value).toBeGreaterThan(before.value);
    await client.query('select vm_pause()');
    await client.query(
      'create view broken as select 0::bigint as zero; create materialized view fails as select zero from broken',
    );
    await client.query('create or replace view broken as select (1 / 0)::bigint as zero');
    await client.query("select vm_refresh_every('fails', '1 second')");
    await eventually("select failures >= 2 as v from vm_refreshes where view = 'fails'::regclass", true);
    expect(await one('select sqlstate, message from vm_refresh_log order by id desc limit 1')).toEqual({
      sqlstate: '22012',
      message: 'division by zero',
    });
    await client.query('create or replace view broken as select 7::bigint as zero');
    await eventually(
      "select last_error is null and runs > failures as v from vm_refreshes where view = 'fails'::regclass",
      true,
    );
    await client.query('drop materialized view fails');
    await eventually('select count(*)::int as v from vm_refreshes', 1);
    expect(await one("select vm_refresh_stop('counts') as v")).toEqual({ v: true });
  });

  test('whole minutes by pg_cron where it is', async () => {
    const { rowCount } = await client.query("select from pg_available_extensions where name = 'pg_cron'");
    if (rowCount === 0) return;
    await client.query('create extension if not exists pg_cron');
    expect(await one("select vm_refresh_every('counts', '2 minutes') as v")).toEqual({ v: 'pg_cron' });
    const job = await one<{ schedule: string; command: string }>('select schedule, command from cron.job');
    expect(job.schedule).toBe('*/2 * * * *');
    expect(await one(job.command)).toEqual({ vm_refresh_run: true });
    expect(await one("select vm_refresh_every('counts', '7 minutes') as v")).toEqual({ v: 'worker' });
    expect((await client.query('select from cron.job')).rowCount).toBe(0);
    await client.query("select vm_refresh_stop('counts')");
  });
});

describe('the supervisor', () => {
  test('starts introspect again after kill -9', async () => {
    const [pid] = chain.pids('introspect');
    if (pid === undefined) throw new Error('introspect does not run');
    process.kill(pid, 'SIGKILL');
    await eventually('select count(*) > 5 as v from linux.processes', true);
    expect(chain.pids('introspect')).not.toEqual([pid]);
  });

  test('adopts both when the server restarts, and the guest goes on', async () => {
    const [machine] = chain.pids('machine');
    const { instret } = await one<{ instret: string }>('select instret from vm_status()');
    await client.end();
    await chain.cluster.restart();
    client = await chain.connect();
    await eventually("select state as v from vm_list() where machine = 'vm1'", 'paused');
    expect(chain.pids('machine')).toEqual([machine]);
    expect(BigInt((await one<{ instret: string }>('select instret from vm_status()')).instret)).toBeGreaterThanOrEqual(
      BigInt(instret),
    );
    await client.query("select vm_console_write(E'\\x03')");
    expect((await step(`console:${prompt}`)).condition_met).toBe(true);
    expect(await shell('echo still $((1 + 1))')).toContain('still 2\n');
  });

  test('starts a machine again after kill -9', async () => {
    const [pid] = chain.pids('machine');
    if (pid === undefined) throw new Error('the machine does not run');
    process.kill(pid, 'SIGKILL');
    await eventually(`select state is not null as v from vm_status()`, true);
    expect(chain.pids('machine')).not.toEqual([pid]);
    expect((await step(`console:${prompt}`)).condition_met).toBe(true);
  });

  test('lets a machine rest whose guest has powered off', async () => {
    await client.query("select vm_console_write(E'poweroff\\n')");
    await client.query("select * from vm_step_until('', 20000000000)").catch(() => undefined);
    await client.query('select vm_resume()').catch(() => undefined);
    await eventually("select desired as v from vm_list() where machine = 'vm1'", 'stopped');
    await sleep(1500);
    expect(chain.pids('machine')).toEqual([]);
  });

  test('a machine that is stopped on request again and again starts as fast as the first time', async () => {
    for (let round = 0; round < 6; round++) {
      await client.query('select vm_start(paused => true)');
      if (round % 2 === 0) await one('select state from vm_pause()');
      expect(await one('select vm_stop(force => true) as v')).toEqual({ v: 'stopped' });
    }
    const started = performance.now();
    await client.query('select vm_start(paused => true)');
    await one('select state from vm_pause()');
    expect(performance.now() - started).toBeLessThan(4000); // after six failures in a row the delay would be 12 s
  });

  test('stops a machine for good with vm_stop, which may be destroyed then', async () => {
    await client.query('select vm_start(paused => true)');
    await step('init:proc', '5000000000');
    expect(await one('select vm_stop() as v')).toEqual({ v: 'stopped' });
    for (let i = 0; i < 100 && chain.pids('machine').length > 0; i++) await sleep(10);
    expect(chain.pids('machine')).toEqual([]);
    await sleep(1200);
    expect(chain.pids('machine')).toEqual([]);
    await client.query("select vm_destroy('vm1')");
    expect((await client.query('select * from vm_list()')).rows).toEqual([]);
    expect((await failure(() => client.query('select * from linux.processes'))).code).toBe('55000');
  });
});

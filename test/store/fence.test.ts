/** One writer per machine, whatever connections do; and an end when PostgreSQL stays away. */
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { atEnd } from '../harness/cleanup.js';
import { startCluster, type TestDatabase } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { createStore, StoreTool } from './driver.js';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  ({ database, client } = await createStore(8 << 20));
  atEnd(() => client.end());
});

async function fence(): Promise<number> {
  const { rows } = await client.query<{ fence: string }>("select fence from linuxsql.machine where name = 'm'");
  return Number(rows[0]?.fence);
}

test('a second daemon is refused in one clear line', async () => {
  const first = await StoreTool.open(database.conninfo);
  const second = StoreTool.start(database.conninfo);
  expect(await second.process.exited()).toBe(2);
  expect(second.process.log()).toMatch(/^store_tool: machine "m" is already running\n$/);
  await first.quit();
});

test('a daemon whose machine was taken while it slept writes nothing and stops', async () => {
  const stale = await StoreTool.open(database.conninfo);
  stale.send('w 1 0 4096', 'f 1');
  await stale.expect('flushed 1');
  const before = await fence();
  stale.process.kill('SIGSTOP');
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'linuxsql-vm m' and datname = current_database()",
  );
  const heir = await StoreTool.open(database.conninfo);
  expect(await fence()).toBe(before + 1);
  heir.send('w 2 0 4096', 'f 2');
  await heir.expect('flushed 2');
  stale.send('w 3 0 8192', 'f 3');
  stale.process.kill('SIGCONT');
  expect(await stale.process.exited()).toBe(3);
  expect(stale.process.log()).toContain('machine m: another daemon has taken it: this one stops without writing');
  expect(stale.process.log()).not.toContain('flushed 3');
  await heir.quit();
});

test('the fence alone stops a daemon that still has its connection', async () => {
  const stale = await StoreTool.open(database.conninfo);
  stale.send('w 4 0 4096', 'f 4');
  await stale.expect('flushed 4');
  await client.query("update linuxsql.machine set fence = fence + 1 where name = 'm'");
  stale.send('w 5 0 4096', 'f 5');
  expect(await stale.process.exited()).toBe(3);
  const heir = await StoreTool.open(database.conninfo);
  const stamps = await heir.stamps(join(tempDir(), 'stamps'));
  expect(stamps[0]).toBe(4n);
  await heir.quit();
});

test('an open transaction on the row does not hold up commits', async () => {
  const tool = await StoreTool.open(database.conninfo);
  await client.query("begin; update linuxsql.machine set desired = 'running' where name = 'm'");
  tool.send('w 6 0 4096', 'f 6');
  await tool.expect('flushed 6', 5000);
  await client.query('rollback');
  await tool.quit();
});

test('cancelled and terminated statements are simply done again', async () => {
  const tool = await StoreTool.open(database.conninfo, { cacheBytes: 4 << 20 });
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 50; i++) tool.send(`w ${100 + round} ${i * 65536} 65536`, `f ${round * 100 + i}`);
    const how = round % 2 === 0 ? 'pg_cancel_backend' : 'pg_terminate_backend';
    await client.query(
      `select ${how}(pid) from pg_stat_activity where application_name = 'linuxsql-vm m' and datname = current_database()`,
    );
    await tool.expect(`flushed ${round * 100 + 49}`);
  }
  await tool.quit();
  const { rows } = await client.query("select ended from linuxsql.machine where name = 'm'");
  expect(rows).toEqual([{ ended: 'closed by store_tool' }]);
});

test('inputs are logged once and in order, across lost connections', async () => {
  const tool = await StoreTool.open(database.conninfo);
  for (let i = 0; i < 200; i++) {
    tool.send(`l input${i}`);
    if (i % 50 === 25) {
      tool.send('sleep 20');
      await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'linuxsql-vm m' and datname = current_database()",
      );
    }
  }
  await tool.quit();
  const { rows } = await client.query<{ seq: string; text: string }>(
    `select seq, convert_from(payload, 'UTF8') as text from linuxsql.input_log i
     join linuxsql.machine m on m.id = i.machine and m.boots = i.boot order by seq`,
  );
  expect(rows).toEqual(Array.from({ length: 200 }, (_, i) => ({ seq: String(i), text: `input${i}` })));
});

test('without PostgreSQL for longer than the limit it stops, and says so', async () => {
  const cluster = await startCluster({ durable: true });
  const own = await createStore(8 << 20, cluster);
  await own.client.end();
  const tool = await StoreTool.open(own.database.conninfo, { orphanSeconds: 2 });
  tool.send('w 1 0 4096', 'f 1');
  await tool.expect('flushed 1');
  await cluster.stop();
  tool.send('w 2 0 4096', 'f 2');
  expect(await tool.process.exited()).toBe(3);
  expect(tool.process.log()).toMatch(/machine m: PostgreSQL could not be used for 2 s \(.*\): the machine is stopped/);
});

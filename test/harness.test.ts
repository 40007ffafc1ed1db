import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isZombie } from '../cli/src/base/proc.js';
import { createDatabase, startCluster } from './harness/cluster.js';
import { run, spawnOwned } from './harness/processes.js';
import { tempDir } from './harness/temp.js';

test('databases of the shared cluster are private and reached through one socket only', async () => {
  const [first, second] = await Promise.all([createDatabase({ empty: true }), createDatabase({ empty: true })]);
  expect(first.name).not.toBe(second.name);
  const client = await first.connect();
  await client.query('create table only_here ()');
  const { rows } = await client.query<{ listen: string }>("select current_setting('listen_addresses') as listen");
  expect(rows).toEqual([{ listen: '' }]);
  await client.end();
});

test('a cluster of its own survives kill -9 and restarts', async () => {
  const cluster = await startCluster({ durable: true });
  const database = await cluster.createDatabase({ fill: false });
  const client = await database.connect();
  await client.query('create table kept as select 42 as answer');
  await cluster.kill9();
  await expect(client.query('select pg_sleep(10)')).rejects.toThrow();
  await expect.poll(() => cluster.running).toBe(false);
  await cluster.start();
  const again = await database.connect();
  expect((await again.query('select answer from kept')).rows).toEqual([{ answer: 42 }]);
  await again.end();
});

test('a killed server that nobody has waited for does not keep the next from starting', async () => {
  const cluster = await startCluster({ settings: { logging_collector: 'on' } });
  const files = [join(cluster.dataDir, 'postmaster.pid'), join(cluster.socketDir, '.s.PGSQL.5432.lock')];
  await cluster.kill9();
  await expect.poll(() => cluster.running).toBe(false);
  // Init may or may not have waited for that one: a zombie for certain takes its place in the files that name it.
  const parent = spawnOwned('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 600'], { asServerUser: true });
  await expect.poll(() => isZombie(Number(parent.log())), { timeout: 20_000 }).toBe(true);
  for (const file of files) writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, parent.log().trim()));
  await cluster.start();
  expect(cluster.running).toBe(true);
  await parent.stop();
});

test('owned programs keep their output and are killed by id', async () => {
  const program = spawnOwned('sh', ['-c', 'echo ready; exec sleep 600']);
  await expect.poll(() => program.log()).toBe('ready\n');
  expect(await program.stop()).toBe(143);
});

test('a program that does not end in time fails the call', async () => {
  await expect(run('sleep', ['600'], { timeoutMs: 100 })).rejects.toThrow('did not end within');
});

test('temporary folders are short enough for sockets', () => {
  const folder = tempDir();
  expect(existsSync(folder)).toBe(true);
  expect(folder.length).toBeLessThan(24);
});

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
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

/** Without shared_preload_libraries: workers come on demand, one per database, and never hinder DROP DATABASE ... FORCE. */
import { expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster } from './harness/cluster.js';

test('a refresh worker on demand', async () => {
  const cluster = await startCluster();
  const database = await cluster.createDatabase({ name: 'on_demand' });
  const client = await database.connect();
  const workers = async (): Promise<number> => {
    const { rows } = await client.query<{ n: number }>(
      "select count(*)::int as n from pg_stat_activity where backend_type = 'linuxsql refresh'",
    );
    return rows[0]?.n ?? -1;
  };
  expect(await workers()).toBe(0);
  await client.query('create materialized view clock as select clock_timestamp() as now');
  const { rows } = await client.query<{ v: string }>("select vm_refresh_every('clock', '1 second') as v");
  expect(rows).toEqual([{ v: 'worker' }]);
  for (let i = 0; i < 50 && (await workers()) !== 1; i++) await sleep(50);
  expect(await workers()).toBe(1);
  await client.query("select vm_refresh_every('clock', '2 seconds'); select vm_refresh_worker()");
  await sleep(3000);
  expect(await workers()).toBe(1);
  const after = await client.query<{ runs: number }>('select runs::int from vm_refreshes');
  expect(after.rows[0]?.runs).toBeGreaterThanOrEqual(1);
  await client.query("select vm_refresh_stop('clock')");
  await client.query('drop extension linuxsql cascade');
  await sleep(1200);
  expect(await workers()).toBe(1);
  await client.end();
  await database.drop();
});

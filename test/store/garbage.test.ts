/** Deleted layers are given back in bounded pieces, and whatever happens between two of them does no harm. */
import { expect, test } from 'vitest';
import type pg from 'pg';
import { startCluster } from '../harness/cluster.js';
import { startAgain } from './crash.js';
import { createStore } from './driver.js';

const pages = 5000;
const most = 700;

/** A layer of many pages with holes between them, at both ends of a large disk. */
async function fill(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lo: string }>(
    "select lo from linuxsql.layer where id = (select disk_layer from linuxsql.machine where name = 'm')",
  );
  const lo = rows[0]?.lo ?? '';
  const half = `convert_to(repeat('x', 2048 * ${pages / 2}), 'SQL_ASCII')`;
  await client.query(`select lo_put(${lo}, 0, ${half}), lo_put(${lo}, 30 * 1048576::bigint, ${half})`);
  return lo;
}

async function pagesOf(client: pg.Client, lo: string): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from pg_largeobject where loid = ${lo}`,
  );
  return rows[0]?.n ?? -1;
}

test('a deleted machine is gone at once, its pages a bounded number a transaction, also after a crash', async () => {
  const cluster = await startCluster({ durable: true });
  const made = await createStore(48 << 20, cluster);
  let { client } = made;
  client.on('error', () => undefined);
  const collect = async (): Promise<boolean> =>
    (await client.query<{ more: boolean }>(`select linuxsql.collect_garbage(${most}) as more`)).rows[0]?.more ?? false;
  const lo = await fill(client);
  await client.query('begin');
  await client.query("select linuxsql.drop_machine('m')");
  await client.query('rollback');
  expect((await client.query('select from linuxsql.garbage')).rowCount).toBe(0);
  await client.query("select linuxsql.drop_machine('m')");
  expect((await client.query('select from linuxsql.layer')).rowCount).toBe(0);
  expect(await pagesOf(client, lo)).toBe(pages);
  let left = pages;
  let pieces = 0;
  for (; await collect(); pieces++) {
    const now = await pagesOf(client, lo);
    expect(left - now).toBeLessThanOrEqual(most + 1);
    left = now;
    if (pieces === 3) {
      await client.query(`begin; select linuxsql.collect_garbage(${most}); rollback`);
      expect(await pagesOf(client, lo)).toBe(left);
      await cluster.kill9();
      await startAgain(cluster);
      client = await made.database.connect();
      expect(await pagesOf(client, lo)).toBe(left);
    }
  }
  expect(pieces).toBeGreaterThan(pages / (most + 1));
  expect((await client.query('select from linuxsql.garbage')).rowCount).toBe(0);
  const { rows } = await client.query(
    `select oid from pg_largeobject_metadata where oid not in (select lo from linuxsql.image union select presence_lo from linuxsql.image)`,
  );
  expect(rows).toEqual([]);
  await client.end();
});

test('two collectors do not hinder each other, and an object that somebody else unlinked is no trouble', async () => {
  const { database, client } = await createStore(48 << 20);
  const other = await database.connect();
  const lo = await fill(client);
  await client.query("select linuxsql.drop_machine('m')");
  await client.query('begin');
  await client.query('select linuxsql.collect_garbage(10)');
  await other.query("set statement_timeout = '20s'");
  while ((await other.query<{ more: boolean }>('select linuxsql.collect_garbage() as more')).rows[0]?.more === true);
  await client.query('commit');
  expect((await client.query('select from linuxsql.garbage')).rowCount).toBe(1);
  await client.query('select lo_unlink(lo) from linuxsql.garbage');
  expect((await client.query<{ more: boolean }>('select linuxsql.collect_garbage() as more')).rows).toEqual([
    { more: true },
  ]);
  expect((await client.query('select from linuxsql.garbage')).rowCount).toBe(0);
  expect(await pagesOf(client, lo)).toBe(0);
  await Promise.all([client.end(), other.end()]);
});

/** Pushdown changes no answer: every query gives the same over a foreign table as over a local copy of its rows. */
import { beforeAll, describe, expect, test } from 'vitest';
import type pg from 'pg';
import { createDatabase } from './harness/cluster.js';
import { conditions, queries, sameRows } from './fdw/conditions.js';
import { defineMachine, startPeer } from './fdw/setup.js';
import type { Peer } from './fdw/peer.js';

let client: pg.Client;
let peer: Peer;

beforeAll(async () => {
  peer = await startPeer();
  client = await (await createDatabase()).connect();
  await defineMachine(client, peer, 'vm1');
  await client.query(`create schema copy;
    create table copy.processes as select * from vm1.processes;
    create table copy.counters as select * from vm1.counters;
    create table copy.threads as select * from vm1.threads;
    create table copy.page_faults as select * from vm1.page_faults`);
});

const same = (query: string, values: unknown[] = []): Promise<number> => sameRows(client, 'vm1', 'copy', query, values);

describe('conditions', () => {
  test.each(conditions)('%s', async (condition) => {
    await same(`select pid, name, path from processes where ${condition}`);
    await same(`select count(*) from processes where not (${condition})`);
  });

  test('random trees of conditions', async () => {
    let state = 12345;
    const next = (bound: number): number => (state = (state * 1103515245 + 12345) % 2 ** 31) % bound;
    const leaves = conditions.filter((condition) => !/select|null::|like null/.test(condition));
    const tree = (depth: number): string => {
      const leaf = `(${leaves[next(leaves.length)] ?? 'true'})`;
      if (depth === 0 || next(4) === 0) return next(5) === 0 ? `not ${leaf}` : leaf;
      return `(${tree(depth - 1)} ${next(2) === 0 ? 'and' : 'or'} ${tree(depth - 1)})`;
    };
    for (let i = 0; i < 150; i++) await same(`select pid, comm from processes where ${tree(1 + (i % 5))}`);
  });

  test('floats and their peculiar values', async () => {
    for (const condition of [
      'value = 1.75',
      'value > -1',
      "value < 'infinity'",
      "value <= 'nan'",
      'value::float4 < 3',
      'value = 1',
    ])
      await same(`select metric, value from counters where ${condition}`);
  });

  test('a tree too deep or a list too long for the protocol is checked locally', async () => {
    const deep = Array.from({ length: 40 }).reduce<string>(
      (inner, _, i) => `(pid = ${i} ${i % 2 === 0 ? 'and' : 'or'} ${inner})`,
      'uid = 3',
    );
    await same(`select pid from processes where ${deep}`);
    const long = Array.from({ length: 30_000 }, (_, i) => i * 2);
    expect(await same('select name from processes where pid = any ($1::bigint[])', [long])).toBe(20);
    expect(await same('select name from processes where pid = any ($1::bigint[]) limit 3', [long])).toBe(3);
  });
});

describe('order, limit, joins', () => {
  test.each(queries)('%s', async (query) => {
    await same(query);
  });

  test('nested loops ask by key, and start over for each outer row', async () => {
    await client.query('set enable_hashjoin = off; set enable_mergejoin = off');
    await same('select p.pid, t.tid from processes p join threads t on t.tgid = p.pid order by 1, 2');
    await same('select p.pid, t.tid from processes p join threads t on t.tgid = p.pid or t.tid = p.uid order by 1, 2');
    await client.query('reset enable_hashjoin; reset enable_mergejoin');
  });

  test('parameters, in custom and in generic plans', async () => {
    const query =
      'select pid, name from processes where pid < $1::bigint and name like $2 and uid = any ($3::bigint[]) order by pid limit $4';
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`set plan_cache_mode = ${mode}`);
      for (const values of [
        [30, '%', [2, 15, 28], 9],
        [30, 'Gr%', [15], 1],
        [null, '%', [2], 9],
        [30, null, [2], 9],
        [30, '50\\%%', [28], 5],
      ])
        await same(query, values);
    }
    await client.query('reset plan_cache_mode');
  });
});

test('only the columns in need are asked for, and a limit where the service decides alone', async () => {
  peer.log.length = 0;
  await client.query('select name from vm1.processes where pid = 4 and length(comm) > 0 limit 2');
  await client.query('select count(*) from vm1.processes');
  await client.query('select name from vm1.processes where pid > 4 limit 2 offset 3');
  expect(peer.log.map(({ columns, limit }) => ({ columns, limit }))).toEqual([
    { columns: ['name', 'comm'], limit: -1n },
    { columns: [], limit: -1n },
    { columns: ['name'], limit: 5n },
  ]);
});

test('ANALYZE samples the relation', async () => {
  await client.query('analyze vm1.processes');
  const { rows } = await client.query<{ n: number }>(
    "select count(*)::int as n from pg_stats where schemaname = 'vm1' and tablename = 'processes'",
  );
  expect(rows[0]?.n).toBe(36);
  await same('select pid from processes where pid = 5');
});

test('a table with dropped, renamed and reordered columns', async () => {
  await client.query(`create foreign table few (comm text, gone bigint options (column 'uid'), number bigint options (column 'pid'))
    server vm1 options (relation 'processes'); alter foreign table few drop column gone`);
  const { rows } = await client.query('select * from few where number = 3');
  const { rows: local } = await client.query('select comm, pid::bigint as number from copy.processes where pid = 3');
  expect(rows).toEqual(local);
});

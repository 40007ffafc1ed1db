/** Pushdown changes no answer: every query gives the same over a foreign table as over a local copy of its rows. */
import { beforeAll, describe, expect, test } from 'vitest';
import type pg from 'pg';
import { createDatabase } from './harness/cluster.js';
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

async function rowsIn(schema: string, query: string, values: unknown[] = []): Promise<string[]> {
  await client.query(`set search_path = ${schema}, public`);
  const { rows } = await client.query<unknown[]>({ text: query, values, rowMode: 'array' });
  return rows.map((row) => JSON.stringify(row));
}

/** Compares as multisets, or in order if the query says so. */
async function same(query: string, values: unknown[] = []): Promise<number> {
  const [foreign, local] = [await rowsIn('vm1', query, values), await rowsIn('copy', query, values)];
  if (!/order by/.test(query)) {
    foreign.sort();
    local.sort();
  }
  expect(foreign, query).toEqual(local);
  return local.length;
}

const conditions = [
  'pid = 7', '7 = pid', 'pid <> 7', 'pid < 7', '7 > pid', 'pid >= 7::int2', 'nice <= 3::bigint', 'pid between 3 and 9',
  'kthread', 'not kthread', 'kthread = false', 'kthread is not true', 'kthread is not false', 'kthread is unknown',
  'kthread is not unknown', "name = 'init'", "name <> 'init'", "name > 'k' collate \"C\"", "name ~<~ 'k'",
  "name like 'k%'", "name like 'k%r%1'", "name like '50\\%%'", "name like '50\\%\\_off'", "name like 'init'", "name like '%'",
  "name like ''", "name not like 'k%'", "name ^@ 'post'", "name ^@ ''", "name like 'Grö%'", "name like '日%'", "name like null",
  'path is null', 'path is not null', "path = 'sh'", "path <> 'sh'", 'not (path is null)', "path like 'a\\\\\\\\%'",
  'pid in (1, 2, 3)', 'pid in (1, null, 3)', 'pid not in (1, 2)', 'pid not in (1, null)', 'pid = any (array[]::bigint[])',
  'pid <> all (array[]::bigint[])', 'pid <> all (null::bigint[])', 'pid < any (array[3, 5])', 'pid < all (array[3, 5])',
  "name in ('sh', 'zz', '')", 'resident_size in (1, 2, 23)', 'resident_size <> all (array[1, null, 23])', 'pid = null',
  'pid = 1 or pid = 2', 'pid = 1 or path is null', "(pid < 9 and kthread) or (uid > 3 and name = 'zz')", 'not (pid < 9 or kthread)',
  'pid < 9 and length(name) = 4', '(pid < 9 and length(name) = 4) or uid = 7', 'pid = 1 or length(name) = 4',
  'pid = (select 3::bigint)', 'pid in (select tgid from threads)', 'exists (select from threads t where t.tgid = processes.pid)',
  'pid % 2 = 0 and pid > 3', "name || 'x' = 'initx'", 'resident_size > 3 and resident_size is not null', 'pid::text = \'3\'',
  'nice = any (array[1, 2]) is true', 'coalesce(resident_size, 0) = 0', 'uid = gid - 1 and pid < 20', 'task_addr = -5',
];

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
    for (const condition of ['value = 1.75', 'value > -1', "value < 'infinity'", "value <= 'nan'", 'value::float4 < 3', 'value = 1'])
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
  test.each([
    'select pid, name from processes order by pid limit 5',
    'select pid from processes order by pid offset 35 limit 9',
    'select pid from processes where kthread order by pid limit 3',
    'select pid from processes where name like \'k%r%\' order by pid limit 2',
    'select seq, cause from page_faults order by seq desc limit 7',
    'select seq from page_faults where scause > 3 order by seq desc limit 4 offset 1',
    'select seq from page_faults order by seq desc, cause',
    'select pid from processes order by pid limit 0',
    'select pid from processes order by pid limit null',
    'select pid from (select pid from processes order by pid limit 10) x order by pid desc limit 3',
    'select kthread, count(*), min(name collate "C"), max(pid) from processes group by kthread order by 1',
    'select p.pid, t.tid from processes p join threads t on t.tgid = p.pid where p.pid < 9 order by 1, 2',
    'select p.pid, t.tid from processes p left join threads t on t.tgid = p.pid and t.cpu > 5 order by 1, 2',
    'select p.pid, x.tid from processes p, lateral (select tid from threads where tgid = p.ppid limit 2) x order by 1, 2',
    'select pid, (select count(*) from threads t where t.tgid = p.pid) from processes p order by pid',
    'select distinct on (kthread) kthread, pid from processes order by kthread, pid',
    'select pid from processes union all select tid from threads order by 1 limit 6',
    'select p from processes p where pid = 3 order by 1',
    'select pid, row_number() over (order by pid) from processes order by pid limit 4',
    'select a.pid, b.pid from processes a join processes b on a.pid = b.pid order by 1',
  ])('%s', async (query) => {
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
      for (const values of [[30, '%', [2, 15, 28], 9], [30, 'Gr%', [15], 1], [null, '%', [2], 9], [30, null, [2], 9], [30, '50\\%%', [28], 5]])
        await same(query, values);
    }
    await client.query('reset plan_cache_mode');
  });
});

test('only the columns in need are asked for, and a limit where the service decides alone', async () => {
  peer.log.length = 0;
  await client.query("select name from vm1.processes where pid = 4 and length(comm) > 0 limit 2");
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

/** Conditions and queries whose answers pushdown must not change, over a foreign table and over a copy of its rows. */
import { expect } from 'vitest';
import type pg from 'pg';

/** Over processes. */
export const conditions = [
  'pid = 7',
  '7 = pid',
  'pid <> 7',
  'pid < 7',
  '7 > pid',
  'pid >= 7::int2',
  'nice <= 3::bigint',
  'pid between 3 and 9',
  'kthread',
  'not kthread',
  'kthread = false',
  'kthread is not true',
  'kthread is not false',
  'kthread is unknown',
  'kthread is not unknown',
  "name = 'init'",
  "name <> 'init'",
  'name > \'k\' collate "C"',
  "name ~<~ 'k'",
  "name like 'k%'",
  "name like 'k%r%1'",
  "name like '50\\%%'",
  "name like '50\\%\\_off'",
  "name like 'init'",
  "name like '%'",
  "name like ''",
  "name not like 'k%'",
  "name ^@ 'post'",
  "name ^@ ''",
  "name like 'Grö%'",
  "name like '日%'",
  'name like null',
  'path is null',
  'path is not null',
  "path = 'sh'",
  "path <> 'sh'",
  'not (path is null)',
  "path like 'a\\\\\\\\%'",
  'pid in (1, 2, 3)',
  'pid in (1, null, 3)',
  'pid not in (1, 2)',
  'pid not in (1, null)',
  'pid = any (array[]::bigint[])',
  'pid <> all (array[]::bigint[])',
  'pid <> all (null::bigint[])',
  'pid < any (array[3, 5])',
  'pid < all (array[3, 5])',
  "name in ('sh', 'zz', '')",
  'resident_size in (1, 2, 23)',
  'resident_size <> all (array[1, null, 23])',
  'pid = null',
  'pid = 1 or pid = 2',
  'pid = 1 or path is null',
  "(pid < 9 and kthread) or (uid > 3 and name = 'zz')",
  'not (pid < 9 or kthread)',
  'pid < 9 and length(name) = 4',
  '(pid < 9 and length(name) = 4) or uid = 7',
  'pid = 1 or length(name) = 4',
  'pid = (select 3::bigint)',
  'pid in (select tgid from threads)',
  'exists (select from threads t where t.tgid = processes.pid)',
  'pid % 2 = 0 and pid > 3',
  "name || 'x' = 'initx'",
  'resident_size > 3 and resident_size is not null',
  "pid::text = '3'",
  'nice = any (array[1, 2]) is true',
  'coalesce(resident_size, 0) = 0',
  'uid = gid - 1 and pid < 20',
  'task_addr = -5',
];

/** Over processes, threads and page_faults. */
export const queries = [
  'select pid, name from processes order by pid limit 5',
  'select pid from processes order by pid offset 35 limit 9',
  'select pid from processes where kthread order by pid limit 3',
  "select pid from processes where name like 'k%r%' order by pid limit 2",
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
];

async function rowsIn(client: pg.Client, schema: string, query: string, values: unknown[]): Promise<string[]> {
  await client.query(`set search_path = ${schema}, public`);
  const { rows } = await client.query<unknown[]>({ text: query, values, rowMode: 'array' });
  return rows.map((row) => JSON.stringify(row));
}

/** Compares the answers of two schemas as multisets, or in order if the query says so; returns how many rows. */
export async function sameRows(
  client: pg.Client,
  foreign: string,
  copy: string,
  query: string,
  values: unknown[] = [],
): Promise<number> {
  const there = await rowsIn(client, foreign, query, values);
  const here = await rowsIn(client, copy, query, values);
  if (!/order by/.test(query)) {
    there.sort();
    here.sort();
  }
  expect(there, query).toEqual(here);
  return here.length;
}

/** The current machine, and the views over it, on made-up rows: what the guest claims is not to be trusted. */
import { beforeAll, expect, test } from 'vitest';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type pg from 'pg';
import { createDatabase } from './harness/cluster.js';
import { failure, startPeer } from './fdw/setup.js';

let client: pg.Client;
let sockets: string;

beforeAll(async () => {
  const peer = await startPeer();
  const run = dirname(peer.path);
  sockets = join(run, 'vm');
  mkdirSync(sockets, { mode: 0o755 });
  client = await (await createDatabase()).connect();
  await client.query(`set linuxsql.run_directory = '${run}'`);
});

test('none, one and several machines', async () => {
  expect(await failure(() => client.query('select * from linux.processes'))).toMatchObject({
    code: '55000',
    message: 'there is no machine',
  });
  writeFileSync(join(sockets, 'one.sock'), '');
  writeFileSync(join(sockets, 'Not a name.sock'), '');
  expect((await client.query('select from linux.processes')).rowCount).toBe(40);
  writeFileSync(join(sockets, 'two.sock'), '');
  expect(await failure(() => client.query('select * from linux.processes'))).toMatchObject({
    code: '55000',
    message: 'there are several machines',
  });
  await client.query("set linuxsql.machine = 'two'");
  expect((await client.query('select from linux.processes')).rowCount).toBe(40);
  rmSync(join(sockets, 'two.sock'));
  expect((await failure(() => client.query("select * from vm_status('../../etc/passwd')"))).code).toBe('22023');
});

test('the tree shows every process once, though parents form cycles and miss', async () => {
  const { rows } = await client.query<{ tree_display: string; pid: string; ppid: string }>(
    'select * from vm_proc_tree()',
  );
  expect(rows.map(({ pid }) => Number(pid)).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  const at = new Map(rows.map((row, i) => [row.pid, i]));
  for (const [i, row] of rows.entries()) {
    if (!/[├└]/.test(row.tree_display)) continue;
    const parent = at.get(row.ppid) ?? Infinity;
    expect(parent).toBeLessThan(i);
  }
});

test('a chain of a few thousand processes, each the parent of the next, is drawn in time', async () => {
  await client.query("set linuxsql.machine = 'rows-4000'");
  const { rows } = await client.query<{ n: number; depth: number }>(
    'select count(*)::int as n, max(length(tree_display))::int as depth from vm_proc_tree()',
  );
  expect(rows[0]?.n).toBe(4000);
  await client.query("set linuxsql.machine = 'chain'");
  const { rows: chain } = await client.query<{ n: number }>('select count(*)::int as n from vm_proc_tree()');
  expect(chain).toEqual([{ n: 3000 }]);
});

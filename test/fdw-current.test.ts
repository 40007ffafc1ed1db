/** The current machine, and the views over it, on made-up rows: what the guest claims is not to be trusted. */
import { beforeAll, expect, test } from 'vitest';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createServer } from 'node:net';
import type pg from 'pg';
import { frameType, protocolVersion } from '../introspect/src/gen/wire.js';
import { atEnd } from './harness/cleanup.js';
import { createDatabase } from './harness/cluster.js';
import { randomFrom } from './harness/random.js';
import { frameBytes, FrameSplitter, Writer } from './fdw/frames.js';
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

function stateFrame(): Buffer {
  const out = new Writer().u32(0).u32(0);
  for (let i = 0; i < 7; i++) out.u64(BigInt(i));
  return out.text('liar').done();
}

/** A daemon that greets well and answers everything with a VM_STATE of which some bytes are wrong; every fourth is right. */
async function startLiar(path: string, next: () => number): Promise<void> {
  let answers = 0;
  const server = createServer((socket) => {
    const splitter = new FrameSplitter();
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const { type, request } of splitter.push(bytes)) {
        if (type === frameType.hello) {
          const welcome = new Writer().u16(protocolVersion).text('x').text('liar').u32(1).done();
          socket.write(frameBytes(frameType.welcome, request, welcome));
          continue;
        }
        const answer = frameBytes(frameType.vmState, request, stateFrame());
        if (answers++ % 4 !== 0) answer[next() % answer.length] = next() % 256;
        socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o666);
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
}

test('a daemon that lies costs an error, never the backend', async () => {
  const random = randomFrom(7);
  await startLiar(join(sockets, 'liar.sock'), () => random.below(1 << 20));
  await client.query("set statement_timeout = '200ms'; set linuxsql.connect_timeout = '200ms'");
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const query = i % 2 === 0 ? "select * from vm_status('liar')" : "select * from vm_step_until('idle', 5, 'liar')";
    seen.add(
      await client.query(query).then(
        () => 'answered',
        (error: pg.DatabaseError) => error.code ?? 'lost',
      ),
    );
  }
  await client.query('reset statement_timeout');
  expect([...seen].sort()).toEqual(['08P01', '57014', 'answered']);
});

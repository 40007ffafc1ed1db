/**
 * A machine inside a machine: the PostgreSQL of a real guest runs linuxsql-vm, by either engine, over the image the guest
 * itself lies in. What the inner guest is after the boot of its kernel must be what the same guest is on this host.
 */
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { importImage } from '../cli/src/image/index.js';
import { nestedImage } from '../cli/src/image/standard.js';
import { debianImage } from '../cli/src/setup/debian.js';
import { waitUntil } from '../cli/src/server/sockets.js';
import { startChain, type Chain } from './harness/chain.js';
import { atEnd } from './harness/cleanup.js';
import { freePort } from './machine/network.js';

const bootargs = 'console=ttyS0 root=/dev/vda rw init=/usr/lib/linuxsql/init quiet';
const budget = 100_000_000_000;

let chain: Chain;
let host: pg.Client;
let inner: pg.Client;

interface Reached {
  stopped_by: string;
  instret: string;
}

/** The machine that is compared: everything about it fixed, so that it has one future. */
async function makeMachine(client: pg.Client, name: string): Promise<void> {
  await client.query(
    `select linuxsql.create_machine($1, 'opensbi', 'linux-6.1', $2, memory_bytes => 256 << 20, bootargs => $3,
       seed => sha256('inner'), rtc_epoch_ns => 1767225600000000000)`,
    [name, nestedImage.name, bootargs],
  );
}

async function bootTo(client: pg.Client, name: string, condition: string): Promise<Reached> {
  await client.query('select vm_start($1, paused => true)', [name]);
  const { rows } = await client.query<Reached>('select stopped_by, instret from vm_step_until($1, $2, $3)', [
    condition,
    budget,
    name,
  ]);
  return rows[0] ?? { stopped_by: 'nothing', instret: '0' };
}

async function hashAtInit(client: pg.Client, name: string): Promise<{ reached: Reached; hash: string }> {
  await makeMachine(client, name);
  const reached = await bootTo(client, name, 'init:proc');
  const { rows } = await client.query<{ hash: string }>('select vm_state_hash($1) as hash', [name]);
  await client.query('select vm_stop($1, force => true)', [name]);
  return { reached, hash: rows[0]?.hash ?? '' };
}

async function innerConnection(port: number): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'linuxsql' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

beforeAll(async () => {
  const image = await debianImage();
  chain = await startChain({ machine: 'other', initrdOnly: true, settings: { 'linuxsql.start_timeout': '600s' } });
  await importImage(chain.database.config, {
    name: nestedImage.name,
    kind: 'disk',
    file: image.file,
    sha256: Buffer.from(image.sha256, 'hex'),
  });
  host = await chain.connect();
  atEnd(() => host.end());
  await host.query('update linuxsql.image set shown = true where name = $1', [nestedImage.name]);
  const port = await freePort();
  await host.query("select vm_create('outer', disk => $1, memory => '1 GB', bootargs => $2, network => 'isolated')", [
    nestedImage.name,
    `${bootargs} linuxsql.introspect=off`,
  ]);
  await host.query("select vm_forward('outer', $1, 5432)", [port]);
  const reached = await bootTo(host, 'outer', 'console:linuxsql: level 1 ready');
  expect(reached.stopped_by).toBe('console');
  await host.query("select vm_resume('outer')");
  inner = await innerConnection(port);
  atEnd(() => inner.end());
}, 1_500_000);

test('the guest runs the PostgreSQL, the extension and the images of its own', async () => {
  const { rows } = await inner.query<Record<string, unknown>>(
    `select current_setting('server_version_num')::integer / 10000 as major, e.extname, i.images, s.path, s.byte_offset
     from pg_extension e, (select string_agg(kind, ' ' order by kind) as images from linuxsql.image) i, linuxsql.image_source s
     where e.extname = 'linuxsql'`,
  );
  expect(rows).toEqual([
    {
      major: 17,
      extname: 'linuxsql',
      images: 'disk firmware kernel',
      path: nestedImage.device,
      byte_offset: String(nestedImage.bytes),
    },
  ]);
});

test('a kernel boots in the guest as on this host, bit for bit, by the JIT and by the interpreter', async () => {
  const here = await hashAtInit(host, 'here');
  expect(here.reached.stopped_by).toBe('init:proc');
  expect(await hashAtInit(inner, 'translated')).toEqual(here);
  // The same daemon behind a script that names the engine.
  await inner.query(
    `copy (select '#!/bin/sh' union all select 'exec ' || current_setting('linuxsql.vm_path') || ' "$@" --engine interp')
       to '/tmp/interpreter'`,
  );
  await inner.query("copy (select '') to program 'chmod 755 /tmp/interpreter'");
  await inner.query("alter system set linuxsql.vm_path = '/tmp/interpreter'");
  await inner.query('select pg_reload_conf()');
  const settled = async (): Promise<boolean> => {
    const { rows } = await inner.query<{ path: string }>("select current_setting('linuxsql.vm_path') as path");
    return rows[0]?.path === '/tmp/interpreter';
  };
  expect(await waitUntil(settled, 30_000)).toBe(true);
  expect(await hashAtInit(inner, 'interpreted')).toEqual(here);
}, 600_000);

test('the guest reads the kernel of its guest, once it has started introspection', async () => {
  await inner.query("select inception.make('seen', 2, '256 MB', true)");
  expect(await bootTo(inner, 'seen', 'init:proc')).toMatchObject({ stopped_by: 'init:proc' });
  await inner.query("set linuxsql.machine = 'seen'");
  await inner.query('select inception.introspect()');
  const { rows } = await inner.query(
    "select comm, pid, ppid, state from vm_proc_tree() where comm ~ '^(init|kthreadd)$'",
  );
  expect(rows).toEqual([
    { comm: 'init', pid: '1', ppid: '0', state: 'R' },
    { comm: 'kthreadd', pid: '2', ppid: '0', state: 'S' },
  ]);
}, 600_000);

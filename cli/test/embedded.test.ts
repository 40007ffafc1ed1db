/** The life of an embedded server, in a state folder of its own. */
import { chmodSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { daemonsOf, isAlive } from '../src/base/proc.js';
import { cache, checkout } from '../src/base/paths.js';
import { waitUntil } from '../src/server/sockets.js';
import { atEnd } from '../../test/harness/cleanup.js';
import { run } from '../../test/harness/processes.js';
import { tempDir } from '../../test/harness/temp.js';

let home: string;
const linuxsql = (args: readonly string[], input?: string): ReturnType<typeof run> =>
  run(process.execPath, [join(checkout, 'dist/cli/src/main.js'), ...args], {
    env: { LINUXSQL_HOME: home, LINUXSQL_CACHE: cache },
    timeoutMs: 180_000,
    ...(input === undefined ? {} : { input }),
  });

const query = async (sql: string): Promise<string> => (await linuxsql(['psql', '-AtX', '-c', sql])).stdout.trim();

interface Status {
  server: string;
  introspect: string;
  machines: { machine: string; state: string }[];
  folders: { run: string };
}
const status = async (): Promise<Status> => JSON.parse((await linuxsql(['status', '--json'])).stdout) as Status;
const serverPid = async (): Promise<number> => Number(/process (\d+)/.exec((await status()).server)?.[1]);

async function upAgain(): Promise<void> {
  const { code, stderr } = await linuxsql(['up']);
  expect(code, stderr).toBe(0);
}

async function bootToPrompt(): Promise<void> {
  await query("select vm_start('vm1', true)");
  expect(await query("select stopped_by from vm_step_until('console:linuxsql:~# ')")).toBe('console');
  await query("select * from vm_resume('vm1')");
}

beforeAll(() => {
  home = tempDir();
  chmodSync(home, 0o755);
  atEnd(() => linuxsql(['down']).then(() => undefined));
});

test('up makes everything, and again changes nothing', async () => {
  const first = await linuxsql(['up']);
  expect(first.stderr).toContain('vm1 created');
  expect(first.code).toBe(0);
  const pid = await serverPid();
  const second = await linuxsql(['up']);
  expect(second.stderr.trim().split('\n')).toHaveLength(1);
  expect(await serverPid()).toBe(pid);
  expect(await query('show listen_addresses')).toBe('');
  expect((await status()).introspect).toBe('running');
});

test('guests come before introspect where processors are few', async () => {
  const { folders } = await status();
  const introspect = Number(readFileSync(join(folders.run, 'introspect.pid'), 'utf8'));
  expect(getPriority(introspect)).toBe(getPriority(await serverPid()) + 5);
});

test('the console reaches the guest from a pipe', async () => {
  await bootToPrompt();
  const { stdout, code } = await linuxsql(['console', 'vm1'], 'echo $((6*7))-answer\n');
  expect(stdout).toContain('42-answer');
  expect(code).toBe(0);
});

test('after kill -9 of the server, up starts it again and finds the machine running', async () => {
  const pid = await serverPid();
  process.kill(pid, 'SIGKILL');
  expect(await waitUntil(() => !isAlive(pid), 10_000)).toBe(true);
  expect((await status()).server).toBe('stopped');
  await upAgain();
  // Until its daemon has found the new server it says that it waits.
  await expect.poll(() => query('select state from vm_list()'), { timeout: 30_000 }).toBe('running');
});

test('down leaves no process behind, and what the guest flushed is there after the next up', async () => {
  await linuxsql(['console', 'vm1'], 'echo kept >/root/kept; sync\n');
  const { run: folder } = (await status()).folders;
  const down = await linuxsql(['down']);
  expect(down.stderr).toContain('machine vm1 stopped');
  expect(down.code).toBe(0);
  expect(daemonsOf(folder)).toEqual([]);
  expect(await status()).toMatchObject({ server: 'stopped', introspect: 'not running' });
  await upAgain();
  await bootToPrompt();
  expect((await linuxsql(['console', 'vm1'], 'cat /root/kept\n')).stdout).toContain('\nkept');
});

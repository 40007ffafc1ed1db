/**
 * linuxsql-vm is confined in every mode, in every thread, and confined it still does all it must: write its disk, find
 * PostgreSQL again after a restart (Unix socket and TCP), remove its socket. What exactly the filter refuses, and that
 * it ends an intruder, is vm-core/test/confine_test.c.
 */
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serverAccount } from '../../cli/src/base/account.js';
import { checkout } from '../../cli/src/base/paths.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { vmBinary } from '../harness/artifacts.js';
import { startChain, type Chain } from '../harness/chain.js';
import { atEnd } from '../harness/cleanup.js';
import { prompt, startGuest } from '../harness/guest.js';
import { spawnOwned } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { linkBare } from '../isa/harness.js';

/** Seccomp and NoNewPrivs of every thread; [2, 1] each when it is confined. */
function confinement(pid: number): { seccomp: number; noNewPrivs: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\t(\\d+)$`, 'm').exec(status)?.[1] ?? -1);
    return { seccomp: field('Seccomp'), noNewPrivs: field('NoNewPrivs') };
  });
}

async function expectConfined(pid: number, threads: number): Promise<void> {
  // The filter comes last in start-up, after the socket that tells others of it.
  await waitUntil(() => confinement(pid).every(({ seccomp }) => seccomp === 2), 5000, 5);
  const all = confinement(pid);
  expect(all.length).toBeGreaterThanOrEqual(threads);
  expect(new Set(all.map(({ seccomp, noNewPrivs }) => `${seccomp} ${noNewPrivs}`))).toEqual(new Set(['2 1']));
}

test('a bare program', async () => {
  const program = join(tempDir(), 'spin.elf');
  await linkBare(join(checkout, 'test/security/spin.S'), join(checkout, 'test/isa/bare/layout.ld'), program);
  const owned = spawnOwned(vmBinary(), ['--bare', program]);
  await expectConfined(owned.pid, 1);
  owned.kill('SIGKILL');
  await owned.exited();
});

test.each(['interp', 'jit', 'lockstep'])(
  'a machine from files with engine %s',
  { timeout: 120_000 },
  async (engine) => {
    const guest = await startGuest({ args: ['--engine', engine, '--paused'] });
    await expectConfined(guest.pid, 2);
    await guest.stop();
    expect(existsSync(guest.controlSocket)).toBe(false);
    expect(existsSync(`${guest.controlSocket}.lock`)).toBe(false);
  },
);

test('a machine with a disk file, an input log, statistics, and a reboot', { timeout: 300_000 }, async () => {
  const folder = tempDir();
  const [log, stats] = [join(folder, 'inputs'), join(folder, 'stats.json')];
  const guest = await startGuest({ disk: true, args: ['--idle', 'jump', '--input-log', log, '--stats', stats] });
  await guest.expect(prompt);
  await expectConfined(guest.pid, 3);
  await guest.shell('echo kept >/root/file; sync');
  guest.send('reboot\n'); // the engine and its code cache are made anew
  await guest.expect('Linux version', 120_000);
  await guest.expect(prompt, 120_000);
  expect(await guest.shell('cat /root/file')).toBe('kept');
  guest.send('poweroff\n');
  expect(await guest.process.exited()).toBe(0);
  expect(readFileSync(log, 'utf8').split('\n').length).toBeGreaterThan(3);
  expect(readFileSync(stats, 'utf8')).toContain('state_sha256');
  expect(existsSync(guest.controlSocket)).toBe(false);
});

async function machinePid(chain: Chain): Promise<number> {
  await waitUntil(() => chain.pids('machine').length === 1, 30_000);
  const [pid] = chain.pids('machine');
  if (pid === undefined) throw new Error(`the machine does not run:\n${chain.cluster.log().slice(-2000)}`);
  return pid;
}

/** The guest's disk is written before and after the server was away, by the same process. */
async function survivesRestart(chain: Chain): Promise<void> {
  const client = await chain.connect();
  await client.query("select vm_start('vm1', paused => true)");
  await client.query('select * from vm_status()');
  const pid = await machinePid(chain);
  await expectConfined(pid, 3);
  const { rows } = await client.query<{ met: boolean }>(
    `select condition_met as met from vm_step_until('console:${prompt}', 60000000000)`,
  );
  expect(rows).toEqual([{ met: true }]);
  await client.end();
  await chain.cluster.restart();
  const again = await chain.connect();
  await again.query('select vm_console_write(E\'echo later >/root/later; sync; echo do""ne\\n\')');
  const step = await again.query<{ met: boolean }>(
    "select condition_met as met from vm_step_until('console:done', 20000000000)",
  );
  expect(step.rows).toEqual([{ met: true }]);
  expect(chain.pids('machine')).toEqual([pid]);
  const counter = await again.query<{ n: number }>(
    "select value as n from linux.counters where metric = 'store_reconnects'",
  );
  expect(counter.rows[0]?.n).toBeGreaterThan(0);
  await again.query('select vm_stop()');
  await waitUntil(() => !existsSync(chain.controlSocket), 5000);
  expect(existsSync(chain.controlSocket)).toBe(false);
  await again.end();
}

test('a machine of the database, through a restart of PostgreSQL', { timeout: 300_000 }, async () => {
  await survivesRestart(await startChain());
});

/** A TCP port on this host that leads to the cluster's Unix socket. */
async function tcpPort(chain: Chain): Promise<number> {
  const server = createServer((near) => {
    const far = createConnection(join(chain.cluster.socketDir, '.s.PGSQL.5432'));
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  atEnd(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

test('the same over TCP: host by name, password from a file', { timeout: 300_000 }, async () => {
  const chain = await startChain();
  const passwords = join(chain.cluster.socketDir, 'passwords');
  writeFileSync(passwords, '*:*:*:daemon:secret\n', { mode: 0o600 });
  const { uid, gid } = serverAccount();
  if (process.getuid?.() === 0) chownSync(passwords, uid, gid);
  const hba = join(chain.cluster.dataDir, 'pg_hba.conf');
  writeFileSync(hba, `local all daemon scram-sha-256\n${readFileSync(hba, 'utf8')}`);
  const conninfo = `host=localhost port=${await tcpPort(chain)} user=daemon dbname=linuxsql passfile=${passwords}`;
  const client = await chain.connect();
  await client.query("create role daemon login password 'secret' in role linuxsql_operator");
  await client.query(`alter system set linuxsql.conninfo = '${conninfo}'`);
  await client.query('select pg_reload_conf()');
  await client.end();
  await survivesRestart(chain);
});

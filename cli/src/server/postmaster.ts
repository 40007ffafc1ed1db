/** Makes, starts and stops a PostgreSQL cluster that this project owns. */
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../base/account.js';
import { UserError } from '../base/fail.js';
import { capture, mustRun } from '../base/run.js';
import { ensurePrivateFolder } from '../base/place.js';
import { commandLine, isZombie, processesIn } from '../base/proc.js';
import { hostBasedAuthentication, settingsText, type Settings } from './settings.js';

export interface Cluster {
  account: Account;
  /** Folder of the server's programs. */
  bin: string;
  data: string;
  socketFolder: string;
  /** Receives what the server says before its own logging starts. */
  startLog: string;
}

export type StopMode = 'smart' | 'fast' | 'immediate';

/** C collation makes text order the same as the row protocol's bytewise order. */
const initOptions = [
  '-U',
  'postgres',
  '-A',
  'trust',
  '-E',
  'UTF8',
  '--lc-collate=C',
  '--lc-ctype=C.UTF-8',
  '--lc-messages=C',
];

/**
 * Makes the data folder unless it is there; it appears whole, by rename. Every attempt has a folder of its own: the
 * initdb of a run that was killed may still be writing.
 */
export async function initCluster(cluster: Cluster, extra: readonly string[] = []): Promise<void> {
  if (existsSync(join(cluster.data, 'PG_VERSION'))) return;
  removeAttempts(cluster.data);
  const fresh = `${cluster.data}${attempt}${process.pid}`;
  ensurePrivateFolder(fresh, cluster.account);
  const initdb = join(cluster.bin, 'initdb');
  const options = { account: cluster.account, timeoutMs: 120_000 };
  await mustRun('making the PostgreSQL cluster', initdb, ['-D', fresh, ...initOptions, ...extra], options);
  writeOwned(cluster, join(fresh, 'pg_hba.conf'), hostBasedAuthentication);
  const main = join(fresh, 'postgresql.conf');
  writeOwned(cluster, main, `include 'linuxsql.conf'\n\n${readFileSync(main, 'utf8')}`);
  rmSync(cluster.data, { recursive: true, force: true });
  renameSync(fresh, cluster.data);
}

const attempt = '.new-';

function removeAttempts(data: string): void {
  for (const name of readdirSync(dirname(data)).filter((entry) => entry.startsWith(`${basename(data)}${attempt}`))) {
    rmSync(join(dirname(data), name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function writeOwned(cluster: Cluster, file: string, text: string): void {
  writeFileSync(`${file}.tmp`, text, { mode: 0o600 });
  if (cluster.account.switched) chownSync(`${file}.tmp`, cluster.account.uid, cluster.account.gid);
  renameSync(`${file}.tmp`, file);
}

function pidFileLines(cluster: Cluster): string[] {
  const file = join(cluster.data, 'postmaster.pid');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}

/** Process id of the running postmaster; a pid file left by a crash does not count. */
export function postmasterPid(cluster: Cluster): number | undefined {
  const pid = Number(pidFileLines(cluster)[0]);
  return Number.isInteger(pid) && pid > 0 && commandLine(pid).includes(cluster.data) ? pid : undefined;
}

export function writeSettings(cluster: Cluster, settings: Settings): boolean {
  const file = join(cluster.data, 'linuxsql.conf');
  const text = settingsText(settings);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
  writeOwned(cluster, file, text);
  return true;
}

function control(cluster: Cluster, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const environment = {
    PGHOST: undefined,
    PGPORT: undefined,
    PGDATABASE: undefined,
    PGUSER: undefined,
    PGOPTIONS: undefined,
  };
  const options = { account: cluster.account, cwd: dirname(cluster.data), env: environment, timeoutMs: 150_000 };
  return capture(join(cluster.bin, 'pg_ctl'), ['-D', cluster.data, ...args], options);
}

/** Processes of a killed postmaster keep its shared memory for the moment they need to notice. */
const orphansMs = 15_000;

/** What names a running postmaster: the pid file of its data folder, and the lock of its socket. */
function lockFiles(cluster: Cluster): string[] {
  const locks = existsSync(cluster.socketFolder)
    ? readdirSync(cluster.socketFolder).filter((name) => /^\.s\.PGSQL\.\d+\.lock$/.test(name))
    : [];
  return [join(cluster.data, 'postmaster.pid'), ...locks.map((name) => join(cluster.socketFolder, name))];
}

/**
 * A killed postmaster that nobody has waited for (containers often have an init that does so late, or not at all) stays
 * in the process table as a zombie, and PostgreSQL takes it for a running server, by either of the files that name it.
 * They go once no process of it is left.
 */
function removeZombieLocks(cluster: Cluster): void {
  for (const file of lockFiles(cluster)) {
    const pid = existsSync(file) ? Math.abs(Number(readFileSync(file, 'utf8').split('\n')[0])) : 0;
    if (!Number.isInteger(pid) || pid <= 0 || !isZombie(pid)) continue;
    if (processesIn(cluster.data).length === 0) rmSync(file, { force: true });
  }
}

const tail = (file: string): string => readFileSync(file, 'utf8').trim().split('\n').slice(-15).join('\n');

/** What the server said: to its start log, and from a moment on to the newest file in the folder of its own logging. */
function startLogTail(cluster: Cluster): string {
  if (!existsSync(cluster.startLog)) return '';
  const said = tail(cluster.startLog);
  const folder = /Future log output will appear in directory "(.*)"/.exec(said)?.[1];
  if (folder === undefined || !existsSync(folder)) return said;
  const files = readdirSync(folder).filter((name) => name.startsWith('postgresql-'));
  const newest = files.map((name) => join(folder, name)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  return newest === undefined ? said : `${said}\n${tail(newest)}`;
}

/** Starts the server and waits until it accepts connections. */
export async function startPostmaster(cluster: Cluster): Promise<void> {
  const patience = Date.now() + orphansMs;
  for (;;) {
    if (postmasterPid(cluster) !== undefined) return;
    removeZombieLocks(cluster);
    rmSync(cluster.startLog, { force: true });
    const { code, stdout, stderr } = await control(cluster, '-w', '-t', '120', '-s', '-l', cluster.startLog, 'start');
    if (code === 0) return;
    const said = startLogTail(cluster);
    if (!/pre-existing shared memory block|lock file .* already exists/.test(said) || Date.now() > patience) {
      throw new UserError('the PostgreSQL server did not start', {
        hint: [`${stdout}${stderr}`.trim(), said && `${cluster.startLog}:\n${said}`].filter(Boolean).join('\n'),
      });
    }
    await sleep(200);
  }
}

/** Stops the server; false when none was running. */
export async function stopPostmaster(cluster: Cluster, mode: StopMode = 'fast'): Promise<boolean> {
  if (postmasterPid(cluster) === undefined) return false;
  const { code, stdout, stderr } = await control(cluster, '-w', '-t', '120', '-s', '-m', mode, 'stop');
  if (code !== 0 && postmasterPid(cluster) !== undefined) {
    throw new UserError('the PostgreSQL server did not stop', { hint: `${stdout}${stderr}`.trim() });
  }
  return true;
}

/** Real PostgreSQL for tests: one cluster shared by a vitest run, databases from a template, and clusters of one's own. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { embeddedCluster, supervisorSettings } from '../../cli/src/server/embedded.js';
import {
  initCluster,
  postmasterPid,
  startPostmaster,
  stopPostmaster,
  writeSettings,
  type Cluster,
} from '../../cli/src/server/postmaster.js';
import { preloadSettings, privateSettings, type Settings } from '../../cli/src/server/settings.js';
import { postgresBin } from '../../cli/src/base/paths.js';
import { place } from '../../cli/src/base/place.js';
import { daemonsOf, isAlive } from '../../cli/src/base/proc.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { migrateUp } from '../../migrations/migrator.js';
import { atEnd } from './cleanup.js';
import { makeTempDir, removeTree } from './temp.js';

export interface SharedCluster {
  socketDir: string;
  /** Database with migrations and extension, or why it could not be made. */
  template: { name: string } | { failed: string };
}

declare module 'vitest' {
  export interface ProvidedContext {
    cluster: SharedCluster;
  }
}

export interface ClusterOptions {
  /** shared_preload_libraries = 'linuxsql' (and pg_cron): with the supervisor. */
  preload?: boolean;
  settings?: Settings;
  /** Commits wait for their WAL: for tests that kill the server. (The host itself does not crash, so fsync stays off.) */
  durable?: boolean;
  /** Run directory of the daemons; the socket folder unless told otherwise. */
  runDirectory?: string;
}

/** Nothing of a test's cluster is worth keeping, so nothing waits for the disk unless a test is about that. */
const hastySettings: Settings = { fsync: 'off', full_page_writes: 'off', shared_buffers: '128MB', max_wal_size: '1GB' };

export const supervisedDatabase = 'linuxsql';

export class TestDatabase {
  constructor(
    readonly name: string,
    readonly socketDir: string,
  ) {}

  get config(): pg.ClientConfig {
    return { host: this.socketDir, port: 5432, user: 'postgres', database: this.name };
  }

  get conninfo(): string {
    return `host=${this.socketDir} port=5432 user=postgres dbname=${this.name}`;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.config);
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async drop(): Promise<void> {
    await asAdministrator(this.socketDir, (client) =>
      client.query(`drop database if exists "${this.name}" with (force)`),
    );
  }
}

async function asAdministrator<T>(socketDir: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ host: socketDir, port: 5432, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

let counter = 0;

async function createIn(socketDir: string, template: string, wanted?: string): Promise<TestDatabase> {
  const name = wanted ?? `t_${process.pid}_${++counter}`;
  await asAdministrator(socketDir, (client) => client.query(`create database "${name}" template "${template}"`));
  return new TestDatabase(name, socketDir);
}

/** A database with this project's schema and extension. */
export async function fillDatabase(database: TestDatabase): Promise<void> {
  await migrateUp(database.config);
  const client = await database.connect();
  try {
    await client.query('create extension linuxsql');
  } finally {
    await client.end();
  }
}

/** The cluster that global-setup.ts started for this run. */
export function sharedCluster(): SharedCluster {
  return inject('cluster');
}

/** A database of the test file's own in the shared cluster; dropped when the file ends. */
export async function createDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const { socketDir, template } = sharedCluster();
  if (options.empty !== true && 'failed' in template)
    throw new Error(`the template database could not be made: ${template.failed}`);
  const database = await createIn(
    socketDir,
    options.empty === true || 'failed' in template ? 'template0' : template.name,
  );
  atEnd(() => database.drop());
  return database;
}

/** The supervisor may have begun one at its very end, so they are looked for until none has shown up for a while. */
async function endDaemons(run: string): Promise<void> {
  let quiet = 0;
  const noneLeft = (): boolean => {
    const daemons = daemonsOf(run);
    for (const { pid } of daemons) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    }
    quiet = daemons.length === 0 ? quiet + 1 : 0;
    return quiet >= 3;
  };
  await waitUntil(noneLeft, 5000, 30);
}

export class OwnCluster {
  constructor(
    private readonly cluster: Cluster,
    private readonly folder: string,
  ) {}

  get socketDir(): string {
    return this.cluster.socketFolder;
  }

  get dataDir(): string {
    return this.cluster.data;
  }

  get postmasterPid(): number {
    const pid = postmasterPid(this.cluster);
    if (pid === undefined) throw new Error('the test cluster does not run');
    return pid;
  }

  get running(): boolean {
    return postmasterPid(this.cluster) !== undefined;
  }

  /** What the server has logged since it was last started. */
  log(): string {
    return existsSync(this.cluster.startLog) ? readFileSync(this.cluster.startLog, 'utf8') : '';
  }

  /** An empty database, or with `fill` one with schema and extension. */
  async createDatabase(options: { name?: string; fill?: boolean } = {}): Promise<TestDatabase> {
    const database = await createIn(this.socketDir, 'template0', options.name);
    if (options.fill !== false) await fillDatabase(database);
    return database;
  }

  configure(settings: Settings): void {
    writeSettings(this.cluster, settings);
  }

  start(): Promise<void> {
    return startPostmaster(this.cluster);
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await stopPostmaster(this.cluster, mode);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** kill -9 of the postmaster, as a crash would be: its children notice and go. Returns once it is dead. */
  async kill9(): Promise<void> {
    const pid = this.postmasterPid;
    process.kill(pid, 'SIGKILL');
    if (!(await waitUntil(() => !isAlive(pid), 10_000, 5))) throw new Error(`process ${pid} does not die`);
  }

  /** Ends the server first, so that nothing is started again, then the daemons it has started. */
  async remove(): Promise<void> {
    await stopPostmaster(this.cluster, 'immediate');
    await endDaemons(this.folder);
    removeTree(this.folder);
  }
}

/** Starts a cluster that the caller must remove(); tests use startCluster(). */
export async function launchCluster(options: ClusterOptions = {}): Promise<OwnCluster> {
  const folder = makeTempDir();
  const { account, bin: ownBin } = embeddedCluster();
  const bin = existsSync(join(ownBin, 'postgres')) ? ownBin : postgresBin; // no tree yet: databases without the extension still work
  const cluster: Cluster = {
    account,
    bin,
    data: join(folder, 'data'),
    socketFolder: folder,
    startLog: join(folder, 'server.log'),
  };
  await initCluster(cluster, ['--no-sync']);
  const { tree, app } = place();
  writeSettings(cluster, {
    ...privateSettings(folder),
    ...hastySettings,
    synchronous_commit: options.durable === true ? 'on' : 'off',
    ...(options.preload === true
      ? { ...preloadSettings(tree, supervisedDatabase), ...supervisorSettings(options.runDirectory ?? folder, app) }
      : {}),
    ...options.settings,
  });
  const own = new OwnCluster(cluster, folder);
  try {
    await own.start();
  } catch (error) {
    await own.remove();
    throw error;
  }
  return own;
}

/** A cluster of the test file's own; stopped and removed when the file ends. */
export async function startCluster(options: ClusterOptions = {}): Promise<OwnCluster> {
  const cluster = await launchCluster(options);
  atEnd(() => cluster.remove());
  return cluster;
}

/** The wrappers that exist here, each behind a PostgreSQL that has it, all at the same service. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { checkout } from '../../cli/src/base/paths.js';
import { atEnd } from '../harness/cleanup.js';
import { createDatabase, startCluster, type TestDatabase } from '../harness/cluster.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { freshName, machineName } from './held-machine.js';

/** Everything as text, so that nothing is hidden by what the driver makes of it. */
const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value };

export interface Failure {
  sqlstate: string;
  message: string;
  ms: number;
}

export class Wrapper {
  constructor(
    readonly name: string,
    private readonly config: pg.ClientConfig,
    /** Definition of a server of that machine at a socket (as the backend sees it). */
    readonly serverDefinition: (server: string, machine: string, socket: string) => string,
    readonly serviceFolder: string,
    /** Table definition of a relation, for tables that are not imported. */
    readonly tableOption: string,
  ) {}

  get socket(): string {
    return join(this.serviceFolder, 'introspect.sock');
  }

  /** A session whose unqualified names are the relations of the held machine. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.config, types: asText });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('set search_path = relations, public; set client_min_messages = error');
    return client;
  }

  /** Servers and relations of both machines, and a table of one that is not there. */
  async define(): Promise<void> {
    const client = await this.connect();
    const defined = client.query(`
      ${this.serverDefinition('vm1', machineName, this.socket)};
      ${this.serverDefinition('nowhere', 'elsewhere', this.socket)};
      ${this.serverDefinition('fresh', freshName, this.socket)};
      create schema relations;
      create schema nowhere;
      create schema fresh;
      import foreign schema linux from server vm1 into relations;
      import foreign schema linux from server fresh into fresh;
      create foreign table relations.no_such_relation (a int) server vm1 options (${this.tableOption} 'no_such_relation');
      create foreign table relations.elsewhere (pid bigint) server nowhere options (${this.tableOption} 'processes')`);
    await defined.catch((error: pg.DatabaseError) => {
      throw new Error(`${this.name}: ${error.message}: ${error.detail ?? ''}`);
    });
    await client.end();
  }
}

export function multicornServer(server: string, machine: string, socket: string): string {
  return `create server ${server} foreign data wrapper multicorn options (
    wrapper 'linuxsql_multicorn.LinuxSqlForeignDataWrapper', machine '${machine}', socket '${socket}')`;
}

/** The examples of the relations show addresses with it; the extension brings its own. */
const hexFunction = `create function hex(bigint) returns text language sql immutable as $$ select '0x' || to_hex($1) $$`;

async function once(config: pg.ClientConfig, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

export async function extensionWrapper(serviceFolder: string): Promise<Wrapper> {
  const database = await createDatabase();
  const server = (name: string, machine: string, socket: string): string =>
    `create server ${name} foreign data wrapper linuxsql options (machine '${machine}', socket '${socket}')`;
  const wrapper = new Wrapper('C extension', database.config, server, serviceFolder, 'relation');
  await wrapper.define();
  return wrapper;
}

/** Debian 11's PostgreSQL 13 with Multicorn 1.4, in a chroot that sees the service's folder as /run/linuxsql. */
export async function startChroot(serviceFolder: string): Promise<pg.ClientConfig> {
  const script = join(checkout, 'fdw/multicorn/chroot.sh');
  const share = tempDir();
  atEnd(async () => void (await run('bash', [script, 'stop', share], { timeoutMs: 40_000 })));
  const { code, stdout, stderr } = await run('bash', [script, 'start', share, serviceFolder], { timeoutMs: 300_000 });
  if (code !== 0) throw new Error(`the chroot with Multicorn did not start:\n${stderr}`);
  if (!stdout.includes(`host=${share}`)) throw new Error(`chroot.sh told no connection string: ${stdout}`);
  return { host: share, port: 5432, user: 'linuxsql', database: 'postgres' };
}

export async function chrootWrapper(serviceFolder: string): Promise<Wrapper> {
  const config = await startChroot(serviceFolder);
  await once(config, hexFunction);
  const wrapper = new Wrapper('Multicorn 1.4 in a chroot', config, multicornServer, '/run/linuxsql', 'relation');
  await wrapper.define();
  return wrapper;
}

async function multicornVersion(database: TestDatabase): Promise<string | undefined> {
  const { rows } = await once(
    database.config,
    `select max(version) as version from pg_available_extension_versions where name = 'multicorn' and version ~ '^[2-9]'`,
  );
  const [{ version }] = rows as [{ version: string | null }];
  return version ?? undefined;
}

/** multicorn2 of the server itself, where somebody has installed it. */
export async function installedWrapper(serviceFolder: string): Promise<Wrapper | undefined> {
  const version = await multicornVersion(await createDatabase({ empty: true }));
  if (version === undefined) return undefined;
  const packages = tempDir();
  cpSync(join(checkout, 'fdw/multicorn/linuxsql_multicorn'), join(packages, 'linuxsql_multicorn'), { recursive: true });
  const before = process.env['PYTHONPATH'];
  process.env['PYTHONPATH'] = before === undefined ? packages : `${packages}:${before}`;
  const cluster = await startCluster();
  if (before === undefined) delete process.env['PYTHONPATH'];
  else process.env['PYTHONPATH'] = before;
  const database = await cluster.createDatabase({ fill: false });
  await once(database.config, `create extension multicorn version '${version}'; ${hexFunction}`);
  const wrapper = new Wrapper(`multicorn2 ${version}`, database.config, multicornServer, serviceFolder, 'relation');
  await wrapper.define();
  return wrapper;
}

/** How a statement that must fail does. Multicorn reports every error as XX000; the adapter tells the real SQLSTATE in words. */
export async function failureOf(work: () => Promise<unknown>): Promise<Failure> {
  const started = performance.now();
  try {
    await work();
  } catch (error) {
    const { code, message, detail } = error as pg.DatabaseError;
    const told = /\(SQLSTATE ([0-9A-Z]{5})\)/.exec(`${message}\n${detail ?? ''}`);
    return {
      sqlstate: told?.[1] ?? code ?? '',
      message: `${message}\n${detail ?? ''}`,
      ms: performance.now() - started,
    };
  }
  throw new Error('the statement did not fail');
}

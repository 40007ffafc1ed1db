/** The database: schema by migrations, the extension, the images and the first machine. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { migrateUp, pendingMigrations } from '../../../migrations/migrator.js';
import { messageOf, UserError } from '../base/fail.js';
import { hashText } from '../base/hash.js';
import { step } from '../base/log.js';
import { daemonFiles } from '../base/place.js';
import { checkout } from '../base/paths.js';
import { awaitConnections, clientConfig, databaseName, externalServer, withClient } from './session.js';

export const extensionVersion = '0.1.0';
const installScript = join(checkout, `fdw/sql/linuxsql--${extensionVersion}.sql`);

/** Makes the database, and a superuser role of the caller's own name so that plain `psql -d linuxsql` works. */
async function ensureDatabase(): Promise<void> {
  await awaitConnections();
  await withClient(async (client) => {
    const caller = userInfo().username;
    const { rows } = await client.query<{ database: boolean; role: boolean }>(
      'select exists (select from pg_database where datname = $1) as database, exists (select from pg_roles where rolname = $2) as role',
      [databaseName, caller],
    );
    if (rows[0]?.role !== true) await client.query(`create role ${client.escapeIdentifier(caller)} superuser login`);
    if (rows[0]?.database !== true) await client.query(`create database ${databaseName} template template0`);
  }, 'postgres');
}

async function ensureMigrations(): Promise<void> {
  if ((await pendingMigrations(clientConfig())).length === 0) return;
  for (const { name } of await migrateUp(clientConfig())) step('database', `migration ${name}`);
}

/** How the extension and its daemons come to a server that is not ours. */
export function installationAdvice(database: string): string {
  const { vm, introspect } = daemonFiles(checkout);
  return [
    "on the server's machine, as an administrator, in a checkout of this version where `npm run setup` has run:",
    '  make -C fdw PG_CONFIG=/path/to/its/pg_config install',
    'in its postgresql.conf, and then a restart (its account must be able to read these files):',
    "  shared_preload_libraries = 'linuxsql'",
    `  linuxsql.database = '${database}'`,
    `  linuxsql.vm_path = '${vm}'`,
    `  linuxsql.introspect_command = '${process.execPath} ${introspect}'`,
  ].join('\n');
}

/** Whether the server's installation has this version of the extension. */
export async function extensionAvailable(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ version: string }>(
    "select version from pg_available_extension_versions where name = 'linuxsql'",
  );
  return rows.some(({ version }) => version === extensionVersion);
}

async function ensureAvailable(client: pg.Client): Promise<void> {
  if (await extensionAvailable(client)) return;
  const hint =
    externalServer() === undefined ? 'Run `npm run setup` again.' : installationAdvice(client.database ?? databaseName);
  throw new UserError(`the server offers no extension linuxsql ${extensionVersion}`, { hint });
}

/** The install script changes between two states of a checkout while the version stays: then the extension is made anew. */
async function ensureExtension(client: pg.Client): Promise<void> {
  const mark = `install script ${hashText(readFileSync(installScript, 'utf8')).slice(0, 16)}`;
  const { rows } = await client.query<{ mark: string | null }>(
    "select pg_catalog.shobj_description(d.oid, 'pg_database') as mark from pg_extension, pg_database d where extname = 'linuxsql' and d.datname = current_database()",
  );
  const own = externalServer() === undefined;
  if (rows.length > 0 && (!own || rows[0]?.mark === mark)) return;
  if (rows.length > 0 && !(await dropExtension(client))) return;
  await client.query('create extension linuxsql');
  if (own) await client.query(`comment on database ${databaseName} is ${client.escapeLiteral(mark)}`);
  step('database', `extension linuxsql ${extensionVersion} created`);
}

/** Only without cascade: a person's own views over the foreign tables are not thrown away silently. */
async function dropExtension(client: pg.Client): Promise<boolean> {
  try {
    await client.query('drop extension linuxsql');
    return true;
  } catch (error) {
    step(
      'database',
      `the extension's script has changed but ${messageOf(error)}; \`linuxsql reload\` replaces it and everything made from it`,
    );
    return false;
  }
}

async function ensureCron(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ wanted: boolean }>(
    `select current_setting('shared_preload_libraries') ~ 'pg_cron' and current_setting('cron.database_name', true) = current_database()
       and not exists (select from pg_extension where extname = 'pg_cron') as wanted`,
  );
  if (rows[0]?.wanted === true) await client.query('create extension if not exists pg_cron');
}

/** Brings database, schema and extension to the state of this checkout. Quick when they are. */
export async function prepareDatabase(): Promise<void> {
  if (externalServer() === undefined) await ensureDatabase();
  await withClient(ensureAvailable); // before anything is written
  await ensureMigrations();
  await withClient(async (client) => {
    await ensureCron(client);
    await ensureExtension(client);
  });
}

/** Drops the extension with everything made from it; prepareDatabase() makes it anew. */
export async function forgetExtension(): Promise<void> {
  await withClient((client) => client.query('drop extension if exists linuxsql cascade'));
}

/**
 * Runs the migrations. One session advisory lock keeps migrators apart, so that two set-ups may start at once.
 * Every migration runs in one transaction together with its entry in linuxsql.schema_migration.
 */
import { Kysely, Migrator, NO_MIGRATIONS, PostgresDialect, type Migration, type MigrationResultSet } from 'kysely';
import { Pool, type PoolConfig } from 'pg';
import * as createState from './2026-11-22-0001_create_state.js';
import * as createStateFunctions from './2026-11-22-0002_create_state_functions.js';
import * as checkpoints from './2026-11-25-0003_checkpoints.js';
import * as flattenDisks from './2026-11-25-0004_flatten_disks.js';
import * as createNetworks from './2026-11-25-0005_create_networks.js';
import * as forkNetworks from './2026-11-25-0006_fork_networks.js';
import * as createBoot from './2026-11-25-0010_create_boot.js';
import * as findPast from './2026-11-29-0020_find_past.js';
import * as nestedImages from './2026-11-29-0021_nested_images.js';
import * as saveDisks from './2026-11-29-0022_save_disks.js';
import * as collectGarbage from './2026-11-29-0023_collect_garbage.js';

/** Every migration of this folder, by file name; a test compares the two. */
export const migrations: Record<string, Migration> = {
  '2026-11-22-0001_create_state': createState,
  '2026-11-22-0002_create_state_functions': createStateFunctions,
  '2026-11-25-0003_checkpoints': checkpoints,
  '2026-11-25-0004_flatten_disks': flattenDisks,
  '2026-11-25-0005_create_networks': createNetworks,
  '2026-11-25-0006_fork_networks': forkNetworks,
  '2026-11-25-0010_create_boot': createBoot,
  '2026-11-29-0020_find_past': findPast,
  '2026-11-29-0021_nested_images': nestedImages,
  '2026-11-29-0022_save_disks': saveDisks,
  '2026-11-29-0023_collect_garbage': collectGarbage,
};

const lockKey = 0x4c53_514d; // "LSQM"

export interface MigrationReport {
  name: string;
  direction: 'Up' | 'Down';
}

function reported({ error, results }: MigrationResultSet): MigrationReport[] {
  const failed = results?.find((result) => result.status === 'Error');
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(failed ? `migration ${failed.migrationName}: ${reason}` : `migrations: ${reason}`, {
      cause: error,
    });
  }
  return (results ?? [])
    .filter((result) => result.status === 'Success')
    .map(({ migrationName, direction }) => ({ name: migrationName, direction }));
}

async function withMigrator<T>(connection: PoolConfig, work: (migrator: Migrator) => Promise<T>): Promise<T> {
  const pool = new Pool({ ...connection, max: 2, application_name: 'linuxsql migrator' });
  pool.on('error', () => undefined); // an idle connection lost: the next query reports it
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const keeper = await pool.connect();
    keeper.on('error', () => undefined); // lost: the migration's own connection is too, and reports it
    try {
      await keeper.query('select pg_catalog.pg_advisory_lock($1)', [lockKey]);
      const provider = { getMigrations: () => Promise.resolve(migrations) };
      return await work(
        new Migrator({
          db,
          provider,
          migrationTableSchema: 'linuxsql',
          migrationTableName: 'schema_migration',
          migrationLockTableName: 'schema_migration_lock',
        }),
      );
    } finally {
      keeper.release(true); // ends the session, and the lock with it
    }
  } finally {
    await db.destroy();
  }
}

/** Bring the database up to date; what was done, in order. */
export async function migrateUp(connection: PoolConfig): Promise<MigrationReport[]> {
  return withMigrator(connection, async (migrator) => reported(await migrator.migrateToLatest()));
}

/** Undo every migration, state and Large Objects included; what was done, in order. */
export async function migrateDown(connection: PoolConfig): Promise<MigrationReport[]> {
  return withMigrator(connection, async (migrator) => {
    return reported(await migrator.migrateTo(NO_MIGRATIONS));
  });
}

/** Names of the migrations the database does not have yet. */
export async function pendingMigrations(connection: PoolConfig): Promise<string[]> {
  return withMigrator(connection, async (migrator) =>
    (await migrator.getMigrations()).filter((known) => known.executedAt === undefined).map(({ name }) => name),
  );
}

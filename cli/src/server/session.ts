/** Connections to the server in use: the embedded one, or the one DATABASE_URL names. */
import pg from 'pg';
import { codeOf, messageOf, UserError } from '../base/fail.js';
import { place } from '../base/place.js';
import { waitUntil } from './sockets.js';

const startMs = 120_000;

export const databaseName = 'linuxsql';

/** Connection string of an existing server, when the person asked for one. */
export function externalServer(): string | undefined {
  return process.env['DATABASE_URL'] || undefined;
}

export function clientConfig(database: string = databaseName): pg.ClientConfig {
  const url = externalServer();
  if (url !== undefined) return { connectionString: url, application_name: 'linuxsql' };
  return { host: place().run, port: 5432, user: 'postgres', database, application_name: 'linuxsql' };
}

/** The same for libpq programs: conninfo for --db and environment for psql. */
export function conninfo(): string {
  return externalServer() ?? `host=${place().run} port=5432 user=postgres dbname=${databaseName}`;
}

export async function withClient<T>(body: (client: pg.Client) => Promise<T>, database?: string): Promise<T> {
  const client = new pg.Client(clientConfig(database));
  client.on('error', () => undefined); // a broken connection also fails the query that waits on it
  try {
    await client.connect();
  } catch (error) {
    throw unreachable(error);
  }
  try {
    return await body(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A server that is just starting, or whose start another command has begun, refuses for a while. */
export async function awaitConnections(): Promise<void> {
  const settle = async (): Promise<boolean> => {
    const client = new pg.Client(clientConfig('postgres'));
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return true;
    } catch (error) {
      if (['57P03', 'ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(codeOf(error) ?? '')) return false;
      throw unreachable(error);
    }
  };
  if (!(await waitUntil(settle, startMs))) throw new UserError(`the embedded server does not accept connections`);
}

function unreachable(error: unknown): UserError {
  const url = externalServer();
  if (url !== undefined) {
    return new UserError(`cannot connect to the server of DATABASE_URL: ${messageOf(error)}`, {
      hint: 'Unset DATABASE_URL to use the embedded server.',
    });
  }
  const absent = codeOf(error) === 'ENOENT' || codeOf(error) === 'ECONNREFUSED';
  return new UserError(
    `cannot connect to the embedded server: ${messageOf(error)}`,
    absent ? { hint: 'Start it with `linuxsql up`.' } : {},
  );
}

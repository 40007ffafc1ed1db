import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/fail.js';
import { postgresBin } from '../base/paths.js';
import { place } from '../base/place.js';
import { attach, type RunOptions } from '../base/run.js';
import { databaseName, externalServer } from '../server/session.js';

export function psqlProgram(): string {
  const program = join(postgresBin, 'psql');
  if (!existsSync(program))
    throw new UserError('psql is not installed', { hint: 'The Debian package is postgresql-client-15.' });
  return program;
}

/** Connection defaults as libpq reads them, so that arguments like -d or -U keep their meaning. */
export function libpqEnvironment(): Record<string, string> {
  return { PGHOST: place().run, PGPORT: '5432', PGUSER: 'postgres', PGDATABASE: databaseName };
}

export function runPsql(args: readonly string[], options: RunOptions = {}): Promise<number> {
  const url = externalServer();
  const full = url === undefined ? [...args] : ['-d', url, ...args];
  return attach(psqlProgram(), full, { ...options, ...(url === undefined ? { env: libpqEnvironment() } : {}) });
}

export function psql(args: readonly string[]): Promise<number> {
  return runPsql(args);
}

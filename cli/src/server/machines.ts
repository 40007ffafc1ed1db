/** Machines by their sockets in the run folder. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, messageOf, UserError } from '../base/fail.js';
import { place } from '../base/place.js';
import { ControlClient } from '../control/client.js';
import { externalServer, withClient } from './session.js';

export const firstMachine = 'vm1';

/** The run folder in use: ours, or the one the existing server's extension is configured with. */
export async function runFolder(): Promise<string> {
  if (externalServer() === undefined) return place().run;
  return withClient(async (client) => {
    const { rows } = await client.query<{ folder: string | null }>(
      `select coalesce(nullif(pg_catalog.current_setting('linuxsql.run_directory', true), ''),
                       pg_catalog.current_setting('data_directory', true) || '/linuxsql') as folder`,
    );
    const folder = rows[0]?.folder;
    if (!folder)
      throw new UserError('the run directory of the server of DATABASE_URL is not known', {
        hint: 'Set linuxsql.run_directory there.',
      });
    return folder;
  });
}

export function machineSocket(run: string, machine: string): string {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(machine))
    throw new UserError(`"${machine}" is no name of a machine`, { exitCode: 2 });
  return join(run, 'vm', `${machine}.sock`);
}

/** Names of the machines that have a socket; a socket may be left over from a crash. */
export function machinesWithSocket(run: string): string[] {
  const folder = join(run, 'vm');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sock'))
    .map((name) => name.slice(0, -'.sock'.length))
    .sort();
}

/** True for errors that mean that no daemon listens there. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error) ?? '');
}

export async function connectMachine(machine: string): Promise<ControlClient> {
  const socket = machineSocket(await runFolder(), machine);
  try {
    return await ControlClient.connect(socket);
  } catch (error) {
    if (!isAbsent(error)) throw new UserError(`cannot reach machine ${machine}: ${messageOf(error)}`);
    throw new UserError(`machine ${machine} does not run`, {
      hint: `Start it with: linuxsql psql -c "select * from vm_start('${machine}')"`,
    });
  }
}

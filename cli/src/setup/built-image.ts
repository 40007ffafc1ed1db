/** Images that a script builds where they are missing, and whose path it prints. */
import { UserError } from '../base/fail.js';
import { cache } from '../base/paths.js';
import { attach, mustRun } from '../base/run.js';

/** Runs it once with its progress on the terminal, once for the path alone. `what`: "the Debian image". */
export async function builtImage(what: string, script: string, args: readonly string[] = []): Promise<string> {
  const env = { LINUXSQL_CACHE: cache };
  if ((await attach('bash', ['-c', 'exec bash "$0" "$@" >/dev/null </dev/null', script, ...args], { env })) !== 0)
    throw new UserError(`${what} could not be built; its messages stand above`);
  return (await mustRun(`finding ${what}`, 'bash', [script, ...args], { env })).stdout.trim();
}

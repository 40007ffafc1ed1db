/**
 * Runs prepare.mjs in a process of its own under a file lock, so that two commands started at once in one checkout
 * do not install or compile at the same time. The kernel drops the lock when that process ends, however it ends.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));

/** Returns the absolute path of the compiled command line, or ends the process with prepare.mjs's exit code. */
export function ensurePrepared() {
  const state = join(root, '.linuxsql');
  mkdirSync(state, { recursive: true });
  const prepare = [process.execPath, join(folder, 'prepare.mjs')];
  const locked = existsSync('/usr/bin/flock')
    ? ['/usr/bin/flock', '-o', join(state, 'prepare.lock'), ...prepare]
    : prepare;
  const { status, signal, error } = spawnSync(locked[0], locked.slice(1), { stdio: 'inherit', cwd: root });
  if (error) {
    console.error(`linuxsql: cannot run ${locked[0]}: ${error.message}`);
    process.exit(1);
  }
  if (signal) process.exit(130);
  if (status !== 0) process.exit(status ?? 1);
  return join(root, 'dist/cli/src/main.js');
}

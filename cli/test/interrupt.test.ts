/** Set-up that is killed at any moment is finished by running it again. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cache, checkout } from '../src/base/paths.js';
import { atEnd } from '../../test/harness/cleanup.js';
import { run, spawnOwned } from '../../test/harness/processes.js';
import { randomFrom } from '../../test/harness/random.js';
import { tempDir } from '../../test/harness/temp.js';

const main = join(checkout, 'dist/cli/src/main.js');
const interruptions = Number(process.env['LINUXSQL_KILL_ROUNDS'] ?? 4);
const seed = Number(process.env['LINUXSQL_KILL_SEED'] ?? 1);

test(`up is killed ${interruptions} times on its way`, { timeout: 300_000 + interruptions * 10_000 }, async () => {
  const home = tempDir();
  chmodSync(home, 0o755);
  const env = { LINUXSQL_HOME: home, LINUXSQL_CACHE: cache };
  const linuxsql = (...args: string[]): ReturnType<typeof run> =>
    run(process.execPath, [main, ...args], { env, timeoutMs: 180_000 });
  atEnd(() => linuxsql('down').then(() => undefined));
  const random = randomFrom(seed);
  for (let count = 0; count < interruptions; count++) {
    const up = spawnOwned(process.execPath, [main, 'up'], { env });
    await sleep(300 + random.below(2500));
    up.kill('SIGKILL');
    await up.exited();
  }
  const last = await linuxsql('up');
  expect(last.stderr).toContain('[up] ready');
  expect(last.code).toBe(0);
  const machines = await linuxsql('psql', '-AtX', '-c', 'select machine, state from vm_list()');
  expect(machines.stdout).toBe('vm1|stopped\n');
  expect((await linuxsql('image', 'verify', 'mini-initramfs')).stdout).toBe('mini-initramfs: good\n');
});

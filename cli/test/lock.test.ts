import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../src/base/lock.js';
import { checkout } from '../src/base/paths.js';
import { run, spawnOwned } from '../../test/harness/processes.js';

const name = `test-${process.pid}`;

test('two holders never overlap', async () => {
  let inside = 0;
  let most = 0;
  const work = (): Promise<void> =>
    withLock(name, async () => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    });
  await Promise.all([work(), work(), work()]);
  expect(most).toBe(1);
});

test('a holder that is killed frees the lock', async () => {
  const module = join(checkout, 'dist/cli/src/base/lock.js');
  const script = `const { withLock } = await import(${JSON.stringify(module)});
    await withLock(${JSON.stringify(name)}, () => { console.log('held'); return new Promise((r) => setTimeout(r, 600000)); });`;
  const holder = spawnOwned(process.execPath, ['--input-type=module', '-e', script]);
  await expect.poll(() => holder.log()).toContain('held');
  holder.kill('SIGKILL');
  await holder.exited();
  await expect(withLock(name, () => Promise.resolve('mine'))).resolves.toBe('mine');
  await run('rm', ['-f', join(checkout, '.linuxsql', `${name}.lock`)]);
});

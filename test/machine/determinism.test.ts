/** The same start and the same inputs give the same bits; looking at a machine does not change it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { PayloadWriter } from '../../cli/src/control/frames.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import { vmBinary } from '../harness/artifacts.js';
import { prompt, startGuest } from '../harness/guest.js';
import { run, spawnOwned } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { bootArgs, bootTo, RawControl, readStats } from './machine.js';

const target = 300_000_000;

test('two runs to instruction 300,000,000 end in the same state', async () => {
  const first = await bootTo(target, ['--idle', 'jump']);
  const second = await bootTo(target, ['--idle', 'jump']);
  expect(first.instret).toBe(target);
  expect(second.state_sha256).toBe(first.state_sha256);
  expect(second.idle_ns).toBe(first.idle_ns);
  const other = await bootTo(target, ['--idle', 'jump', '--seed', '11'.repeat(32)]);
  expect(other.state_sha256).not.toBe(first.state_sha256);
}, 240_000);

test('views, status requests and console readers leave no trace', async () => {
  const end = 600_000_000; // long enough for many requests at the speed of the JIT
  const alone = await bootTo(end, ['--idle', 'jump']);
  const folder = tempDir();
  const socket = join(folder, 'vm.sock');
  const stats = join(folder, 'stats.json');
  const args = ['--memory', '256M', '--stop-at', String(end), '--idle', 'jump', '--stats', stats, '--control', socket];
  const watched = spawnOwned(vmBinary(), [...(await bootArgs()), ...args]);
  await waitUntil(() => socketAnswers(socket), 10_000);
  const control = await RawControl.connect(socket);
  control.hello();
  control.send('vm_console_attach', 1n, new PayloadWriter().u64(0n).done());
  for (let request = 2n; !control.closed; request += 2n) {
    control.send('vm_view_open', request);
    await waitUntil(() => control.closed || control.answers('vm_view').length * 2 >= Number(request), 10_000);
    const view = control.answers('vm_view').at(-1)?.payload.readBigUInt64LE(0) ?? 0n;
    control.send('vm_view_close', request + 1n, new PayloadWriter().u64(view).done());
    control.send('vm_status', request);
    await sleep(1);
  }
  expect(await watched.exited()).toBe(0);
  expect(control.answers('vm_view').length).toBeGreaterThan(10);
  expect(readStats(stats).state_sha256).toBe(alone.state_sha256);
}, 240_000);

test('a logged session, typed input and a reboot included, is replayed bit for bit', async () => {
  const folder = tempDir();
  const [log, first, second] = ['input.log', 'first.json', 'second.json'].map((name) => join(folder, name));
  if (log === undefined || first === undefined || second === undefined) throw new Error('paths');
  const guest = await startGuest({ args: ['--input-log', log, '--stats', first] });
  await guest.expect(prompt);
  await guest.shell('dd if=/dev/urandom bs=1k count=20 2>/dev/null | md5sum; sleep 1');
  guest.send('reboot -f\n');
  await guest.expect('linuxsql mini ready');
  await guest.expect(prompt);
  await guest.shell('date; cat /proc/sys/kernel/random/boot_id');
  guest.send('poweroff -f\n');
  expect(await guest.process.exited()).toBe(0);
  expect(readFileSync(log, 'utf8')).toMatch(/^1 \d+ \d+ console [0-9a-f]+\n/);
  const replay = [...(await bootArgs()), '--memory', '256M', '--console', 'stdio', '--replay', log, '--stats', second];
  const { code, stdout } = await run(vmBinary(), replay, { timeoutMs: 60_000, input: 'this is not heard\n' });
  expect(code).toBe(0);
  expect(readStats(second).state_sha256).toBe(readStats(first).state_sha256);
  expect(stdout).toBe(guest.output());
}, 240_000);

test('a replay that leaves the logged run says so', async () => {
  const folder = tempDir();
  const log = join(folder, 'input.log');
  const guest = await startGuest({ args: ['--input-log', log] });
  await guest.expect(prompt);
  guest.send('poweroff -f\n');
  expect(await guest.process.exited()).toBe(0);
  const { code, stderr } = await run(
    vmBinary(),
    [...(await bootArgs()), '--memory', '128M', '--replay', log, '--idle', 'jump'],
    { timeoutMs: 60_000, input: '' },
  );
  expect(code).toBe(1);
  expect(stderr).toContain('the replay has left the logged run');
}, 120_000);

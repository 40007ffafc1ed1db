/** Views that come, overlap and go at random instants leave no trace in the guest, whichever engine runs it. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import { IntrospectError } from '../../introspect/src/errors.js';
import { Machine, type MachineView } from '../../introspect/src/machine/machine.js';
import { vmBinary } from '../harness/artifacts.js';
import { spawnOwned } from '../harness/processes.js';
import { randomFrom } from '../harness/random.js';
import { tempDir } from '../harness/temp.js';
import { bootArgs, bootTo, readStats } from './machine.js';

/** Opens and closes views until the machine ends; gives their number. */
async function openMany(socket: string): Promise<number> {
  const machine = new Machine('vm', socket);
  const random = randomFrom(29);
  const open: MachineView[] = [];
  // The socket is there a moment before it is listened to.
  await waitUntil(() => machine.answers(), 10_000, 5);
  for (let count = 0; ; count++) {
    try {
      open.push(await machine.openView());
    } catch (error) {
      if (!(error instanceof IntrospectError)) throw error;
      return count;
    }
    if (open.length > 3 + random.below(8))
      for (const view of open.splice(random.below(open.length), 1)) machine.closeView(view);
    await sleep(random.below(3));
  }
}

test.each([
  ['jit', 150_000_000],
  ['interp', 80_000_000],
  ['lockstep', 30_000_000],
])(
  'views at random instants leave no trace (%s)',
  async (engine, end) => {
    const alone = await bootTo(end, ['--idle', 'jump', '--engine', engine]);
    const folder = tempDir();
    const socket = join(folder, 'vm.sock');
    const stats = join(folder, 'stats.json');
    const args = ['--memory', '256M', '--stop-at', String(end), '--idle', 'jump', '--engine', engine];
    const files = ['--stats', stats, '--control', socket];
    const watched = spawnOwned(vmBinary(), [...(await bootArgs()), ...args, ...files]);
    await waitUntil(() => socketAnswers(socket), 10_000);
    expect(await openMany(socket)).toBeGreaterThan(20);
    expect(await watched.exited()).toBe(0);
    expect(readStats(stats).state_sha256).toBe(alone.state_sha256);
  },
  120_000,
);

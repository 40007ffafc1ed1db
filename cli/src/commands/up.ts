import { join } from 'node:path';
import { elapsed, step } from '../base/log.js';
import { withLock } from '../base/lock.js';
import { prepareDatabase } from '../server/database.js';
import { startEmbedded } from '../server/embedded.js';
import { ensureFirstMachine, ensureImages } from '../server/images.js';
import { runFolder } from '../server/machines.js';
import { externalServer } from '../server/session.js';
import { socketAnswers, waitUntil } from '../server/sockets.js';
import { ensureStages } from '../setup/stages.js';
import { parseArguments } from './arguments.js';

const serviceStartMs = 15_000;

/** The supervisor inside the server starts introspect; without it in shared_preload_libraries nobody does. */
async function awaitIntrospect(): Promise<void> {
  const socket = join(await runFolder(), 'introspect.sock');
  if (await socketAnswers(socket)) return;
  if (!(await waitUntil(() => socketAnswers(socket), serviceStartMs))) {
    step(
      'up',
      `introspect does not answer on ${socket} yet; the server's log tells why (linuxsql status names its folder)`,
    );
  }
}

export async function bringUp(options: { machine: boolean }): Promise<void> {
  await ensureStages();
  await withLock('server', async () => {
    if (externalServer() === undefined && (await startEmbedded())) step('server', `running (${elapsed()})`);
    await prepareDatabase();
    if (!options.machine) return;
    await ensureImages();
    await ensureFirstMachine();
  });
  await awaitIntrospect();
}

export async function up(args: readonly string[]): Promise<number> {
  const { flags } = parseArguments(args, { flags: ['--no-machine'] });
  await bringUp({ machine: !flags.has('--no-machine') });
  step('up', `ready (${elapsed()}); \`linuxsql psql\` connects, \`linuxsql status\` tells more`);
  return 0;
}

import { elapsed, step } from '../base/log.js';
import { withLock } from '../base/lock.js';
import { prepareDatabase } from '../server/database.js';
import { startEmbedded } from '../server/embedded.js';
import { ensureFirstMachine, ensureImages } from '../server/images.js';
import { awaitIntrospect, renewIntrospect } from '../server/introspect.js';
import { externalServer } from '../server/session.js';
import { ensureStages } from '../setup/stages.js';
import { parseArguments } from './arguments.js';

export async function bringUp(options: { machine: boolean }): Promise<void> {
  await ensureStages();
  await withLock('server', async () => {
    if (externalServer() === undefined && (await startEmbedded())) step('server', `running (${elapsed()})`);
    await prepareDatabase();
    if (!options.machine) return;
    await ensureImages();
    await ensureFirstMachine();
  });
  await renewIntrospect();
  await awaitIntrospect();
}

export async function up(args: readonly string[]): Promise<number> {
  const { flags } = parseArguments(args, { flags: ['--no-machine'] });
  await bringUp({ machine: !flags.has('--no-machine') });
  step('up', `ready (${elapsed()}); \`linuxsql psql\` connects, \`linuxsql status\` tells more`);
  return 0;
}

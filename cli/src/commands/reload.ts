/** For developers of the extension: everything that was built is built again if it changed, and the database starts anew. */
import { step } from '../base/log.js';
import { UserError } from '../base/fail.js';
import { withLock } from '../base/lock.js';
import { forgetExtension, prepareDatabase } from '../server/database.js';
import { startEmbedded } from '../server/embedded.js';
import { firstMachine } from '../server/machines.js';
import { externalServer, withClient } from '../server/session.js';
import { ensureStages } from '../setup/stages.js';
import { parseArguments } from './arguments.js';
import { takeDown } from './down.js';
import { bringUp } from './up.js';

async function dropFirstMachine(): Promise<void> {
  await withClient(async (client) => {
    const { rowCount } = await client.query('select from linuxsql.machine where name = $1', [firstMachine]);
    if (rowCount !== 0) await client.query('select linuxsql.drop_machine($1)', [firstMachine]);
  });
}

export async function reload(args: readonly string[]): Promise<number> {
  parseArguments(args, {});
  if (externalServer() !== undefined) throw new UserError('reload is for the embedded server; unset DATABASE_URL');
  await ensureStages();
  await withLock('server', async () => {
    await takeDown();
    await startEmbedded();
    await prepareDatabase();
    await forgetExtension();
    await dropFirstMachine();
  });
  await bringUp({ machine: true });
  step('reload', `the extension and machine ${firstMachine} are new`);
  return 0;
}

/** Stops machines, server and introspect, in the order that loses nothing. */
import { messageOf } from '../base/fail.js';
import { step } from '../base/log.js';
import { withLock } from '../base/lock.js';
import { place } from '../base/place.js';
import { ControlClient } from '../control/client.js';
import { embeddedPid, stopEmbedded } from '../server/embedded.js';
import { stopIntrospect } from '../server/introspect.js';
import { isAbsent, machineSocket, machinesWithSocket } from '../server/machines.js';
import { externalServer } from '../server/session.js';
import { socketAnswers, waitUntil } from '../server/sockets.js';
import { UserError } from '../base/fail.js';
import { parseArguments } from './arguments.js';

const machineStopMs = 60_000;

/** Flushes the machine's disk and ends its daemon. */
async function stopMachine(run: string, machine: string): Promise<void> {
  const socket = machineSocket(run, machine);
  try {
    const client = await ControlClient.connect(socket);
    await client.stop(0).catch(() => undefined); // the connection may end before the answer
    client.close();
  } catch (error) {
    if (!isAbsent(error)) step('down', `machine ${machine}: ${messageOf(error)}`);
    return;
  }
  const gone = await waitUntil(async () => !(await socketAnswers(socket)), machineStopMs);
  step('down', gone ? `machine ${machine} stopped` : `machine ${machine} still writes its disk; it ends by itself`);
}

export async function takeDown(): Promise<void> {
  const { run } = place();
  await Promise.all(machinesWithSocket(run).map((machine) => stopMachine(run, machine)));
  if (embeddedPid() !== undefined) {
    await stopEmbedded();
    step('down', 'server stopped');
  }
  if (await stopIntrospect()) step('down', 'introspect stopped');
}

export async function down(args: readonly string[]): Promise<number> {
  parseArguments(args, {});
  if (externalServer() !== undefined) {
    throw new UserError('the server of DATABASE_URL is not ours to stop', {
      hint: "Machines are stopped with select * from vm_stop('NAME').",
    });
  }
  await withLock('server', takeDown);
  return 0;
}

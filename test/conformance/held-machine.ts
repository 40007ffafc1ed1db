/** A machine that stands still in the middle of its life, and the service that reads it: what all wrappers look at. */
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { serverAccount } from '../../cli/src/base/account.js';
import { ControlClient } from '../../cli/src/control/client.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import { atEnd } from '../harness/cleanup.js';
import { introspectMain } from '../harness/artifacts.js';
import { prompt, startGuest, type Guest } from '../harness/guest.js';
import { spawnOwned, type OwnedProcess } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';

export const machineName = 'vm1';
/** A second machine, which has not executed anything. */
export const freshName = 'vm2';

export class Service {
  private process: OwnedProcess | undefined;

  constructor(readonly folder: string) {}

  get socket(): string {
    return join(this.folder, 'introspect.sock');
  }

  get pid(): number {
    if (this.process === undefined) throw new Error('the service does not run');
    return this.process.pid;
  }

  async start(): Promise<void> {
    const started = spawnOwned(process.execPath, [introspectMain(), '--run-dir', this.folder], { asServerUser: true });
    this.process = started;
    const answers = await waitUntil(() => started.exitCode !== undefined || socketAnswers(this.socket), 20_000);
    if (!answers || started.exitCode !== undefined) throw new Error(`introspect did not start:\n${started.log()}`);
  }

  async kill(): Promise<void> {
    this.process?.kill('SIGKILL');
    await this.process?.exited();
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }
}

export interface HeldMachine {
  guest: Guest;
  control: ControlClient;
  fresh: Guest;
  service: Service;
}

/** Boots mini with a process that has something of everything, then holds the machine. */
export async function startHeldMachine(): Promise<HeldMachine> {
  const folder = tempDir();
  const account = serverAccount();
  mkdirSync(join(folder, 'vm'));
  if (account.switched) chownSync(join(folder, 'vm'), account.uid, account.gid);
  const start = (name: string, more: string[] = []): Promise<Guest> =>
    startGuest({
      controlSocket: join(folder, 'vm', `${name}.sock`),
      args: ['--machine', name, '--control-uid', String(account.uid), ...more],
    });
  const fresh = await start(freshName, ['--paused']);
  const guest = await start(machineName);
  await guest.expect(prompt, 90_000);
  await guest.shell('truth_subject 4 &');
  await guest.expect(/truth_subject \d+ ready/);
  await guest.shell('insmod /lib/modules/*/dummy.ko; cat /proc/self/maps >/tmp/maps; exec 7</tmp/maps; rm /tmp/maps');
  const control = await ControlClient.connect(guest.controlSocket);
  atEnd(() => control.close());
  await control.pause();
  const service = new Service(folder);
  await service.start();
  return { guest, control, fresh, service };
}

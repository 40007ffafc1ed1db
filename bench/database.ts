/** Machines for benchmarks in the embedded server: made, driven over their control socket, and dropped again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { bringUp } from '../cli/src/commands/up.js';
import { UserError } from '../cli/src/base/fail.js';
import { ControlClient } from '../cli/src/control/client.js';
import { standardImages } from '../cli/src/server/images.js';
import { machineSocket, runFolder } from '../cli/src/server/machines.js';
import { withClient } from '../cli/src/server/session.js';
import { waitUntil } from '../cli/src/server/sockets.js';

export const prompt = 'linuxsql:~# ';

/** The guest's console as text, and its keyboard. */
export class GuestConsole {
  private text = '';
  private wake = (): void => undefined;

  constructor(readonly client: ControlClient) {
    client
      .consoleAttach(0n, (_, bytes) => {
        this.text += bytes.toString('latin1');
        this.wake();
      })
      .catch(() => undefined);
  }

  type(text: string): Promise<void> {
    return this.client.consoleWrite(Buffer.from(text));
  }

  /** Returns when the console has shown `wanted` after the last match. */
  async until(wanted: string, timeoutMs = 120_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    for (let index = this.text.indexOf(wanted); ; index = this.text.indexOf(wanted)) {
      if (index >= 0) {
        this.text = this.text.slice(index + wanted.length);
        return;
      }
      if (Date.now() > end)
        throw new UserError(`the guest did not print "${wanted}"`, { hint: this.text.slice(-1000) });
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), sleep(1000)]);
    }
  }
}

export interface BenchMachine {
  name: string;
  console: GuestConsole;
}

async function connectWhenUp(name: string): Promise<ControlClient> {
  const socket = machineSocket(await runFolder(), name);
  let client: ControlClient | undefined;
  const connected = await waitUntil(
    () =>
      ControlClient.connect(socket).then(
        (found) => (client = found) !== undefined,
        () => false,
      ),
    30_000,
  );
  if (!connected || client === undefined) throw new UserError(`machine ${name} did not start`);
  return client;
}

async function drop(client: pg.Client, name: string): Promise<void> {
  await client.query('select vm_stop($1, true)', [name]).catch(() => undefined); // it may not run any more
  const gone = await waitUntil(
    () =>
      client.query('select linuxsql.drop_machine($1)', [name]).then(
        () => true,
        () => false,
      ),
    20_000,
    200,
  );
  if (!gone) throw new UserError(`machine ${name} could not be dropped`);
}

/** Starts a machine with the initramfs over a disk image (or none), and drops it when `body` is done. */
export async function withMachine<T>(disk: string | null, body: (machine: BenchMachine) => Promise<T>): Promise<T> {
  const name = `bench-${process.pid}`;
  return withClient(async (client) => {
    await client.query(
      'select linuxsql.create_machine($1, $2, $3, base_image => $4, initrd => $5, bootargs => $6, memory_bytes => $7)',
      [name, standardImages.firmware, standardImages.kernel, disk, standardImages.initrd, 'console=ttyS0', 256 << 20],
    );
    try {
      await client.query('select vm_start($1)', [name]);
      const control = await connectWhenUp(name);
      try {
        const console = new GuestConsole(control);
        await console.until(prompt);
        return await body({ name, console });
      } finally {
        control.close();
      }
    } finally {
      await drop(client, name);
    }
  });
}

/** The embedded server with its images. */
export function prepareServer(): Promise<void> {
  return bringUp({ machine: true });
}

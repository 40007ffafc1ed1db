/** Machines for benchmarks in the embedded server: made, driven over their control socket, and dropped again. */
import type pg from 'pg';
import { UserError } from '../cli/src/base/fail.js';
import { withLock } from '../cli/src/base/lock.js';
import { bringUp } from '../cli/src/commands/up.js';
import { ControlClient } from '../cli/src/control/client.js';
import { importImage } from '../cli/src/image/index.js';
import { standardImages } from '../cli/src/image/standard.js';
import { machineSocket, runFolder } from '../cli/src/server/machines.js';
import { clientConfig, withClient } from '../cli/src/server/session.js';
import { waitUntil } from '../cli/src/server/sockets.js';
import { prompt } from './boot.js';
import { Transcript, type Terminal } from './transcript.js';
import { buildWorkloads } from './workloads.js';

const workloadImage = 'bench-workloads';

/** A machine of the catalogue that runs. */
export interface BenchMachine extends Terminal {
  name: string;
}

function consoleOf(name: string, client: ControlClient): BenchMachine {
  const transcript = new Transcript(`machine ${name}`);
  client
    .consoleAttach(0n, (_, bytes) => transcript.add(bytes.toString('latin1')))
    .then(
      () => transcript.end('its console is gone'),
      (error: unknown) => transcript.end(String(error)),
    );
  return { name, transcript, type: (text) => client.consoleWrite(Buffer.from(text)) };
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

export interface Wanted {
  /** Base image of its disk. */
  disk?: string;
  /** What runs in it: the mini root file system's shell, or the workload program alone. */
  runs: 'shell' | 'workloads';
  /** Bytes of RAM; 256 MiB unless told otherwise. */
  memory?: number;
}

async function importWorkloads(): Promise<void> {
  const { initrd } = await buildWorkloads();
  await importImage(clientConfig(), { name: workloadImage, kind: 'initrd', file: initrd, replace: true });
}

/** Starts a machine, waits until it takes commands, and drops it when `body` is done. One at a time in a checkout. */
export function withMachine<T>(wanted: Wanted, body: (machine: BenchMachine) => Promise<T>): Promise<T> {
  return withLock('bench', () => runMachine(wanted, body));
}

async function runMachine<T>(wanted: Wanted, body: (machine: BenchMachine) => Promise<T>): Promise<T> {
  const name = 'bench';
  const shell = wanted.runs === 'shell';
  if (!shell) await importWorkloads();
  return withClient(async (client) => {
    const { rowCount } = await client.query('select from linuxsql.machine where name = $1', [name]);
    if (rowCount !== 0) await drop(client, name); // of a run that was killed
    await client.query(
      'select linuxsql.create_machine($1, $2, $3, base_image => $4, initrd => $5, bootargs => $6, memory_bytes => $7)',
      [
        name,
        standardImages.firmware,
        standardImages.kernel,
        wanted.disk ?? null,
        shell ? standardImages.initrd : workloadImage,
        shell ? 'console=ttyS0' : 'console=ttyS0 quiet',
        wanted.memory ?? 256 << 20,
      ],
    );
    try {
      await client.query('select vm_start($1)', [name]);
      const control = await connectWhenUp(name);
      try {
        const machine = consoleOf(name, control);
        await machine.transcript.until([shell ? prompt : '@ready']);
        return await body(machine);
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

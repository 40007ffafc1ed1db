/** Checkpoints, restores and forks of a 1 GB machine with the 8 GB disk: what they cost the guest and the caller. */
import type pg from 'pg';
import { standardImages } from '../cli/src/image/standard.js';
import { withClient } from '../cli/src/server/session.js';
import { prompt } from './boot.js';
import { prepareServer, withMachine, type BenchMachine } from './database.js';
import { median, type Measurement } from './measure.js';
import type { Result } from './report.js';

const dirtyMegabytes = 64;
const ours = 'linuxsql-vm';

interface Taken {
  paused_ms: number;
  stored_bytes: string;
  seconds: number;
}

async function milliseconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await body();
  return performance.now() - start;
}

async function dirty(machine: BenchMachine): Promise<void> {
  await machine.type(`dd if=/dev/urandom of=/tmp/dirty bs=1M count=${dirtyMegabytes} 2>/dev/null\n`);
  await machine.transcript.until([prompt]);
}

class Samples {
  readonly byName = new Map<string, number[]>();

  constructor(private readonly onSample: (name: string, value: number) => void) {}

  add(name: string, value: number): void {
    this.byName.set(name, [...(this.byName.get(name) ?? []), value]);
    this.onSample(name, value);
  }

  result(benchmark: string, title: string, unit: string, larger: boolean): Result {
    const samples = this.byName.get(benchmark) ?? [];
    const measurement: Measurement = { name: ours, samples, median: median(samples) };
    return { benchmark, title, unit, larger, measurements: [measurement] };
  }
}

async function oneRound(client: pg.Client, machine: BenchMachine, name: string, samples: Samples): Promise<void> {
  await dirty(machine);
  const { rows } = await client.query<Taken>('select paused_ms, stored_bytes, seconds from vm_checkpoint($1, $2)', [
    name,
    machine.name,
  ]);
  const [taken] = rows;
  if (taken === undefined) throw new Error('vm_checkpoint returned nothing');
  samples.add('checkpoint-pause', taken.paused_ms);
  samples.add('checkpoint-64MB', (taken.seconds * dirtyMegabytes * 1e6) / Number(taken.stored_bytes));
  samples.add('checkpoint-speed', Number(taken.stored_bytes) / 1e6 / taken.seconds);
  const restore = async (): Promise<void> => {
    await client.query('select vm_restore($1, $2)', [name, machine.name]);
    await client.query("select from vm_step_until('', 1, $1)", [machine.name]);
  };
  samples.add('restore', await milliseconds(restore));
  samples.add(
    'fork',
    await milliseconds(() => client.query("select vm_fork($1, 'bench-fork', $2)", [name, machine.name])),
  );
  await client.query("select vm_destroy('bench-fork')");
  await client.query('select vm_resume($1)', [machine.name]);
}

export async function stateBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  const samples = new Samples(onSample);
  await withMachine({ runs: 'shell', disk: standardImages.disk, memory: 1 << 30 }, (machine) =>
    withClient(async (client) => {
      await dirty(machine);
      await client.query('select from vm_checkpoint($1, $2)', ['base', machine.name]);
      for (let round = 0; round < rounds; round++) await oneRound(client, machine, `round ${round}`, samples);
    }),
  );
  return [
    samples.result('checkpoint-pause', 'guest stands still for a checkpoint', 'ms', false),
    samples.result('checkpoint-64MB', `${dirtyMegabytes} MB of changed incompressible memory committed`, 's', false),
    samples.result('checkpoint-speed', 'changed memory written by a checkpoint', 'MB/s', true),
    samples.result('restore', '1 GB machine restored, to its next instruction', 'ms', false),
    samples.result('fork', 'fork of a machine with an 8 GB disk', 'ms', false),
  ];
}

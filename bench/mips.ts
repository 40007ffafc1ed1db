/** Guest instructions per host second: CoreMark-like work in every machine, its instructions counted by ours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ControlClient } from '../cli/src/control/client.js';
import { sample } from './clock.js';
import { allMachines, boot, ours, type Machine } from './machines.js';
import { alternate } from './measure.js';
import type { Result } from './report.js';
import { bootWorkloads, buildWorkloads, runWorkload } from './workloads.js';

const workload = 'coremark';

/** Instructions of the workload: the same number in every machine that executes the same image. */
async function countInstructions(): Promise<number> {
  const { initrd } = await buildWorkloads();
  const folder = mkdtempSync('/tmp/lsq-');
  const socket = join(folder, 'vm.sock');
  const session = await boot(ours('interp'), { initrd, append: 'quiet', extra: ['--control', socket] });
  try {
    await session.transcript.until(['@ready']);
    const client = await ControlClient.connect(socket);
    const before = (await client.status()).instret;
    await runWorkload(session, workload);
    const after = (await client.status()).instret;
    client.close();
    return Number(after - before);
  } finally {
    await session.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function millionsPerSecond(machine: Machine, instructions: number): Promise<number> {
  const session = await bootWorkloads(machine);
  try {
    const { seconds } = await sample(session, workload);
    return instructions / seconds / 1e6;
  } finally {
    await session.end();
  }
}

export async function mipsBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const instructions = await countInstructions();
  const competitors = (await allMachines()).map((machine) => ({
    name: machine.name,
    run: () => millionsPerSecond(machine, instructions),
  }));
  return [
    {
      benchmark: 'mips',
      title: `CoreMark-like work of ${(instructions / 1e6).toFixed(0)} million instructions`,
      unit: 'million instructions per second',
      larger: true,
      measurements: await alternate(competitors, rounds, onSample),
    },
  ];
}

/** Guest instructions per host second: the same shell loop in both machines, its instructions counted by ours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ControlClient } from '../cli/src/control/client.js';
import { alternate } from './measure.js';
import { boot, ours, qemu, type Machine, type Session } from './machines.js';
import type { Result } from './report.js';

const prompt = 'linuxsql:~# ';
/** Work in the shell itself, no forks; the marker is written in two parts so that the echo of the line does not match. */
const loop = 'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done; echo do""ne\n';

async function loopSeconds(session: Session): Promise<number> {
  const start = process.hrtime.bigint();
  session.type(loop);
  await session.until('\ndone');
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Instructions of the loop: the same number in every machine that executes the same image. */
async function countInstructions(): Promise<number> {
  const folder = mkdtempSync('/tmp/lsq-');
  const socket = join(folder, 'vm.sock');
  const session = await boot(ours, '256M', ['--control', socket]);
  try {
    await session.until(prompt);
    const client = await ControlClient.connect(socket);
    const before = (await client.status()).instret;
    await loopSeconds(session);
    const after = (await client.status()).instret;
    client.close();
    return Number(after - before);
  } finally {
    await session.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function millionsPerSecond(machine: Machine, instructions: number): Promise<number> {
  const session = await boot(machine);
  try {
    await session.until(prompt);
    return instructions / (await loopSeconds(session)) / 1e6;
  } finally {
    await session.end();
  }
}

export async function mipsBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const instructions = await countInstructions();
  const competitors = [ours, qemu].map((machine) => ({
    name: machine.name,
    run: () => millionsPerSecond(machine, instructions),
  }));
  return [
    {
      benchmark: `a shell loop of ${(instructions / 1e6).toFixed(0)} million instructions`,
      unit: 'million instructions per second',
      larger: true,
      measurements: await alternate(competitors, rounds, onSample),
    },
  ];
}

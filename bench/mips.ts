/** Guest instructions per host second: the same shell loop in both machines, its instructions counted by ours. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { build } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { alternate } from './measure.js';
import { boot, ours, qemu, type Machine } from './machines.js';
import type { Result } from './report.js';

const prompt = 'linuxsql:~# ';
/** Fork-free work in the guest's shell; the marker is printed in two parts so that the echo does not match. */
const loop = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo do""ne\n';

async function loopSeconds(machine: Machine): Promise<number> {
  const session = await boot(machine);
  try {
    const start = await session.until(prompt);
    session.type(loop);
    return (await session.until('\ndone')) - start;
  } finally {
    await session.end();
  }
}

interface Statistics {
  instret: number;
  host_seconds: number;
}

function isStatistics(value: unknown): value is Statistics {
  return typeof value === 'object' && value !== null && 'instret' in value && 'host_seconds' in value;
}

/** Instructions per microsecond of a boot to a fixed instruction count, from the daemon's own statistics. */
async function bootMips(stopAt: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'linuxsql-bench-'));
  try {
    const file = join(folder, 'stats.json');
    const { args } = await ours.command('256M', ['--stop-at', String(stopAt), '--stats', file]);
    await mustRun('booting', join(build, 'vm-core/linuxsql-vm'), args, { timeoutMs: 120_000 });
    const stats: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isStatistics(stats)) throw new UserError('linuxsql-vm wrote no instret and host_seconds');
    return stats.instret / stats.host_seconds / 1e6;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function mipsBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const machines = [ours, qemu].map((machine) => ({ name: machine.name, run: () => loopSeconds(machine) }));
  const stopAt = 300_000_000;
  return [
    {
      benchmark: `instructions of a boot up to ${stopAt}`,
      unit: 'million per second',
      larger: true,
      measurements: await alternate([{ name: ours.name, run: () => bootMips(stopAt) }], rounds, onSample),
    },
    {
      benchmark: 'a loop of 100,000 rounds in the guest shell',
      unit: 's',
      larger: false,
      measurements: await alternate(machines, rounds, onSample),
    },
  ];
}

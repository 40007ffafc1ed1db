/** PostgreSQL in the guest: the server's start, and a script over 300,000 rows. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { build, checkout, ensureFolder } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { builtImage } from '../cli/src/setup/built-image.js';
import { sample, timeUnit } from './clock.js';
import { allMachines, boot, type Machine } from './machines.js';
import { median } from './measure.js';
import type { Result } from './report.js';

/** Requests that bench/postgres/init takes, in the order in which they are made. */
const requests = [
  { name: 'start', title: 'start of PostgreSQL 17 to its first answer' },
  { name: 'rows', title: 'script over 300,000 rows' },
];

/** One machine boots from a fresh copy of the disk and answers both requests. */
async function runMachine(machine: Machine, image: string): Promise<{ seconds: number; checksum: string }[]> {
  const folder = await mkdtemp(join(ensureFolder(join(build, 'bench')), 'postgres-'));
  const disk = join(folder, 'disk');
  try {
    await mustRun('copying the disk', 'cp', ['--sparse=always', '--no-preserve=mode', image, disk]);
    const session = await boot(machine, {
      initrd: null,
      memory: '512M',
      append: 'root=/dev/vda rw init=/bench/init quiet',
      disk,
    });
    try {
      await session.transcript.until(['@ready']);
      const outcomes = [];
      for (const { name } of requests) outcomes.push(await sample(session, name));
      return outcomes;
    } finally {
      await session.end();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function postgresBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const image = await builtImage('the disk of the PostgreSQL guest', join(checkout, 'bench/postgres/build.sh'));
  const machines = await allMachines();
  const samples = requests.map(() => new Map<string, number[]>());
  const checksums = requests.map(() => new Set<string>());
  for (let round = 0; round < rounds; round++) {
    for (const machine of machines) {
      (await runMachine(machine, image)).forEach(({ seconds, checksum }, index) => {
        const request = requests[index]?.name ?? '';
        onSample(`${request}, ${machine.name}`, seconds);
        const values = samples[index]?.get(machine.name) ?? [];
        samples[index]?.set(machine.name, [...values, seconds]);
        if ((checksums[index]?.add(checksum).size ?? 0) > 1)
          throw new UserError(`the machines do not agree about the answer to "${request}"`, {
            hint: [...(checksums[index] ?? [])].join('\n'),
          });
      });
    }
  }
  return requests.map(({ name, title }, index) => ({
    benchmark: `postgres-${name}`,
    title,
    unit: timeUnit,
    larger: false,
    measurements: [...(samples[index] ?? [])].map(([machine, values]) => ({
      name: machine,
      samples: values,
      median: median(values),
    })),
  }));
}

/** Disks with incompressible content: reads, writes and flushes, from Large Objects, from a file, and QEMU's. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { build, ensureFolder } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { importImage } from '../cli/src/image/index.js';
import { clientConfig, withClient } from '../cli/src/server/session.js';
import { prepareServer, withMachine } from './database.js';
import { engines, ours, qemu, type Machine } from './machines.js';
import { median } from './measure.js';
import type { Result } from './report.js';
import type { Terminal } from './transcript.js';
import { bootWorkloads, runWorkload } from './workloads.js';

const diskMegabytes = 256;
const image = 'bench-disk';

interface Measure {
  benchmark: string;
  title: string;
  workload: string;
  scale: number;
  /** Megabytes a second, or microseconds for each of `scale`. */
  unit: 'MB/s' | 'µs';
  /** Megabytes read before, unmeasured: they are in the cache below the guest then. */
  warmUp?: number;
}

/** In this order, in one life of a guest: what reads comes first. */
const measures: Measure[] = [
  {
    benchmark: 'disk-read',
    title: `guest reads ${diskMegabytes} MiB of its disk in order, through its page cache`,
    workload: 'disk_read',
    scale: diskMegabytes,
    unit: 'MB/s',
  },
  {
    benchmark: 'disk-read-direct',
    title: 'the same past its page cache (O_DIRECT); nothing of it in the cache of linuxsql-vm',
    workload: 'disk_direct',
    scale: diskMegabytes,
    unit: 'MB/s',
  },
  {
    benchmark: 'disk-read-cached',
    title: '32 MiB again and again, O_DIRECT: from the cache of linuxsql-vm',
    workload: 'disk_again',
    scale: 1024,
    unit: 'MB/s',
    warmUp: 32,
  },
  {
    benchmark: 'disk-random-read',
    title: 'guest reads 4 KB somewhere, O_DIRECT',
    workload: 'disk_random_read',
    scale: 4000,
    unit: 'µs',
  },
  {
    benchmark: 'disk-write',
    title: 'guest writes 128 MiB in order and flushes once',
    workload: 'disk_write',
    scale: 128,
    unit: 'MB/s',
  },
  {
    benchmark: 'disk-random-write',
    title: 'guest writes 4 KB somewhere, O_DIRECT, one flush at the end',
    workload: 'disk_random_write',
    scale: 4000,
    unit: 'µs',
  },
  { benchmark: 'disk-flush', title: 'guest writes 4 KB and flushes', workload: 'disk_flush', scale: 200, unit: 'µs' },
];

interface Contestant {
  name: string;
  /** Gives a freshly booted guest with the disk as it was made. */
  run(body: (guest: Terminal) => Promise<void>): Promise<void>;
}

/** On a copy of the disk, because the guest writes it. */
function onFile(name: string, machine: Machine, disk: string): Contestant {
  return {
    name,
    run: async (body) => {
      const copy = join(dirname(disk), `copy-${basename(disk)}`);
      copyFileSync(disk, copy);
      const session = await bootWorkloads(machine, { disk: copy });
      try {
        await body(session);
      } finally {
        await session.end();
        rmSync(copy);
      }
    },
  };
}

/** Every contestant must read the same bytes. */
class Checksums {
  readonly #seen = new Map<string, string>();

  check(workload: string, checksum: string): void {
    if ((this.#seen.get(workload) ?? checksum) !== checksum)
      throw new UserError(`${workload}: the machines do not agree about the content of the disk`);
    this.#seen.set(workload, checksum);
  }
}

async function measureAll(guest: Terminal, checksums: Checksums): Promise<number[]> {
  const figures: number[] = [];
  for (const { workload, scale, unit, warmUp } of measures) {
    if (warmUp !== undefined) await runWorkload(guest, 'disk_direct', warmUp);
    const { seconds, checksum } = await runWorkload(guest, workload, scale);
    checksums.check(workload, checksum);
    figures.push(unit === 'MB/s' ? (scale * 1.048576) / seconds : (seconds / scale) * 1e6);
  }
  return figures;
}

async function alternateAll(
  contestants: readonly Contestant[],
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const samples = measures.map(() => contestants.map((): number[] => []));
  const checksums = new Checksums();
  for (let round = 0; round < rounds; round++)
    for (const [place, { name, run }] of contestants.entries())
      await run(async (guest) => {
        for (const [i, figure] of (await measureAll(guest, checksums)).entries()) {
          samples[i]?.[place]?.push(figure);
          onSample(`${name}, ${measures[i]?.benchmark ?? ''}`, figure);
        }
      });
  return measures.map(({ benchmark, title, unit }, i) => ({
    benchmark,
    title,
    unit,
    larger: unit === 'MB/s',
    measurements: contestants.map(({ name }, place) => {
      const values = samples[i]?.[place] ?? [];
      return { name, samples: values, median: median(values) };
    }),
  }));
}

export async function storageBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  const [engine = 'interp'] = await engines();
  const folder = mkdtempSync(join(ensureFolder(join(build, 'bench')), 'disk-')); // on the file system of the database
  const [raw, qcow2] = [join(folder, 'disk'), join(folder, 'disk.qcow2')];
  const inDatabase: Contestant = {
    name: 'linuxsql-vm, Large Objects',
    run: (body) => withMachine({ disk: image, runs: 'workloads' }, body),
  };
  try {
    writeFileSync(raw, Buffer.concat(Array.from({ length: diskMegabytes }, () => randomBytes(1 << 20))));
    await mustRun('making a qcow2 disk', 'qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
    await importImage(clientConfig(), { name: image, kind: 'disk', file: raw, replace: true });
    const contestants = [
      inDatabase,
      onFile('linuxsql-vm, a file', ours(engine), raw),
      onFile('qemu-system-riscv64, a file', qemu, raw),
      onFile('qemu-system-riscv64, qcow2', qemu, qcow2),
    ];
    return await alternateAll(contestants, rounds, onSample);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await withClient((client) => client.query('select linuxsql.drop_image($1)', [image]));
  }
}

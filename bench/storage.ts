/** Disks with incompressible content: sequential reads and flushes, from Large Objects, from a file, and QEMU's. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { build, ensureFolder } from '../cli/src/base/paths.js';
import { importImage } from '../cli/src/image/index.js';
import { clientConfig, withClient } from '../cli/src/server/session.js';
import { prepareServer, withMachine } from './database.js';
import { engines, ours, qemu, type Machine } from './machines.js';
import { alternate, type Competitor } from './measure.js';
import type { Result } from './report.js';
import { bootWorkloads, runWorkload, type Outcome } from './workloads.js';

const megabytes = 256;
const flushes = 200;
const image = 'bench-disk';

type Run = (workload: string, scale: number) => Promise<Outcome>;

function inDatabase(workload: string, scale: number): Promise<Outcome> {
  return withMachine({ disk: image, runs: 'workloads' }, (machine) => runWorkload(machine, workload, scale));
}

function onFile(machine: Machine, disk: string): Run {
  return async (workload, scale) => {
    const session = await bootWorkloads(machine, { disk });
    try {
      return await runWorkload(session, workload, scale);
    } finally {
      await session.end();
    }
  };
}

/** Every competitor must read the same bytes. */
function checkedBy(seen: Set<string>, run: Run): Run {
  return async (workload, scale) => {
    const outcome = await run(workload, scale);
    seen.add(outcome.checksum);
    if (seen.size > 1) throw new UserError(`${workload}: the machines do not agree about the content of the disk`);
    return outcome;
  };
}

export async function storageBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  const [engine = 'interp'] = await engines();
  const folder = mkdtempSync(join(ensureFolder(join(build, 'bench')), 'disk-')); // on the file system of the database
  const file = join(folder, 'disk');
  const runs = [
    { name: 'linuxsql-vm, Large Objects', run: inDatabase },
    { name: 'linuxsql-vm, a file', run: onFile(ours(engine), file) },
    { name: 'qemu-system-riscv64, a file', run: onFile(qemu, file) },
  ];
  const competitors = (workload: string, scale: number, figure: (seconds: number) => number): Competitor[] => {
    const seen = new Set<string>();
    return runs.map(({ name, run }) => ({
      name,
      run: async () => figure((await checkedBy(seen, run)(workload, scale)).seconds),
    }));
  };
  try {
    writeFileSync(file, Buffer.concat(Array.from({ length: megabytes }, () => randomBytes(1 << 20))));
    await importImage(clientConfig(), { name: image, kind: 'disk', file, replace: true });
    const reads = competitors('disk_read', megabytes, (seconds) => (megabytes * 1.048576) / seconds);
    const writes = competitors('disk_flush', flushes, (seconds) => (seconds / flushes) * 1e6);
    return [
      {
        benchmark: 'disk-read',
        title: `guest reads ${megabytes} MiB of its disk in order`,
        unit: 'MB/s',
        larger: true,
        measurements: await alternate(reads, rounds, onSample),
      },
      {
        benchmark: 'disk-flush',
        title: 'guest writes 4 KB and flushes',
        unit: 'µs',
        larger: false,
        measurements: await alternate(writes, rounds, onSample),
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await withClient((client) => client.query('select linuxsql.drop_image($1)', [image]));
  }
}

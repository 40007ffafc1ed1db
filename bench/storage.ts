/** Sequential reads of a disk with incompressible content: from Large Objects, from a file, and QEMU from a file. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importImage } from '../cli/src/image/index.js';
import { clientConfig, withClient } from '../cli/src/server/session.js';
import { prepareServer, prompt, withMachine } from './database.js';
import { boot, ours, qemu, type Machine } from './machines.js';
import { alternate } from './measure.js';
import type { Result } from './report.js';

const megabytes = 256;
const image = 'bench-disk';
/** Written in two parts so that the echo of the line does not match. */
const marker = '\nre' + 'ad-end';
const readAll = `dd if=/dev/vda of=/dev/null bs=1M count=${megabytes} 2>/dev/null; echo re""ad-end\n`;

async function fromLargeObjects(): Promise<number> {
  return withMachine(image, async ({ console }) => {
    const started = process.hrtime.bigint();
    await console.type(readAll);
    await console.until(marker);
    return rate(started);
  });
}

async function fromFile(machine: Machine, disk: readonly string[]): Promise<number> {
  const session = await boot(machine, '256M', disk);
  try {
    await session.until(prompt);
    const started = process.hrtime.bigint();
    session.type(readAll);
    await session.until(marker);
    return rate(started);
  } finally {
    await session.end();
  }
}

function rate(started: bigint): number {
  return (megabytes * 1.048576) / (Number(process.hrtime.bigint() - started) / 1e9);
}

export async function storageBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  const folder = mkdtempSync('/tmp/lsq-');
  const file = join(folder, 'disk');
  try {
    writeFileSync(file, Buffer.concat(Array.from({ length: megabytes }, () => randomBytes(1 << 20))));
    await importImage(clientConfig(), { name: image, kind: 'disk', file, replace: true });
    const drive = ['-drive', `file=${file},format=raw,if=none,id=d`, '-device', 'virtio-blk-device,drive=d'];
    const competitors = [
      { name: 'linuxsql-vm from Large Objects', run: fromLargeObjects },
      { name: 'linuxsql-vm from a file', run: () => fromFile(ours, ['--disk', file]) },
      { name: 'qemu-system-riscv64 from a file', run: () => fromFile(qemu, drive) },
    ];
    const measurements = await alternate(competitors, rounds, onSample);
    return [{ benchmark: `guest reads ${megabytes} MiB from its disk`, unit: 'MB/s', larger: true, measurements }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await withClient((client) => client.query('select linuxsql.drop_image($1)', [image]));
  }
}

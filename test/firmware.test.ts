/** What firmware/build.sh made is what it says, boots on another emulator too, and can be made again bit for bit. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { cache, checkout } from '../cli/src/base/paths.js';
import { buildDeviceTree } from '../schema/emit/fdt.js';
import { firmwareFiles, type FirmwareFiles } from './harness/artifacts.js';
import { run, spawnOwned } from './harness/processes.js';
import { tempDir } from './harness/temp.js';

const firmware = join(checkout, 'firmware');
const sparseSum = join(firmware, 'lib/sha256_sparse.py');
let files: FirmwareFiles;

beforeAll(async () => {
  files = await firmwareFiles();
});

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

async function sumOfSparse(file: string): Promise<string> {
  const { code, stdout, stderr } = await run('python3', [sparseSum], { input: `${file}\0` });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout.slice(0, 64);
}

describe('products', () => {
  test('exist, whole, with the sums that were recorded', async () => {
    expect(sha256(files.kernel)).toBe(files.kernel_sha256);
    expect(sha256(files.firmware)).toBe(files.firmware_sha256);
    expect(sha256(files.initramfs)).toBe(files.initramfs_sha256);
    expect(await sumOfSparse(files.rootfs)).toBe(files.rootfs_sha256);
  });

  test('the sum of a sparse file is the sum of all its bytes', async () => {
    const file = join(tempDir(), 'sparse');
    const fd = fs.openSync(file, 'w');
    for (const at of [0, 1 << 20, (5 << 20) + 4095]) fs.writeSync(fd, Buffer.from(`data at ${at}`), 0, undefined, at);
    fs.ftruncateSync(fd, (9 << 20) + 1);
    fs.closeSync(fd);
    expect(await sumOfSparse(file)).toBe(sha256(file));
  });

  test('the root file system is 8 GiB, sparse and sound', async () => {
    const { size, blocks } = fs.statSync(files.rootfs);
    expect(size).toBe(8 * 2 ** 30);
    expect(blocks * 512).toBeLessThan(64 << 20);
    const check = await run('e2fsck', ['-f', '-n', files.rootfs], {
      env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    expect(check.code, check.stdout + check.stderr).toBe(0);
  });

  test('the kernel is an RV64 image for the address it is loaded at', () => {
    const head = readFileSync(files.kernel).subarray(0, 64);
    expect(head.subarray(0x30, 0x35).toString('latin1')).toBe('RISCV');
    expect(head.subarray(0x38, 0x3c).toString('latin1')).toBe('RSC\x05');
    expect(head.readBigUInt64LE(8)).toBe(0x20_0000n); // text_offset: 2 MiB above the start of RAM
  });

  test('every option of kernel.config holds in the kernel', () => {
    const config = new Set(readFileSync(join(dirname(files.kernel), 'config'), 'utf8').split('\n'));
    const wanted = readFileSync(join(firmware, 'kernel.config'), 'utf8')
      .split('\n')
      .map((line) => line.replace(/\s*#.*/, ''))
      .filter((line) => line !== '');
    expect(wanted.length).toBeGreaterThan(80);
    expect(wanted.filter((line) => !config.has(line))).toEqual([]);
  });
});

describe('device tree', () => {
  test('the blob is byte for byte what dtc makes of board.dts', async () => {
    const built = join(tempDir(), 'built.dtb');
    const { stderr } = await run('dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-o', built, join(firmware, 'gen/board.dts')]);
    expect(stderr).toBe('');
    expect(readFileSync(built).equals(buildDeviceTree())).toBe(true);
  });

  test('vm-core holds the same blob', () => {
    const header = readFileSync(join(checkout, 'vm-core/gen/board_dtb.h'), 'utf8');
    const bytes = [...header.matchAll(/\b0x([0-9a-f]{2})\b/g)].map((match) => parseInt(match[1] ?? '', 16));
    expect(Buffer.from(bytes).equals(buildDeviceTree())).toBe(true);
  });

  test('dtc finds nothing in it but the room kept for bootargs and what the processor binding leaves out', async () => {
    const file = join(tempDir(), 'board.dtb');
    writeFileSync(file, buildDeviceTree());
    const { code, stderr } = await run('dtc', ['-I', 'dtb', '-O', 'null', file]);
    expect(code).toBe(0);
    const warnings = stderr.split('\n').filter((line) => !/\((chosen_node_bootargs|interrupt_provider)\)/.test(line));
    expect(warnings.join('\n')).toBe('');
  });
});

describe('mini', () => {
  const prompt = 'linuxsql:~# ';

  async function boot(drive: readonly string[], append: string): Promise<string> {
    const qemu = spawnOwned('qemu-system-riscv64', [
      ...['-M', 'virt', '-m', '256M', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
      ...['-bios', files.firmware, '-kernel', files.kernel, '-append', append, ...drive],
    ]);
    const end = Date.now() + 55_000;
    const until = async (seen: () => boolean): Promise<void> => {
      while (!seen() && Date.now() < end && qemu.exitCode === undefined) await sleep(50);
      if (!seen()) throw new Error(`it stopped at:\n${qemu.log().slice(-1500)}`);
    };
    await until(() => qemu.log().includes(prompt));
    qemu.child.stdin?.write('cat /proc/mounts; pidof postgres_agent; poweroff\n');
    await until(() => qemu.exitCode !== undefined);
    expect(qemu.exitCode).toBe(0);
    return qemu.log();
  }

  test('boots from its disk in QEMU to its prompt and powers off', async () => {
    const disk = ['-drive', `file=${files.rootfs},format=raw,if=none,id=disk,snapshot=on`];
    const log = await boot([...disk, '-device', 'virtio-blk-device,drive=disk'], 'console=ttyS0 root=/dev/vda rw');
    expect(log).toContain('linuxsql mini ready');
    expect(log).toMatch(/\/dev\/(root|vda) \/ ext4 rw/);
    expect(log).toMatch(/reboot: Power down/);
  });

  test('boots from the initramfs alone', async () => {
    const log = await boot(['-initrd', files.initramfs], 'console=ttyS0');
    expect(log).toContain('linuxsql mini ready');
    expect(log).toMatch(/(rootfs|tmpfs) \/ /);
  });

  test('a second build of the same input has the same bytes', async () => {
    const again = join(tempDir(), 'cache');
    fs.mkdirSync(again);
    for (const part of ['kernel', 'busybox', 'agent']) fs.symlinkSync(join(cache, part), join(again, part));
    const env = { LINUXSQL_CACHE: again, TZ: 'Pacific/Apia', LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: undefined };
    const script = join(firmware, 'build.sh');
    const { code, stderr } = await run('bash', ['-c', 'umask 077; exec bash "$0" rootfs initramfs', script], {
      env,
      timeoutMs: 110_000,
    });
    expect(code, stderr).toBe(0);
    const sums = (root: string, name: string, of: string): string => {
      const key = dirname(of).slice(dirname(dirname(of)).length + 1);
      const file = join(root, name, key, 'SHA256SUMS');
      expect(existsSync(file), `${file} has the key of the first build`).toBe(true);
      return readFileSync(file, 'utf8');
    };
    expect(sums(again, 'rootfs', files.rootfs)).toContain(files.rootfs_sha256);
    expect(sums(again, 'initramfs', files.initramfs)).toContain(files.initramfs_sha256);
  }, 120_000);
});

/** Booting from files: to the shell, with a disk, through reboots and poweroffs, and what is refused with which words. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { firmwareFiles, vmBinary } from '../harness/artifacts.js';
import { prompt, startGuest } from '../harness/guest.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { bootTo } from './machine.js';

test('the kernel reaches its first user instruction in at most 6 s of host time', async () => {
  const stats = await bootTo(150_000_000, ['--idle', 'jump']);
  expect(stats.first_user_instret).toBeGreaterThan(10_000_000);
  expect(stats.first_user_seconds).toBeLessThan(6);
}, 120_000);

test('a disk keeps what was synced, over a reboot and another start', async () => {
  const guest = await startGuest({ disk: true });
  await guest.expect(prompt);
  await guest.shell('dd if=/dev/urandom of=/data bs=64k count=100 2>/dev/null; md5sum /data > /sum; sync');
  const sum = await guest.shell('cat /sum');
  guest.send('reboot\n');
  await guest.expect('linuxsql mini ready');
  await guest.expect(prompt);
  expect(await guest.shell('md5sum /data')).toBe(sum);
  expect(await guest.shell('fstrim -v / | cut -d" " -f2 | head -c 2')).toMatch(/^\d/);
  expect(await guest.shell('md5sum /data; dmesg | grep -c "I/O error"')).toBe(`${sum}\n0`);
  guest.send('poweroff\n');
  expect(await guest.process.exited()).toBe(0);
}, 180_000);

test('the virtio console and the entropy device work', async () => {
  const guest = await startGuest({ append: 'console=hvc0', args: ['--console-input', 'virtio'], memory: '128M' });
  await guest.expect(prompt);
  expect(await guest.shell('seq 1 5000 | md5sum')).toContain(`  -`);
  expect(await guest.shell('head -c 8 /dev/hwrng | wc -c')).toBe('8');
  const text = await guest.shell('seq 1 3000');
  expect(text).toBe(Array.from({ length: 3000 }, (_, index) => String(index + 1)).join('\n'));
  expect(await guest.stop()).toBe(0);
}, 120_000);

test('long input is delivered whole, however slowly the guest reads it', async () => {
  const guest = await startGuest();
  await guest.expect(prompt);
  const line = 'x'.repeat(200);
  guest.send(`cat > /tmp/in; md5sum < /tmp/in; wc -c < /tmp/in\n${`${line}\n`.repeat(200)}\u0004`);
  await guest.expect(`${201 * 200}\r\n`);
  expect(await guest.stop()).toBe(0);
}, 120_000);

describe('refused with one line and exit status 2', () => {
  const missing = '/nonexistent/file';
  async function refusal(change: (args: Record<string, string>) => void): Promise<string> {
    const files = await firmwareFiles();
    const args: Record<string, string> = { bios: files.firmware, kernel: files.kernel, initrd: files.initramfs };
    change(args);
    const line = Object.entries(args).flatMap(([name, value]) => [`--${name}`, value]);
    const { code, stderr } = await run(vmBinary(), line, { timeoutMs: 20_000, input: '' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^linuxsql-vm: [^\n]+\n$/);
    return stderr;
  }
  function file(content: Buffer): string {
    const path = join(tempDir(), 'file');
    writeFileSync(path, content);
    return path;
  }

  test.each([
    ['bios', 'firmware'],
    ['kernel', 'kernel'],
    ['initrd', 'initrd'],
    ['dtb', 'device tree'],
    ['disk', ''],
  ])('a missing --%s', async (name, word) => {
    const text = await refusal((args) => (args[name] = missing));
    expect(text).toContain(word);
    expect(text).toContain(missing);
  });

  test('a kernel that is none', async () => {
    const elf = file(Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(1000)]));
    expect(await refusal((args) => (args.kernel = elf))).toContain('no RISC-V Image');
    const short = file(Buffer.alloc(10, 1));
    expect(await refusal((args) => (args.kernel = short))).toContain('no RISC-V Image');
    const gzip = file(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(100)]));
    expect(await refusal((args) => (args.kernel = gzip))).toContain('unpacked');
  });

  test('images that do not fit', async () => {
    const huge = file(Buffer.alloc(16 << 20));
    expect(await refusal((args) => Object.assign(args, { memory: '16M', initrd: huge }))).toContain(
      'do not fit into guest memory',
    );
    expect(await refusal((args) => (args.bios = file(Buffer.alloc(3 << 20))))).toContain('firmware');
  });

  test('a header that lies about its size', async () => {
    const image = Buffer.from(readFileSync((await firmwareFiles()).kernel));
    image.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 16);
    const path = file(image);
    expect(await refusal((args) => (args.kernel = path))).toContain('does not fit');
  });

  test('a broken device tree, and a command line that is too long', async () => {
    const junk = file(Buffer.alloc(4096, 0xd0));
    expect(await refusal((args) => (args.dtb = junk))).toContain('device tree is malformed');
    expect(await refusal((args) => (args.append = 'x'.repeat(2000)))).toContain('command line');
  });
});

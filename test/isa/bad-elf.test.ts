/** The ELF loader of --bare believes nothing: a damaged file ends in a refusal or a stopped program, never in a crash. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { build, hartCommand, hostOfTests, run, scaled, withFolder } from './harness.js';
import { Program } from './program.js';
import { Random } from './random.js';

const REFUSED = 'exit 2';
const start = (file: string): ReturnType<typeof run> =>
  run([...hartCommand(hostOfTests()), '--bare', file, '--memory', '16M', '--max-insns', '100000'], 20);

test('what is no RISC-V ELF program is refused in one line', { timeout: 60_000 }, async () => {
  await withFolder(async (folder) => {
    const good = readFileSync((await build(new Program(), folder)).bare);
    const change = (offset: number, value: number): Buffer => {
      const copy = Buffer.from(good);
      copy.writeUInt8(value, offset);
      return copy;
    };
    const cases: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      short: good.subarray(0, 40),
      'no program headers in the file': good.subarray(0, 64),
      text: Buffer.from('#!/bin/sh\necho hello\n'),
      'wrong magic': change(0, 0x7e),
      '32 bits': change(4, 1),
      'big endian': change(5, 2),
      'another machine': change(18, 0x3e),
    };
    for (const [name, bytes] of Object.entries(cases)) {
      const file = `${folder}/case.elf`;
      writeFileSync(file, bytes);
      const { status, stderr, stdout } = await start(file);
      expect(`${name}: ${status}, ${stderr.trim().split('\n').length} line, ${stdout.length} bytes`).toBe(
        `${name}: ${REFUSED}, 1 line, 0 bytes`,
      );
    }
    const missing = await start(`${folder}/missing.elf`);
    expect(missing.status).toBe(REFUSED);
  });
});

test('damaged headers never crash the daemon', { timeout: 120_000 }, async () => {
  await withFolder(async (folder) => {
    const good = readFileSync((await build(new Program(), folder)).bare);
    const headers = 64 + 56 * good.readUInt16LE(56);
    const sections = Number(good.readBigUInt64LE(40));
    const random = new Random(13);
    for (let n = 0; n < scaled(80); n++) {
      const copy = Buffer.from(good);
      for (let k = random.between(1, 4); k > 0; k--) {
        const inHeaders = random.chance(60);
        const at = inHeaders ? random.below(headers) : sections + random.below(good.length - sections);
        copy.writeUInt8(random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]), at);
      }
      const file = `${folder}/damaged.elf`;
      writeFileSync(file, random.chance(10) ? copy.subarray(0, random.below(copy.length)) : copy);
      const { status, stderr } = await start(file);
      expect(`case ${n}: ${status}`).toMatch(/exit [012]$/);
      expect(stderr).not.toMatch(/Sanitizer|runtime error/);
    }
  });
});

/**
 * The hart as a program of other hosts, and as a program of this one with sanitizers: cross-built and run under their
 * user-mode emulators it passes the same programs and ends in the same state as here, bit for bit.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { bareProgramNames, runBareProgram } from './bare-programs.js';
import { comparable } from './deviations.js';
import { emitFloatRow, floatOperands } from './float-rows.js';
import { build, buildHart, compareWithPeer, runHart, withFolder, type HostName } from './harness.js';
import { readRows } from './insn-table.js';
import { Program } from './program.js';
import { randomProgram } from './random-program.js';
import { Random } from './random.js';

const rows = readRows();

async function finalState(elf: string, host: HostName, folder: string): Promise<unknown> {
  const file = `${folder}/${host}.json`;
  const result = await runHart(elf, host, ['--memory', '16M', '--stats', file]);
  expect(`${host} ${result.status} ${result.stderr}`).toBe(`${host} exit 0 `);
  const stats = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  return { instret: stats['instret'], state: stats['state_sha256'] };
}

for (const host of ['aarch64', 'riscv64', 'asan'] as const)
  describe(host, () => {
    beforeAll(() => buildHart(host), 600_000);

    test('random code agrees with QEMU', { timeout: 120_000 }, async () => {
      expect(await compareWithPeer(randomProgram(rows, new Random(99), 300), { host })).toBeUndefined();
    });

    test('floating point agrees with QEMU', { timeout: 120_000 }, async () => {
      const program = new Program();
      const random = new Random(5);
      const operands = floatOperands(random, 20);
      for (const row of rows.filter(comparable)) emitFloatRow(program, row, operands, random);
      expect(await compareWithPeer(program, { host })).toBeUndefined();
    });

    test('the privileged programs pass', { timeout: 120_000 }, async () => {
      for (const name of bareProgramNames()) expect(await runBareProgram(name, host)).toBe(`${name}: exit 0`);
    });

    test('the final state is that of this host', { timeout: 120_000 }, async () => {
      await withFolder(async (folder) => {
        const elves = await build(randomProgram(rows, new Random(7), 300), folder);
        const here = await finalState(elves.bare, 'native', folder);
        expect(await finalState(elves.bare, host, folder)).toEqual(here);
      });
    });
  });

/** Random code of all extensions in all privilege modes, with faults, interrupts, remapped pages and rewritten code. */
import { expect, test } from 'vitest';
import { scaled } from '../isa/harness.js';
import { readRows } from '../isa/insn-table.js';
import { tempDir } from '../harness/temp.js';
import { buildChaos } from './chaos.js';
import { runBare, verdict } from './engines.js';

const rows = readRows();
const firstSeed = Number(process.env['LINUXSQL_ISA_SEED'] ?? '1');
const INSNS = 400_000;

/** How soon code is translated, how much room it has, how long the stretches between two comparisons are. */
const settings: readonly Record<string, string>[] = [
  { LINUXSQL_JIT_THRESHOLD: '1' },
  { LINUXSQL_JIT_THRESHOLD: '2', LINUXSQL_JIT_CACHE: '1' },
  { LINUXSQL_JIT_THRESHOLD: '8', LINUXSQL_LOCKSTEP_STRETCH: '70' },
  { LINUXSQL_LOCKSTEP_CUT: '3' },
];

for (let seed = firstSeed; seed < firstSeed + scaled(8); seed++)
  test(`chaos program ${seed} runs the same under both engines`, { timeout: 120_000 }, async () => {
    const elf = await buildChaos(rows, seed, tempDir());
    const expected = await runBare(elf, { engine: 'interp', maxInsns: INSNS });
    expect(expected.instret).toBe(INSNS);
    for (const env of settings) {
      const lockstep = await runBare(elf, { engine: 'lockstep', maxInsns: INSNS, env });
      expect(verdict(lockstep)).toBe(verdict(expected));
      const jit = await runBare(elf, { engine: 'jit', maxInsns: INSNS, env });
      expect(verdict(jit)).toBe(verdict(expected));
    }
  });

test('an interrupt comes before a fetch that cannot be', { timeout: 120_000 }, async () => {
  const elf = await buildChaos(rows, 17, tempDir()); /* at instruction 62,100 both are due */
  const expected = await runBare(elf, { engine: 'interp', maxInsns: 70_000 });
  for (const engine of ['jit', 'lockstep'] as const) {
    const found = await runBare(elf, { engine, maxInsns: 70_000, env: { LINUXSQL_JIT_THRESHOLD: '1' } });
    expect(verdict(found)).toBe(verdict(expected));
  }
});

test('the stretches may be one instruction long', async () => {
  const elf = await buildChaos(rows, firstSeed + 500, tempDir());
  const expected = await runBare(elf, { engine: 'interp', maxInsns: 30_000 });
  const env = { LINUXSQL_LOCKSTEP_STRETCH: '1', LINUXSQL_JIT_THRESHOLD: '1' };
  expect(verdict(await runBare(elf, { engine: 'lockstep', maxInsns: 30_000, env }))).toBe(verdict(expected));
});

/** Hand-written programs that pass and end in the same state under every engine: the storms of bare/, the privileged
 * programs of test/isa/bare, and the generated user programs with their timer interrupts. */
import { expect, test } from 'vitest';
import { tempDir } from '../harness/temp.js';
import { bareProgramNames } from '../isa/bare-programs.js';
import { build, linkBare, scaled } from '../isa/harness.js';
import { readRows, repositoryRoot } from '../isa/insn-table.js';
import { Random } from '../isa/random.js';
import { randomProgram } from '../isa/random-program.js';
import { buildBare, runBare, verdict, type Outcome } from './engines.js';

const soon = { LINUXSQL_JIT_THRESHOLD: '2' };
const cramped = { LINUXSQL_JIT_THRESHOLD: '1', LINUXSQL_JIT_CACHE: '1' };

async function underEveryEngine(elf: string): Promise<Outcome> {
  const expected = await runBare(elf, { engine: 'interp' });
  for (const env of [{}, soon, cramped])
    for (const engine of ['jit', 'lockstep'] as const)
      expect(verdict(await runBare(elf, { engine, env }))).toBe(verdict(expected));
  return expected;
}

for (const name of ['storm', 'offsets', 'faults', 'coherence'])
  test(`${name} passes and leaves one state under every engine`, { timeout: 120_000 }, async () => {
    const elf = await buildBare(name, tempDir());
    expect((await underEveryEngine(elf)).code).toBe(0);
    expect((await runBare(elf, { engine: 'jit', env: soon })).jitInsns).toBeGreaterThan(20_000);
  });

test('the privileged programs leave one state under every engine', { timeout: 180_000 }, async () => {
  const folder = tempDir();
  const sources = `${repositoryRoot}test/isa/bare`;
  for (const name of bareProgramNames()) {
    const elf = `${folder}/${name}.elf`;
    await linkBare(`${sources}/${name}.S`, `${sources}/layout.ld`, elf);
    expect(`${name} ${(await underEveryEngine(elf)).code}`).toBe(`${name} 0`);
  }
});

for (let seed = 1; seed <= scaled(2); seed++)
  test(`random user program ${seed}, interrupted all the time, leaves one state`, { timeout: 120_000 }, async () => {
    const program = randomProgram(readRows(), new Random(seed + 900), 600);
    const { bare } = await build(program, tempDir(), true);
    expect((await underEveryEngine(bare)).code).toBe(0);
  });

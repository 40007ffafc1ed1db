/** Why translated code is left is counted, reason by reason: a guest that leaves it on purpose moves that counter. */
import { expect, test } from 'vitest';
import { jitExit } from '../../schema/layout/telemetry.js';
import { tempDir } from '../harness/temp.js';
import { buildBare, runBare, verdict, type Outcome } from './engines.js';

const soon = { LINUXSQL_JIT_THRESHOLD: '2' };
/** Of 600, some before the code is translated. */
const ROUNDS = 500;
const FEW = 20;

const exitsOf = ({ figures }: Outcome): Readonly<Record<string, number>> =>
  figures['jit_exits'] as Readonly<Record<string, number>>;

const total = (outcome: Outcome): number => Object.values(exitsOf(outcome)).reduce((sum, count) => sum + count, 0);

async function run(act: string): Promise<Outcome> {
  const elf = await buildBare('exits', tempDir(), `ACT_${act.toUpperCase()}`);
  const interp = await runBare(elf, { engine: 'interp' });
  const jit = await runBare(elf, { engine: 'jit', env: soon });
  expect(interp.code).toBe(0);
  expect(total(interp)).toBe(0);
  expect(verdict(jit)).toBe(verdict(interp));
  expect(total(jit)).toBe(jit.figures['jit_entries']);
  return jit;
}

test('a loop that does nothing else hardly leaves translated code', async () => {
  const { figures, ...rest } = await run('none');
  expect(Object.keys(exitsOf({ figures, ...rest }))).toEqual(jitExit.entries.map(({ name }) => name));
  expect(Number(figures['jit_entries'])).toBeLessThan(FEW);
  for (const name of ['jit_op_calls', 'jit_refills', 'jit_lookups', 'jit_drops', 'jit_evictions'])
    expect([name, Number(figures[name]) < FEW]).toEqual([name, true]);
});

/** Exits that come with another: a handler returns, a timer is set by a CSR. */
const companions: Readonly<Record<string, readonly string[]>> = {
  budget: ['context'],
  fetch: ['xret'],
  ecall: ['xret'],
  wfi: ['context'],
  trap: ['xret'],
  rewrite: ['lookup'],
};

for (const { name } of jitExit.entries)
  test(`leaving by ${name} is counted as that`, async () => {
    const exits = exitsOf(await run(name));
    const often = [name, ...(companions[name] ?? [])];
    for (const [reason, count] of Object.entries(exits))
      expect([reason, often.includes(reason) ? count > ROUNDS : count < FEW]).toEqual([reason, true]);
  });

test('what translated code calls and comes back from is counted', async () => {
  const refill = await run('refill');
  expect(Number(refill.figures['jit_refills'])).toBeGreaterThan(ROUNDS);
  expect(total(refill)).toBeLessThan(FEW);
  expect(Number((await run('context')).figures['jit_op_calls'])).toBeGreaterThan(ROUNDS);
  expect(Number((await run('lookup')).figures['jit_lookups'])).toBeGreaterThan(ROUNDS);
});

test('translated code that goes is counted', async () => {
  expect(Number((await run('rewrite')).figures['jit_drops'])).toBeGreaterThan(ROUNDS);
  const elf = await buildBare('exits', tempDir(), 'ACT_REWRITE');
  const env = { ...soon, LINUXSQL_JIT_EVICT: '1' };
  expect(Number((await runBare(elf, { engine: 'jit', env })).figures['jit_evictions'])).toBeGreaterThan(ROUNDS);
});

/** A lockstep that cannot fail is worth nothing: deliberate errors are found and named. */
import { beforeAll, expect, test } from 'vitest';
import { tempDir } from '../harness/temp.js';
import { buildBare, runBare } from './engines.js';

let elf = '';
beforeAll(async () => {
  elf = await buildBare('offsets', tempDir());
});

const errors: readonly (readonly [what: string, report: RegExp])[] = [
  ['x10', /^ {2}x10 +fast 0x\w+1? +interpreter 0x/m],
  ['x0', /is not INSTRET:WHAT/],
  ['f1', /^ {2}f1 +fast/m],
  ['pc', /^ {2}pc +fast/m],
  ['fflags', /^ {2}fflags +fast/m],
  ['instret', /differ first after \d+ instructions/],
  ['csr.mepc', /^ {2}csr\.mepc +fast/m],
  ['csr.satp', /^ {2}csr\.satp +fast/m],
  ['0x80002801', /^ {2}memory differs from 0x80002801 on:\n {4}fast/m],
];

for (const engine of ['jit', 'interp'])
  for (const [what, report] of errors)
    test(`a flipped bit in ${what} is found, with the ${engine} as the fast side`, async () => {
      const env = { LINUXSQL_LOCKSTEP_FAULT: `123456:${what}`, LINUXSQL_LOCKSTEP_FAST: engine };
      const result = await runBare(elf, { engine: 'lockstep', env }).catch((error: unknown) => String(error));
      if (typeof result === 'string') {
        expect(result).toMatch(report);
        return;
      }
      expect(result.code).toBe(1);
      expect(result.stoppedBy).toBe('a difference between the engines');
      expect(result.stderr).toMatch(report);
      expect(result.stderr).toMatch(
        /the last instructions, as the interpreter executes them:\n {4}0x\w{16} {2}\w{8} {2}\w/,
      );
    });

test('the report names the instant to the instruction', async () => {
  const env = { LINUXSQL_LOCKSTEP_FAULT: '123456:x20' };
  const { stderr } = await runBare(elf, { engine: 'lockstep', env });
  expect(stderr).toMatch(/the fast side stopped at pc 0x\w+, instret 123456,/);
});

test('without an error nothing is reported', async () => {
  const result = await runBare(elf, { engine: 'lockstep' });
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: '' });
});

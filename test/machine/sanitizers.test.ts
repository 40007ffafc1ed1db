/** The daemon built with ASan and UBSan: its unit tests and fuzzers, and a boot to user space, end without a finding. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { checkout } from '../../cli/src/base/paths.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { buildHart, hartCommand } from '../isa/harness.js';
import { bootArgs, bootTo, readStats } from './machine.js';

const finding = /AddressSanitizer|LeakSanitizer|runtime error/;

beforeAll(() => buildHart('asan'), 600_000);

test('unit tests and fuzzers', { timeout: 600_000 }, async () => {
  const make = ['--no-print-directory', '-C', join(checkout, 'vm-core'), '-j2', 'SANITIZE=1', 'test'];
  const { code, stdout, stderr } = await run('make', make, { timeoutMs: 600_000 });
  expect(`${stdout}${stderr}`).not.toMatch(finding);
  expect(code, stderr).toBe(0);
});

test.each(['interp', 'jit'])('a boot to user space with engine %s', { timeout: 400_000 }, async (engine) => {
  const end = 115_000_000;
  const plain = await bootTo(end, ['--idle', 'jump']);
  expect(plain.first_user_instret).toBeLessThan(end);
  const stats = join(tempDir(), 'stats.json');
  const [program = '', ...before] = hartCommand('asan');
  const options = [
    '--memory',
    '256M',
    '--idle',
    'jump',
    '--stop-at',
    String(end),
    '--stats',
    stats,
    '--engine',
    engine,
  ];
  const { code, stderr } = await run(program, [...before, ...(await bootArgs()), ...options], {
    timeoutMs: 390_000,
    input: '',
  });
  expect(stderr).not.toMatch(finding);
  expect(code, stderr).toBe(0);
  expect(readStats(stats).state_sha256).toBe(plain.state_sha256);
});

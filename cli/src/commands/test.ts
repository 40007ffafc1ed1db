/** `npm test`: set-up, C unit tests, then vitest. The last line counts. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, step } from '../base/log.js';
import { build, checkout } from '../base/paths.js';
import { attach, capture } from '../base/run.js';
import { ensureStages, exportToMake } from '../setup/stages.js';

interface Count {
  passed: number;
  failed: number;
}

function plus(a: Count, b: Count): Count {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed };
}

/** Every test program ends with "N passed, N failed" of its checks; a program counts as one test here. */
async function unitTests(): Promise<Count> {
  const started = Date.now();
  step('test', 'C unit tests');
  const { code, stdout } = await capture('make', ['--no-print-directory', '-C', 'vm-core', '-j2', 'test'], {
    cwd: checkout,
    timeoutMs: 1_200_000,
    onLine: (line) => console.log(line),
  });
  const failures = [...stdout.matchAll(/^.*\b\d+ passed, (\d+) failed$/gm)].map(([, failed]) => Number(failed));
  const failed = failures.filter((count) => count > 0).length;
  const count = { passed: failures.length - failed, failed: code !== 0 && failed === 0 ? 1 : failed };
  step('test', `C unit tests: ${count.passed} programs passed, ${count.failed} failed (${elapsed(started)})`);
  return count;
}

function readCount(file: string): Count | undefined {
  try {
    const report: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof report !== 'object' || report === null) return undefined;
    const fields = Object.fromEntries(Object.entries(report));
    const failedFiles = Number(fields['numFailedTestSuites']) > 0 && Number(fields['numFailedTests']) === 0 ? 1 : 0;
    return { passed: Number(fields['numPassedTests']), failed: Number(fields['numFailedTests']) + failedFiles };
  } catch {
    return undefined;
  }
}

async function vitest(args: readonly string[]): Promise<Count> {
  const started = Date.now();
  mkdirSync(build, { recursive: true });
  const file = join(build, `vitest-${process.pid}.json`);
  const program = join(checkout, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await attach(process.execPath, [program, 'run', ...reporters, ...args], { cwd: checkout });
  const count = readCount(file) ?? { passed: 0, failed: 1 };
  step('test', `vitest: ${count.passed} passed, ${count.failed} failed (${elapsed(started)})`);
  return code === 0 || count.failed > 0 ? count : plus(count, { passed: 0, failed: 1 });
}

export async function test(args: readonly string[]): Promise<number> {
  await ensureStages();
  exportToMake();
  const units = args.length === 0 ? await unitTests() : { passed: 0, failed: 0 };
  const { passed, failed } = plus(units, await vitest(args));
  console.log(`${passed} passed, ${failed} failed (${elapsed()})`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

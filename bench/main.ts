/** `npm run bench [NAME…]`: side-by-side measurements, printed as ratios and kept as JSON. Never part of the tests. */
import { UserError } from '../cli/src/base/fail.js';
import { step } from '../cli/src/base/log.js';
import { bootBenchmark } from './boot.js';
import { fdwBenchmark } from './fdw.js';
import { mipsBenchmark } from './mips.js';
import { printResult, writeResults, type Result } from './report.js';
import { storageBenchmark } from './storage.js';

type Benchmark = (rounds: number, onSample: (name: string, value: number) => void) => Promise<Result[]>;

const benchmarks: Record<string, Benchmark> = {
  boot: bootBenchmark,
  mips: mipsBenchmark,
  storage: storageBenchmark,
  fdw: fdwBenchmark,
};

/** LINUXSQL_BENCH_ROUNDS: measured runs of each competitor, 5 unless told otherwise. */
function roundCount(): number {
  const asked = Number(process.env['LINUXSQL_BENCH_ROUNDS'] ?? 5);
  if (!Number.isInteger(asked) || asked < 1) throw new UserError('LINUXSQL_BENCH_ROUNDS is no positive number');
  return asked;
}

/** The benchmarks asked for, all when none is named. */
export function chooseBenchmarks(names: readonly string[]): string[] {
  const known = Object.keys(benchmarks);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names.length === 0 ? known : [...names];
  throw new UserError(`there is no benchmark "${unknown}"`, { hint: `Benchmarks: ${known.join(', ')}.`, exitCode: 2 });
}

export async function runBenchmarks(names: readonly string[]): Promise<number> {
  const rounds = roundCount();
  const results: Result[] = [];
  for (const name of names) {
    const report = (competitor: string, value: number): void =>
      step('bench', `${name}: ${competitor} ${value.toPrecision(4)}`);
    const found = (await benchmarks[name]?.(rounds, report)) ?? [];
    found.forEach(printResult);
    results.push(...found);
  }
  console.log(`\nkept in ${writeResults(results)}`);
  return 0;
}

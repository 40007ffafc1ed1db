/** `npm run bench [NAME…]`: side-by-side measurements, printed as ratios and kept as JSON. Never part of the tests. */
import { UserError } from '../cli/src/base/fail.js';
import { step } from '../cli/src/base/log.js';
import { bootBenchmark } from './boot.js';
import { mipsBenchmark } from './mips.js';
import { printResult, writeResults, type Result } from './report.js';

type Benchmark = (rounds: number, onSample: (name: string, value: number) => void) => Promise<Result[]>;

const benchmarks: Record<string, Benchmark> = {
  boot: bootBenchmark,
  mips: mipsBenchmark,
};

/** LINUXSQL_BENCH_ROUNDS: measured runs of each competitor, 5 unless told otherwise. */
function roundCount(): number {
  const asked = Number(process.env['LINUXSQL_BENCH_ROUNDS'] ?? 5);
  if (!Number.isInteger(asked) || asked < 1) throw new UserError('LINUXSQL_BENCH_ROUNDS is no positive number');
  return asked;
}

export async function runBenchmarks(names: readonly string[]): Promise<number> {
  const wanted = names.length === 0 ? Object.keys(benchmarks) : names;
  const results: Result[] = [];
  for (const name of wanted) {
    const benchmark = benchmarks[name];
    if (benchmark === undefined)
      throw new UserError(`there is no benchmark "${name}"`, {
        hint: `Benchmarks: ${Object.keys(benchmarks).join(', ')}.`,
        exitCode: 2,
      });
    const found = await benchmark(roundCount(), (competitor, value) =>
      step('bench', `${name}: ${competitor} ${value.toPrecision(4)}`),
    );
    found.forEach(printResult);
    results.push(...found);
  }
  console.log(`\nkept in ${writeResults(results)}`);
  return 0;
}

/** `npm run bench [-- SECTION…]`: side-by-side measurements, printed and kept as JSON. Never part of the tests. */
import { loadavg } from 'node:os';
import { UserError } from '../cli/src/base/fail.js';
import { step } from '../cli/src/base/log.js';
import { bootBenchmark } from './boot.js';
import { cpuBenchmark, systemBenchmark } from './compute.js';
import { fdwBenchmark } from './fdw.js';
import { mipsBenchmark } from './mips.js';
import { nestedBenchmark } from './nested.js';
import { pastBenchmark } from './past.js';
import { postgresBenchmark } from './postgres.js';
import { profileBenchmark } from './profile.js';
import { publish } from './publish.js';
import { hostNow, printSection, profileSection, writeSections, type Result, type Section } from './report.js';
import { stateBenchmark } from './state.js';
import { storageBenchmark } from './storage.js';
import { viewsBenchmark } from './views.js';

type Benchmark = (rounds: number, onSample: (name: string, value: number) => void) => Promise<Result[]>;

const benchmarks: Record<string, Benchmark> = {
  boot: bootBenchmark,
  mips: mipsBenchmark,
  cpu: cpuBenchmark,
  system: systemBenchmark,
  postgres: postgresBenchmark,
  storage: storageBenchmark,
  state: stateBenchmark,
  views: viewsBenchmark,
  fdw: fdwBenchmark,
  past: pastBenchmark,
  nested: nestedBenchmark,
  [profileSection]: profileBenchmark,
};

/** Not measured but made from what was: docs/bench.svg and the figures of docs/performance.md. */
const publishing = 'publish';

/** LINUXSQL_BENCH_ROUNDS: measured runs of each competitor, 3 unless told otherwise. */
function roundCount(): number {
  const asked = Number(process.env['LINUXSQL_BENCH_ROUNDS'] ?? 3);
  if (!Number.isInteger(asked) || asked < 1) throw new UserError('LINUXSQL_BENCH_ROUNDS is no positive number');
  return asked;
}

/** The sections asked for; when none is named, all that compare. */
export function chooseBenchmarks(names: readonly string[]): string[] {
  const known = Object.keys(benchmarks);
  const unknown = names.find((name) => !known.includes(name) && name !== publishing);
  if (unknown === undefined) return names.length === 0 ? known.filter((name) => name !== profileSection) : [...names];
  throw new UserError(`there is no benchmark "${unknown}"`, {
    hint: `Benchmarks: ${known.join(', ')}; ${publishing} writes the newest results of each into docs/.`,
    exitCode: 2,
  });
}

async function measure(name: string, benchmark: Benchmark, rounds: number): Promise<Section> {
  const time = new Date().toISOString();
  const loadBefore = loadavg()[0] ?? 0;
  const report = (competitor: string, value: number): void =>
    step('bench', `${name}: ${competitor} ${value.toPrecision(4)}`);
  const results = await benchmark(rounds, report);
  return { name, time, rounds, host: hostNow(loadBefore), results };
}

export async function runBenchmarks(names: readonly string[]): Promise<number> {
  const rounds = roundCount();
  const sections: Section[] = [];
  try {
    for (const name of names) {
      const benchmark = benchmarks[name];
      if (benchmark === undefined) continue;
      const section = await measure(name, benchmark, rounds);
      printSection(section);
      sections.push(section);
    }
  } finally {
    // What was measured before a section failed is worth keeping.
    if (sections.length > 0) console.log(`\nkept in ${writeSections(sections)}`);
  }
  if (names.includes(publishing)) publish();
  return 0;
}

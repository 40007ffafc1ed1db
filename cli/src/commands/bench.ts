import { ensureStages } from '../setup/stages.js';
import { chooseBenchmarks, runBenchmarks } from '../../../bench/main.js';

export async function bench(args: readonly string[]): Promise<number> {
  const wanted = chooseBenchmarks(args);
  await ensureStages();
  return runBenchmarks(wanted);
}

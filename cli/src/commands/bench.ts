import { ensureStages } from '../setup/stages.js';

export async function bench(args: readonly string[]): Promise<number> {
  await ensureStages();
  const { runBenchmarks } = await import('../../../bench/main.js');
  return runBenchmarks(args);
}

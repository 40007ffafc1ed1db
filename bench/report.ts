/** Results as a table on the terminal and as JSON in build/bench/. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { build } from '../cli/src/base/paths.js';
import type { Measurement } from './measure.js';

export interface Result {
  benchmark: string;
  unit: string;
  /** Whether a larger figure is better. */
  larger: boolean;
  measurements: Measurement[];
}

function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** How many times better the first competitor is than each other one; below 1 it is worse. */
export function ratios({ measurements, larger }: Result): { against: string; ratio: number }[] {
  const [ours, ...others] = measurements;
  if (ours === undefined) return [];
  return others.map(({ name, median }) => ({
    against: name,
    ratio: larger ? ours.median / median : median / ours.median,
  }));
}

export function printResult(result: Result): void {
  console.log(
    `\n${result.benchmark} (${result.unit}, ${result.larger ? 'more' : 'less'} is better; median of alternating runs)`,
  );
  for (const { name, median, samples } of result.measurements) {
    const spread =
      samples.length > 1
        ? `  (${figure(Math.min(...samples))} … ${figure(Math.max(...samples))}, ${samples.length} runs)`
        : '';
    console.log(`  ${name.padEnd(34)} ${figure(median).padStart(10)}${spread}`);
  }
  for (const { against, ratio } of ratios(result)) console.log(`  ${ratio.toFixed(2)} × ${against}`);
}

export function writeResults(results: readonly Result[]): string {
  const folder = join(build, 'bench');
  mkdirSync(folder, { recursive: true });
  const now = new Date();
  const host = {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    kernel: release(),
    load: loadavg()[0],
  };
  const file = join(folder, `${now.toISOString().replaceAll(/[:.]/g, '-')}.json`);
  const withRatios = results.map((result) => ({ ...result, ratios: ratios(result) }));
  writeFileSync(file, `${JSON.stringify({ time: now.toISOString(), host, results: withRatios }, undefined, 2)}\n`);
  return file;
}

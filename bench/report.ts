/** Results as tables on the terminal, and as JSON in build/bench/, one file a run. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { build } from '../cli/src/base/paths.js';
import type { Measurement } from './measure.js';

export interface Result {
  /** Short name, the same in every run. */
  benchmark: string;
  title: string;
  unit: string;
  /** Whether a larger figure is better. */
  larger: boolean;
  /** Ours first. */
  measurements: Measurement[];
}

/** The results of one section, measured in one run. */
export interface Section {
  name: string;
  time: string;
  rounds: number;
  host: { processor: string; processors: number; kernel: string; load: [before: number, after: number] };
  results: Result[];
}

export function figure(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}

/** A line of a table of the documents. */
export function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** What was measured of a competitor, if it was. */
export function medianOf(result: Result, name: string): number | undefined {
  return result.measurements.find((measurement) => measurement.name === name)?.median;
}

/** The figure of a competitor in it; empty where it was not measured. */
export function cell(result: Result, name: string): string {
  const median = medianOf(result, name);
  return median === undefined ? '' : figure(median);
}

/** How many times better one competitor is than another; undefined where one of them was not measured. */
export function ratio(result: Result, ours: string, theirs: string): number | undefined {
  const [a, b] = [medianOf(result, ours), medianOf(result, theirs)];
  if (a === undefined || b === undefined) return undefined;
  return result.larger ? a / b : b / a;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Competitors in the order in which they first appear. */
export function competitorsOf(results: readonly Result[]): string[] {
  return [...new Set(results.flatMap(({ measurements }) => measurements.map(({ name }) => name)))];
}

export function ratiosBetween(results: readonly Result[], ours: string, theirs: string): number[] {
  return results.map((result) => ratio(result, ours, theirs)).filter((value) => value !== undefined);
}

function spread({ samples }: Measurement): string {
  return samples.length > 1 ? `  (${figure(Math.min(...samples))} … ${figure(Math.max(...samples))})` : '';
}

export function printResult({ title, unit, larger, measurements }: Result): void {
  const better = unit === '%' ? '' : `, ${larger ? 'more' : 'less'} is better`;
  console.log(`\n${title} (${unit}${better})`);
  for (const measurement of measurements)
    console.log(`  ${measurement.name.padEnd(32)} ${figure(measurement.median).padStart(9)}${spread(measurement)}`);
}

/** Results that the same competitors were measured for. */
export function comparable(results: readonly Result[]): Result[][] {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = `${result.measurements[0]?.name}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()];
}

function printRatios(results: readonly Result[]): void {
  const [first = '', ...others] = competitorsOf(results);
  for (const other of others) {
    const ratios = ratiosBetween(results, first, other);
    console.log(`\n${first} is better than ${other} by a factor of`);
    for (const result of results) {
      const value = ratio(result, first, other);
      if (value !== undefined) console.log(`  ${result.benchmark.padEnd(32)} ${figure(value).padStart(9)}`);
    }
    if (ratios.length > 2) console.log(`  ${'geometric mean'.padEnd(32)} ${figure(geometricMean(ratios)).padStart(9)}`);
  }
}

/** The section whose results are shares of one program's time, not competitors. */
export const profileSection = 'profile';

/** Every measurement, then the first competitor's ratio to each of the others. */
export function printSection({ name, rounds, results }: Section): void {
  const profile = name === profileSection;
  console.log(
    `\n== ${name}: ${profile ? "shares of the hart's thread" : `medians of ${rounds} alternating runs (least … most)`}`,
  );
  results.forEach(printResult);
  if (!profile) comparable(results).forEach(printRatios);
}

const folder = join(build, 'bench');

/** The host and its load; `before` is the load average when the section began. */
export function hostNow(before: number): Section['host'] {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    kernel: release(),
    load: [before, loadavg()[0] ?? 0],
  };
}

export function writeSections(sections: readonly Section[]): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify({ sections }, undefined, 2)}\n`);
  return file;
}

/** Of each section the newest results that were kept. */
export function newestSections(): Map<string, Section> {
  const newest = new Map<string, Section>();
  let files: string[] = [];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return newest; // nothing was measured in this checkout
  }
  for (const name of files.sort()) {
    const { sections = [] } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { sections?: Section[] };
    for (const section of sections) newest.set(section.name, section);
  }
  return newest;
}

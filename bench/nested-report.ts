/** What a level of nesting costs: each level against the one around it, as a table and as a chart. */
import type { Group } from './chart.js';
import { cell, competitorsOf, figure, geometricMean, ratio, row, type Result } from './report.js';

export const levelName = (level: number): string => `level ${level}`;

const deeper = [2, 3] as const;

/** How many times slower a level is than the one around it. */
function slowDown(result: Result, level: number): number | undefined {
  return ratio(result, levelName(level - 1), levelName(level));
}

/** Integer loops are measured as rates, boots as times and counts. */
const isLoop = (result: Result): boolean => result.larger;

/** The slowest loop of a level against the one around it. */
export function worstLoop(results: readonly Result[], level: number): number | undefined {
  const found = results.filter(isLoop).flatMap((result) => slowDown(result, level) ?? []);
  return found.length === 0 ? undefined : Math.max(...found);
}

export function nestedChart(results: readonly Result[]): Group {
  const bars = results
    .filter(({ unit }) => !unit.startsWith('million instructions') || unit.endsWith('per second'))
    .map((result) => ({
      label: result.title,
      values: deeper.flatMap((level) => {
        const slower = slowDown(result, level);
        return slower === undefined ? [] : [{ name: `${levelName(level)} in ${levelName(level - 1)}`, ratio: slower }];
      }),
    }));
  return { title: 'Times slower', bars };
}

export function nestedTable(results: readonly Result[]): string[] {
  const names = competitorsOf(results).sort();
  const ratios = (result: Result): (number | undefined)[] => deeper.map((level) => slowDown(result, level));
  const shown = (found: number | undefined): string => (found === undefined ? '' : `${figure(found)} ×`);
  const head = ['', 'unit', ...names, ...deeper.map((level) => `${levelName(level)} slower than ${level - 1}`)];
  const loops = results.filter(isLoop);
  const means = deeper.map((level) => geometricMean(loops.flatMap((result) => slowDown(result, level) ?? [])));
  const mean = row(['geometric mean of the loops', '', ...names.map(() => ''), ...means.map((m) => `${figure(m)} ×`)]);
  const line = (result: Result): string =>
    row([result.title, result.unit, ...names.map((name) => cell(result, name)), ...ratios(result).map(shown)]);
  const rest = results.filter((result) => !isLoop(result)).map(line);
  const rule = row(head.map((_, index) => (index < 2 ? '---' : '---:')));
  return [row(head), rule, ...loops.map(line), mean, ...rest];
}

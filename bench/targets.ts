/** What the project promises of its speed, each with what the newest results say. */
import { qemu } from './machines.js';
import { worstLoop } from './nested-report.js';
import { figure, geometricMean, medianOf, ratio, type Result, type Section } from './report.js';

export interface Target {
  promise: string;
  /** As text, with its unit. */
  wanted: string;
  measured: string;
  met: boolean;
}

type Sections = ReadonlyMap<string, Section>;

/** The ratios to QEMU of what the first competitor, our fastest engine, did. */
function ratios(sections: Sections, section: string, names?: readonly string[]): { name: string; value: number }[] {
  const results = sections.get(section)?.results ?? [];
  return results.flatMap((result) => {
    if (names !== undefined && !names.includes(result.benchmark)) return [];
    const value = ratio(result, result.measurements[0]?.name ?? '', qemu.name);
    return value === undefined ? [] : [{ name: result.benchmark, value }];
  });
}

/** How much longer QEMU takes for all of a section, whose results are times. */
function ratioOfSums(sections: Sections, section: string): number | undefined {
  const results = sections.get(section)?.results ?? [];
  const sum = (name: string): number => results.reduce((total, result) => total + (medianOf(result, name) ?? NaN), 0);
  return results.length === 0 ? undefined : sum(qemu.name) / sum(results[0]?.measurements[0]?.name ?? '');
}

function atLeast(promise: string, wanted: number, unit: string, measured: number | undefined, note = ''): Target[] {
  if (measured === undefined || !Number.isFinite(measured)) return [];
  return [
    {
      promise,
      wanted: `at least ${wanted} ${unit}`,
      measured: `${figure(measured)} ${unit}${note}`,
      met: measured >= wanted,
    },
  ];
}

function atMost(promise: string, wanted: number, unit: string, measured: number | undefined): Target[] {
  if (measured === undefined) return [];
  return [
    { promise, wanted: `at most ${wanted} ${unit}`, measured: `${figure(measured)} ${unit}`, met: measured <= wanted },
  ];
}

function least(found: readonly { name: string; value: number }[]): { value: number | undefined; note: string } {
  const [first] = [...found].sort((a, b) => a.value - b.value);
  return { value: first?.value, note: first === undefined ? '' : ` (${first.name})` };
}

function firstMedian(sections: Sections, section: string, benchmark: string): number | undefined {
  const found: Result | undefined = sections.get(section)?.results.find((result) => result.benchmark === benchmark);
  return found?.measurements[0]?.median;
}

function interpreted(sections: Sections, section: string, benchmark: string): number | undefined {
  const found = sections.get(section)?.results.find((result) => result.benchmark === benchmark);
  return found?.measurements.find(({ name }) => name.endsWith('interp'))?.median;
}

export function targets(sections: Sections): Target[] {
  const cpu = ratios(sections, 'cpu');
  const mean = cpu.length === 0 ? undefined : geometricMean(cpu.map(({ value }) => value));
  const one = (name: string): number | undefined => ratios(sections, 'cpu', [name])[0]?.value;
  const floating = least(ratios(sections, 'cpu', ['nbody', 'matmul']));
  const slowest = least(cpu);
  const system = least(ratios(sections, 'system'));
  const postgres = ratioOfSums(sections, 'postgres');
  const storage = (name: string): number | undefined => firstMedian(sections, 'storage', name);
  const nested = sections.get('nested')?.results ?? [];
  const boot = ratios(sections, 'boot', ['boot'])[0]?.value;
  return [
    ...atLeast('processor workloads against QEMU, geometric mean', 3, '×', mean),
    ...atLeast('CoreMark-like work against QEMU', 2, '×', one('coremark')),
    ...atLeast('floating point against QEMU, each', 4, '×', floating.value, floating.note),
    ...atLeast('every processor workload against QEMU', 1.2, '×', slowest.value, slowest.note),
    ...atLeast('every system workload against QEMU', 2, '×', system.value, system.note),
    ...atLeast('boot to init against QEMU', 1, '×', boot),
    ...atLeast('start of PostgreSQL 17 and 300,000 rows, together, against QEMU', 2, '×', postgres),
    ...atMost('boot to init, interpreter', 6, 's', interpreted(sections, 'boot', 'boot')),
    ...atLeast('interpreter', 60, 'MIPS', interpreted(sections, 'mips', 'mips')),
    ...atLeast('sequential read, through the guest’s page cache', 150, 'MB/s', storage('disk-read')),
    ...atLeast('sequential read from the server’s cache', 300, 'MB/s', storage('disk-read-direct')),
    ...atLeast('sequential read from our own cache', 1000, 'MB/s', storage('disk-read-cached')),
    ...atMost('4 KB written and flushed', 1500, 'µs', storage('disk-flush')),
    ...atMost('pause of a checkpoint', 10, 'ms', firstMedian(sections, 'state', 'checkpoint-pause')),
    ...atMost('64 MB of changed memory stored', 1, 's', firstMedian(sections, 'state', 'checkpoint-64MB')),
    ...atMost('restore of a 1 GB machine', 100, 'ms', firstMedian(sections, 'state', 'restore')),
    ...atMost('fork of a machine', 20, 'ms', firstMedian(sections, 'state', 'fork')),
    ...atMost('pause of a guest for a view', 100, 'µs', firstMedian(sections, 'views', 'view-pause')),
    ...atMost('speed lost while everything is scanned', 10, '%', firstMedian(sections, 'views', 'scan-cost')),
    ...atLeast('scan of page_faults', 2, 'million rows/s', firstMedian(sections, 'fdw', 'scan')),
    ...atMost('one-row lookup', 150, 'µs', firstMedian(sections, 'fdw', 'lookup')),
    ...atMost('a look 2 billion instructions back', 5, 's', firstMedian(sections, 'past', 'past')),
    ...atMost('the same again', 50, 'ms', firstMedian(sections, 'past', 'past-again')),
    ...atMost('integer loop at level 2, against level 1', 12, '×', worstLoop(nested, 2)),
    ...atMost('integer loop at level 3, against level 2', 12, '×', worstLoop(nested, 3)),
  ];
}

/** Puts the newest results into the documents: docs/bench.svg, and the figures of docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { checkout } from '../cli/src/base/paths.js';
import { drawChart, type Group } from './chart.js';
import { qemu } from './machines.js';
import { nestedChart, nestedTable } from './nested-report.js';
import {
  cell,
  comparable,
  competitorsOf,
  figure,
  geometricMean,
  newestSections,
  profileSection,
  ratio,
  ratiosBetween,
  row,
  type Result,
  type Section,
} from './report.js';
import { targets } from './targets.js';

const page = join(checkout, 'docs/performance.md');
const chart = join(checkout, 'docs/bench.svg');
const nestedFile = join(checkout, 'docs/nested.svg');
const begin = '<!-- figures: npm run bench -- publish -->';
const end = '<!-- end of figures -->';

const titles: Record<string, string> = {
  boot: 'Boot',
  mips: 'Instructions per second',
  cpu: 'Processor',
  system: 'System',
  postgres: 'PostgreSQL 17 in the guest',
  storage: 'Disk',
  state: 'Checkpoints',
  views: 'Views of a guest at work',
  fdw: 'Foreign tables',
  past: 'Time travel',
  nested: 'Machines in machines',
  [profileSection]: "Where the hart's thread spends its time",
};

const isOurs = (name: string): boolean => name.startsWith('linuxsql-vm');

function chartGroup(section: Section): Group | undefined {
  const names = competitorsOf(section.results);
  const ours = names.filter(isOurs);
  const theirs = names.find((name) => name.startsWith(qemu.name));
  if (theirs === undefined || section.name === profileSection) return undefined;
  const bars = section.results.map((result) => ({
    label: result.title,
    values: ours.flatMap((name) => {
      const value = ratio(result, name, theirs);
      return value === undefined ? [] : [{ name, ratio: value }];
    }),
  }));
  return { title: titles[section.name] ?? section.name, bars };
}

function resultTable(results: readonly Result[]): string[] {
  const names = competitorsOf(results);
  const [first = '', ...others] = names;
  const head = ['', 'unit', ...names, ...others.map((name) => `against ${name}`)];
  const lines = results.map((result) => {
    const against = others.map((name) => ratio(result, first, name));
    const ratios = against.map((value) => (value === undefined ? '' : `${figure(value)} ×`));
    return row([result.title, result.unit, ...names.map((name) => cell(result, name)), ...ratios]);
  });
  const means = others.map((name) => `${figure(geometricMean(ratiosBetween(results, first, name)))} ×`);
  if (results.length > 2) lines.push(row(['geometric mean', '', ...names.map(() => ''), ...means]));
  return [row(head), row(head.map((_, index) => (index < 2 ? '---' : '---:'))), ...lines];
}

function profileTable(results: readonly Result[]): string[] {
  const parts = ({ measurements }: Result): string =>
    measurements.map(({ name, median }) => `${name} ${median.toFixed(1)}`).join(', ');
  return [
    row(['workload', 'per cent']),
    row(['---', '---']),
    ...results.map((result) => row([result.title, parts(result)])),
  ];
}

function tablesOf(name: string, results: readonly Result[]): string[][] {
  if (name === profileSection) return [profileTable(results)];
  return name === 'nested' ? [nestedTable(results)] : comparable(results).map(resultTable);
}

function sectionTable(section: Section): string {
  const { name, results, time, rounds, host } = section;
  const measured =
    name === profileSection ? '`perf record` for two seconds a workload' : `Medians of ${rounds} alternating runs`;
  const tables = tablesOf(name, results);
  const load = host.load.map((value) => value.toFixed(1)).join(' before and ');
  return [
    `### ${titles[name] ?? name}`,
    '',
    `${measured}, ${time.slice(0, 16).replace('T', ' ')} UTC, on ${host.processors} processors ` +
      `"${host.processor}"; load average ${load} after.`,
    ...tables.flatMap((table) => ['', ...table]),
  ].join('\n');
}

function targetTable(sections: ReadonlyMap<string, Section>): string {
  const lines = targets(sections).map(({ promise, wanted, measured, met }) =>
    row([promise, wanted, measured, met ? 'met' : '**not met**']),
  );
  return ['### Promises', '', row(['', 'wanted', 'measured', '']), row(['---', '---', '---', '---']), ...lines].join(
    '\n',
  );
}

export function publish(): void {
  const newest = newestSections();
  const sections = Object.keys(titles).flatMap((name) => newest.get(name) ?? []);
  if (sections.length === 0)
    throw new UserError('no results are kept in build/bench', { hint: 'Run `npm run bench`.' });
  const groups = sections.flatMap((section) => chartGroup(section) ?? []);
  const hosts = [...new Set(sections.map(({ host }) => `${host.processors} × ${host.processor}`))];
  const subtitle = `Times faster than ${qemu.name} 7.2 on the same host (${hosts.join('; ')}); logarithmic, right is better`;
  writeFileSync(chart, drawChart('linuxsql-vm against QEMU', subtitle, groups));
  const nested = newest.get('nested');
  if (nested !== undefined) {
    const slower = 'Each level against the one around it; logarithmic, left is better';
    writeFileSync(nestedFile, drawChart('linuxsql-vm in linuxsql-vm', slower, [nestedChart(nested.results)]));
  }
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new UserError(`docs/performance.md has no lines "${begin}" and "${end}"`);
  const figures = [targetTable(newest), ...sections.map(sectionTable)].join('\n\n');
  writeFileSync(page, `${before.slice(0, from + begin.length)}\n\n${figures}\n\n${before.slice(to)}`);
  console.log(`${chart}\n${page}`);
}

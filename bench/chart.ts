/** The ratios of a run as horizontal bars, in SVG: no library, no script, readable on light and on dark pages. */
import { figure } from './report.js';

export interface Bar {
  label: string;
  /** How many times faster ours is, by competitor of ours. */
  values: { name: string; ratio: number }[];
}

export interface Group {
  title: string;
  bars: Bar[];
}

const width = 860;
const labels = 300;
const right = 70;
const barHeight = 12;
const colours = ['#2563a8', '#8fb4da', '#b0b0b0'];

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`;
}

/** Ratios are compared on a logarithmic scale: twice as fast and half as fast stand equally far from 1. */
function scaleOver(ratios: readonly number[]): (ratio: number) => number {
  const low = Math.min(0.5, ...ratios) * 0.9;
  const high = Math.max(4, ...ratios) * 1.1;
  const span = Math.log(high / low);
  return (ratio) => labels + (Math.log(ratio / low) / span) * (width - labels - right);
}

export function drawChart(title: string, subtitle: string, groups: readonly Group[]): string {
  const bars = groups.flatMap((group) => group.bars);
  const names = [...new Set(bars.flatMap(({ values }) => values.map(({ name }) => name)))];
  const x = scaleOver(bars.flatMap(({ values }) => values.map(({ ratio }) => ratio)));
  const body: string[] = [];
  let y = 56;
  names.forEach((name, index) => {
    const left = 16 + index * 200;
    body.push(`<rect x="${left}" y="${y}" width="12" height="12" fill="${colours[index] ?? '#888'}"/>`);
    body.push(text(left + 18, y + 10, name));
  });
  y += 30;
  const top = y;
  for (const group of groups) {
    body.push(text(16, y + 14, group.title, 'font-weight="bold"'));
    y += 24;
    for (const bar of group.bars) {
      const height = barHeight * bar.values.length;
      body.push(text(labels - 10, y + height / 2 + 4, bar.label, 'text-anchor="end"'));
      for (const { name, ratio } of bar.values) {
        const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
        const fill = colours[names.indexOf(name)] ?? '#888';
        body.push(
          `<rect x="${from.toFixed(1)}" y="${y}" width="${(to - from).toFixed(1)}" height="${barHeight - 2}" fill="${fill}"/>`,
          text(Math.round(Math.max(to, x(1)) + 5), y + barHeight - 3, `${figure(ratio)} ×`, 'font-size="10"'),
        );
        y += barHeight;
      }
      y += 6;
    }
    y += 8;
  }
  const axis = `<line x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="${top}" y2="${y}" stroke="#888"/>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 24}" font-family="sans-serif" font-size="12" fill="#555">`,
    text(16, 24, title, 'font-size="16" font-weight="bold"'),
    text(16, 42, subtitle),
    axis,
    ...body,
    text(Math.round(x(1)), y + 14, 'equal', 'text-anchor="middle" font-size="10"'),
    '</svg>',
    '',
  ].join('\n');
}

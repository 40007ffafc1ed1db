/** Where the hart's thread spends its time: `perf record` over a running workload, by part of the program. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { capture, mustRun } from '../cli/src/base/run.js';
import { engines, ours } from './machines.js';
import type { Result } from './report.js';
import { bootWorkloads, buildWorkloads } from './workloads.js';

const seconds = 2;
/** Functions with at least this share are named. */
const namedShare = 1.5;

interface Sample {
  share: number;
  object: string;
  symbol: string;
}

async function perf(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await capture('perf', args, { timeoutMs: 60_000 }).catch(() => {
    throw new UserError('perf is not installed', { hint: 'The Debian package is linux-perf.' });
  });
  if (code !== 0) throw new UserError(`perf ${args[0]} failed`, { hint: stderr.slice(-500) });
  return stdout;
}

/** `perf report` lines: share, shared object, [k] or [.], symbol. */
function parse(report: string): Sample[] {
  return [...report.matchAll(/^\s+([0-9.]+)%\s+(\S+(?: \(deleted\))?)\s+\[(.)\]\s+(\S+)/gm)].map(
    ([, share = '0', object = '', , symbol = '']) => ({ share: Number(share), object, symbol }),
  );
}

/** Code that the JIT made has no symbols; it lies in a memory file or in no file. */
function partOf({ object, symbol }: Sample): string {
  if (object.includes('linuxsql-jit') || object.startsWith('//anon') || object === '[JIT]') return 'translated code';
  if (object.startsWith('[')) return 'host kernel';
  return symbol;
}

function shares(samples: readonly Sample[]): { name: string; samples: number[]; median: number }[] {
  const sums = new Map<string, number>();
  for (const sample of samples) sums.set(partOf(sample), (sums.get(partOf(sample)) ?? 0) + sample.share);
  const parts = [...sums].sort((a, b) => b[1] - a[1]);
  const named = parts.filter(([, share]) => share >= namedShare);
  const rest = parts.filter(([, share]) => share < namedShare).reduce((sum, [, share]) => sum + share, 0);
  return [...named, ['everything else', rest] as const].map(([name, share]) => ({
    name,
    samples: [share],
    median: share,
  }));
}

async function profileOne(workload: string, title: string): Promise<Result> {
  const [engine = 'interp'] = await engines();
  const folder = mkdtempSync('/tmp/lsq-');
  const file = join(folder, 'perf.data');
  const session = await bootWorkloads(ours(engine));
  try {
    session.type(`${workload} ${0xffff_ffff}\n`); // longer than we look
    await session.transcript.until([`@start ${workload}`]);
    await mustRun('a moment to warm up', 'sleep', ['0.5']);
    // The hart runs in the first thread of the program.
    const record = ['record', '-q', '-F', '1999', '-t', `${session.pid}`, '-o', file, '--', 'sleep', `${seconds}`];
    await perf(record);
    const report = await perf(['report', '-i', file, '--no-children', '--stdio', '-F', 'overhead,dso,sym']);
    const found = parse(report);
    if (found.length === 0) throw new UserError(`perf saw nothing of ${workload}`);
    return { benchmark: workload, title, unit: '%', larger: false, measurements: shares(found) };
  } finally {
    await session.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Shares of the hart thread's time in the fastest engine; the system workloads and a few of the processor. */
export async function profileBenchmark(): Promise<Result[]> {
  const { list } = await buildWorkloads();
  const chosen = new Set(['coremark', 'dispatch', 'json', 'nbody', 'getppid', 'faults', 'pipe']);
  const results: Result[] = [];
  for (const { name, title } of list) if (chosen.has(name)) results.push(await profileOne(name, title));
  return results;
}

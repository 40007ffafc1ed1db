/** Processor and system workloads in every machine and natively; a checksum that differs fails the benchmark. */
import { UserError } from '../cli/src/base/fail.js';
import { sample, timeUnit } from './clock.js';
import { allMachines, type Session } from './machines.js';
import { median, type Measurement } from './measure.js';
import type { Result } from './report.js';
import { bootWorkloads, buildWorkloads, startNative, type Workload } from './workloads.js';

type OnSample = (name: string, value: number) => void;

interface Sample {
  competitor: string;
  seconds: number;
}

/** Rewriting RISC-V code is nothing the host's processor could do. */
const guestOnly = new Set(['rewrite']);

/** Where multiply and add are fused differs between the guest's processor and the host's. */
function comparable(workload: Workload, competitor: string): boolean {
  return competitor !== 'native' || workload.kind !== 'floating';
}

async function runOnAll(workload: Workload, sessions: readonly Session[], onSample: OnSample): Promise<Sample[]> {
  const samples: Sample[] = [];
  let expected: { checksum: string; competitor: string } | undefined;
  for (const session of sessions) {
    const competitor = session.transcript.name;
    if (competitor === 'native' && guestOnly.has(workload.name)) continue;
    const { seconds, checksum } = await sample(session, workload.name);
    onSample(`${workload.name}, ${competitor}`, seconds);
    samples.push({ competitor, seconds });
    if (!comparable(workload, competitor)) continue;
    expected ??= { checksum, competitor };
    if (checksum !== expected.checksum)
      throw new UserError(`${workload.name} computes ${checksum} in ${competitor}, not ${expected.checksum}`, {
        hint: `${expected.competitor} gave ${expected.checksum}.`,
      });
  }
  return samples;
}

/** One round: every machine boots anew, and each workload runs in all of them, one after the other. */
async function runRound(workloads: readonly Workload[], onSample: OnSample): Promise<Sample[][]> {
  const sessions: Session[] = [];
  try {
    for (const machine of await allMachines()) sessions.push(await bootWorkloads(machine));
    sessions.push(await startNative());
    const samples: Sample[][] = [];
    for (const workload of workloads) samples.push(await runOnAll(workload, sessions, onSample));
    return samples;
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}

function measurements(samples: readonly Sample[]): Measurement[] {
  const names = [...new Set(samples.map(({ competitor }) => competitor))];
  return names.map((name) => {
    const values = samples.filter(({ competitor }) => competitor === name).map(({ seconds }) => seconds);
    return { name, samples: values, median: median(values) };
  });
}

async function computeBenchmark(kinds: readonly string[], rounds: number, onSample: OnSample): Promise<Result[]> {
  const { list } = await buildWorkloads();
  const only = process.env['LINUXSQL_BENCH_WORKLOADS']?.split(',');
  const workloads = list.filter(({ kind, name }) => kinds.includes(kind) && (only?.includes(name) ?? true));
  const samples = workloads.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    (await runRound(workloads, onSample)).forEach((found, index) => samples[index]?.push(...found));
  }
  return workloads.map(({ name, title }, index) => ({
    benchmark: name,
    title,
    unit: timeUnit,
    larger: false,
    measurements: measurements(samples[index] ?? []),
  }));
}

export function cpuBenchmark(rounds: number, onSample: OnSample): Promise<Result[]> {
  return computeBenchmark(['integer', 'floating'], rounds, onSample);
}

export function systemBenchmark(rounds: number, onSample: OnSample): Promise<Result[]> {
  return computeBenchmark(['system'], rounds, onSample);
}

/**
 * Machines in machines: linuxsql-vm, built for riscv64, runs in a guest of itself, three levels deep. Integer loops and
 * boots at each level, by the host's clock.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../cli/src/base/fail.js';
import { build, checkout } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { firmwareFiles } from '../cli/src/setup/firmware.js';
import { sljitFolder } from '../cli/src/setup/sljit.js';
import { clock } from './clock.js';
import { ourProgram, startProgram, type Engine, type Session } from './machines.js';
import { median, type Measurement } from './measure.js';
import { levelName } from './nested-report.js';
import type { Result } from './report.js';
import { secondsBetween } from './transcript.js';
import { buildWorkloads } from './workloads.js';

type OnSample = (name: string, value: number) => void;

const deepest = 3;
const out = join(build, 'bench/nested');
const stats = join(out, 'stats.json');

/**
 * Integer loops. Every level is given the same work: a shorter run of the deepest one would weigh what a process costs
 * before it loops (its memory, page by page, and its translation) more there than around it.
 */
const loops = [
  { name: 'coremark', title: 'lists, matrices, state machine (CoreMark-like)', scale: 4000 },
  { name: 'sieve', title: 'sieve of 4 MB', scale: 12 },
  { name: 'fib', title: 'recursive fib', scale: 36 },
  { name: 'sha256', title: 'SHA-256', scale: 6000 },
  { name: 'dispatch', title: 'indirect calls and switch', scale: 8000000 },
] as const;

const interpreted = 'level 2, interpreter in the JIT';

/** The initramfs of the outermost machine. */
async function buildImages(): Promise<string> {
  const { firmware, kernel } = await firmwareFiles();
  const { folder } = await buildWorkloads();
  const make = ['--no-print-directory', '-j2', '-C', join(checkout, 'vm-core'), 'HOST=riscv64'];
  await mustRun('building linuxsql-vm for riscv64', 'make', [...make, `SLJIT=${sljitFolder()}`, 'all']);
  mkdirSync(out, { recursive: true });
  const inner = process.env['LINUXSQL_BENCH_INNER_VM'] ?? join(build, 'vm-core-riscv64/linuxsql-vm');
  const files = [inner, firmware, kernel, join(folder, 'workload.riscv64')];
  const script = join(checkout, 'bench/nested/build.sh');
  await mustRun('building the nested machines', 'bash', [script, out, String(deepest), ...files]);
  return join(out, 'level1.cpio');
}

interface Boot {
  seconds: number;
  /** Until the first one of a user process, by the machine's own count; known when it has ended. */
  instructions?: number;
}

class Nest {
  private constructor(
    private readonly session: Session,
    readonly boots: Boot[],
  ) {}

  static async start(initrd: string): Promise<Nest> {
    const { firmware, kernel } = await firmwareFiles();
    const append = ['--append', 'console=ttyS0 quiet level=1 inner_memory=256M'];
    const images = ['--bios', firmware, '--kernel', kernel, '--initrd', initrd, ...append];
    const machine = ['--memory', '768M', '--console', 'stdio', '--stats', stats];
    rmSync(stats, { force: true });
    const session = startProgram('nested', ourProgram, [...images, ...machine]);
    const nest = new Nest(session, []);
    nest.boots.push({ seconds: await nest.time(session.started, 0, '@ready 1') });
    return nest;
  }

  /** Seconds from an instant, and from an amount of processor time, until a line that begins so. */
  private async time(from: bigint, used: number, marker: string): Promise<number> {
    const { at } = await this.session.transcript.until([marker], 900_000);
    await this.session.transcript.until(['\n']);
    return clock === 'cpu' ? this.session.used() - used : secondsBetween(from, at);
  }

  private async line(marker: string): Promise<string> {
    await this.session.transcript.until([marker], 900_000);
    return (await this.session.transcript.until(['\n'])).before.trim();
  }

  /** Starts a machine in the innermost one. */
  async enter(engine: Engine): Promise<void> {
    const [from, used] = [process.hrtime.bigint(), this.session.used()];
    await this.session.type(`vm ${engine}\n`);
    this.boots.push({ seconds: await this.time(from, used, `@ready ${this.boots.length + 1}`) });
  }

  /** Powers the innermost machine off, which leads back into the one around it. */
  async leave(): Promise<Boot> {
    const boot = this.boots.pop();
    if (boot === undefined) throw new Error('no machine');
    await this.session.type('off\n');
    const text = this.boots.length === 0 ? await this.outermost() : await this.line('@stats ');
    return { ...boot, instructions: (JSON.parse(text) as { first_user_instret: number }).first_user_instret };
  }

  private async outermost(): Promise<string> {
    await this.session.transcript.until(['Power down']).catch(() => undefined); // it has ended
    for (let tries = 0; ; tries++) {
      try {
        const text = readFileSync(stats, 'utf8');
        if (text.endsWith('}\n')) return text;
      } catch (error) {
        if (tries === 100) throw error;
      }
      await sleep(100);
    }
  }

  /** Million instructions a second; each loop runs once before, so that its code is translated. */
  async mips(name: string, scale: number): Promise<{ mips: number; checksum: string }> {
    await this.run(name, scale);
    return this.run(name, scale);
  }

  private async run(name: string, scale: number): Promise<{ mips: number; checksum: string }> {
    const [from, used] = [process.hrtime.bigint(), this.session.used()];
    await this.session.type(`run ${name} ${scale}\n`);
    const { at } = await this.session.transcript.until([`@end ${name} `], 900_000);
    const checksum = (await this.session.transcript.until(['\n'])).before.trim();
    const seconds = clock === 'cpu' ? this.session.used() - used : secondsBetween(from, at);
    // A guest's clock counts its instructions, a nanosecond each: microseconds used are thousands of them.
    const thousands = Number(await this.line(`@used ${name} `));
    return { mips: thousands / 1000 / seconds, checksum };
  }

  end(): Promise<void> {
    return this.session.end();
  }
}

/** Samples by result and competitor. */
class Samples {
  private readonly values = new Map<string, Map<string, number[]>>();

  constructor(private readonly onSample: OnSample) {}

  add(result: string, competitor: string, value: number): void {
    this.onSample(`${result}, ${competitor}`, value);
    const competitors = this.values.get(result) ?? new Map<string, number[]>();
    competitors.set(competitor, [...(competitors.get(competitor) ?? []), value]);
    this.values.set(result, competitors);
  }

  measurements(result: string): Measurement[] {
    const found = this.values.get(result) ?? new Map<string, number[]>();
    const measured = [...found].map(([name, samples]) => ({ name, samples, median: median(samples) }));
    return measured.sort((a, b) => a.name.localeCompare(b.name)); // boots are known from the innermost on
  }
}

async function runLoops(nest: Nest, competitor: string, samples: Samples): Promise<void> {
  const only = process.env['LINUXSQL_BENCH_WORKLOADS']?.split(',');
  for (const { name, scale } of loops) {
    if (only?.includes(name) === false) continue;
    samples.add(name, competitor, (await nest.mips(name, scale)).mips);
  }
}

async function runRound(initrd: string, levels: number, samples: Samples): Promise<void> {
  const nest = await Nest.start(initrd);
  const boot = (level: number, { seconds, instructions = 0 }: Boot): void => {
    samples.add('boot', levelName(level), seconds);
    samples.add('boot-instructions', levelName(level), instructions / 1e6);
  };
  try {
    await runLoops(nest, levelName(1), samples);
    for (let level = 2; level <= levels; level++) {
      await nest.enter('jit');
      await runLoops(nest, levelName(level), samples);
    }
    for (let level = levels; level > 1; level--) boot(level, await nest.leave());
    await nest.enter('interp');
    await runLoops(nest, interpreted, samples);
    await nest.leave();
    boot(1, await nest.leave());
  } finally {
    await nest.end();
  }
}

/** LINUXSQL_BENCH_LEVELS: how deep, 3 unless told otherwise. */
function levelCount(): number {
  const asked = Number(process.env['LINUXSQL_BENCH_LEVELS'] ?? deepest);
  if (Number.isInteger(asked) && asked >= 2 && asked <= deepest) return asked;
  throw new UserError(`LINUXSQL_BENCH_LEVELS is none of 2, ${deepest}`);
}

export async function nestedBenchmark(rounds: number, onSample: OnSample): Promise<Result[]> {
  const levels = levelCount();
  const initrd = await buildImages();
  const samples = new Samples(onSample);
  for (let round = 0; round < rounds; round++) await runRound(initrd, levels, samples);
  const rate = { unit: 'million instructions per second', larger: true };
  const results = loops.map(({ name, title }) => ({ benchmark: name, title, ...rate }));
  const seconds = clock === 'cpu' ? 's of processor time' : 's';
  return [
    ...results,
    { benchmark: 'boot', title: 'start of the machine to its first process', unit: seconds, larger: false },
    { benchmark: 'boot-instructions', title: 'of its own until then', unit: 'million instructions', larger: false },
  ]
    .map((result) => ({ ...result, measurements: samples.measurements(result.benchmark) }))
    .filter(({ measurements }) => measurements.length > 0);
}

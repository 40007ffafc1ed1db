/**
 * `npm run lockstep`: the two engines compared over as much as a release asks for. It ends at the first difference and
 * prints what it has covered.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ours, type Machine } from '../../bench/machines.js';
import { bootWorkloads, runWorkload } from '../../bench/workloads.js';
import { UserError } from '../../cli/src/base/fail.js';
import { build as buildFolder } from '../../cli/src/base/paths.js';
import { capture } from '../../cli/src/base/run.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { firmwareFiles } from '../../cli/src/setup/firmware.js';
import { build, linkBare } from '../isa/harness.js';
import { readRows, repositoryRoot } from '../isa/insn-table.js';
import { Random } from '../isa/random.js';
import { randomProgram } from '../isa/random-program.js';
import { buildChaos } from './chaos.js';

const MILLION = 1_000_000;
const SHELL = 147 * MILLION;
/** As far as a boot goes in good time when code hardly lives longer than its compile. */
const START = 10 * MILLION;
const CHAOS_INSNS = 400_000;
const program = join(buildFolder, 'vm-core/linuxsql-vm');

type Environment = Readonly<Record<string, string>>;

/** How soon code is translated, how little room it has, how short the stretches between two comparisons are. */
const settings: readonly Environment[] = [
  { LINUXSQL_JIT_THRESHOLD: '1' },
  { LINUXSQL_JIT_THRESHOLD: '2', LINUXSQL_JIT_CACHE: '1' },
  { LINUXSQL_JIT_THRESHOLD: '1', LINUXSQL_JIT_EVICT: '1' },
  { LINUXSQL_JIT_THRESHOLD: '8', LINUXSQL_LOCKSTEP_STRETCH: '70' },
  { LINUXSQL_LOCKSTEP_CUT: '3' },
];
const budgetOne: Environment = { LINUXSQL_JIT_THRESHOLD: '1', LINUXSQL_LOCKSTEP_STRETCH: '1' };

/** Instructions of one workload are some five million times the scale here. */
const portions: readonly [workload: string, scale: number, grows: boolean][] = [
  ['coremark', 8, true],
  ['sieve', 1, false],
  ['fib', 26, false],
  ['chase', 20_000, true],
  ['copy', 8, true],
  ['nbody', 400, true],
  ['matmul', 1, false],
  ['compress', 1, false],
  ['json', 1, true],
  ['btree', 150, true],
  ['sha256', 20, true],
  ['dispatch', 40_000, true],
  ['getppid', 4000, true],
  ['fork', 6, true],
  ['pipe', 400, true],
  ['faults', 500, true],
  ['rewrite', 400, true],
];

interface Stats {
  readonly instret: number;
  readonly jit_insns: number;
  readonly first_user_instret: number;
  readonly state_sha256: string;
}

interface Covered {
  insns: number;
  runs: number;
}

const readStats = (file: string): Stats => JSON.parse(readFileSync(file, 'utf8')) as Stats;

/** The whole of it, that is. */
const isWritten = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8').trimEnd().endsWith('}');

/** One run of linuxsql-vm; a difference between the engines ends everything. */
async function runOnce(folder: string, args: readonly string[], engine: string, env: Environment): Promise<Stats> {
  const stats = join(folder, `${engine}.json`);
  rmSync(stats, { force: true });
  const all = [...args, '--engine', engine, '--stats', stats];
  const { code, stderr } = await capture(program, all, { timeoutMs: 900_000, input: '', env });
  if (stderr.includes('lockstep:') || code > 1 || !existsSync(stats))
    throw new UserError(`linuxsql-vm ${all.join(' ')} ended with ${code}`, {
      hint: `${JSON.stringify(env)}\n${stderr}`,
    });
  return readStats(stats);
}

function expectSame(what: string, wanted: Stats, found: Stats): void {
  if (wanted.instret === found.instret && wanted.state_sha256 === found.state_sha256) return;
  const tell = ({ instret, state_sha256 }: Stats): string => `${state_sha256} after ${instret}`;
  throw new UserError(`${what}: the state is not that of the interpreter`, {
    hint: `interp ${tell(wanted)}\nother  ${tell(found)}`,
  });
}

/** A program under the interpreter, in lockstep and under the JIT alone: one state. */
async function compare(folder: string, args: readonly string[], envs: readonly Environment[]): Promise<Covered> {
  const wanted = await runOnce(folder, args, 'interp', {});
  const covered = { insns: 0, runs: 0 };
  for (const env of envs) {
    for (const engine of ['lockstep', 'jit']) {
      const found = await runOnce(folder, args, engine, env);
      expectSame(`${args.join(' ')} under ${engine} ${JSON.stringify(env)}`, wanted, found);
    }
    covered.insns += wanted.instret;
    covered.runs++;
  }
  return covered;
}

const plus = (a: Covered, b: Covered): Covered => ({ insns: a.insns + b.insns, runs: a.runs + b.runs });

async function boots(folder: string): Promise<Covered> {
  const { firmware, kernel, initramfs } = await firmwareFiles();
  const files = ['--bios', firmware, '--kernel', kernel, '--initrd', initramfs, '--append', 'console=ttyS0'];
  const boot = (insns: number): string[] => [
    ...files,
    '--memory',
    '256M',
    '--idle',
    'jump',
    '--stop-at',
    String(insns),
  ];
  const roomy = [{}, { LINUXSQL_JIT_THRESHOLD: '1' }, { LINUXSQL_JIT_THRESHOLD: '4', LINUXSQL_JIT_CACHE: '4194304' }];
  return plus(
    await compare(folder, boot(SHELL), roomy),
    await compare(folder, boot(START), [{ LINUXSQL_JIT_CACHE: '1' }, { LINUXSQL_JIT_EVICT: '1' }]),
  );
}

async function workloadSession(folder: string, growth: number): Promise<number> {
  const stats = join(folder, `workloads-${growth}.json`);
  const jit = ours('jit');
  const lockstep: Machine = {
    name: 'linuxsql-vm, lockstep',
    command: async (guest) => {
      const { args } = await jit.command(guest);
      return { program, args: [...args.map((arg) => (arg === 'jit' ? 'lockstep' : arg)), '--stats', stats] };
    },
  };
  const session = await bootWorkloads(lockstep);
  try {
    for (const [name, scale, grows] of portions) {
      for (let turn = 0; turn < (grows ? 1 : growth / 10); turn++)
        await runWorkload(session, name, grows ? scale * growth : scale);
    }
    await session.type('off\n');
    if (!(await waitUntil(() => isWritten(stats), 60_000))) throw new UserError('the guest did not power off');
  } finally {
    await session.end();
  }
  const { instret, first_user_instret } = readStats(stats);
  return instret - first_user_instret;
}

async function workloads(folder: string, wanted: number): Promise<Covered> {
  const covered = { insns: 0, runs: 0 };
  while (covered.insns < wanted) {
    covered.insns += await workloadSession(folder, 10);
    covered.runs++;
  }
  return covered;
}

/** Random code of every extension in every mode, with faults, interrupts, remapped pages and rewritten code. */
async function generated(folder: string, wanted: number, firstSeed: number): Promise<Covered> {
  const rows = readRows();
  let covered: Covered = { insns: 0, runs: 0 };
  for (let seed = firstSeed; covered.insns < wanted; seed++) {
    const limit = ['--memory', '16M', '--max-insns', String(CHAOS_INSNS)];
    const chaos = await buildChaos(rows, seed, folder);
    const env = settings[seed % settings.length] ?? {};
    covered = plus(covered, await compare(folder, ['--bare', chaos, ...limit], [env]));
    const { bare } = await build(randomProgram(rows, new Random(seed), 600), folder, true);
    covered = plus(covered, await compare(folder, ['--bare', bare, '--memory', '16M'], [env]));
    rmSync(chaos);
  }
  const chaos = await buildChaos(rows, firstSeed, folder);
  const short = ['--bare', chaos, '--memory', '16M', '--max-insns', '60000'];
  return plus(covered, await compare(folder, short, [budgetOne]));
}

async function storms(folder: string): Promise<Covered> {
  let covered: Covered = { insns: 0, runs: 0 };
  for (const name of ['storm', 'offsets', 'faults', 'coherence']) {
    const elf = join(folder, `${name}.elf`);
    const source = `${repositoryRoot}test/lockstep/bare/${name}.S`;
    await linkBare(source, `${repositoryRoot}test/isa/bare/layout.ld`, elf);
    covered = plus(covered, await compare(folder, ['--bare', elf, '--memory', '16M'], [...settings, budgetOne]));
  }
  return covered;
}

export interface Volume {
  /** Millions of instructions. */
  readonly workloads: number;
  readonly generated: number;
  readonly seed: number;
}

export async function runVolume({ workloads: work, generated: made, seed }: Volume): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'linuxsql-lockstep-'));
  const parts: readonly [string, () => Promise<Covered>][] = [
    ['storms of faults, interrupts and rewritten code', () => storms(folder)],
    ['generated code', () => generated(folder, made * MILLION, seed)],
    ['boots to the shell', () => boots(folder)],
    ['workloads in the guest', () => workloads(folder, work * MILLION)],
  ];
  try {
    for (const [name, part] of parts) {
      const started = Date.now();
      const { insns, runs } = await part();
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      console.log(
        `${name}: ${(insns / MILLION).toFixed(1)} million instructions in ${runs} runs, no difference (${seconds} s)`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

/**
 * `npm run soak -- installcheck`: PostgreSQL's own regression suite in a guest of linuxsql-vm and of qemu-system-riscv64, side by
 * side, from copies of one disk (build.sh). A script passes if it prints what PostgreSQL's source says it prints.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engines, ours, qemu, startProgram, type Machine, type Session } from '../../bench/machines.js';
import { secondsBetween } from '../../bench/transcript.js';
import { UserError } from '../../cli/src/base/fail.js';
import { step } from '../../cli/src/base/log.js';
import { build, checkout, ensureFolder } from '../../cli/src/base/paths.js';
import { capture, mustRun } from '../../cli/src/base/run.js';
import { builtImage } from '../../cli/src/setup/built-image.js';
import { compare, failures, scriptOf, type Outcome } from './outcome.js';

const memory = '1G';
/** A machine that is shared with others is slow; one that says nothing for so long hangs. */
const silenceMs = 1_200_000;
const lifetimeMs = 4 * 3_600_000;
const reportEvery = 20;

interface Run extends Outcome {
  machine: string;
  seconds: number;
  /** Processor time of the machine's program until the last script had ended. */
  processorSeconds: number;
  /** Of ours: instructions the guest has retired. */
  instret?: number;
}

/** Reads a file of an ext4 image; one that is not there is empty. */
async function fileOf(disk: string, path: string): Promise<string> {
  const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  return (await capture('debugfs', ['-R', `cat ${path}`, disk], { env })).stdout;
}

function instretOf(file: string): number {
  const stats: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof stats === 'object' && stats !== null && 'instret' in stats && typeof stats.instret === 'number')
    return stats.instret;
  throw new UserError(`${file} does not tell of instructions`);
}

/** The last lines may be read when the program is gone. */
function usedBy(session: Session): number {
  try {
    return session.used();
  } catch {
    return 0;
  }
}

interface Watched {
  lines: readonly string[];
  passed: ReadonlyMap<string, boolean>;
  seconds: number;
  processorSeconds: number;
}

/** Reads the console until the guest is done, and tells how far it is. */
async function watch(session: Session): Promise<Watched> {
  const { name } = session.transcript;
  const passed = new Map<string, boolean>();
  const lines: string[] = [];
  let processorSeconds = 0;
  for (;;) {
    const found = await session.transcript.until(['\n'], silenceMs);
    const line = found.before.trimEnd();
    const seconds = secondsBetween(session.started, found.at);
    lines.push(line);
    processorSeconds = Math.max(processorSeconds, usedBy(session));
    const script = scriptOf(line);
    if (script !== undefined) {
      passed.set(script.name, script.passed);
      if (!script.passed) step(name, `not ok: ${script.name}`);
      if (passed.size % reportEvery === 0) step(name, `${passed.size} scripts, ${seconds.toFixed(0)} s`);
    }
    if (line.startsWith('@done')) return { lines, passed, seconds, processorSeconds };
    if (line.startsWith('@failed'))
      throw new UserError(`${name} could not run the scripts`, { hint: lines.slice(-20).join('\n') });
  }
}

/** Boots the machine from its own copy of the disk; what it leaves is in build/installcheck. */
async function runMachine(machine: Machine, image: string): Promise<Run> {
  const folder = join(ensureFolder(join(build, 'installcheck')), machine.name.replaceAll(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const [disk, stats] = [join(folder, 'disk.ext4'), join(folder, 'stats.json')];
  await mustRun('copying the disk', 'cp', ['--sparse=always', '--no-preserve=mode', image, disk]);
  const append = 'root=/dev/vda rw init=/bench/init installcheck.run quiet';
  const extra = machine === qemu ? [] : ['--idle', 'jump', '--stats', stats];
  const command = await machine.command({ initrd: null, memory, append, disk, extra });
  const session = startProgram(machine.name, command.program, command.args, lifetimeMs);
  try {
    const { lines, ...watched } = await watch(session);
    await session.gone;
    writeFileSync(join(folder, 'console'), lines.join('\n'));
    // pg_regress ends with how many scripts it was given.
    if (!lines.includes(`1..${watched.passed.size}`))
      throw new UserError(`${machine.name}: pg_regress did not get to its end`, { hint: lines.slice(-20).join('\n') });
    const diffs = await fileOf(disk, '/bench/regress/out/regression.diffs');
    writeFileSync(join(folder, 'regression.diffs'), diffs);
    const run = { machine: machine.name, diffs, ...watched };
    return machine === qemu ? run : { ...run, instret: instretOf(stats) };
  } finally {
    await session.end();
  }
}

function printRun(run: Run): void {
  const failed = failures(run);
  const instructions = run.instret === undefined ? '' : `, ${(run.instret / 1e9).toFixed(1)} G instructions`;
  console.log(
    `${run.machine}: ${run.passed.size - failed.length} ok, ${failed.length} not ok; ${run.seconds.toFixed(0)} s, ` +
      `${run.processorSeconds.toFixed(0)} s of processor time${instructions}`,
  );
}

export async function installcheck(): Promise<number> {
  const image = await builtImage('the disk of the PostgreSQL guest', join(checkout, 'test/installcheck/build.sh'));
  const [engine = 'interp'] = await engines();
  // Both at once, so that whatever else the host does is the same for both.
  const [own, other] = await Promise.all([runMachine(ours(engine), image), runMachine(qemu, image)]);
  printRun(own);
  printRun(other);
  const ratio = (a: number, b: number): string => (a / b).toFixed(2);
  console.log(
    `QEMU takes ${ratio(other.seconds, own.seconds)} times the time, ` +
      `${ratio(other.processorSeconds, own.processorSeconds)} times the processor time`,
  );
  const both = failures(own).filter((script) => other.passed.get(script) === false);
  if (both.length > 0) console.log(`not as expected on both machines: ${both.join(', ')}`);
  const differences = compare(own, other);
  for (const { script, what, diff } of differences) console.log(`\n${script} ${what}\n${diff.slice(0, 4000)}`);
  console.log(differences.length === 0 ? 'no difference' : `\n${differences.length} scripts differ`);
  return differences.length === 0 && own.passed.size > 0 && failures(own).length === 0 ? 0 : 1;
}

/**
 * Builds generated programs and runs them on our hart and on QEMU's user-mode emulator.
 *
 * LINUXSQL_TEST_SCALE (default 1) multiplies the amount of random cases; LINUXSQL_ISA_ENGINE picks the engine
 * (default interp); LINUXSQL_ISA_HOST=aarch64 or riscv64 runs the daemon cross-built for that host under its user-mode
 * emulator, asan the sanitizer build.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './insn-table.js';
import { firstDifference, type Program } from './program.js';

export const scale = Number(process.env['LINUXSQL_TEST_SCALE'] ?? '1');
export const scaled = (count: number): number => Math.max(1, Math.round(count * scale));

const runtimeFolder = `${repositoryRoot}test/isa/runtime`;
const crossCompiler = 'riscv64-linux-gnu-gcc';
/** Debian's QEMU 7.2 has these by default; naming them keeps the peer's profile explicit. */
const qemuCommand = ['qemu-riscv64-static', '-cpu', 'rv64,zba=true,zbb=true,zbc=true,zbs=true'];

export type HostName = 'native' | 'asan' | 'aarch64' | 'riscv64';

export function hostOfTests(): HostName {
  const host = process.env['LINUXSQL_ISA_HOST'] ?? 'native';
  if (host !== 'native' && host !== 'asan' && host !== 'aarch64' && host !== 'riscv64')
    throw new Error(`LINUXSQL_ISA_HOST: ${host} is none of native, asan, aarch64, riscv64`);
  return host;
}

/** Builds the daemon for a host unless that is up to date. Test files run side by side: one builds at a time. */
export async function buildHart(host: HostName): Promise<void> {
  const which = { native: [], asan: ['SANITIZE=1'], aarch64: ['HOST=aarch64'], riscv64: ['HOST=riscv64'] }[host];
  mkdirSync(`${repositoryRoot}build`, { recursive: true });
  const alone = ['flock', `${repositoryRoot}build/vm-core-${host}.lock`];
  const result = await run([...alone, 'make', '-s', '-C', `${repositoryRoot}vm-core`, '-j2', ...which], 600);
  if (result.status !== 'exit 0') throw new Error(`building linuxsql-vm for ${host}: ${result.stderr}`);
}

/** The command that runs linuxsql-vm built for a host. */
export function hartCommand(host: HostName): string[] {
  const program = `${repositoryRoot}build/vm-core${host === 'native' ? '' : `-${host}`}/linuxsql-vm`;
  if (!existsSync(program)) throw new Error(`${program} is missing; see make -C vm-core`);
  if (host === 'native' || host === 'asan') return [program];
  return [`qemu-${host}-static`, '-L', `/usr/${host}-linux-gnu`, program];
}

export interface RunResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly status: string;
}

export function run(command: readonly string[], timeoutSeconds = 120): Promise<RunResult> {
  const [file, ...args] = command;
  return new Promise((resolve) => {
    const options = { encoding: 'buffer', maxBuffer: 1 << 30, timeout: timeoutSeconds * 1000 } as const;
    execFile(file ?? '', args, options, (error, stdout, stderr) => {
      const status = error === null ? 'exit 0' : error.signal ? `signal ${error.signal}` : `exit ${error.code ?? '?'}`;
      resolve({ stdout, stderr: stderr.toString(), status });
    });
  });
}

export async function withFolder<T>(job: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'linuxsql-isa-'));
  try {
    return await job(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function link(output: string, args: readonly string[]): Promise<void> {
  const options = ['-nostdlib', '-static', '-march=rv64gc', '-mabi=lp64d'];
  const linker = ['-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments'];
  const result = await run([crossCompiler, ...options, ...linker, ...args, '-o', output]);
  if (result.status !== 'exit 0') throw new Error(`linking ${output}: ${result.stderr}`);
}

/** One hand-written program. */
export const linkBare = (source: string, script: string, output: string): Promise<void> =>
  link(output, ['-T', script, source]);

export interface Elves {
  readonly bare: string;
  readonly linux: string;
}

/** `ticking`: the bare program is interrupted by its timer all the time. */
export async function build(program: Program, folder: string, ticking = false): Promise<Elves> {
  const { code, data } = program.finish();
  writeFileSync(`${folder}/code.bin`, code);
  writeFileSync(`${folder}/data.bin`, data);
  const elves = { bare: `${folder}/bare.elf`, linux: `${folder}/linux.elf` };
  const images = [`-DCODE="${folder}/code.bin"`, `-DDATA="${folder}/data.bin"`];
  const sources = ['-T', `${runtimeFolder}/layout.ld`, `${runtimeFolder}/runtime.S`];
  await link(elves.bare, ['-DBARE', ...(ticking ? ['-DTICKING'] : []), ...images, ...sources]);
  await link(elves.linux, [...images, ...sources]);
  return elves;
}

export const runPeer = (elves: Elves): Promise<RunResult> => run([...qemuCommand, elves.linux]);

export const engineOfTests = (): string => process.env['LINUXSQL_ISA_ENGINE'] ?? 'interp';

export function runHart(
  elf: string,
  host: HostName = hostOfTests(),
  options: readonly string[] = [],
  engine: string = engineOfTests(),
): Promise<RunResult> {
  return run([...hartCommand(host), '--bare', elf, '--engine', engine, ...options]);
}

/** The trap record a bare program appends when it ends by a trap nobody expected. */
function trapText(result: RunResult): string {
  const at = result.stdout.length - 32;
  if (at < 0 || result.stdout.subarray(at, at + 8).toString('latin1') !== 'TRAPTRAP') return '';
  const [cause, tval, epc] = [8, 16, 24].map((o) => result.stdout.readBigUInt64LE(at + o).toString(16));
  return `\n  the hart took a trap: mcause 0x${cause}, mtval 0x${tval}, mepc 0x${epc}`;
}

/** Runs the program on both sides; undefined when every word agrees, else the first difference in words. */
export async function compareWithPeer(
  program: Program,
  {
    host = hostOfTests(),
    ticking = false,
    engine = engineOfTests(),
  }: { host?: HostName; ticking?: boolean; engine?: string } = {},
): Promise<string | undefined> {
  return withFolder(async (folder) => {
    const elves = await build(program, folder, ticking);
    const [hart, peer] = await Promise.all([runHart(elves.bare, host, [], engine), runPeer(elves)]);
    return judge(program, hart, { name: 'qemu', result: peer });
  });
}

/** Runs the program on our hart alone and compares with a stream worked out by a model. */
export async function compareWithModel(program: Program, expected: Buffer): Promise<string | undefined> {
  return withFolder(async (folder) => {
    const elves = await build(program, folder);
    const hart = await runHart(elves.bare);
    return judge(program, hart, { name: 'model', result: { stdout: expected, stderr: '', status: 'exit 0' } });
  });
}

function judge(program: Program, hart: RunResult, other: { name: string; result: RunResult }): string | undefined {
  const difference = firstDifference(
    program,
    { name: 'hart', stream: hart.stdout },
    { name: other.name, stream: other.result.stdout },
  );
  const failures = [
    ...(hart.status === 'exit 0' ? [] : [`hart: ${hart.status} ${hart.stderr.trim()}${trapText(hart)}`]),
    ...(other.result.status === 'exit 0'
      ? []
      : [`${other.name}: ${other.result.status} ${other.result.stderr.trim()}`]),
    ...(difference === undefined ? [] : [difference]),
  ];
  return failures.length > 0 ? failures.join('\n') : undefined;
}

/** Starts linuxsql-vm and qemu-system-riscv64 with the same firmware, kernel, initramfs and command line. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../cli/src/base/paths.js';
import { capture } from '../cli/src/base/run.js';
import { firmwareFiles } from '../cli/src/setup/firmware.js';
import { Transcript, type Terminal } from './transcript.js';

export interface Guest {
  /** Initial RAM file system; the mini root file system unless given; null: none. */
  initrd?: string | null;
  memory?: string;
  /** Added to the kernel's command line. */
  append?: string;
  /** A disk image, which the guest may write; raw, or by its name qcow2, which ours does not read. */
  disk?: string;
  /** Further arguments of the program. */
  extra?: readonly string[];
}

export interface Machine {
  name: string;
  command(guest: Guest): Promise<{ program: string; args: string[] }>;
}

const defaultMemory = '256M';

/** LINUXSQL_BENCH_VM: another build of linuxsql-vm to measure. */
export const ourProgram = process.env['LINUXSQL_BENCH_VM'] ?? join(build, 'vm-core/linuxsql-vm');

/** Arguments that linuxsql-vm and QEMU both have, but for the number of dashes. */
async function bootArguments(guest: Guest, dashes: '-' | '--'): Promise<string[]> {
  const { firmware, kernel, initramfs } = await firmwareFiles();
  const initrd = guest.initrd === undefined ? initramfs : guest.initrd;
  const args = [`${dashes}bios`, firmware, `${dashes}kernel`, kernel];
  if (initrd !== null) args.push(`${dashes}initrd`, initrd);
  return [...args, `${dashes}append`, ['console=ttyS0', guest.append ?? ''].join(' ').trim()];
}

export type Engine = 'jit' | 'interp';

export function ours(engine: Engine): Machine {
  return {
    name: `linuxsql-vm, ${engine}`,
    command: async (guest) => {
      const args = ['--engine', engine, '--memory', guest.memory ?? defaultMemory, '--console', 'stdio'];
      args.push(...(await bootArguments(guest, '--')));
      if (guest.disk !== undefined) args.push('--disk', guest.disk);
      return { program: ourProgram, args: [...args, ...(guest.extra ?? [])] };
    },
  };
}

/** The processor has the extensions that ours shows to the guest; one hart; translation in one thread; no -icount. */
export const qemu: Machine = {
  name: 'qemu-system-riscv64',
  command: async (guest) => {
    const args = ['-machine', 'virt', '-cpu', 'rv64,zba=true,zbb=true,zbc=true,zbs=true', '-smp', '1'];
    args.push('-m', guest.memory ?? defaultMemory, '-nographic', '-nodefaults', '-no-reboot', '-serial', 'stdio');
    args.push(...(await bootArguments(guest, '-')));
    if (guest.disk !== undefined) {
      const format = guest.disk.endsWith('.qcow2') ? 'qcow2' : 'raw';
      args.push('-drive', `file=${guest.disk},format=${format},if=none,id=d`, '-device', 'virtio-blk-device,drive=d');
    }
    return { program: 'qemu-system-riscv64', args: [...args, ...(guest.extra ?? [])] };
  },
};

let known: Promise<Engine[]> | undefined;

/** The engines that this build of linuxsql-vm can run, the fastest first; LINUXSQL_BENCH_ENGINE leaves one of them. */
export function engines(): Promise<Engine[]> {
  known ??= findEngines();
  return known;
}

async function findEngines(): Promise<Engine[]> {
  const only = process.env['LINUXSQL_BENCH_ENGINE'];
  if (only === 'jit' || only === 'interp') return [only];
  const { program, args } = await ours('jit').command({ extra: ['--stop-at', '1'] });
  const { code } = await capture(program, args, { timeoutMs: 30_000 });
  return code === 0 ? ['jit', 'interp'] : ['interp'];
}

/** Ours with every engine, then QEMU. */
export async function allMachines(): Promise<Machine[]> {
  return [...(await engines()).map(ours), qemu];
}

export interface Session extends Terminal {
  /** When the program was started, as in Found. */
  started: bigint;
  pid: number;
  /** Processor time that all threads of the program have used, in seconds. */
  used(): number;
  /** Settles when the program has ended. */
  gone: Promise<void>;
  end(): Promise<void>;
}

/** The first figure of schedstat is the time a thread has run, in nanoseconds. */
function threadSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const times = readdirSync(tasks).map((tid) =>
    Number(readFileSync(`${tasks}/${tid}/schedstat`, 'utf8').split(' ')[0]),
  );
  return times.reduce((sum, time) => sum + time, 0) / 1e9;
}

const usualLifetimeMs = 900_000;

/** Starts a program whose console is its standard input and output. */
export function startProgram(
  name: string,
  program: string,
  args: readonly string[],
  lifetimeMs = usualLifetimeMs,
): Session {
  const transcript = new Transcript(name);
  const started = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stdin.on('error', () => undefined);
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => transcript.add(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-2000)));
  const timer = setTimeout(() => child.kill('SIGKILL'), lifetimeMs);
  const gone = new Promise<void>((resolve) => {
    const finish = (why: string): void => {
      clearTimeout(timer);
      transcript.end(why);
      resolve();
    };
    child.on('close', () => finish(errors));
    child.on('error', (error) => finish(String(error)));
  });
  return {
    transcript,
    started,
    pid: child.pid ?? -1,
    used: () => threadSeconds(child.pid ?? -1),
    gone,
    type: (text) => void child.stdin.write(text),
    end: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export async function boot(machine: Machine, guest: Guest = {}): Promise<Session> {
  const { program, args } = await machine.command(guest);
  return startProgram(machine.name, program, args);
}

/** The programs of bench/guest: built, started as a guest's only process or on the host, and asked to do their work. */
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { cache, checkout } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { boot, startProgram, type Machine, type Session } from './machines.js';
import { secondsBetween, type Terminal } from './transcript.js';

export interface Workload {
  name: string;
  kind: string;
  title: string;
}

export interface Workloads {
  /** Where everything built lies. */
  folder: string;
  list: Workload[];
  initrd: string;
  native: string;
}

let built: Promise<Workloads> | undefined;

export function buildWorkloads(): Promise<Workloads> {
  built ??= buildNow();
  return built;
}

async function buildNow(): Promise<Workloads> {
  const script = join(checkout, 'bench/guest/build.sh');
  const { stdout } = await mustRun('building the workloads', 'bash', [script], { env: { LINUXSQL_CACHE: cache } });
  const folder = stdout.trim();
  const native = join(folder, 'workload.native');
  const listed = await mustRun('listing the workloads', native, ['list']);
  const list = [...listed.stdout.matchAll(/^(\S+) (\S+) (.+)$/gm)].map(([, name = '', kind = '', title = '']) => ({
    name,
    kind,
    title,
  }));
  return { folder, list, initrd: join(folder, 'initramfs.cpio.gz'), native };
}

/** A guest that runs nothing but workloads, ready for the first one. */
export async function bootWorkloads(machine: Machine, extra: { disk?: string } = {}): Promise<Session> {
  const { initrd } = await buildWorkloads();
  const session = await boot(machine, { ...extra, initrd, append: 'quiet' });
  await session.transcript.until(['@ready\r\n', '@ready\n']);
  return session;
}

/** The same program on the host. */
export async function startNative(): Promise<Session> {
  const { native } = await buildWorkloads();
  const session = startProgram('native', native, ['serve']);
  await session.transcript.until(['@ready\n']);
  return session;
}

export interface Outcome {
  /** On the host's clock, from the guest's first line to its last. */
  seconds: number;
  /** What the workload itself used, by the clock of the kernel it ran on. */
  usedInside: number;
  checksum: string;
}

/** Runs one workload to its end. */
export async function runWorkload(terminal: Terminal, name: string, scale?: number): Promise<Outcome> {
  const { transcript } = terminal;
  await terminal.type(scale === undefined ? `${name}\n` : `${name} ${scale}\n`);
  const { at: started } = await transcript.until([`@start ${name}`]);
  const { marker, at: ended } = await transcript.until([`@end ${name} `, `@failed ${name}`]);
  const { before: checksum } = await transcript.until(['\n']);
  if (marker.startsWith('@failed')) throw new UserError(`workload ${name} failed in ${transcript.name}`);
  await transcript.until([`@used ${name} `]);
  const { before: used } = await transcript.until(['\n']);
  return { seconds: secondsBetween(started, ended), usedInside: Number(used) / 1e6, checksum: checksum.trim() };
}

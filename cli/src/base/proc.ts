/** What /proc tells about other processes. A process that is gone, or not ours to look at, yields nothing. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Words of its command line; empty for a zombie. */
export function commandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)
    .split('\0')
    .filter((word) => word !== '');
}

export function isZombie(pid: number): boolean {
  return /\) Z /.test(read(`/proc/${pid}/stat`));
}

export function isAlive(pid: number): boolean {
  return read(`/proc/${pid}/stat`) !== '' && !isZombie(pid);
}

/** Processes whose current folder is this one. */
export function processesIn(folder: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

/** Daemons of a run folder: introspect and machines name it, or a socket in it, on their command line. A replay is no machine. */
export function daemonsOf(run: string): { pid: number; kind: 'introspect' | 'machine' }[] {
  const found: { pid: number; kind: 'introspect' | 'machine' }[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const words = commandLine(pid);
    if (!words.some((word) => word === run || word.startsWith(`${run}/`))) continue;
    if (words.some((word) => word.endsWith('introspect/src/main.js'))) found.push({ pid, kind: 'introspect' });
    else if (words[0]?.endsWith('linuxsql-vm') === true && !words.includes('--replay-boot'))
      found.push({ pid, kind: 'machine' });
  }
  return found;
}

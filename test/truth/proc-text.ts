/** What the guest's /proc says, read through its console and taken apart. */
import type { Guest } from '../harness/guest.js';

/** Control sequences of the shell's line editor. */
const controlSequence = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

/**
 * Runs commands in the guest's shell, one after the other, and returns what each printed. The editor echoes and
 * wraps what is typed, so the output is what stands between two marks that the typed text does not contain.
 */
export async function ask(guest: Guest, ...commands: string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const command of commands) {
    const text = (await guest.shell(`echo '@''<'; ${command}; echo '@''>'`, 120_000)).replace(controlSequence, '');
    const start = text.indexOf('@<\n');
    const end = text.lastIndexOf('@>');
    if (start < 0 || end < start) throw new Error(`no answer to ${command}: ${text}`);
    answers.push(text.slice(start + 3, end));
  }
  return answers;
}

/** `key: value` lines. */
export function keyed(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

/** Fields of /proc/PID/stat from the third on, so that field 4 is ppid: stat(text)[4]. */
export function stat(text: string): string[] {
  return ['', '', '', ...text.slice(text.lastIndexOf(')') + 2).split(' ')];
}

export interface MapsLine {
  start: bigint;
  end: bigint;
  permissions: string;
  offset: bigint;
  device: string;
  inode: bigint;
  path: string;
}

export function maps(text: string): MapsLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+) *(.*)$/.exec(line);
      if (!match) throw new Error(`no line of maps: ${line}`);
      const [, start, end, permissions = '', offset, device = '', inode = '', path = ''] = match;
      const hex = (digits = ''): bigint => BigInt(`0x${digits}`);
      return {
        start: hex(start),
        end: hex(end),
        permissions,
        offset: hex(offset),
        device,
        inode: BigInt(inode),
        path: unescape(path),
      };
    });
}

/** Octal escapes of /proc/mounts and /proc/PID/maps. */
export function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

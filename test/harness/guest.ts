/** A machine from files, without a database: linuxsql-vm with its console on a pipe. */
import { chmodSync, copyFileSync, constants } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, spawnOwned, type OwnedProcess } from './processes.js';
import { firmwareFiles, vmBinary } from './artifacts.js';
import { tempDir } from './temp.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';

export const prompt = 'linuxsql:~# ';

export interface GuestOptions {
  memory?: string;
  /** Boot from a private copy of the root file system. */
  disk?: boolean;
  /** Boot into the initramfs (the default without a disk). */
  initrd?: boolean;
  append?: string;
  /** Where the control socket shall be; in a folder of its own unless told otherwise. */
  controlSocket?: string;
  args?: readonly string[];
}

export class Guest {
  private consumed = 0;
  private text = '';

  constructor(
    readonly process: OwnedProcess,
    readonly controlSocket: string,
    readonly diskFile: string | undefined,
  ) {
    process.child.stdout?.on('data', (chunk: string) => (this.text += chunk));
  }

  get pid(): number {
    return this.process.pid;
  }

  /** All console output so far. */
  output(): string {
    return this.text;
  }

  send(typed: string): void {
    this.process.child.stdin?.write(typed);
  }

  /** Waits for text after what the last expect() consumed; returns everything up to and with the match. */
  async expect(wanted: string | RegExp, timeoutMs = 60_000): Promise<string> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const rest = this.text.slice(this.consumed);
      const match = typeof wanted === 'string' ? literalMatch(rest, wanted) : wanted.exec(rest);
      if (match !== null) {
        const upTo = match.index + match[0].length;
        this.consumed += upTo;
        return rest.slice(0, upTo);
      }
      if (this.process.exitCode !== undefined)
        throw new Error(
          `the machine ended (exit code ${this.process.exitCode}) before ${String(wanted)}:\n${this.tail()}`,
        );
      if (Date.now() > end)
        throw new Error(`no ${String(wanted)} within ${timeoutMs} ms; the console ends with:\n${this.tail()}`);
      await sleep(10);
    }
  }

  /** Types a command at the shell's prompt and returns what it printed. */
  async shell(command: string, timeoutMs = 60_000): Promise<string> {
    this.send(`${command}\n`);
    const raw = await this.expect(prompt, timeoutMs);
    const lines = raw.slice(0, -prompt.length).replaceAll('\r', '').split('\n');
    return lines.slice(1).join('\n').replace(/\n$/, '');
  }

  async stop(): Promise<number> {
    return this.process.stop();
  }

  private tail(): string {
    return this.process.log().slice(-2000);
  }
}

function literalMatch(text: string, wanted: string): { index: number; 0: string } | null {
  const index = text.indexOf(wanted);
  return index < 0 ? null : { index, 0: wanted };
}

/** The image is sparse: a reflink or cp's hole detection keeps the copy small. */
async function copyDisk(image: string, folder: string): Promise<string> {
  const copy = join(folder, 'disk.ext4');
  try {
    copyFileSync(image, copy, constants.COPYFILE_FICLONE_FORCE);
  } catch {
    const { code, stderr } = await run('cp', ['--sparse=always', image, copy], { timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`copying the disk failed: ${stderr}`);
  }
  chmodSync(copy, 0o600); // the image is read-only, and only root may write to such a copy
  return copy;
}

export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const files = await firmwareFiles();
  const folder = tempDir();
  const controlSocket = options.controlSocket ?? join(folder, 'vm.sock');
  const disk = options.disk === true ? await copyDisk(files.rootfs, folder) : undefined;
  const initrd = options.initrd ?? disk === undefined;
  const append = options.append ?? `console=ttyS0${disk === undefined ? '' : ' root=/dev/vda rw'}`;
  const args = [
    '--bios',
    files.firmware,
    '--kernel',
    files.kernel,
    '--append',
    append,
    '--memory',
    options.memory ?? '256M',
    '--console',
    'stdio',
    '--control',
    controlSocket,
  ];
  if (initrd) args.push('--initrd', files.initramfs);
  if (disk !== undefined) args.push('--disk', disk);
  const owned = spawnOwned(vmBinary(), [...args, ...(options.args ?? [])]);
  const guest = new Guest(owned, controlSocket, disk);
  if (
    !(await waitUntil(async () => owned.exitCode !== undefined || (await socketAnswers(controlSocket)), 10_000)) ||
    owned.exitCode !== undefined
  ) {
    throw new Error(`linuxsql-vm did not start:\n${owned.log()}`);
  }
  return guest;
}

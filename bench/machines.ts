/** Starts linuxsql-vm and qemu-system-riscv64 with the same kernel, initramfs and command line, and times what they print. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { UserError } from '../cli/src/base/fail.js';
import { build } from '../cli/src/base/paths.js';
import { firmwareFiles } from '../cli/src/setup/firmware.js';

export interface Machine {
  name: string;
  /** Program and arguments that boot the initramfs with its console on standard input and output. */
  command(memory: string, extra?: readonly string[]): Promise<{ program: string; args: string[] }>;
}

export const consoleArguments = 'console=ttyS0';

export const ours: Machine = {
  name: 'linuxsql-vm, interpreter',
  command: async (memory, extra = []) => {
    const { firmware, kernel, initramfs } = await firmwareFiles();
    const args = [
      '--bios',
      firmware,
      '--kernel',
      kernel,
      '--initrd',
      initramfs,
      '--append',
      consoleArguments,
      '--memory',
      memory,
      '--console',
      'stdio',
    ];
    return { program: join(build, 'vm-core/linuxsql-vm'), args: [...args, ...extra] };
  },
};

export const qemu: Machine = {
  name: 'qemu-system-riscv64, TCG',
  command: async (memory, extra = []) => {
    const { firmware, kernel, initramfs } = await firmwareFiles();
    const board = [
      '-machine',
      'virt',
      '-smp',
      '1',
      '-m',
      memory,
      '-nographic',
      '-no-reboot',
      '-nodefaults',
      '-serial',
      'stdio',
    ];
    const boot = ['-bios', firmware, '-kernel', kernel, '-initrd', initramfs, '-append', consoleArguments];
    return { program: 'qemu-system-riscv64', args: [...board, ...boot, ...extra] };
  },
};

export interface Session {
  /** Seconds from the start of the program until the console had shown `text` after the last match. */
  until(text: string): Promise<number>;
  type(text: string): void;
  end(): Promise<void>;
}

const timeoutMs = 180_000;

export async function boot(machine: Machine, memory = '256M', extra: readonly string[] = []): Promise<Session> {
  const { program, args } = await machine.command(memory, extra);
  const started = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  let consumed = 0;
  let errors = '';
  let wake = (): void => undefined;
  let ended = false;
  child.stdin.on('error', () => undefined);
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-2000)));
  const gone = new Promise<void>((resolve) => {
    const finish = (): void => {
      ended = true;
      wake();
      resolve();
    };
    child.on('close', finish);
    child.on('error', (error) => {
      errors += String(error);
      finish();
    });
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  return {
    until: async (wanted) => {
      for (;;) {
        const index = text.indexOf(wanted, consumed);
        if (index >= 0) {
          consumed = index + wanted.length;
          return Number(process.hrtime.bigint() - started) / 1e9;
        }
        if (ended)
          throw new UserError(`${machine.name} ended before "${wanted}"`, { hint: `${text.slice(-1000)}\n${errors}` });
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    type: (typed) => void child.stdin.write(typed),
    end: async () => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** The guest's terminal over the machine's control socket. */
import { messageOf } from '../base/fail.js';
import type { ControlClient } from '../control/client.js';
import { connectMachine, firstMachine } from '../server/machines.js';
import { parseArguments } from './arguments.js';

const detachKey = 0x1d; // Ctrl-]
const silenceMs = 1000;

export async function console_(args: readonly string[]): Promise<number> {
  const { words, flags } = parseArguments(args, { flags: ['--from-start'], maxWords: 1 });
  const machine = words[0] ?? firstMachine;
  const client = await connectMachine(machine);
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(`[${machine}: Ctrl-] leaves, the machine goes on]\n`);
  try {
    return await (terminal
      ? attachTerminal(client, flags.has('--from-start'))
      : attachPipe(client, flags.has('--from-start')));
  } finally {
    client.close();
  }
}

/** Console input is one queue in the machine: writes keep their order by waiting for one another. */
function writeQueue(
  client: ControlClient,
  onError: (error: unknown) => void,
): { add(bytes: Buffer): void; drained(): Promise<void> } {
  let tail = Promise.resolve();
  return {
    add: (bytes) => {
      tail = tail.then(() => client.consoleWrite(bytes)).catch(onError);
    },
    drained: () => tail,
  };
}

function attachTerminal(client: ControlClient, fromStart: boolean): Promise<number> {
  return new Promise((resolve) => {
    let left = false;
    const finish = (note: string, code: number): void => {
      if (left) return;
      left = true;
      process.stdin.setRawMode(false);
      process.stdin.pause();
      process.stderr.write(`\r\n[${note}]\r\n`);
      resolve(code);
    };
    const lost = (error: unknown): void => finish(messageOf(error), 1);
    const queue = writeQueue(client, lost);
    client
      .consoleAttach(fromStart ? 0n : undefined, (_, bytes) => void process.stdout.write(bytes))
      .then(() => finish('the machine has ended', 0), lost);
    process.stdin.setRawMode(true);
    process.stdin.on('data', (chunk: Buffer) => {
      const end = chunk.indexOf(detachKey);
      const typed = end < 0 ? chunk : chunk.subarray(0, end);
      if (typed.length > 0) queue.add(typed);
      if (end >= 0) void queue.drained().then(() => finish('left', 0));
    });
    process.stdin.resume();
  });
}

function attachPipe(client: ControlClient, fromStart: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let inputEnded = false;
    let silence: NodeJS.Timeout | undefined;
    const queue = writeQueue(client, reject);
    const restart = (): void => {
      clearTimeout(silence);
      if (inputEnded) silence = setTimeout(() => resolve(0), silenceMs);
    };
    client
      .consoleAttach(fromStart ? 0n : undefined, (_, bytes) => {
        process.stdout.write(bytes);
        restart();
      })
      .then(() => resolve(0), reject);
    process.stdin.on('data', (chunk: Buffer) => queue.add(chunk));
    process.stdin.on('end', () => {
      inputEnded = true;
      void queue.drained().then(restart);
    });
  });
}

/** Programs started by tests: run to their end, or owned and killed by process id when the test file ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { serverAccount } from '../../cli/src/base/account.js';
import { capture, exitCode, type RunResult } from '../../cli/src/base/run.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { atEnd } from './cleanup.js';

export interface StartOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  asServerUser?: boolean;
}

export interface RunOptions extends StartOptions {
  timeoutMs?: number;
  input?: string;
}

/** Runs a program to its end; 60 s unless told otherwise, then it is killed and the call fails. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { asServerUser, ...rest } = options;
  return capture(command, args, {
    timeoutMs: 60_000,
    ...rest,
    ...(asServerUser === true ? { account: serverAccount() } : {}),
  });
}

const keptOutput = 8 << 20;

export class OwnedProcess {
  private text = '';
  private readonly ended: Promise<number>;
  private outcome: number | undefined;

  constructor(readonly child: ChildProcess) {
    const keep = (chunk: string): void => {
      this.text = (this.text + chunk).slice(-keptOutput);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const settle = (code: number): void => {
        this.outcome = code;
        resolve(code);
      };
      child.on('error', (error) => {
        keep(String(error));
        settle(127);
      });
      child.on('close', (code, signal) => settle(exitCode(code, signal)));
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`the program did not start: ${this.text}`);
    return this.child.pid;
  }

  get exitCode(): number | undefined {
    return this.outcome;
  }

  /** Standard output and error so far, mixed. */
  log(): string {
    return this.text;
  }

  exited(): Promise<number> {
    return this.ended;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.outcome === undefined) this.child.kill(signal);
  }

  /** SIGTERM, then SIGKILL to what is still there after `graceMs`. */
  async stop(graceMs = 10_000): Promise<number> {
    this.kill('SIGTERM');
    if (!(await waitUntil(() => this.outcome !== undefined, graceMs))) this.kill('SIGKILL');
    return this.ended;
  }
}

export function spawnOwned(command: string, args: readonly string[], options: StartOptions = {}): OwnedProcess {
  const account = serverAccount();
  const switched = options.asServerUser === true && account.switched;
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? (switched ? { cwd: '/' } : {}) : { cwd: options.cwd }),
    ...(switched ? { uid: account.uid, gid: account.gid } : {}),
  });
  const owned = new OwnedProcess(child);
  atEnd(() => owned.stop(3000).then(() => undefined));
  return owned;
}

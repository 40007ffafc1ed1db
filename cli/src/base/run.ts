/** Child processes: captured, shown with a prefix, or given the terminal. A failure carries the last lines of output. */
import { spawn, type SpawnOptions } from 'node:child_process';
import { constants as osConstants } from 'node:os';
import { UserError } from './fail.js';
import type { Account } from './account.js';

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Run as this account; only root can. */
  account?: Account;
  /** Milliseconds after which the child is killed and the call fails. */
  timeoutMs?: number;
  input?: string;
  /** Called with each line of standard output and error as it appears. */
  onLine?: (line: string) => void;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

const keptBytes = 16 << 20;

function spawnOptions(options: RunOptions, stdio: SpawnOptions['stdio']): SpawnOptions {
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  const spawned: SpawnOptions = { stdio, env };
  if (options.cwd !== undefined) spawned.cwd = options.cwd;
  if (options.account?.switched === true) {
    spawned.uid = options.account.uid;
    spawned.gid = options.account.gid;
    env['HOME'] = options.account.home;
    env['USER'] = options.account.name;
    spawned.cwd ??= '/';
  }
  return spawned;
}

function lineSplitter(onLine: ((line: string) => void) | undefined): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    if (onLine === undefined) return;
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  };
}

/** As a shell tells it: 128 + the signal's number for a program that a signal ended. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]);
}

/** Runs a program to its end and returns what it said, whatever its exit code (128 + signal number when killed). */
export function capture(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions(options, ['pipe', 'pipe', 'pipe']));
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const onOut = lineSplitter(options.onLine);
    const onErr = lineSplitter(options.onLine);
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
          }, options.timeoutMs);
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < keptBytes) stdout += chunk;
      onOut(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stderr.length < keptBytes) stderr += chunk;
      onErr(chunk);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new UserError(`cannot run ${command}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (timedOut) reject(new UserError(`${command} did not end within ${(options.timeoutMs ?? 0) / 1000} s`));
      else resolve({ code: exitCode(code, signal), stdout, stderr });
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** As capture(), but a non-zero exit code is an error that quotes the end of the output. */
export async function mustRun(
  what: string,
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await capture(command, args, options);
  if (result.code === 0) return result;
  const said = result.stderr.trim() === '' ? result.stdout : result.stderr;
  const tail = said
    .trim()
    .split('\n')
    .slice(-25)
    .map((line) => (line.length > 300 ? `${line.slice(0, 300)}…` : line))
    .join('\n');
  throw new UserError(`${what} failed (${command} ended with exit code ${result.code})`, { hint: tail });
}

/** Runs a program on this terminal and returns its exit code. */
export function attach(command: string, args: readonly string[], options: RunOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions(options, 'inherit'));
    const ignore = (): void => undefined; // the terminal sends ^C to both; the child decides
    process.on('SIGINT', ignore);
    child.on('error', (error) => reject(new UserError(`cannot run ${command}: ${error.message}`)));
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(exitCode(code, signal));
    });
  });
}

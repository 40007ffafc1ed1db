/** A linuxsql-vm that replays a machine's past (--replay-boot, --replay-from). It ends by itself when its connection here ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { introspectError } from '../errors.js';
import { Machine } from './machine.js';

export interface Program {
  /** linuxsql-vm. */
  path: string;
  /** How it connects to PostgreSQL. */
  conninfo: string;
}

/** Where a replay begins, and how its result is called. */
export interface Beginning {
  /** Whose past it is. */
  machine: string;
  name: string;
  /** undefined: the boot in which the checkpoint was taken. */
  boot?: bigint;
  /** The instant that is wanted: it begins at the nearest checkpoint before it. Without, with the boot. */
  instret?: bigint;
  /** It begins at this checkpoint. */
  checkpoint?: string;
}

const startMs = 30_000;
const pollMs = 5;
/** Two billion instructions take seconds; this is for a past that is far. */
export const replayMs = 600_000;
const keptOutput = 2000;
/** A replay whose checkpoint is deleted meanwhile ends after this long; the next look begins anew. */
const orphanSeconds = '10';
const farthest = 2n ** 63n - 1n;

export class PastDaemon {
  readonly machine: Machine;
  readonly #child: ChildProcess;
  readonly #socket: string;
  #said = '';
  #ended = false;

  private constructor(name: string, socket: string, child: ChildProcess) {
    this.machine = new Machine(name, socket);
    this.#child = child;
    this.#socket = socket;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-keptOutput);
    });
    child.on('error', (error) => this.#end(String(error)));
    child.on('exit', () => this.#end(''));
  }

  /** Starts it; it stands at its beginning. */
  static async start(program: Program, beginning: Beginning, socket: string): Promise<PastDaemon> {
    const { machine, name, boot, instret, checkpoint } = beginning;
    const options = ['--paused', '--poweroff', 'hold', '--view-pool', '16M', '--orphan-timeout', orphanSeconds];
    if (boot !== undefined) options.push('--replay-boot', String(boot));
    if (boot !== undefined && instret) options.push('--replay-to', String(instret));
    if (checkpoint !== undefined) options.push(`--replay-from=${checkpoint}`);
    const args = ['--db', program.conninfo, '--machine', machine, ...options, '--control', socket];
    const child = spawn(program.path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const daemon = new PastDaemon(name, socket, child);
    try {
      await daemon.#greet();
      return daemon;
    } catch (error) {
      daemon.kill();
      throw error;
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** On to where so many instructions of its boot are retired; with a time, to that moment of the idling there. */
  async goTo(instret: bigint, timeNs?: bigint): Promise<void> {
    const condition = timeNs === undefined ? `past:${instret}` : `past:${instret}@${timeNs}`;
    try {
      const stop = await this.machine.step(condition, farthest, replayMs);
      if (stop.met && stop.instret === instret) return;
    } catch (error) {
      if (!this.#ended) throw error;
    }
    this.#fail('the replay has left the logged run, or ended before');
  }

  /**
   * A machine stopped by a breakpoint, an ecall or a fault may stand behind an exception, which instret and time do not
   * tell. goTo() stops before it; this takes it, if that leads to pc. False, and nothing has happened that counts, when
   * it does not.
   */
  async takeTrap(pc: bigint, instret: bigint): Promise<boolean> {
    const stop = await this.machine.step(`pc:0x${pc.toString(16)}`, 1n, replayMs);
    return stop.met && stop.instret === instret;
  }

  kill(): void {
    if (!this.#ended) this.#child.kill('SIGKILL');
    void this.machine.close();
    rmSync(this.#socket, { force: true });
    rmSync(`${this.#socket}.lock`, { force: true });
  }

  async #greet(): Promise<void> {
    const deadline = performance.now() + startMs;
    while (performance.now() < deadline && !this.#ended) {
      if (existsSync(this.#socket) && (await this.machine.answers())) return;
      await sleep(pollMs);
    }
    this.#fail('it did not start');
  }

  #fail(reason: string): never {
    const said = this.#said.trim().split('\n').at(-1) ?? '';
    throw introspectError('pastUnknown', `the past of the machine cannot be shown: ${reason}`, '', said);
  }

  #end(why: string): void {
    this.#said += why;
    this.#ended = true;
  }
}

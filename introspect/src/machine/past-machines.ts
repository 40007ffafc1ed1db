/**
 * Past instants of machines, each in a daemon of its own that was replayed to it. A few are kept, the least recently
 * used makes room; one that nobody reads and that is on the way to another instant of the same boot goes on to it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { introspectError } from '../errors.js';
import type { Instant } from './instant.js';
import type { Machine, Standing } from './machine.js';
import { PastDaemon, type Program } from './past-daemon.js';

interface Entry {
  key: string;
  machine: string;
  boot: bigint;
  instret: bigint;
  /** The log it was started with holds every input up to here. */
  horizon: bigint;
  daemon: Promise<PastDaemon>;
  /** Set once it is there. */
  ready: PastDaemon | undefined;
  usedAt: number;
}

/** Between being found and being read. */
const graceMs = 1000;
const roomPollMs = 20;
const unusedMs = 600_000;
const sweepMs = 30_000;
const syncMs = 15_000;
/** Farther than this, a checkpoint is most likely nearer; so many instructions take about half a second. */
const onwardInsns = 1_000_000_000n;

export interface ReplayResult {
  boot: bigint;
  instret: bigint;
  timeNs: bigint;
  seconds: number;
  hash: string;
  replayedHash: string;
}

export class PastMachines {
  readonly #folder: string;
  readonly #program: Program | undefined;
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();
  #serial = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(runDirectory: string, program: Program | undefined, most: number) {
    this.#folder = join(runDirectory, 'past');
    this.#program = program;
    this.#most = most;
  }

  /** A machine that stands at the instant; `live` is the one whose past it is. */
  async find(live: Machine, { machine, boot, instret }: Instant): Promise<Machine> {
    const now = await live.status();
    const wanted = boot ?? now.generation;
    if (wanted > now.generation || (wanted === now.generation && instret > now.instret)) {
      throw introspectError(
        'pastUnknown',
        `machine "${machine}" has not come to instruction ${instret}${boot === undefined ? '' : ` of boot ${boot}`} yet`,
        `it stands at instruction ${now.instret} of boot ${now.generation}`,
      );
    }
    const key = `${machine}@${wanted}:${instret}`;
    const kept = this.#kept(key);
    if (kept) return (await kept.daemon).machine;
    await live.logSync(syncMs);
    const meanwhile = this.#kept(key);
    if (meanwhile) return (await meanwhile.daemon).machine;
    const horizon = wanted === now.generation ? now.instret : 2n ** 63n;
    const entry = this.#advance(key, machine, wanted, instret) ?? this.#begin(key, machine, wanted, instret, horizon);
    try {
      entry.ready = await entry.daemon;
    } catch (error) {
      this.#forget(entry);
      throw error;
    }
    entry.usedAt = performance.now();
    return entry.ready.machine;
  }

  /** The machine of an instant that is kept, by the name it was asked for; never starts a replay. */
  peek(name: string): Machine | undefined {
    return this.#entries.get(name)?.ready?.machine;
  }

  /**
   * Lives the past again and compares everything: from a checkpoint, or the beginning of the boot, to another checkpoint,
   * or where the machine stands now.
   */
  async replay(live: Machine, checkpoint?: string, until?: string): Promise<ReplayResult> {
    const program = this.#need();
    const whole = until === undefined ? await live.hash(unusedMs) : await this.#checkpoint(program, live.name, until);
    const { boot, instret, timeNs, pc, hash } = whole;
    await live.logSync(syncMs);
    const started = performance.now();
    const from = checkpoint === undefined ? {} : { checkpoint, instret };
    const beginning = { machine: live.name, name: live.name, boot, ...from };
    const daemon = await PastDaemon.start(program, beginning, this.#socket());
    try {
      await daemon.goTo(instret, timeNs);
      const seconds = (performance.now() - started) / 1000;
      let { hash: replayedHash } = await daemon.machine.hash(unusedMs);
      if (replayedHash !== hash && (await daemon.takeTrap(pc, instret)))
        replayedHash = (await daemon.machine.hash(unusedMs)).hash;
      return { boot, instret, timeNs, seconds, hash, replayedHash };
    } finally {
      daemon.kill();
    }
  }

  /** The state a checkpoint has. */
  async #checkpoint(program: Program, machine: string, checkpoint: string): Promise<Standing> {
    const daemon = await PastDaemon.start(program, { machine, name: machine, checkpoint }, this.#socket());
    try {
      return await daemon.machine.hash(unusedMs);
    } finally {
      daemon.kill();
    }
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const entry of [...this.#entries.values()]) this.#forget(entry);
  }

  #kept(key: string): Entry | undefined {
    const known = this.#entries.get(key);
    if (known) known.usedAt = performance.now();
    if (!known?.ready?.ended) return known;
    this.#forget(known);
    return undefined;
  }

  #need(): Program {
    if (this.#program) return this.#program;
    throw introspectError(
      'unsupported',
      'this service cannot replay machines',
      'set linuxsql.vm_path, or start introspect with --vm-program and --conninfo',
    );
  }

  #socket(): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return join(this.#folder, `${process.pid}-${++this.#serial}.sock`);
  }

  #begin(key: string, machine: string, boot: bigint, instret: bigint, horizon: bigint): Entry {
    const program = this.#need();
    const begin = async (): Promise<PastDaemon> => {
      await this.#makeRoom();
      return this.#start(program, key, machine, boot, instret);
    };
    const daemon = Promise.resolve().then(begin);
    return this.#add({ key, machine, boot, instret, horizon, daemon, ready: undefined, usedAt: performance.now() });
  }

  async #start(program: Program, key: string, machine: string, boot: bigint, instret: bigint): Promise<PastDaemon> {
    const daemon = await PastDaemon.start(program, { machine, name: key, boot, instret }, this.#socket());
    try {
      await daemon.goTo(instret);
      return daemon;
    } catch (error) {
      daemon.kill();
      throw error;
    }
  }

  /** With no room left, an instant nobody reads any more goes on to this one, if it comes by it. */
  #advance(key: string, machine: string, boot: bigint, instret: bigint): Entry | undefined {
    if (this.#entries.size < this.#most) return undefined;
    const near = [...this.#entries.values()]
      .filter((entry) => this.#idle(entry) && entry.machine === machine && entry.boot === boot)
      .filter((entry) => entry.instret <= instret && instret <= entry.horizon)
      .filter((entry) => instret - entry.instret <= onwardInsns)
      .sort((a, b) => (a.instret < b.instret ? 1 : -1))[0];
    const daemon = near?.ready;
    if (!near || !daemon) return undefined;
    this.#entries.delete(near.key);
    const onward = async (): Promise<PastDaemon> => {
      daemon.machine.rename(key);
      try {
        await daemon.goTo(instret);
        return daemon;
      } catch {
        // It lives another history: the machine went on from a checkpoint in between.
        daemon.kill();
        return this.#start(this.#need(), key, machine, boot, instret);
      }
    };
    return this.#add({ ...near, key, instret, daemon: onward(), ready: undefined, usedAt: performance.now() });
  }

  #add(entry: Entry): Entry {
    entry.daemon.catch(() => undefined); // whoever waits for it hears of it
    this.#entries.set(entry.key, entry);
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs).unref();
    return entry;
  }

  #idle(entry: Entry): boolean {
    const read = entry.ready?.machine.inUse ?? true;
    return !read && performance.now() - entry.usedAt > graceMs;
  }

  /** The newcomer is among the entries. One found a moment ago is about to be read: it is waited for. */
  async #makeRoom(): Promise<void> {
    while (this.#entries.size > this.#most) {
      const unread = [...this.#entries.values()]
        .filter(({ ready }) => ready && !ready.machine.inUse)
        .sort((a, b) => a.usedAt - b.usedAt);
      const oldest = unread.find((entry) => this.#idle(entry));
      if (oldest) this.#forget(oldest);
      else if (unread.length > 0) await sleep(roomPollMs);
      else
        throw introspectError(
          'tooMany',
          `${this.#most} past instants are being read`,
          'try again when one of them is free, or raise --past-machines of introspect',
        );
    }
  }

  #sweep(): void {
    for (const entry of [...this.#entries.values()])
      if (entry.ready?.ended || (this.#idle(entry) && performance.now() - entry.usedAt > unusedMs)) this.#forget(entry);
  }

  #forget(entry: Entry | undefined): void {
    if (!entry) return;
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    void entry.daemon.then((daemon) => daemon.kill()).catch(() => undefined);
  }
}

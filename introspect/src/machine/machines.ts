/** The machines of a run directory: one socket each under vm/, named after the machine. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { introspectError } from '../errors.js';
import { parseInstant } from './instant.js';
import { Machine } from './machine.js';
import { PastMachines, type ReplayResult } from './past-machines.js';
import type { Program } from './past-daemon.js';

const suffix = '.sock';
const machineName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

export class Machines {
  readonly #folder: string;
  readonly #known = new Map<string, Machine>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  readonly #past: PastMachines;

  /** program, mostPast: for replays; without a program there is only the present. */
  constructor(runDirectory: string, program?: Program, mostPast = 0) {
    this.#folder = join(runDirectory, 'vm');
    this.#past = new PastMachines(runDirectory, program, mostPast);
  }

  /** Names with a socket now, sorted. */
  names(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((file) => file.endsWith(suffix))
        .map((file) => file.slice(0, -suffix.length))
        .filter((name) => machineName.test(name))
        .sort();
    } catch {
      return [];
    }
  }

  /** Throws machineUnknown when there is no such socket. A machine known already is given without looking again. */
  get(name: string): Machine {
    const known = this.#known.get(name);
    if (known) return known;
    if (!machineName.test(name) || !existsSync(this.#path(name))) {
      throw introspectError('machineUnknown', `machine "${name}" is not running`, 'start it with vm_start()');
    }
    return this.#add(name);
  }

  /** The machine of this name if it has been asked for before and is no past instant: found without waiting. */
  known(name: string): Machine | undefined {
    return this.#known.get(name);
  }

  /** The machine of this name, or replayed to the instant if the name is one of an instant. */
  async find(name: string): Promise<Machine> {
    const instant = parseInstant(name);
    return instant ? this.#past.find(this.get(instant.machine), instant) : this.get(name);
  }

  /** As find(), of what is there already. Throws machineUnknown. */
  peek(name: string): Machine {
    return this.#past.peek(name) ?? this.get(name);
  }

  /** As PastMachines.replay; checkpoints by their names. */
  replay(name: string, checkpoint?: string, until?: string): Promise<ReplayResult> {
    return this.#past.replay(this.get(name), checkpoint, until);
  }

  #path(name: string): string {
    return join(this.#folder, name + suffix);
  }

  #add(name: string): Machine {
    const machine = new Machine(name, this.#path(name));
    this.#known.set(name, machine);
    return machine;
  }

  /**
   * Drains the rings of all running machines: every idleMs, and every busyMs while there is something to drain,
   * because a short-lived process can be named only while it lives.
   */
  startTicking(idleMs: number, busyMs: number): void {
    const again = (busy: boolean) => {
      if (this.#closed) return;
      const tick = () => void this.#tick().then(again);
      this.#timer = setTimeout(tick, busy ? busyMs : idleMs).unref();
    };
    again(false);
  }

  async #tick(): Promise<boolean> {
    const names = this.names();
    for (const [name, machine] of this.#known) {
      if (names.includes(name)) continue;
      this.#known.delete(name);
      await machine.close();
    }
    let busy = false;
    for (const name of names) busy = (await (this.#known.get(name) ?? this.#add(name)).tick()) || busy;
    return busy;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#past.close();
    for (const machine of this.#known.values()) await machine.close();
    this.#known.clear();
  }
}

/** The machines of a run directory: one socket each under vm/, named after the machine. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { introspectError } from '../errors.js';
import { Machine } from './machine.js';

const suffix = '.sock';
const machineName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

export class Machines {
  readonly #folder: string;
  readonly #known = new Map<string, Machine>();
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;

  constructor(runDirectory: string) {
    this.#folder = join(runDirectory, 'vm');
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
    const path = join(this.#folder, name + suffix);
    if (!machineName.test(name) || !existsSync(path)) {
      throw introspectError('machineUnknown', `machine "${name}" is not running`, 'start it with vm_start()');
    }
    const machine = new Machine(name, path);
    this.#known.set(name, machine);
    return machine;
  }

  /** Drains the rings of all running machines every so often. */
  startTicking(intervalMs: number): void {
    this.#timer = setInterval(() => void this.#tick(), intervalMs);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      const names = this.names();
      for (const [name, machine] of this.#known) {
        if (names.includes(name)) continue;
        this.#known.delete(name);
        await machine.close();
      }
      for (const name of names) await this.get(name).tick();
    } finally {
      this.#ticking = false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const machine of this.#known.values()) await machine.close();
    this.#known.clear();
  }
}

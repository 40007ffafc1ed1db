/** How fast a guest runs, by its own count of instructions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { runFolder } from '../cli/src/server/machines.js';
import { clock } from './clock.js';

/** Instructions a second: of the host's time, or of the processor time of the hart's thread. */
export class Speedometer {
  private constructor(
    private readonly client: pg.Client,
    private readonly machine: string,
    private readonly schedstat: string,
  ) {}

  static async of(client: pg.Client, machine: string): Promise<Speedometer> {
    const pid = readFileSync(join(await runFolder(), `vm-${machine}.pid`), 'utf8').trim();
    return new Speedometer(client, machine, `/proc/${pid}/task/${pid}/schedstat`);
  }

  private async now(): Promise<{ instret: number; seconds: number }> {
    const { rows } = await this.client.query<{ instret: string }>('select instret from vm_status($1)', [this.machine]);
    const seconds =
      clock === 'cpu' ? Number(readFileSync(this.schedstat, 'utf8').split(' ')[0]) / 1e9 : performance.now() / 1000;
    return { instret: Number(rows[0]?.instret), seconds };
  }

  async during(body: () => Promise<unknown>): Promise<number> {
    const before = await this.now();
    await body();
    const after = await this.now();
    return (after.instret - before.instret) / (after.seconds - before.seconds);
  }
}

/** Per cent that a speed is below the mean of those before and after it. */
export function lostSpeed(speed: number, before = NaN, after = NaN): number {
  return 100 * (1 - (2 * speed) / (before + after));
}

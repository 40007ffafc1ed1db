/** Who uses processors while a relation is scanned: the service, its helper threads, the backend; and how long the hart waits for one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { runFolder } from '../cli/src/server/machines.js';

/** Seconds. */
export interface Used {
  /** Of the host's clock. */
  seconds: number;
  /** Processor time of introspect's main thread. */
  service: number;
  /** Of its other threads, which collect garbage and compile. */
  helpers: number;
  backend: number;
  /** For which the hart could have run and had no processor. */
  waited: number;
}

export class Parties {
  private constructor(
    private readonly hart: number,
    private readonly service: number,
    private readonly backend: number,
  ) {}

  /** backend: the one that serves client. */
  static async of(client: pg.Client, machine: string): Promise<Parties> {
    const run = await runFolder();
    const pidOf = (name: string): number => Number(readFileSync(join(run, `${name}.pid`), 'utf8'));
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return new Parties(pidOf(`vm-${machine}`), pidOf('introspect'), rows[0]?.pid ?? 0);
  }

  /** Since each of them began. */
  now(): Used {
    const service = thread(this.service, this.service).ran;
    const all = threads(this.service).reduce((sum, id) => sum + thread(this.service, id).ran, 0);
    return {
      seconds: performance.now() / 1000,
      service,
      helpers: all - service,
      backend: thread(this.backend, this.backend).ran,
      waited: thread(this.hart, this.hart).waited,
    };
  }
}

function threads(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** Seconds on a processor, and in wait of one (Documentation/scheduler/sched-stats.rst). */
function thread(pid: number, id: number): { ran: number; waited: number } {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ').map(Number);
  return { ran: (ran ?? NaN) / 1e9, waited: (waited ?? NaN) / 1e9 };
}

export function used(before: Used, after: Used): Used {
  return {
    seconds: after.seconds - before.seconds,
    service: after.service - before.service,
    helpers: after.helpers - before.helpers,
    backend: after.backend - before.backend,
    waited: after.waited - before.waited,
  };
}

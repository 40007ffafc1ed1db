/** What looking costs a guest that writes memory and has 500 processes: the pause for a view, and its speed under scans. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { catalogue } from '../introspect/src/gen/relations.js';
import { runFolder } from '../cli/src/server/machines.js';
import { withClient } from '../cli/src/server/session.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { prompt } from './boot.js';
import { clock } from './clock.js';
import { prepareServer, withMachine, type BenchMachine } from './database.js';
import { median, type Measurement } from './measure.js';
import type { Result } from './report.js';

const processes = 500;
const viewsPerRound = 200;
const windowMs = 4000;
const ours = 'linuxsql-vm';

/** Sleepers, and one that rewrites 32 MB of memory all the time. */
const crowd = `i=0; while [ $i -lt ${processes} ]; do sleep 1000000 & i=$((i+1)); done\n`;
const writer = 'while :; do dd if=/dev/zero of=/tmp/written bs=1M count=32 conv=notrunc 2>/dev/null; done &\n';

const counters =
  "select sum(value) filter (where metric = 'view_open_ns') as ns, sum(value) filter (where metric = 'views_opened') as views" +
  " from linux.counters, (select from linux.processes where pid = 1) as one where metric in ('view_open_ns', 'views_opened')";

/** Microseconds, one for each of a few views: what one costs is in the counters of the next. */
async function pauses(client: pg.Client): Promise<number[]> {
  const found: number[] = [];
  let last: { ns: number; views: number } | undefined;
  for (let view = 0; view < viewsPerRound; view++) {
    const { rows } = await client.query<{ ns: number; views: number }>(counters);
    const [now] = rows;
    if (now !== undefined && last !== undefined && now.views > last.views)
      found.push((now.ns - last.ns) / (now.views - last.views) / 1000);
    last = now;
  }
  return found;
}

/** Instructions a second: of the host's time, or of the processor time of the hart's thread. */
class Speedometer {
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

/** Every row of every relation, without sending them to the client. */
async function scanAll(client: pg.Client): Promise<void> {
  await client.query('begin isolation level repeatable read');
  for (const { name } of catalogue)
    await client.query(`explain (analyze, timing off, costs off) select * from linux.${name}`);
  await client.query('commit');
}

async function scanFor(client: pg.Client, milliseconds: number): Promise<number[]> {
  const took: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const start = performance.now();
    await scanAll(client);
    took.push(performance.now() - start);
  }
  return took;
}

async function prepareGuest(machine: BenchMachine): Promise<void> {
  for (const command of [crowd, writer]) {
    await machine.type(command);
    await machine.transcript.until([prompt]);
  }
}

function result(benchmark: string, title: string, unit: string, samples: number[]): Result {
  const measurement: Measurement = { name: ours, samples, median: median(samples) };
  return { benchmark, title, unit, larger: false, measurements: [measurement] };
}

export async function viewsBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  const [pause, scan, lost]: [number[], number[], number[]] = [[], [], []];
  await withMachine({ runs: 'shell', disk: 'mini' }, (machine) =>
    withClient(async (client) => {
      await client.query('select set_config($1, $2, false)', ['linuxsql.machine', machine.name]);
      await prepareGuest(machine);
      await scanAll(client);
      const speed = await Speedometer.of(client, machine.name);
      for (let round = 0; round < rounds; round++) {
        pause.push(median(await pauses(client)));
        onSample('pause of a view, µs', pause.at(-1) ?? NaN);
        const alone = await speed.during(() => sleep(windowMs));
        const scanned = await speed.during(async () => scan.push(median(await scanFor(client, windowMs))));
        const again = await speed.during(() => sleep(windowMs));
        lost.push(100 * (1 - (2 * scanned) / (alone + again)));
        onSample('speed lost under scans, %', lost.at(-1) ?? NaN);
      }
    }),
  );
  return [
    result('view-pause', 'a guest that writes memory stands still for a view', 'µs', pause),
    result('scan-all', `all ${catalogue.length} relations scanned, ${processes} processes`, 'ms', scan),
    result('scan-cost', 'speed the guest loses while that is done again and again', '%', lost),
  ];
}

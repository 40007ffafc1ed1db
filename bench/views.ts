/** What looking costs a guest that writes memory and has 500 processes: the pause for a view, and its speed under scans. */
import type pg from 'pg';
import { catalogue } from '../introspect/src/gen/relations.js';
import { withClient } from '../cli/src/server/session.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { prompt } from './boot.js';
import { prepareServer, withMachine, type BenchMachine } from './database.js';
import { median, type Measurement } from './measure.js';
import type { Result } from './report.js';
import { Parties, used, type Used } from './parties.js';
import { lostSpeed, Speedometer } from './speed.js';

const processes = 500;
const viewsPerRound = 200;
/** Windows with scans in a round; before, between and after them the guest is alone. */
const pairsPerRound = 10;
const windowMs = 1500;
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

/** What one round finds of scans. */
interface Round {
  /** Milliseconds, one for each scan of everything. */
  took: number[];
  /** Per cent, one for each window with scans. */
  lost: number[];
  /** The same between windows without: what the measurement itself is worth. */
  noise: number[];
  /** While scans went on. */
  used: Used;
}

/** Windows of the guest alone and under scans in turn, each of the latter compared with its neighbours. */
async function scanRound(client: pg.Client, speed: Speedometer, parties: Parties): Promise<Round> {
  const took: number[] = [];
  const spent: Used[] = [];
  const scanning = async (): Promise<void> => {
    const before = parties.now();
    took.push(...(await scanFor(client, windowMs)));
    spent.push(used(before, parties.now()));
  };
  const [alone, scanned]: [number[], number[]] = [[await speed.during(() => sleep(windowMs))], []];
  for (let pair = 0; pair < pairsPerRound; pair++) {
    scanned.push(await speed.during(scanning));
    alone.push(await speed.during(() => sleep(windowMs)));
  }
  const lost = scanned.map((value, i) => lostSpeed(value, alone[i], alone[i + 1]));
  const noise = alone.slice(1, -1).map((value, i) => lostSpeed(value, alone[i], alone[i + 2]));
  const sum = (part: keyof Used): number => spent.reduce((total, each) => total + each[part], 0);
  return {
    took,
    lost,
    noise,
    used: {
      seconds: sum('seconds'),
      service: sum('service'),
      helpers: sum('helpers'),
      backend: sum('backend'),
      waited: sum('waited'),
    },
  };
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
  const pause: number[] = [];
  const found: Round[] = [];
  await withMachine({ runs: 'shell', disk: 'mini' }, (machine) =>
    withClient(async (client) => {
      await client.query('select set_config($1, $2, false)', ['linuxsql.machine', machine.name]);
      await prepareGuest(machine);
      await scanAll(client);
      const speed = await Speedometer.of(client, machine.name);
      const parties = await Parties.of(client, machine.name);
      for (let round = 0; round < rounds; round++) {
        pause.push(median(await pauses(client)));
        onSample('pause of a view, µs', pause.at(-1) ?? NaN);
        const scans = await scanRound(client, speed, parties);
        found.push(scans);
        onSample('speed lost under scans, %', median(scans.lost));
        onSample('speed lost without any, %', median(scans.noise));
      }
    }),
  );
  const each = (pick: (round: Round) => number): number[] => found.map(pick);
  const perScan = (part: 'service' | 'helpers' | 'backend') =>
    each((round) => (round.used[part] * 1000) / round.took.length);
  return [
    result('view-pause', 'a guest that writes memory stands still for a view', 'µs', pause),
    result(
      'scan-all',
      `all ${catalogue.length} relations scanned, ${processes} processes`,
      'ms',
      each(({ took }) => median(took)),
    ),
    result(
      'scan-cost',
      'speed the guest loses while that is done again and again',
      '%',
      each(({ lost }) => median(lost)),
    ),
    result(
      'scan-noise',
      'the same where nothing is scanned',
      '%',
      each(({ noise }) => median(noise)),
    ),
    result(
      'scan-wait',
      'time the hart waits for a processor under scans',
      '%',
      each((round) => (100 * round.used.waited) / round.used.seconds),
    ),
    result('scan-service', 'processor time of introspect for one of these scans', 'ms', perScan('service')),
    result('scan-helpers', "processor time of introspect's other threads", 'ms', perScan('helpers')),
    result('scan-backend', 'processor time of the backend', 'ms', perScan('backend')),
  ];
}

/** Rows and round trips through the foreign tables, beside postgres_fdw over the same server and plain tables. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { postgresBin } from '../cli/src/base/paths.js';
import { mustRun } from '../cli/src/base/run.js';
import { libpqEnvironment } from '../cli/src/commands/psql.js';
import { place } from '../cli/src/base/place.js';
import { databaseName, withClient } from '../cli/src/server/session.js';
import { prompt } from './boot.js';
import { prepareServer, withMachine } from './database.js';
import { alternate, median, type Competitor } from './measure.js';
import type { Result } from './report.js';

const rows = 100_000;
const columns = 'seq, instret, scause, fault_addr, pc, satp, physical_page, cause';

/** A schema with the peers: copies of both relations as tables, and postgres_fdw's view of the copies. */
async function makePeers(client: pg.Client): Promise<void> {
  await client.query(`
    drop schema if exists bench cascade;
    create schema bench;
    create table bench.faults as select ${columns} from linux.page_faults order by seq limit ${rows};
    create table bench.processes as select * from linux.processes;
    create unique index on bench.processes (pid);
    analyze bench.faults, bench.processes`);
  // Committed before postgres_fdw, which is another session, looks.
  await client.query(`
    create extension if not exists postgres_fdw;
    create server bench_loop foreign data wrapper postgres_fdw
      options (host '${place().run}', port '5432', dbname '${databaseName}', use_remote_estimate 'true');
    create user mapping for current_user server bench_loop options (user 'postgres');
    create schema bench_remote;
    import foreign schema bench from server bench_loop into bench_remote`);
}

async function dropPeers(client: pg.Client): Promise<void> {
  await client.query('drop schema if exists bench, bench_remote cascade; drop server if exists bench_loop cascade');
}

const scansPerSample = 9;

/** Million rows a second of the executor's own time, without sending them to the client: the median of a few scans. */
async function scanRate(client: pg.Client, query: string): Promise<number> {
  const rates: number[] = [];
  for (let scan = 0; scan < scansPerSample; scan++) {
    const { rows: plans } = await client.query<{
      'QUERY PLAN': [{ Plan: { 'Actual Rows': number }; 'Execution Time': number }];
    }>(`explain (analyze, timing off, costs off, format json) ${query}`);
    const [plan] = plans[0]?.['QUERY PLAN'] ?? [];
    if (plan === undefined) throw new Error('explain gave no plan');
    rates.push(plan.Plan['Actual Rows'] / plan['Execution Time'] / 1000);
  }
  return median(rates);
}

/** Median microseconds of one prepared statement over a Unix socket, by pgbench's log of its transactions. */
async function latency(folder: string, query: string, machine: string): Promise<number> {
  const script = join(folder, 'query.sql');
  writeFileSync(script, `${query};\n`);
  const env = { ...libpqEnvironment(), PGOPTIONS: `-c linuxsql.machine=${machine}` };
  const logs = mkdtempSync(join(folder, 'log-'));
  const args = ['-n', '-c', '1', '-M', 'prepared', '-t', '3000', '-l', '--log-prefix', join(logs, 'log'), '-f', script];
  await mustRun('pgbench', join(postgresBin, 'pgbench'), args, { env, timeoutMs: 120_000 });
  const lines = readdirSync(logs).flatMap((name) => readFileSync(join(logs, name), 'utf8').trim().split('\n'));
  const times = lines.map((line) => Number(line.split(' ')[2])).filter((time) => time > 0);
  if (times.length < 2000) throw new Error(`pgbench logged ${times.length} transactions`);
  return median(times);
}

async function measure(
  client: pg.Client,
  machine: string,
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const scans: Competitor[] = [
    {
      name: 'linux.page_faults',
      run: () => scanRate(client, `select ${columns} from linux.page_faults limit ${rows}`),
    },
    {
      name: 'postgres_fdw over a copy',
      run: () => scanRate(client, `select ${columns} from bench_remote.faults limit ${rows}`),
    },
    { name: 'a table', run: () => scanRate(client, `select ${columns} from bench.faults limit ${rows}`) },
  ];
  const folder = mkdtempSync('/tmp/lsq-');
  const row = (table: string) => (): Promise<number> =>
    latency(folder, `select * from ${table} where pid = 1`, machine);
  const lookups: Competitor[] = [
    { name: 'linux.processes where pid = 1', run: row('linux.processes') },
    { name: 'postgres_fdw over a copy', run: row('bench_remote.processes') },
    { name: 'a table with an index', run: row('bench.processes') },
    { name: 'select 1', run: () => latency(folder, 'select 1', machine) },
  ];
  try {
    return [
      {
        benchmark: 'scan',
        title: `scan of ${rows} rows, 8 columns`,
        unit: 'million rows/s',
        larger: true,
        measurements: await alternate(scans, rounds, onSample),
      },
      {
        benchmark: 'lookup',
        title: 'one row, prepared, guest paused',
        unit: 'µs',
        larger: false,
        measurements: await alternate(lookups, rounds, onSample),
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the guest fault: every short-lived process takes a few dozen. */
const faultLoop = 'i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done; echo fau""lts-end\n';

export async function fdwBenchmark(rounds: number, onSample: (name: string, value: number) => void): Promise<Result[]> {
  await prepareServer();
  return withMachine({ runs: 'shell' }, async ({ name, type, transcript }) => {
    return withClient(async (client) => {
      await client.query('select set_config($1, $2, false)', ['linuxsql.machine', name]);
      for (let count = 0; count < rows;) {
        await type(faultLoop);
        await transcript.until(['\nfaults-end']);
        await transcript.until([prompt]);
        const { rows: found } = await client.query<{ n: string }>('select count(*) as n from linux.page_faults');
        count = Number(found[0]?.n);
      }
      await client.query('select * from vm_pause($1)', [name]);
      try {
        await makePeers(client);
        return await measure(client, name, rounds, onSample);
      } finally {
        await dropPeers(client);
      }
    });
  });
}

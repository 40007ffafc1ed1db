import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/fail.js';
import { place } from '../base/place.js';
import { ControlClient } from '../control/client.js';
import { embeddedPid } from '../server/embedded.js';
import { isAbsent, machineSocket, machinesWithSocket, runFolder } from '../server/machines.js';
import { databaseName, externalServer } from '../server/session.js';
import { socketAnswers } from '../server/sockets.js';
import { parseArguments } from './arguments.js';

interface MachineLine {
  machine: string;
  state: string;
  instret?: string;
  guest_seconds?: number;
}

interface Report {
  server: string;
  introspect: string;
  machines: MachineLine[];
  folders: Record<string, string>;
}

async function machineLine(run: string, machine: string): Promise<MachineLine> {
  try {
    const client = await ControlClient.connect(machineSocket(run, machine), 2000);
    try {
      const { state, instret, timeNs } = await client.status();
      return { machine, state, instret: instret.toString(), guest_seconds: Number(timeNs) / 1e9 };
    } finally {
      client.close();
    }
  } catch (error) {
    return { machine, state: isAbsent(error) ? 'not running' : `unreachable: ${messageOf(error)}` };
  }
}

async function makeReport(): Promise<Report> {
  const { account, data, log, base } = place();
  const external = externalServer() !== undefined;
  const pid = external ? undefined : embeddedPid();
  const run = await runFolder();
  const introspect = await socketAnswers(join(run, 'introspect.sock'));
  return {
    server: external
      ? 'the server of DATABASE_URL'
      : pid !== undefined
        ? `running, process ${pid}`
        : existsSync(join(data, 'PG_VERSION'))
          ? 'stopped'
          : 'not made yet',
    introspect: introspect ? 'running' : 'not running',
    machines: await Promise.all(machinesWithSocket(run).map((machine) => machineLine(run, machine))),
    folders: external ? { run } : { base, data, log, run, account: account.name },
  };
}

export async function status(args: readonly string[]): Promise<number> {
  const { flags } = parseArguments(args, { flags: ['--json'] });
  const report = await makeReport();
  if (flags.has('--json')) {
    console.log(JSON.stringify(report, undefined, 2));
    return 0;
  }
  console.log(`server      ${report.server}`);
  console.log(`introspect  ${report.introspect}`);
  for (const { machine, state, instret, guest_seconds } of report.machines) {
    const progress =
      instret === undefined ? '' : `, ${instret} instructions, ${(guest_seconds ?? 0).toFixed(3)} s of guest time`;
    console.log(`machine     ${machine}: ${state}${progress}`);
  }
  for (const [name, value] of Object.entries(report.folders)) console.log(`${name.padEnd(11)} ${value}`);
  if (externalServer() === undefined) {
    console.log(
      `\nfor psql and other clients:\n  export PGHOST=${place().run} PGUSER=postgres PGDATABASE=${databaseName}`,
    );
  }
  return 0;
}

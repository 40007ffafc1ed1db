/**
 * kill -9 of any part at any instant: nothing that the guest has flushed is lost, no backend hangs, and everything comes
 * back by itself. LINUXSQL_KILL_ROUNDS (default 4) and LINUXSQL_KILL_SEED choose how many instants and which;
 * LINUXSQL_KILL_PROGRESS=1 tells of each. `npm run soak` sets all three.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { ControlClient } from '../cli/src/control/client.js';
import { waitUntil } from '../cli/src/server/sockets.js';
import { startChain, type Chain } from './harness/chain.js';
import { prompt } from './harness/guest.js';
import { randomFrom } from './harness/random.js';

const rounds = Number(process.env['LINUXSQL_KILL_ROUNDS'] ?? 4);
const seed = Number(process.env['LINUXSQL_KILL_SEED'] ?? 1);
const progress = process.env['LINUXSQL_KILL_PROGRESS'] === '1';
const recoveryMs = 90_000;
/** The latest a part dies after a statement was begun. */
const latestMs = 700;

/** Appends numbers to a file; one is told on the console only after sync has returned. */
const writerScript = `n=$(tail -n 1 /root/log 2>/dev/null); n=\${n:-0}; while :; do n=$((n+1)); echo $n >>/root/log; sync; echo "flu""shed $n"; done\n`;
/** Every number from 1 on must be there once, in order; one that was cut short by the crash can only be the last. */
const checkScript = `touch /root/log; awk 'NF!=1||$1!=NR{print "bro""ken at",NR,$0;exit} END{print "che""cked",NR}' /root/log\n`;

/** The machine's console across restarts of its daemon. */
class Console {
  private text = '';
  private client: ControlClient | undefined;
  /** Highest number the guest has said to be on its disk. */
  flushed = 0;

  constructor(private readonly chain: Chain) {}

  /** Connects to the daemon that runs now. */
  async attach(): Promise<void> {
    this.client?.close();
    this.text = '';
    const client = await this.chain.control();
    this.client = client;
    client.consoleAttach(0n, (_, bytes) => this.take(bytes.toString('latin1'))).catch(() => undefined);
  }

  type(text: string): Promise<void> {
    if (this.client === undefined) throw new Error('no console');
    return this.client.consoleWrite(Buffer.from(text));
  }

  async expect(wanted: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    await waitUntil(() => (found = wanted.exec(this.text)) !== null, timeoutMs, 20);
    if (found === null)
      throw new Error(`no ${String(wanted)} on the console, which ends with:\n${this.text.slice(-1500)}`);
    return found;
  }

  forget(): void {
    this.text = '';
  }

  private take(text: string): void {
    this.text = (this.text + text).slice(-100_000);
    for (const [, number] of this.text.matchAll(/flushed (\d+)\r?\n/g))
      this.flushed = Math.max(this.flushed, Number(number));
  }
}

let chain: Chain;
let guest: Console;

/** Waits until the machine answers on its control socket, with a shell at its prompt. */
async function booted(): Promise<void> {
  let last: unknown;
  const answered = await waitUntil(
    () =>
      guest
        .attach()
        .then(() => true)
        .catch((error: unknown) => ((last = error), false)),
    recoveryMs,
    100,
  );
  if (!answered) throw new Error(`the machine did not come back: ${String(last)}`);
  await guest.expect(new RegExp(prompt), recoveryMs);
}

/** The disk holds every number that was told, and the writer goes on after it. */
async function checkDiskAndWriteOn(): Promise<void> {
  guest.forget();
  await guest.type(checkScript);
  const [, checked] = await guest.expect(/checked (\d+)/, 30_000);
  expect(Number(checked)).toBeGreaterThanOrEqual(guest.flushed);
  guest.forget();
  await guest.type(writerScript);
  await guest.expect(/flushed (\d+)/, 30_000);
}

async function progresses(): Promise<void> {
  const before = guest.flushed;
  expect(await waitUntil(() => guest.flushed > before, recoveryMs)).toBe(true);
}

/** A statement answers or fails, but it does not hang, whatever has just been killed. */
async function statementEnds(sql: string): Promise<string> {
  try {
    const client = await chain.connect();
    try {
      const work = client.query(sql).then(
        () => 'answered',
        (error: unknown) => `failed: ${String(error)}`,
      );
      return await Promise.race([work, sleep(30_000, 'hung', { ref: false })]);
    } finally {
      client.end().catch(() => undefined);
    }
  } catch (error) {
    return `no connection: ${String(error)}`;
  }
}

async function answersAgain(sql: string): Promise<void> {
  let last = '';
  const answered = await waitUntil(async () => (last = await statementEnds(sql)) === 'answered', recoveryMs, 100);
  expect(answered ? 'answered' : last).toBe('answered');
}

const query = 'select count(*) from linux.processes';

const victims: Record<string, () => Promise<void>> = {
  machine: async () => {
    for (const pid of chain.pids('machine')) process.kill(pid, 'SIGKILL');
    await booted();
    await checkDiskAndWriteOn();
  },
  introspect: async () => {
    const [before] = chain.pids('introspect');
    if (before !== undefined) process.kill(before, 'SIGKILL');
    expect(await waitUntil(() => chain.pids('introspect').some((pid) => pid !== before), recoveryMs)).toBe(true);
    await progresses();
  },
  postmaster: async () => {
    await chain.cluster.kill9();
    await chain.cluster.start();
    await progresses();
  },
  backend: async () => {
    const client = await chain.connect();
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by backend_start limit 1",
    );
    const pid = rows[0]?.pid;
    if (pid !== undefined) process.kill(pid, 'SIGKILL'); // the server restarts all its backends
    await client.end().catch(() => undefined);
    await progresses();
  },
};

/** Those taken on the way, between kills: each is a machine with a disk in order. */
async function checkpointsAreWhole(): Promise<void> {
  const client = await chain.connect();
  const automatic = (): Promise<{ rows: { name: string }[] }> =>
    client.query<{ name: string }>('select name from vm_snapshots() where automatic');
  expect(await waitUntil(async () => (await automatic()).rows.length > 0, recoveryMs)).toBe(true);
  await client.query("select vm_checkpoint_every(null, 1000, 'vm1')"); // one under way must not delete what is looked at
  for (const { name } of (await automatic()).rows) {
    await client.query("select vm_restore($1, 'vm1')", [name]);
    guest.forget();
    await client.query("select vm_resume('vm1')");
    await guest.type('\x03\n'); // ends the writer; a guest that was booting may lose it, and shows its first prompt
    await guest.expect(new RegExp(prompt), recoveryMs);
    guest.forget();
    await guest.type(checkScript);
    const [, checked] = await guest.expect(/checked (\d+)/, 30_000);
    expect(Number(checked)).toBeGreaterThan(0);
  }
  await client.end();
}

async function round(name: string, delayMs: number): Promise<void> {
  const busy = statementEnds(query); // one statement is under way when it happens
  await sleep(delayMs);
  await victims[name]?.();
  expect(await busy).not.toBe('hung');
  await answersAgain(query);
}

/** Everything needed to see what went wrong after which kills. */
function account(killed: readonly string[], error: unknown): Error {
  const log = chain.cluster.log().split('\n').slice(-60).join('\n');
  return new Error(`after killing ${killed.join(', ')}: ${String(error)}\nthe server's log ends with:\n${log}`, {
    cause: error,
  });
}

beforeAll(async () => {
  chain = await startChain();
  guest = new Console(chain);
  const client = await chain.connect();
  await client.query("select vm_start('vm1')");
  await client.query("select vm_checkpoint_every(100000000, 3, 'vm1')");
  await client.end();
  await booted();
  await checkDiskAndWriteOn();
}, 300_000);

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

function tell(line: string): void {
  if (progress) process.stdout.write(`${line}\n`);
}

/** "12 machine, 9 postmaster". */
function tally(killed: readonly string[]): string {
  return Object.keys(victims)
    .map((name) => `${killed.filter((victim) => victim === name).length} ${name}`)
    .join(', ');
}

test(`${rounds} kills from seed ${seed}`, { timeout: 60_000 + rounds * 3 * recoveryMs }, async () => {
  const random = randomFrom(seed);
  const names = Object.keys(victims);
  const killed: string[] = [];
  const started = performance.now();
  for (let count = 0; count < rounds; count++) {
    const name = names[random.below(names.length)] ?? 'machine';
    const began = performance.now();
    killed.push(name);
    await round(name, random.below(latestMs)).catch((error: unknown) => {
      throw account(killed, error);
    });
    tell(`kill ${count + 1} of ${rounds}: ${name}, ${seconds(began)}; ${guest.flushed} records on the guest's disk`);
  }
  // Everything the guest was told to be on its disk is there after one more loss of power.
  await victims['machine']?.();
  await checkpointsAreWhole();
  expect(guest.flushed).toBeGreaterThan(rounds);
  tell(
    `${rounds} kills (${tally(killed)}) from seed ${seed} in ${seconds(started)}: ` +
      `${guest.flushed} records, none lost, none torn, every restart unaided`,
  );
});

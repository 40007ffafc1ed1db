/** Consistent views while the guest runs: one instant in every table, whatever the guest writes meanwhile. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { socketAnswers, waitUntil } from '../cli/src/server/sockets.js';
import { ramBase } from '../introspect/src/gen/board.js';
import { counters as counterSlots } from '../introspect/src/gen/telemetry.js';
import { Machine, type MachineView } from '../introspect/src/machine/machine.js';
import type { ViewKey } from '../introspect/src/memory/view-pages.js';
import { RowClient } from '../introspect/test/support/row-client.js';
import { introspectMain } from './harness/artifacts.js';
import { prompt, startGuest, type Guest } from './harness/guest.js';
import { spawnOwned, type OwnedProcess } from './harness/processes.js';
import { tempDir } from './harness/temp.js';

let run: string;
let service: OwnedProcess;
let client: RowClient;

beforeAll(async () => {
  run = tempDir();
  mkdirSync(join(run, 'vm'));
  service = spawnOwned(process.execPath, [introspectMain(), '--run-dir', run]);
  const socket = join(run, 'introspect.sock');
  expect(await waitUntil(() => socketAnswers(socket), 10_000)).toBe(true);
  client = await RowClient.connect(socket);
});

const controlOf = (name: string) => join(run, 'vm', `${name}.sock`);
const busyLoops = 'for i in 1 2 3; do (while :; do /bin/true; cat /proc/self/maps >/dev/null; done) & done\n';

async function bootBusy(name: string, args: string[] = []): Promise<Guest> {
  const guest = await startGuest({ initrd: true, controlSocket: controlOf(name), args: ['--engine', 'jit', ...args] });
  await guest.expect(prompt);
  guest.send(busyLoops);
  await sleep(300);
  return guest;
}

const counter = (view: MachineView, name: string) =>
  Number(view.counters[counterSlots.findIndex((slot) => slot.name === name)]);

test('all tables of a view show one instant of a guest that forks without pause', async () => {
  const name = 'forks';
  const guest = await bootBusy(name);
  let before = 0n;
  for (let round = 0; round < 40; round++) {
    const { view, instret } = await client.openView(name);
    expect(instret).toBeGreaterThan(before);
    before = instret;
    const scan = async (relation: Parameters<typeof client.scan>[1]) =>
      (await client.scan(name, relation, { view })).rows;
    const processes = await scan('processes');
    const threads = await scan('threads');
    const traps = await client.scan(name, 'traps', { view, limit: 5, sort: { column: 'seq', descending: true } });
    const files = await scan('process_open_files');
    const spots = await scan('mmu_hotspots');
    await sleep(round % 4);
    expect(await scan('processes')).toEqual(processes);
    expect(await scan('threads')).toEqual(threads);
    expect(await scan('mmu_hotspots')).toEqual(spots);
    const again = await client.scan(name, 'traps', { view, limit: 5, sort: { column: 'seq', descending: true } });
    // Old records may be overwritten meanwhile, later ones never show.
    expect(again.rows).toEqual(traps.rows.slice(0, again.rows.length));
    expect(Number(traps.rows[0]?.['instret'] ?? 0)).toBeLessThanOrEqual(Number(instret));
    const pids = new Set(processes.map((row) => Number(row['pid'])));
    const leaders = new Set(threads.map((row) => Number(row['tgid'])));
    expect([...leaders].filter((pid) => !pids.has(pid))).toEqual([]);
    expect([...pids].filter((pid) => !leaders.has(pid))).toEqual([]);
    expect(files.filter((row) => !pids.has(Number(row['pid'])))).toEqual([]);
    const parents = processes.map((row) => Number(row['parent'])).filter((pid) => pid > 0);
    expect(parents.filter((pid) => !pids.has(pid))).toEqual([]);
    const { rows } = await client.scan(name, 'counters', { view, where: { column: 'metric', value: 'instret' } });
    expect(Number(rows[0]?.['value'])).toBe(Number(instret));
    await client.closeView(view);
  }
  expect(service.log()).not.toContain('internal error');
  await guest.stop();
}, 120_000);

/**
 * Counts in a register and stores the count twice in each of 64 pages, one after the other, for ever:
 * auipc t0,0x100; lui t4,1; addi t1,t1,1; mv t2,t0; li t3,64; sd t1,0(t2); sd t1,8(t2); add t2,t2,t4;
 * addi t3,t3,-1; bnez t3,.-16; j .-32
 */
const counting = [
  0x00100297, 0x00001eb7, 0x00130313, 0x00028393, 0x04000e13, 0x0063b023, 0x0063b423, 0x01d383b3, 0xfffe0e13,
  0xfe0e18e3, 0xfe1ff06f,
];
const countingPages = 64;

async function startCounting(name: string, args: string[]): Promise<{ guest: Guest; machine: Machine }> {
  const program = join(run, `${name}.bin`);
  writeFileSync(program, new Uint8Array(Uint32Array.from(counting).buffer));
  const guest = await startGuest({ controlSocket: controlOf(name), args: ['--bios', program, ...args] });
  return { guest, machine: new Machine(name, controlOf(name)) };
}

/** The counts of all pages, read slowly; both words of a page, and any two pages, differ by at most the store under way. */
async function readCounts(machine: Machine, view: MachineView, pauseMs: number): Promise<number[]> {
  const { memory } = view.link.mapping;
  const counts: number[] = [];
  for (let page = 0; page < countingPages; page++) {
    memory.select(view.key);
    const at = ramBase + 0x10_0000 + page * 4096;
    counts.push(Number(memory.u64(at)));
    expect(counts[page]! - Number(memory.u64(at + 8))).toBeLessThanOrEqual(1);
    if (page % 16 === 15) await sleep(pauseMs);
  }
  machine.requireHeld(view);
  return counts;
}

test.each(['interp', 'jit'])('every view of a guest that only writes is one instant (%s)', async (engine) => {
  const { guest, machine } = await startCounting(`writes-${engine}`, ['--engine', engine]);
  await sleep(200);
  const openNs: number[] = [];
  let spent = 0;
  let last = 0;
  for (let round = 0; round < 60; round++) {
    const views = [await machine.openView(), await machine.openView()];
    const seen: number[] = [];
    for (const view of views.reverse()) {
      const counts = await readCounts(machine, view, 2);
      for (let page = 1; page < countingPages; page++) expect(counts[page]).toBeLessThanOrEqual(counts[page - 1]!);
      expect(counts[0]! - counts[countingPages - 1]!).toBeLessThanOrEqual(1);
      seen.push(counts[0]!);
    }
    expect(seen[1]).toBeLessThanOrEqual(seen[0]!);
    expect(seen[1]).toBeGreaterThan(last);
    last = seen[0]!;
    views.forEach((view) => machine.closeView(view));
    const total = counter(views[0]!, 'view_open_ns');
    if (spent > 0) openNs.push((total - spent) / 2);
    spent = total;
  }
  openNs.sort((a, b) => a - b);
  const median = openNs[openNs.length >> 1]!;
  console.log(`view_open (${engine}): median ${median} ns, worst ${openNs.at(-1)} ns`);
  expect(median).toBeLessThan(100_000);
  await machine.close();
  await guest.stop();
});

test('a view that needs more than the pool is lost with a hint, never wrong', async () => {
  const { guest, machine } = await startCounting('small', ['--engine', 'jit', '--view-pool', '64K']);
  await sleep(100);
  for (let round = 0; round < 20; round++) {
    const view = await machine.openView();
    const read = readCounts(machine, view, 5);
    await expect(read).rejects.toMatchObject({ sqlstate: '55000', hint: expect.stringContaining('--view-pool') });
    machine.closeView(view);
  }
  await machine.close();
  await guest.stop();
});

test('scans over a pool that is too small fail or are right', async () => {
  const guest = await bootBusy('tight', ['--view-pool', '512K']);
  let failed = 0;
  for (let round = 0; round < 60; round++) {
    const { view } = await client.openView('tight');
    try {
      const processes = (await client.scan('tight', 'processes', { view })).rows;
      await sleep(round % 7);
      expect((await client.scan('tight', 'processes', { view })).rows).toEqual(processes);
    } catch (error) {
      expect(error).toMatchObject({ sqlstate: '55000' });
      failed++;
    }
    await client.closeView(view);
  }
  expect(failed).toBeGreaterThan(0);
  await guest.stop();
}, 120_000);

test('views of a client that is gone are closed', async () => {
  const guest = await bootBusy('leaving');
  const machine = new Machine('leaving', controlOf('leaving'));
  const keys: ViewKey[] = [];
  for (let i = 0; i < 5; i++) {
    const gone = await RowClient.connect(join(run, 'introspect.sock'));
    await gone.openView('leaving');
    gone.close();
    const view = await machine.openView();
    keys.push(view.key);
    const { views } = view.link.mapping;
    expect(views.isOpen(view.key)).toBe(true);
    if (i === 4) {
      await machine.close();
      const watcher = new Machine('leaving', controlOf('leaving'));
      const last = await watcher.openView();
      const area = last.link.mapping.views;
      expect(await waitUntil(() => keys.every((key) => !area.isOpen(key)), 5000)).toBe(true);
      // One place is the watcher's own; the epochs of the others are over.
      expect(last.key.place).toBeLessThan(6);
      await watcher.close();
    }
  }
  expect(guest.process.exitCode).toBeUndefined();
  await guest.stop();
});

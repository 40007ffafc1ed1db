/** The service beside a real machine: lost daemons, reboots, views that grow old, flow control, hostile clients. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ControlClient } from '../cli/src/control/client.js';
import { socketAnswers, waitUntil } from '../cli/src/server/sockets.js';
import { catalogue } from '../introspect/src/gen/relations.js';
import { frameHeader, frameType, qualTag } from '../introspect/src/gen/wire.js';
import type { Frame } from '../introspect/src/wire/frame-splitter.js';
import { FrameWriter } from '../introspect/src/wire/payload.js';
import { Random } from '../introspect/test/support/random.js';
import { errorOf, RowClient } from '../introspect/test/support/row-client.js';
import { introspectMain } from './harness/artifacts.js';
import { prompt, startGuest, type Guest } from './harness/guest.js';
import { spawnOwned, type OwnedProcess } from './harness/processes.js';
import { tempDir } from './harness/temp.js';

let run: string;
let socket: string;
let service: OwnedProcess;

beforeAll(async () => {
  run = tempDir();
  mkdirSync(join(run, 'vm'));
  socket = join(run, 'introspect.sock');
  service = await startService();
});

async function startService(): Promise<OwnedProcess> {
  const started = spawnOwned(process.execPath, [introspectMain(), '--run-dir', run]);
  expect(await waitUntil(() => socketAnswers(socket), 10_000)).toBe(true);
  return started;
}

const controlOf = (name: string) => join(run, 'vm', `${name}.sock`);

async function boot(name: string, args: string[] = []): Promise<Guest> {
  const guest = await startGuest({ initrd: true, controlSocket: controlOf(name), args });
  await guest.expect(prompt);
  return guest;
}

test('a killed daemon is told, a new one under its name is found', async () => {
  const first = await boot('killed');
  const client = await RowClient.connect(socket);
  const { view } = await client.openView('killed');
  const before = await client.scan('killed', 'processes', { view });
  expect(before.rows.length).toBeGreaterThan(10);
  process.kill(first.pid, 'SIGKILL');
  await waitUntil(() => first.process.exitCode !== undefined, 5000);
  await expect(client.scan('killed', 'counters')).rejects.toMatchObject({ sqlstate: '08001' });
  await expect(client.openView('killed')).rejects.toMatchObject({ sqlstate: '53400' });
  await client.closeView(view);
  await expect(client.openView('killed')).rejects.toMatchObject({ sqlstate: '08001' });
  const second = await boot('killed');
  const after = await client.scan('killed', 'processes');
  expect(after.rows.map((row) => row['comm'])).toEqual(before.rows.map((row) => row['comm']));
  client.close();
  await second.stop();
});

test('a service that was killed comes back on the same socket', async () => {
  const guest = await boot('outlives');
  const before = await RowClient.connect(socket);
  await before.openView('outlives');
  process.kill(service.pid, 'SIGKILL');
  await waitUntil(() => service.exitCode !== undefined, 5000);
  service = await startService();
  expect(await guest.shell('echo alive')).toContain('alive');
  const client = await RowClient.connect(socket);
  expect((await client.scan('outlives', 'processes')).rows.length).toBeGreaterThan(10);
  client.close();
  await guest.stop();
});

test('a reboot is another kernel', async () => {
  const guest = await boot('again', ['--poweroff', 'hold']);
  const client = await RowClient.connect(socket);
  await client.scan('again', 'processes');
  const generation = async () => {
    const { rows } = await client.scan('again', 'counters', { where: { column: 'metric', value: 'generation' } });
    return Number(rows[0]?.['value']);
  };
  const first = await generation();
  guest.send('reboot\n');
  await guest.expect(/Linux version/);
  await guest.expect(prompt);
  expect(await generation()).toBeGreaterThan(first);
  const { rows } = await client.scan('again', 'processes');
  expect(rows.filter((row) => row['comm'] === 'init')).toHaveLength(1);
  client.close();
  await guest.stop();
});

test('a view that the daemon ended is an error, not another instant', async () => {
  const guest = await boot('impatient', ['--view-timeout', '1']);
  const client = await RowClient.connect(socket);
  const { view } = await client.openView('impatient');
  expect((await client.scan('impatient', 'processes', { view })).rows.length).toBeGreaterThan(10);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  guest.send('\n');
  await guest.expect(prompt);
  await expect(client.scan('impatient', 'processes', { view })).rejects.toMatchObject({ sqlstate: '55000' });
  await client.closeView(view);
  expect((await client.scan('impatient', 'processes')).rows.length).toBeGreaterThan(10);
  client.close();
  await guest.stop();
});

test('the guest goes on under a view, and every table shows its instant', async () => {
  const guest = await boot('still');
  guest.send('while true; do :; done\n');
  const client = await RowClient.connect(socket);
  const { view, instret } = await client.openView('still');
  const read = async () => {
    const { rows } = await client.scan('still', 'counters', { view, where: { column: 'metric', value: 'instret' } });
    return Number(rows[0]?.['value']);
  };
  expect(await read()).toBe(Number(instret));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await read()).toBe(Number(instret));
  const control = await ControlClient.connect(controlOf('still'));
  expect((await control.status()).instret).toBeGreaterThan(instret);
  await client.closeView(view);
  control.close();
  client.close();
  await guest.stop();
});

/** Collects the frames of one OPEN that grants no credit by itself. */
function rawScan(client: RowClient, machine: string, relation: string, credit: number) {
  const request = client.next();
  const frames: Frame[] = [];
  client.listen(request, (frame) => {
    if (!(frame instanceof Error)) frames.push(frame);
  });
  const open = new FrameWriter().text(machine).text(relation).u64(0n).u32(credit).u64(-1n).u16(2).u16(0).u16(1);
  client.socket.write(open.u16(0).u8(qualTag.true).frame(frameType.open, request));
  return { request, frames, send: (frame: Buffer) => client.socket.write(frame) };
}

test('credit holds back, more credit lets go, cancel ends', async () => {
  const guest = await boot('flow');
  const client = await RowClient.connect(socket);
  const scan = rawScan(client, 'flow', 'kernel_symbols', 2);
  /** The frames so far, once there are as many as wanted and no more have come for a while. */
  const settled = async (wanted: number) => {
    expect(await waitUntil(() => scan.frames.length >= wanted, 10_000)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return scan.frames.map((frame) => frame.type);
  };
  expect(await settled(2)).toEqual([frameType.data, frameType.data]);
  scan.send(new FrameWriter().u32(3).frame(frameType.credit, scan.request));
  expect(await settled(5)).toHaveLength(5);
  // Other requests are served meanwhile.
  expect((await client.scan('flow', 'machines')).rows.length).toBe(1);
  scan.send(new FrameWriter().frame(frameType.cancel, scan.request));
  await settled(6);
  expect(errorOf(scan.frames[5]!).sqlstate).toBe('57014');
  expect(await guest.shell('echo going')).toContain('going');
  client.close();
  await guest.stop();
});

test('mutated scans over a live machine never take the service down', async () => {
  const guest = await boot('fuzzed');
  const random = new Random(17);
  for (let round = 0; round < 60; round++) {
    const client = await RowClient.connect(socket);
    client.socket.on('error', () => undefined);
    for (let i = 0; i < 5; i++) {
      const relation = random.pick(catalogue);
      const column = random.below(relation.columns.length);
      const open = new FrameWriter()
        .text('fuzzed')
        .text(relation.name)
        .u64(0n)
        .u32(random.below(5))
        .u64(BigInt(random.below(50)) - 1n);
      const frame = Buffer.from(
        open
          .u16(1)
          .u16(column)
          .u16(0)
          .u8(qualTag.or)
          .u16(2)
          .u8(qualTag.isNull)
          .u16(column)
          .u8(qualTag.isNotNull)
          .u16(0)
          .frame(frameType.open, client.next()),
      );
      for (let change = random.below(4); change > 0; change--)
        frame[frameHeader.size + random.below(frame.length - frameHeader.size)] = random.below(256);
      client.socket.write(frame);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
  }
  const client = await RowClient.connect(socket);
  expect((await client.scan('fuzzed', 'processes')).rows.length).toBeGreaterThan(10);
  expect(service.exitCode).toBeUndefined();
  expect(service.log()).not.toContain('internal error');
  client.close();
  expect(await guest.shell('echo free')).toContain('free');
  await guest.stop();
});

test('SIGTERM ends the service cleanly', async () => {
  process.kill(service.pid, 'SIGTERM');
  expect(await waitUntil(() => service.exitCode !== undefined, 5000)).toBe(true);
  expect(service.exitCode).toBe(0);
});

test('a service whose socket has been removed ends', async () => {
  const forgotten = await startService();
  rmSync(socket);
  expect(await waitUntil(() => forgotten.exitCode !== undefined, 15_000)).toBe(true);
  expect(forgotten.exitCode).toBe(0);
  expect(forgotten.log()).toContain('its socket is gone');
});

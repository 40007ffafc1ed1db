/** The control socket: steps, pauses, views, console, shared memory, many clients, and ones that misbehave. */
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ControlClient } from '../../cli/src/control/client.js';
import { encodeFrame, PayloadWriter } from '../../cli/src/control/frames.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { counters, hartSnapshot, rings } from '../../schema/layout/telemetry.js';
import { vmBinary } from '../harness/artifacts.js';
import { startGuest, type Guest } from '../harness/guest.js';
import { run } from '../harness/processes.js';
import { randomFrom } from '../harness/random.js';
import { bootArgs, frameNumber, RawControl } from './machine.js';

const billion = 1_000_000_000n;
const shell = 'linuxsql:~# ';

async function raw(guest: Guest): Promise<RawControl> {
  const control = await RawControl.connect(guest.controlSocket);
  control.hello();
  return control;
}

async function answered(control: RawControl, name: string, count = 1): Promise<void> {
  const done = await waitUntil(() => control.answers(name).length >= count || control.closed, 20_000);
  if (!done) throw new Error(`no ${name}`);
}

describe('a machine under steps', () => {
  let guest: Guest;
  let control: ControlClient;
  beforeAll(async () => {
    guest = await startGuest({ args: ['--paused', '--view-timeout', '2'] });
    control = await ControlClient.connect(guest.controlSocket);
  });
  afterAll(() => guest.stop());

  test('starts paused at its first instruction', async () => {
    expect(await control.status()).toMatchObject({ state: 'paused', instret: 0n, generation: 1n, machine: 'vm' });
  });

  test('a budget stops at its exact instruction', async () => {
    expect(await control.step('', 12_345n)).toMatchObject({ stoppedBy: 'budget', executed: 12_345n, instret: 12_345n });
    expect(await control.step('instret:1000000', billion)).toMatchObject({
      stoppedBy: 'instret',
      conditionMet: true,
      instret: 1_000_000n,
    });
    expect(await control.step('instret:5', billion)).toMatchObject({ conditionMet: true, executed: 0n });
    expect(await control.step('idle', 10n)).toMatchObject({ stoppedBy: 'budget', conditionMet: false, executed: 10n });
  });

  test('the first user instruction, faults, system calls and console text', async () => {
    const first = await control.step('init:proc', 5n * billion);
    expect(first).toMatchObject({ stoppedBy: 'init:proc', conditionMet: true });
    expect(first.pc).toBeLessThan(1n << 38n);
    expect(first.timeNs).toBeGreaterThanOrEqual(first.instret);
    expect(await control.step('init:proc', billion)).toMatchObject({ conditionMet: true, executed: 0n });
    for (const condition of ['fault:load', 'fault:store', 'fault:instruction', 'ecall:64']) {
      const stop = await control.step(condition, billion);
      expect(stop).toMatchObject({ stoppedBy: condition.split(':')[0], conditionMet: true });
      expect(stop.pc).toBeGreaterThan(1n << 63n);
    }
    const here = await control.step(`console:${shell}`, 5n * billion);
    expect(here.conditionMet).toBe(true);
    await expect.poll(() => guest.output()).toContain('linuxsql mini ready');
    const there = `pc:0x${here.pc.toString(16)}`;
    expect(await control.step(there, billion)).toMatchObject({ stoppedBy: 'pc', conditionMet: true, executed: 0n });
    const again = await control.step(there, billion);
    expect(again).toMatchObject({ stoppedBy: 'pc', pc: here.pc });
    expect(again.executed).toBeGreaterThan(0n);
  });

  test('what is typed is taken when the machine goes on', async () => {
    await control.consoleWrite(Buffer.from('echo re""ply\n'));
    expect(await control.step('console:reply', 5n * billion)).toMatchObject({
      stoppedBy: 'console',
      conditionMet: true,
    });
  });

  test('words that mean nothing are refused', async () => {
    for (const word of ['sym:start_kernel', 'pc:x', 'fault:any', 'x'.repeat(300)])
      await expect(control.step(word, 1n)).rejects.toMatchObject({ code: '22023' });
  });

  test('one step at a time; CANCEL, a pause and a lost connection end it', async () => {
    const endless = new PayloadWriter()
      .str('console:never printed')
      .u64(1n << 62n)
      .done();
    const stepper = await raw(guest);
    stepper.send('vm_step', 7n, endless);
    await waitUntil(() => stepper.answers('welcome').length === 1, 5000);
    await expect.poll(async () => (await control.status()).state).toBe('stepping');
    await expect(control.step('idle', 1n)).rejects.toMatchObject({ code: '55006' });
    stepper.send('cancel', 7n);
    await answered(stepper, 'vm_stepped');
    expect(stepper.answers('vm_stepped')[0]?.payload.toString('latin1')).toContain('cancelled');
    stepper.send('vm_step', 8n, endless);
    await expect.poll(async () => (await control.status()).state).toBe('stepping');
    expect((await control.pause()).state).toBe('paused');
    await answered(stepper, 'vm_stepped', 2);
    stepper.send('vm_step', 9n, endless);
    await expect.poll(async () => (await control.status()).state).toBe('stepping');
    stepper.socket.destroy();
    await expect.poll(async () => (await control.status()).state).toBe('paused');
  });

  test('the guest goes on under a view, and a view ends with its time', async () => {
    await control.run();
    await control.consoleWrite(Buffer.from('while :; do :; done\n'));
    const viewer = await raw(guest);
    viewer.send('vm_view_open', 1n);
    await answered(viewer, 'vm_view');
    const view = viewer.answers('vm_view')[0]?.payload;
    expect(view?.length).toBe(32 + hartSnapshot.size + 12 + 8 + 8 * (rings.length + counters.length));
    const instret = view?.readBigUInt64LE(8);
    await expect.poll(async () => (await control.status()).instret).toBeGreaterThan(instret ?? 0n);
    expect((await control.status()).state).toBe('running');
    viewer.send('vm_view_close', 2n, new PayloadWriter().u64(view?.readBigUInt64LE(0) ?? 0n).done());
    await answered(viewer, 'done');
    await expect.poll(async () => (await control.status()).instret).toBeGreaterThan(instret ?? 0n);
    viewer.send('vm_view_open', 3n);
    await answered(viewer, 'vm_view', 2);
    await sleep(2600);
    const stale = viewer.answers('vm_view')[1]?.payload.readBigUInt64LE(0) ?? 0n;
    viewer.send('vm_view_close', 4n, new PayloadWriter().u64(stale).done());
    await answered(viewer, 'error');
    expect(viewer.answers('error')[0]?.payload.toString('latin1')).toContain('55000');
    await control.consoleWrite(Buffer.from('\u0003'));
    viewer.socket.destroy();
  });

  test('console output is streamed from the start to every client', async () => {
    const readers = await Promise.all([0, 1, 2].map(() => ControlClient.connect(guest.controlSocket)));
    const texts = readers.map(() => '');
    readers.forEach((reader, index) => {
      void reader.consoleAttach(0n, (_, bytes) => (texts[index] += bytes.toString('latin1'))).catch(() => undefined);
    });
    await expect.poll(() => texts.every((text) => text.includes('linuxsql mini ready'))).toBe(true);
    expect(texts[1]).toBe(texts[0]);
    readers.forEach((reader) => reader.close());
  });

  test('frames that are wrong end their connection and nothing else', async () => {
    const random = randomFrom(11);
    const status = encodeFrame(frameNumber('vm_status'), 1n);
    for (let round = 0; round < 300; round++) {
      const bad = round % 2 === 0 ? await RawControl.connect(guest.controlSocket) : await raw(guest);
      const mutated = Buffer.concat([status, encodeFrame(64 + random.below(20), 2n, random.bytes(random.below(40)))]);
      for (let flips = random.below(6); flips > 0; flips--) mutated[random.below(mutated.length)] = random.below(256);
      bad.socket.write(random.chance(0.2) ? random.bytes(200) : mutated);
      if (random.chance(0.5)) await sleep(1);
      bad.socket.destroy();
    }
    const slow = await raw(guest);
    slow.socket.pause();
    for (let request = 1n; request < 20_000n; request++) slow.send('vm_status', request);
    expect((await control.status()).machine).toBe('vm');
    const first = await RawControl.connect(guest.controlSocket);
    first.send('vm_status', 1n);
    await answered(first, 'error');
    expect(first.answers('error')[0]?.payload.toString('latin1', 0, 5)).toBe('08P01');
    await waitUntil(() => first.closed, 5000);
    expect(first.closed).toBe(true);
    slow.socket.destroy();
    await control.pause();
  });

  test('more clients than places wait their turn', async () => {
    const crowd = await Promise.all(Array.from({ length: 80 }, () => raw(guest)));
    crowd.forEach((client) => client.send('ping', 1n));
    await expect.poll(() => crowd.filter((client) => client.answers('pong').length > 0).length).toBeGreaterThan(50);
    crowd.forEach((client) => client.socket.destroy());
    expect((await control.status()).machine).toBe('vm');
  });
});

test('stop ends the machine in order, once, and takes the socket away', async () => {
  const guest = await startGuest({ args: ['--paused'] });
  expect(statSync(guest.controlSocket).mode & 0o777).toBe(0o600);
  const second = await run(vmBinary(), [...(await bootArgs()), '--control', guest.controlSocket, '--paused'], {
    timeoutMs: 20_000,
    input: '',
  });
  expect(second.code).toBe(2);
  expect(second.stderr).toContain('belongs to a running machine');
  const control = await ControlClient.connect(guest.controlSocket);
  await control.stop(0);
  expect(await guest.process.exited()).toBe(0);
  expect(existsSync(guest.controlSocket)).toBe(false);
  expect(existsSync(`${guest.controlSocket}.lock`)).toBe(false);
});

test('a guest that powers off under a step ends it and the daemon', async () => {
  const guest = await startGuest({ args: ['--paused'] });
  const control = await ControlClient.connect(guest.controlSocket);
  await control.step(`console:${shell}`, 5n * billion);
  await control.consoleWrite(Buffer.from('poweroff -f\n'));
  expect(await control.step('', 20n * billion)).toMatchObject({ stoppedBy: 'poweroff', conditionMet: false });
  expect(await guest.process.exited()).toBe(0);
});

test('with --poweroff hold memory stays readable and running boots again', async () => {
  const guest = await startGuest({ args: ['--paused', '--poweroff', 'hold'] });
  const control = await ControlClient.connect(guest.controlSocket);
  await control.step(`console:${shell}`, 5n * billion);
  await control.consoleWrite(Buffer.from('poweroff -f\n'));
  await control.step('', 20n * billion);
  expect((await control.status()).state).toBe('poweroff');
  expect(await control.step('init:proc', 5n * billion)).toMatchObject({ stoppedBy: 'init:proc', conditionMet: true });
  expect((await control.status()).generation).toBe(2n);
  expect(await guest.stop()).toBe(0);
});

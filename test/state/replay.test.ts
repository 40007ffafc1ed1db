/**
 * A boot of a machine with a disk, replayed from the database's input log by a daemon that takes nothing and writes
 * nothing: at random instants of a session with typing, idling, disk writes and a reboot, its state is the original's.
 * LINUXSQL_REPLAY_INSTANTS (default 20) chooses how many.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlClient } from '../../cli/src/control/client.js';
import { waitUntil, socketAnswers } from '../../cli/src/server/sockets.js';
import { vmBinary } from '../harness/artifacts.js';
import { spawnOwned, type OwnedProcess } from '../harness/processes.js';
import { randomFrom } from '../harness/random.js';
import { tempDir } from '../harness/temp.js';
import { prompt, StateMachine } from './machine.js';

const instants = Number(process.env['LINUXSQL_REPLAY_INSTANTS'] ?? 20);

interface Instant {
  boot: string;
  instret: string;
  timeNs: bigint;
  hash: string;
}

let machine: StateMachine;
const past: Instant[] = [];

/** Where the paused machine stands. */
async function note(): Promise<void> {
  const control = await machine.chain.control();
  const { generation, timeNs, instret } = await control.status();
  const { hash } = await control.hash(60_000);
  await control.logSync(20_000);
  control.close();
  past.push({ boot: String(generation), instret: String(instret), timeNs, hash });
}

async function startReplay(boot: string): Promise<{ owned: OwnedProcess; control: ControlClient }> {
  const path = join(tempDir(), 'past.sock');
  const args = ['--db', machine.chain.database.conninfo, '--machine', 'vm1', '--replay-boot', boot];
  const owned = spawnOwned(vmBinary(), [...args, '--control', path, '--paused', '--poweroff', 'hold']);
  if (!(await waitUntil(() => socketAnswers(path), 20_000))) throw new Error(`no replay: ${owned.log()}`);
  return { owned, control: await ControlClient.connect(path) };
}

beforeAll(async () => {
  machine = await StateMachine.boot();
}, 300_000);
afterAll(() => machine.client.end());

test('a session is lived once', { timeout: 300_000 }, async () => {
  const random = randomFrom(7);
  await note();
  for (let i = 0; past.length < instants; i++) {
    await machine.type(`echo ${i} >>/root/log; sync; sleep 0.0${i % 10}; md5sum /root/log\n`);
    await machine.step('', 1_000_000 + random.below(30_000_000));
    await note();
    if (i === 2) {
      await machine.shell('');
      await machine.type('reboot\n');
      await machine.step('console:Linux version', 5_000_000_000);
      await machine.step(`console:${prompt}`, 20_000_000_000);
    }
  }
  // Idling in real time, paused in the middle of it.
  await machine.client.query('select vm_resume(); select pg_sleep(0.3); select vm_pause()');
  await note();
  expect(new Set(past.map(({ hash }) => hash)).size).toBe(past.length);
});

test('and replayed, instant for instant', { timeout: 300_000 }, async () => {
  const boots = [...new Set(past.map(({ boot }) => boot))];
  expect(boots.length).toBe(2);
  const { owned, control } = await startReplay(boots.at(-1) ?? '');
  for (const { boot, instret, timeNs, hash } of past) {
    await control.step(`boot:${boot}`, 2n ** 62n, 120_000);
    const stop = await control.step(`instret:${instret}@${timeNs}`, 2n ** 62n, 120_000);
    expect(stop, owned.log()).toMatchObject({ conditionMet: true, instret: BigInt(instret), timeNs });
    expect((await control.hash(60_000)).hash).toBe(hash);
  }
  control.close();
  expect(await owned.exited()).toBe(0);
});

test('in one go, past everything that was typed', { timeout: 300_000 }, async () => {
  for (const { boot, instret, timeNs, hash } of past.slice(-2)) {
    const { owned, control } = await startReplay(boot);
    await control.step(`boot:${boot}`, 2n ** 62n, 120_000);
    expect(await control.step(`instret:${instret}@${timeNs}`, 2n ** 62n, 120_000)).toMatchObject({
      conditionMet: true,
    });
    expect((await control.hash(60_000)).hash).toBe(hash);
    control.close();
    await owned.exited();
  }
});

test('the machine itself has noticed nothing, and its boots start from what the ones before have left', async () => {
  expect(await machine.hash()).toBe(past.at(-1)?.hash);
  await machine.client.query('select vm_stop()');
  await machine.client.query('select vm_start(paused => true)');
  await machine.step(`console:${prompt}`, 20_000_000_000);
  expect(await machine.shell('wc -l </root/log')).not.toBe('0\n');
  const { rows } = await machine.client.query<{ boots: string; leaves: string }>(
    'select count(*) as boots, count(distinct leaf) as leaves from linuxsql.boot',
  );
  expect(rows).toEqual([{ boots: '2', leaves: '2' }]);
  const [first] = past;
  if (first === undefined) throw new Error('no past');
  const { owned, control } = await startReplay(first.boot);
  await control.step(`instret:${first.instret}@${first.timeNs}`, 2n ** 62n, 120_000);
  expect((await control.hash(60_000)).hash).toBe(first.hash);
  control.close();
  await owned.exited();
}, 200_000);

test('a boot that is not known is refused in one line', async () => {
  const path = join(tempDir(), 'past.sock');
  const args = ['--db', machine.chain.database.conninfo, '--machine', 'vm1', '--replay-boot', '0x7fffffff'];
  const owned = spawnOwned(vmBinary(), [
    ...args.slice(0, 2),
    '--machine',
    'nobody',
    ...args.slice(4),
    '--control',
    path,
  ]);
  expect(await owned.exited()).toBe(2);
  expect(owned.log()).toMatch(/boot 2147483647 of machine nobody cannot be replayed: nothing is known of it/);
});

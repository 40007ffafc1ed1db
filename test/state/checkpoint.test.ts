/** Checkpoints of a real guest with a disk: a restored machine goes on bit for bit as the original did. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { vmBinary } from '../harness/artifacts.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { readStats } from '../machine/machine.js';
import { StateMachine } from './machine.js';

/** Writes, reads back, forks and prints, so that requests are in flight at most instants. */
const busy =
  'n=0; while :; do n=$((n+1)); dd if=/dev/urandom of=/root/f$n bs=32k count=8 2>/dev/null; sync; md5sum /root/f$n; done\n';

let machine: StateMachine;

beforeAll(async () => {
  machine = await StateMachine.boot();
}, 300_000);

interface Past {
  name: string;
  instret: string;
  hash: string;
}

/** Goes on from here with some typing, and says where that led. */
async function goOn(typed: string, most = 60_000_000): Promise<{ instret: string; hash: string }> {
  await machine.type(typed);
  const { instret } = await machine.step('', most);
  return { instret, hash: await machine.hash() };
}

test('a restored machine goes on as the original did, disk and typing included', async () => {
  await machine.shell('echo before > /root/mark; sync');
  await machine.type(busy);
  const pasts: Past[] = [];
  for (let i = 0; i < 4; i++) {
    await machine.step('', 7_654_321 * (i + 1));
    const name = `busy ${i}`;
    expect(await machine.checkpoint(name)).toMatchObject({ paused_ms: expect.any(Number) as number });
    pasts.push({ name, ...(await goOn(`typed ${i}`)) });
  }
  for (const past of [pasts[2], pasts[0], pasts[3], pasts[1]]) {
    if (past === undefined) throw new Error('no past');
    await machine.restore(past.name);
    expect(await goOn(`typed ${past.name.at(-1) ?? ''}`)).toEqual({ instret: past.instret, hash: past.hash });
  }
}, 300_000);

test('its state at the checkpoint is the state that was saved', async () => {
  const hash = await machine.hash();
  await machine.checkpoint('here');
  await machine.step('', 20_000_000);
  expect(await machine.hash()).not.toBe(hash);
  await machine.restore('here');
  expect(await machine.hash()).toBe(hash);
}, 120_000);

test('every engine goes on from a checkpoint in the same way, in a daemon of its own', async () => {
  await machine.restore('busy 1');
  const { instret } = await machine.step('', 30_000_000);
  const hash = await machine.hash();
  await machine.client.query('select vm_stop()');
  for (const engine of ['interp', 'jit', 'lockstep']) {
    const stats = join(tempDir(), 'stats.json');
    const args = ['--db', machine.chain.database.conninfo, '--machine', 'vm1', '--checkpoint', 'busy 1'];
    const ended = await run(vmBinary(), [...args, '--engine', engine, '--stop-at', instret, '--stats', stats], {
      timeoutMs: 120_000,
      input: '',
    });
    expect(ended.code, ended.stderr).toBe(0);
    expect(readStats(stats)).toMatchObject({ instret: Number(instret), state_sha256: hash });
  }
}, 300_000);

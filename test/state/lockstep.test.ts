/** Both engines side by side, which stops at the first difference, go back to checkpoints and roll transactions back. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { daemonFiles, place } from '../../cli/src/base/place.js';
import { tempDir } from '../harness/temp.js';
import { StateMachine } from './machine.js';

let machine: StateMachine;

beforeAll(async () => {
  const folder = tempDir();
  const program = join(folder, 'vm');
  writeFileSync(program, `#!/bin/sh\nexec ${daemonFiles(place().app).vm} --engine lockstep "$@"\n`);
  chmodSync(program, 0o755);
  chmodSync(folder, 0o755);
  machine = await StateMachine.boot({ settings: { 'linuxsql.vm_path': program } });
}, 400_000);

async function goOn(): Promise<{ instret: string; hash: string }> {
  await machine.type('n=0; while [ $n -lt 20 ]; do n=$((n+1)); echo $n >> /root/n; sync; md5sum /root/n; done\n');
  const { instret, stopped_by } = await machine.step('', 40_000_000);
  expect(stopped_by).toBe('budget');
  return { instret, hash: await machine.hash() };
}

test('what came after a checkpoint comes again', async () => {
  await machine.checkpoint('start');
  const first = await goOn();
  await machine.checkpoint('middle');
  const second = await goOn();
  await machine.restore('start');
  expect(await goOn()).toEqual(first);
  await machine.restore('middle');
  expect(await goOn()).toEqual(second);
}, 300_000);

test('and a rolled back transaction leaves no trace', async () => {
  await machine.restore('start');
  const hash = await machine.hash();
  await machine.client.query('begin');
  await goOn();
  await machine.client.query('rollback');
  expect(await machine.hash()).toBe(hash);
  await machine.step('', 10_000_000);
}, 300_000);

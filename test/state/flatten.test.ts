/** Many checkpoints of a machine with a disk: its chain of layers is made short again, and nothing is lost. */
import { beforeAll, expect, test } from 'vitest';
import { StateMachine } from './machine.js';
import { collectGarbage } from '../harness/garbage.js';

const count = 33;
let machine: StateMachine;

beforeAll(async () => {
  machine = await StateMachine.boot();
}, 300_000);

/** What the files of the first `n` checkpoints hold, as the disk has it. */
async function files(): Promise<string[]> {
  await machine.shell('sync; echo 1 > /proc/sys/kernel/printk; echo 3 > /proc/sys/vm/drop_caches');
  return (await machine.shell('cat /root/n*; md5sum /root/big')).trim().split('\n');
}

const numbers = (n: number): string[] => Array.from({ length: n }, (_, i) => `number ${i}`);

async function heights(): Promise<number[]> {
  const { rows } = await machine.client.query<{ disk_layers: number }>('select disk_layers from vm_snapshots()');
  return rows.map(({ disk_layers }) => disk_layers);
}

test('after many checkpoints the disk has few layers and the same content', async () => {
  const sum = (
    await machine.shell('dd if=/dev/urandom of=/root/big bs=64k count=40 2>/dev/null; md5sum /root/big')
  ).trim();
  for (let i = 0; i < count; i++) {
    const name = String(i).padStart(2, '0');
    await machine.shell(`rm -f /root/gone; cp /root/big /root/gone; echo number ${i} > /root/n${name}; sync`);
    await machine.checkpoint(`c${name}`);
  }
  const layers = await heights();
  expect(Math.max(...layers)).toBeLessThan(33);
  expect(layers.at(-1)).toBeLessThan(4);
  expect(await files()).toEqual([...numbers(count), sum]);

  await machine.client.query('select vm_stop()');
  await machine.client.query(`select vm_restore('c${count - 1}')`);
  await machine.client.query('select vm_start(paused => true)');
  await machine.hash(); // waits for the daemon
  expect(await files()).toEqual([...numbers(count), sum]);
  await machine.restore('c07');
  expect(await files()).toEqual([...numbers(8), sum]);
}, 400_000);

test('the layers that only the past needed are gone with it', async () => {
  await machine.client.query('select vm_stop()');
  await machine.client.query('select vm_checkpoint_delete(name) from vm_snapshots()');
  await collectGarbage(machine.client);
  const { rows } = await machine.client.query(`select oid from pg_largeobject_metadata m
    where not exists (select from linuxsql.image i where m.oid in (i.lo, i.presence_lo))
      and not exists (select from linuxsql.layer l where m.oid in (l.lo, l.presence_lo, l.index_lo))`);
  expect(rows).toEqual([]);
  await machine.client.query("select vm_destroy('vm1')");
  expect(await machine.one('select count(*)::int as n from linuxsql.layer')).toEqual({ n: 0 });
}, 120_000);

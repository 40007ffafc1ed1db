/** What becomes of checkpoints: forks, lists, deletion, damage, crashes, machines that are stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { failure } from '../fdw/setup.js';
import { collectGarbage } from '../harness/garbage.js';
import { startAgain } from '../store/crash.js';
import { StateMachine } from './machine.js';

let machine: StateMachine;

beforeAll(async () => {
  machine = await StateMachine.boot();
  await machine.client.query("set linuxsql.machine = 'vm1'");
}, 300_000);

async function expectNoOrphans(): Promise<void> {
  await collectGarbage(machine.client);
  const { rows } = await machine.client.query<{ oid: number }>(
    `select oid from pg_largeobject_metadata m where not exists (select from linuxsql.image i where m.oid in (i.lo, i.presence_lo))
       and not exists (select from linuxsql.layer l where m.oid in (l.lo, l.presence_lo, l.index_lo))`,
  );
  expect(rows).toEqual([]);
  const { rows: idle } = await machine.client.query(
    `select id from linuxsql.layer l where not exists (select from linuxsql.layer c where c.parent = l.id)
       and not exists (select from linuxsql.machine where l.id in (disk_layer, ram_layer))
       and not exists (select from linuxsql.checkpoint where l.id in (disk_layer, ram_layer))`,
  );
  expect(idle).toEqual([]);
}

test('a second checkpoint stores only what changed', async () => {
  const first = await machine.checkpoint('first');
  await machine.shell('echo changed > /root/changed; sync');
  const second = await machine.checkpoint('second');
  expect(Number(second.stored_bytes)).toBeGreaterThan(0);
  expect(Number(second.stored_bytes)).toBeLessThan(Number(first.stored_bytes) / 2);
  const { rows } = await machine.client.query('select machine, name, automatic, ram_layers from vm_snapshots()');
  expect(rows).toEqual([
    { machine: 'vm1', name: 'first', automatic: false, ram_layers: 1 },
    { machine: 'vm1', name: 'second', automatic: false, ram_layers: 2 },
  ]);
  expect((await failure(() => machine.checkpoint('second'))).code).toBe('42710');
  expect((await failure(() => machine.restore('third'))).code).toBe('42704');
});

test('a fork goes its own way', async () => {
  await machine.restore('first');
  const hash = await machine.hash();
  expect(await machine.one("select vm_fork('first', 'twin') as v")).toEqual({ v: 'twin' });
  const { rows: differing } = await machine.client.query(
    `select key from linuxsql.machine a, linuxsql.machine b, jsonb_each(to_jsonb(a)) x join jsonb_each(to_jsonb(b)) y using (key)
     where a.name = 'vm1' and b.name = 'twin' and x.value <> y.value order by key`,
  );
  const own = ['boots', 'created_at', 'desired', 'disk_layer', 'fence', 'id', 'name', 'ram_layer', 'restore_from'];
  expect(differing.map(({ key }: { key: string }) => key)).toEqual(own);
  expect((await failure(() => machine.client.query("select vm_fork('first', 'twin')"))).code).toBe('42710');
  expect((await failure(() => machine.client.query("select vm_checkpoint_delete('first')"))).code).toBe('2BP01');
  await machine.client.query("select vm_start('twin', paused => true)");
  await machine.client.query("set linuxsql.machine = 'twin'");
  expect(await machine.hash()).toBe(hash);
  await machine.shell('echo twin > /root/who; sync');
  await machine.client.query("set linuxsql.machine = 'vm1'");
  expect(await machine.hash()).toBe(hash);
  expect(await machine.shell('cat /root/who')).toContain('No such file');
  await machine.client.query("set linuxsql.machine = 'twin'");
  expect(await machine.shell('cat /root/who')).toBe('twin\n');
  await machine.client.query("select vm_stop('twin')");
  await machine.client.query("select vm_destroy('twin')");
  await machine.client.query("set linuxsql.machine = 'vm1'");
}, 120_000);

test('a damaged checkpoint is refused, and the machine stays as it is', async () => {
  const hash = await machine.hash();
  await machine.client
    .query(`insert into linuxsql.checkpoint (machine, name, cpu, ram_layer, disk_layer, instret, time_ns)
    select machine, 'damaged', set_byte(cpu, 5000, get_byte(cpu, 5000) # 255), ram_layer, disk_layer, instret, time_ns
    from linuxsql.checkpoint where name = 'first'`);
  expect((await failure(() => machine.restore('damaged'))).code).toBe('XX001');
  await machine.client.query(`update linuxsql.checkpoint set cpu = substring(cpu for 100) where name = 'damaged'`);
  expect((await failure(() => machine.restore('damaged'))).code).toBe('XX001');
  expect(await machine.hash()).toBe(hash);
  await machine.client.query("select vm_checkpoint_delete('damaged')");
});

test('a stopped machine goes on from a checkpoint when it starts', async () => {
  await machine.restore('second');
  const hash = await machine.hash();
  await machine.step('', 10_000_000);
  await machine.client.query('select vm_stop()');
  expect(await machine.one("select vm_restore('second') as v")).toEqual({ v: 'stopped' });
  await machine.client.query('select vm_start(paused => true)');
  expect(await machine.hash()).toBe(hash);
  expect(await machine.shell('cat /root/changed')).toBe('changed\n');
}, 120_000);

test('relations can be read at once after a restore', async () => {
  await machine.restore('second');
  const { rows } = await machine.client.query<{ comm: string }>('select comm from linux.processes where pid = 1');
  expect(rows).toHaveLength(1);
}, 60_000);

test('a running guest goes on while its checkpoint is written, and a killed daemon leaves no half of one', async () => {
  await machine.type('while :; do dd if=/dev/urandom of=/root/w bs=64k count=16 2>/dev/null; sync; done\n');
  await machine.client.query('select vm_resume()');
  await machine.checkpoint('running');
  const other = await machine.chain.connect();
  const [pid] = machine.chain.pids('machine');
  if (pid === undefined) throw new Error('no daemon');
  const taking = failure(() => other.query("select vm_checkpoint('killed', 'vm1')"));
  await sleep(30);
  process.kill(pid, 'SIGKILL');
  await taking;
  await other.end();
  expect((await machine.client.query("select from vm_snapshots() where name = 'killed'")).rows).toEqual([]);
  for (let i = 0; i < 100 && machine.chain.pids('machine').includes(pid); i++) await sleep(100);
  await expectNoOrphans();
  await machine.client.query('select vm_start(paused => true)');
  await machine.restore('running');
  await machine.step('', 50_000_000);
}, 120_000);

test('automatic checkpoints, the oldest make room', async () => {
  const automatic = async (): Promise<{ name: string; instret: string }[]> =>
    (
      await machine.client.query<{ name: string; instret: string }>(
        'select name, instret from vm_snapshots() where automatic',
      )
    ).rows;
  const stepUntil = async (wanted: number): Promise<void> => {
    for (let i = 0; i < 200 && (await automatic()).length < wanted; i++) {
      await machine.step('', 30_000_000);
      await sleep(100);
    }
    expect(await automatic()).toHaveLength(wanted);
  };
  // The daemon that runs already begins to.
  await machine.client.query('begin');
  await machine.client.query('select vm_checkpoint_every(20000000, 3)');
  await machine.client.query('commit');
  await stepUntil(3);
  await machine.step('', 200_000_000);
  expect((await automatic()).length).toBeLessThanOrEqual(3);
  expect((await automatic()).every(({ instret }) => Number(instret) % 20_000_000 === 0)).toBe(true);
  // Fewer are kept from now on.
  await machine.client.query('select vm_checkpoint_every(50000000, 2)');
  expect(await automatic()).toHaveLength(2);
  // It outlives the server's crash and its own connections' end.
  await machine.chain.cluster.kill9();
  await startAgain(machine.chain.cluster);
  await machine.reconnect();
  await machine.client.query("set linuxsql.machine = 'vm1'");
  await machine.client.query('select vm_checkpoint_every(null, 2)');
  await machine.step('', 10_000_000); // one that was begun before has ended
  for (let i = 0; i < 50; i++) await sleep(20);
  const ended = await automatic();
  await machine.step('', 200_000_000);
  expect(await automatic()).toEqual(ended);
  await machine.client.query('select vm_checkpoint_every(20000000, 2)');
  await machine.step('', 100_000_000);
  for (let i = 0; i < 200; i++) {
    const now = await automatic();
    if (now.length === 2 && now.every(({ name }) => !ended.some((old) => old.name === name))) break;
    await machine.step('', 30_000_000);
    await sleep(100);
  }
  const rows = await automatic();
  expect(rows.filter(({ name }) => ended.some((old) => old.name === name))).toEqual([]);
  const hash = await machine.hash();
  await machine.restore(rows[1]?.name ?? '');
  expect(await machine.hash()).not.toBe(hash);
}, 120_000);

test('deleted checkpoints leave nothing but what the machine stands on', async () => {
  await machine.client.query('select vm_stop()');
  const { rows } = await machine.client.query<{ name: string }>('select name from vm_snapshots()');
  for (const { name } of rows) await machine.client.query('select vm_checkpoint_delete($1)', [name]);
  await expectNoOrphans();
  expect(await machine.one("select count(*)::int as n from linuxsql.layer where kind = 'ram'")).toEqual({ n: 0 });
  await machine.client.query("select vm_destroy('vm1')");
  expect(await machine.one('select count(*)::int as n from linuxsql.layer')).toEqual({ n: 0 });
}, 120_000);

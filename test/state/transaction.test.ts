/** begin; something terrible; rollback: the guest is unharmed, memory, processor, disk and typed input. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { failure } from '../fdw/setup.js';
import { StateMachine } from './machine.js';

let machine: StateMachine;

/** The kernel says so on the console otherwise. */
const dropCaches = 'sync; echo 1 > /proc/sys/kernel/printk; echo 3 > /proc/sys/vm/drop_caches';

beforeAll(async () => {
  machine = await StateMachine.boot();
}, 300_000);

afterEach(async () => {
  await machine.client.query('rollback');
});

const run = async (...queries: string[]): Promise<void> => {
  for (const query of queries) await machine.client.query(query);
};

test('rm -rf /usr is rolled back', async () => {
  const before = await machine.shell('find /usr | wc -l; sync');
  const hash = await machine.hash();
  await run('begin', "select vm_console_write(E'rm -rf /usr; sync; ls /usr\\n')");
  expect((await machine.step('idle', 1_000_000_000)).stopped_by).toBe('idle');
  expect(await machine.hash()).not.toBe(hash);
  await run('rollback');
  expect(await machine.hash()).toBe(hash);
  expect(await machine.shell(`${dropCaches}; find /usr | wc -l`)).toContain(before);
}, 180_000);

test('a commit keeps it, on the disk too', async () => {
  await run('begin');
  await machine.shell('echo kept > /root/kept');
  const hash = await machine.hash();
  await run('commit');
  expect(await machine.hash()).toBe(hash);
  expect(await machine.shell(`${dropCaches}; cat /root/kept`)).toContain('kept\n');
}, 120_000);

test('after a rollback the guest goes on as if nothing had been', async () => {
  await machine.checkpoint('start');
  await machine.type('echo one; cat /proc/uptime\n');
  await machine.step('', 50_000_000);
  const hash = await machine.hash();
  await machine.restore('start');
  await run('begin');
  await machine.shell('dd if=/dev/urandom of=/root/junk bs=64k count=64; sync');
  await machine.type('never read');
  await run('rollback');
  await machine.type('echo one; cat /proc/uptime\n');
  await machine.step('', 50_000_000);
  expect(await machine.hash()).toBe(hash);
}, 120_000);

test('a reboot is rolled back', async () => {
  const hash = await machine.hash();
  await run('begin', "select vm_console_write(E'reboot -f\\n')");
  await machine.step('', 300_000_000);
  await run('rollback');
  expect(await machine.hash()).toBe(hash);
}, 120_000);

test('a failed statement and a lost session undo it as well', async () => {
  const hash = await machine.hash();
  await run('begin', "select vm_step_until('', 1000000)");
  expect((await failure(() => machine.client.query('select 1/0'))).code).toBe('22012');
  await run('rollback');
  expect(await machine.hash()).toBe(hash);

  const other = await machine.chain.connect();
  await other.query('begin');
  await other.query("select vm_step_until('', 1000000)");
  const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
  await machine.client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  for (let i = 0; i < 100 && (await machine.hash().catch(() => '')) !== hash; i++) await sleep(50);
  expect(await machine.hash()).toBe(hash);
}, 120_000);

test('others may look, but not change it meanwhile', async () => {
  const other = await machine.chain.connect();
  await run('begin', "select vm_step_until('', 1000000)");
  expect((await other.query('select state from vm_status()')).rows).toEqual([{ state: 'paused' }]);
  expect((await failure(() => other.query('select vm_resume()'))).code).toBe('55006');
  expect((await failure(() => other.query("select vm_checkpoint('no')"))).code).toBe('55006');
  await run('rollback');
  await other.query('select vm_pause()');
  await other.end();
}, 60_000);

test('what cannot be undone is refused', async () => {
  const hash = await machine.hash();
  for (const query of ["select vm_checkpoint('in')", "select vm_restore('start')"]) {
    await run('begin');
    expect((await failure(() => machine.client.query(query))).code).toBe('25001');
    await run('rollback');
  }
  await run('begin', 'savepoint s');
  expect((await failure(() => machine.client.query('select vm_resume()'))).code).toBe('0A000');
  await run('rollback');
  // Under an exception handler, too, whether it is the block's own or the caller's.
  const handled = "do $$ begin perform vm_step_until('', 1000000); exception when division_by_zero then null; end $$";
  await run('begin');
  expect((await failure(() => machine.client.query(handled))).code).toBe('0A000');
  await run('rollback');
  expect((await failure(() => machine.client.query(handled))).code).toBe('0A000');
  expect(await machine.hash()).toBe(hash);
  // What was refused after a savepoint spoils neither what came before it nor what comes after its end.
  await run('begin', "select vm_step_until('', 1000000)", 'savepoint s');
  expect((await failure(() => machine.client.query('select vm_resume()'))).code).toBe('0A000');
  await run('rollback to s', 'release s', "select vm_step_until('', 1000000)", 'rollback');
  expect(await machine.hash()).toBe(hash);
  await run('begin', "select vm_step_until('', 1000000)", 'savepoint s');
  const { hash: between } = await machine.one<{ hash: string }>('select vm_state_hash() as hash');
  await run('rollback to s');
  expect(await machine.hash()).toBe(between);
  await run('rollback');
  expect(await machine.hash()).toBe(hash);
}, 60_000);

test('more than the cache can hold back fails the commit, not the machine', async () => {
  const hash = await machine.hash();
  await run('begin');
  await machine.shell('dd if=/dev/zero of=/root/large bs=1M count=90; sync');
  expect((await failure(() => machine.client.query('commit'))).code).toBe('54000');
  expect(await machine.hash()).toBe(hash);
  expect(await machine.shell('ls /root/large 2>&1 | tail -1')).toContain('No such file');
}, 180_000);

test('without linuxsql.transactional changes stay', async () => {
  const hash = await machine.hash();
  await run('begin', 'set local linuxsql.transactional = off', "select vm_step_until('', 1000000)", 'rollback');
  expect(await machine.hash()).not.toBe(hash);
}, 60_000);

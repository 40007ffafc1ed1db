/** After a restore, tables are read at once: memory that is not loaded yet is loaded for them. */
import { beforeAll, expect, test } from 'vitest';
import { failure } from '../fdw/setup.js';
import { StateMachine } from './machine.js';

let machine: StateMachine;

/** How much was still to be loaded at the instant of the statement, and its rows. */
interface Seen {
  loading: number;
  rows: unknown;
}

const query = `select (select value from linux.counters where metric = 'ram_loading_bytes') as loading,
  (select jsonb_agg(to_jsonb(p) order by pid) from (select pid, ppid, comm, cmdline, cwd, path, state, vm_rss_kb, threads from linux.processes) p) as rows`;

let before: Seen;

beforeAll(async () => {
  machine = await StateMachine.boot({ memoryBytes: 1 << 30 });
  await machine.client.query("set linuxsql.machine = 'vm1'");
  await machine.shell(
    'mkdir /m; mount -t tmpfs -o size=700m m /m; dd if=/dev/urandom of=/m/random bs=1M count=400; sync',
  );
  await machine.shell('tail -f /dev/null & echo');
  await machine.checkpoint('full');
  before = await machine.one<Seen>(query);
  expect(before.loading).toBe(0);
  expect(before.rows).toEqual(expect.arrayContaining([expect.objectContaining({ comm: 'login' })]));
}, 400_000);

test('in the daemon that goes back', async () => {
  await machine.shell('kill %1; cat /m/random /m/random > /m/twice 2> /dev/null; rm /m/twice');
  await machine.restore('full');
  const seen = await machine.one<Seen>(query);
  expect(seen.loading).toBeGreaterThan(0);
  expect(seen.rows).toEqual(before.rows);
}, 200_000);

test('in a new daemon, where the kernel has to be found first', async () => {
  await machine.client.query('select vm_stop()');
  await machine.client.query("select vm_restore('full')");
  await machine.client.query('select vm_start(paused => true)');
  await machine.client.query('select state from vm_status()'); // waits for it
  const seen = await machine.one<Seen>(query);
  expect(seen.loading).toBeGreaterThan(0);
  expect(seen.rows).toEqual(before.rows);
}, 200_000);

test('memory that does not come is an error after a while, and the statement can be cancelled', async () => {
  const other = await machine.chain.connect();
  await machine.restore('full');
  await other.query('begin; lock table pg_largeobject in access exclusive mode');
  await machine.client.query("set statement_timeout = '300ms'");
  expect((await failure(() => machine.client.query(query))).code).toBe('57014');
  await machine.client.query('reset statement_timeout');
  const refused = await failure(() => machine.client.query(query));
  expect(refused).toMatchObject({ code: '55000', message: 'memory of the machine does not come from its checkpoint' });
  await other.query('rollback');
  await other.end();
  expect((await machine.one<Seen>(query)).rows).toEqual(before.rows);
}, 200_000);

test('and the guest goes on from there', async () => {
  await machine.restore('full');
  expect(await machine.shell('md5sum < /m/random; ls /m')).toMatch(/^[0-9a-f]{32} .*\nrandom\n$/);
}, 200_000);

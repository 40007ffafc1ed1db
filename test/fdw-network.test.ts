/** Networks by SQL alone: a card at creation, forwards before and while the machine runs, and who may. */
import { beforeAll, expect, test } from 'vitest';
import type pg from 'pg';
import { startChain, type Chain } from './harness/chain.js';
import { failure } from './fdw/setup.js';
import { exchange, freePort, httpGet, startGreeter } from './machine/network.js';

let chain: Chain;
let client: pg.Client;

const codeOf = async (query: string, values: unknown[] = []): Promise<string | undefined> =>
  (await failure(() => client.query(query, values))).code;

async function forwards(): Promise<string[]> {
  const { rows } = await client.query<{ f: string }>(
    "select concat_ws(' ', machine, access, host_address, host_port, guest_port) as f from vm_forwards()",
  );
  return rows.map(({ f }) => f);
}

async function boot(): Promise<void> {
  await client.query("select vm_start('net1')");
  const { rows } = await client.query<{ condition_met: boolean }>(
    "select * from vm_step_until('console:linuxsql:~# ')",
  );
  expect(rows[0]?.condition_met).toBe(true);
  await client.query('select vm_resume()');
}

/** Types a command into net1 and waits until its output has appeared. */
async function type(command: string, shows: string): Promise<void> {
  await client.query('select vm_console_write($1, $2)', [`${command}\n`, 'net1']);
  await expect
    .poll(
      async () =>
        (await client.query("select text from linux.console where text like '%' || $1 || '%'", [shows])).rowCount,
      {
        timeout: 60_000,
      },
    )
    .toBeGreaterThan(0);
}

beforeAll(async () => {
  chain = await startChain({ machine: 'plain', initrdOnly: true });
  client = await chain.connect();
  await client.query("set linuxsql.machine = 'net1'");
}, 180_000);

test('what makes no sense is refused', async () => {
  const create =
    "select vm_create('net1', initrd => 'mini-initramfs', bootargs => 'console=ttyS0', memory => '256 MB', network => $1)";
  expect(await codeOf(create, ['everything'])).toBe('22023');
  await client.query(create, ['isolated']);
  expect(await codeOf("select vm_forward('plain', 5000, 80)")).toBe('55000');
  expect(await codeOf("select vm_forward('no_such', 5000, 80)")).toBe('42704');
  for (const ports of [
    '0, 80',
    '65536, 80',
    '5000, 0',
    'null, 80',
    "5000, 80, '::1'",
    "5000, 80, '10.0.0.0/8'",
    '5000, 80, null',
  ])
    expect(await codeOf(`select vm_forward('net1', ${ports})`), ports).toBe('22023');
  expect(await codeOf("select vm_forward_remove('net1', 5000)")).toBe('42704');
  await client.query('set role linuxsql_reader');
  expect(await forwards()).toEqual([]);
  for (const call of ["vm_network('net1')", "vm_forward('net1', 5000, 80)", "vm_forward_remove('net1', 5000)"])
    expect(await codeOf(`select ${call}`), call).toBe('42501');
  await client.query('reset role');
});

test('forwards of a stopped machine wait for its start; those of a running one are made at once', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const taken = await startGreeter('taken');
  await client.query('set role linuxsql_operator');
  expect((await client.query<{ v: string }>("select vm_forward('net1', $1, 80) as v", [first])).rows[0]?.v).toBe(
    `127.0.0.1:${first}`,
  );
  expect(await codeOf("select vm_forward('net1', $1, 81)", [first])).toBe('42710');
  await expect(exchange(first, '')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await boot();
  await type('mkdir /tmp/www; echo from the guest >/tmp/www/f; httpd -p 80 -h /tmp/www; echo serv""ing', 'serving');
  expect(String(await httpGet(first, '/f'))).toBe('from the guest\n');
  await client.query("select vm_forward('net1', $1, 80)", [second]);
  expect(String(await httpGet(second, '/f'))).toBe('from the guest\n');
  expect(await codeOf("select vm_forward('net1', $1, 80)", [taken.port])).toBe('55006');
  expect(await forwards()).toEqual(
    [first, second].sort((a, b) => a - b).map((port) => `net1 isolated 127.0.0.1 ${port} 80`),
  );
  await client.query("select vm_forward_remove('net1', $1)", [first]);
  await expect(exchange(first, '')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await client.query("begin; select vm_forward('net1', $port, 80); rollback".replace('$port', String(first)));
  await client.query("select vm_forward('net1', $1, 80)", [first]); // what the rolled back call left gives way
  const logged =
    "select from linuxsql.input_log join linuxsql.machine on id = machine where name = 'net1' and kind = 'frame'";
  await expect.poll(async () => (await client.query(logged)).rowCount, { timeout: 10_000 }).toBeGreaterThan(10);
  const { rows } = await client.query<{ value: number }>(
    "select value from linux.counters where metric in ('net_received_frames', 'net_sent_frames') order by value",
  );
  expect(rows[0]?.value).toBeGreaterThan(5);
}, 120_000);

test('a restored machine has its card and its forwards; a fork has the card', async () => {
  const { rows } = await client.query<{ host_port: number }>('select host_port from vm_forwards() order by 1');
  const ports = rows.map(({ host_port }) => host_port);
  await client.query("select * from vm_checkpoint('here')");
  await client.query("select vm_restore('here')");
  await client.query('select vm_resume()');
  for (const port of ports) expect(String(await httpGet(port, '/f'))).toBe('from the guest\n');
  await client.query("select vm_fork('here', 'net2')");
  const { rows: forks } = await client.query("select network from linuxsql.machine where name = 'net2'");
  expect(forks).toEqual([{ network: 'isolated' }]);
  expect((await forwards()).filter((forward) => forward.startsWith('net2'))).toEqual([]);
  const port = await freePort();
  await client.query("select vm_forward('net2', $1, 80)", [port]);
  await client.query("select vm_start('net2')");
  await client.query("select * from vm_status('net2')");
  expect(String(await httpGet(port, '/f'))).toBe('from the guest\n');
  await client.query("select vm_stop('net2')");
  await client.query("select vm_destroy('net2')");
}, 120_000);

test('a card that was taken away is gone at the next start', async () => {
  await client.query("select vm_stop('net1')");
  await client.query("select vm_network('net1', null)");
  expect(await codeOf("select vm_forward('net1', 5000, 80)")).toBe('55000');
  await boot();
  await type('echo cards: $(ls /sys/class/net)', 'cards: lo');
  expect(await codeOf("select vm_forward_apply('net1', 'tcp::5000-:80', true)")).toBe('55000');
  await client.query("select vm_stop('net1')");
  await client.query("select vm_destroy('net1')");
  expect(await forwards()).toEqual([]);
}, 120_000);

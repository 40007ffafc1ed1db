/** The network card: forwards, what a guest may reach, determinism with frames, a helper that is confined and may die. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive } from '../../cli/src/base/proc.js';
import { PayloadWriter } from '../../cli/src/control/frames.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { vmBinary } from '../harness/artifacts.js';
import { prompt, startGuest, type Guest } from '../harness/guest.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { exchange, freePort, httpGet, startGreeter } from './network.js';
import { bootArgs, RawControl, readStats } from './machine.js';

async function booted(net: string, args: readonly string[] = []): Promise<Guest> {
  const guest = await startGuest({ args: ['--net', net, ...args] });
  await guest.expect(prompt);
  return guest;
}

/** Serves a file of `kilobytes` random ones on port 80 and fetches it. */
async function fetchFromGuest(guest: Guest, port: number, kilobytes: number): Promise<void> {
  await guest.shell(`mkdir /tmp/www; dd if=/dev/urandom of=/tmp/www/f bs=1k count=${kilobytes} 2>/dev/null`);
  const sum = await guest.shell('httpd -p 80 -h /tmp/www; md5sum </tmp/www/f');
  const content = await httpGet(port, '/f');
  expect(content.length).toBe(kilobytes * 1024);
  expect(sum).toContain(createHash('md5').update(content).digest('hex'));
}

/** Process id of the network helper, the only child of the daemon. */
function helperOf(guest: Guest): number {
  const children = readFileSync(`/proc/${guest.pid}/task/${guest.pid}/children`, 'utf8').trim().split(' ');
  expect(children.length).toBe(1);
  return Number(children[0]);
}

test('without --net the guest has no card and the daemon no helper', async () => {
  const guest = await startGuest();
  await guest.expect(prompt);
  expect(await guest.shell('ls /sys/class/net')).toBe('lo');
  expect(readFileSync(`/proc/${guest.pid}/task/${guest.pid}/children`, 'utf8')).toBe('');
  await guest.stop();
}, 60_000);

test('bytes go both ways through a forward; an isolated guest reaches nothing else', async () => {
  const port = await freePort();
  const greeter = await startGreeter('never heard');
  const guest = await booted(`user,hostfwd=tcp::${port}-:7`);
  guest.send('nc -l -p 7 -e tr a-z A-Z\n');
  await guest.expect('tr a-z A-Z');
  await expect
    .poll(async () => String(await exchange(port, 'over the wire\n')), { timeout: 20_000 })
    .toBe('OVER THE WIRE\n');
  await guest.expect(prompt);
  expect(await guest.shell('ping -c 1 -W 5 10.0.2.2 | grep -c "1 packets received"')).toBe('1');
  expect(await guest.shell(`nc -w 3 10.0.2.2 ${greeter.port} </dev/null; echo status $?`)).toContain('status 1');
  expect(greeter.connections()).toBe(0);
  await guest.stop();
}, 120_000);

test('the loopback of the host is reached with access=host only', async () => {
  const greeter = await startGreeter('hello guest');
  const outside = await booted('user,access=outside');
  expect(await outside.shell(`nc -w 3 10.0.2.2 ${greeter.port} </dev/null; echo status $?`)).toContain('status 1');
  expect(greeter.connections()).toBe(0);
  await outside.stop();
  const host = await booted('user,access=host');
  expect(await host.shell(`nc -w 5 10.0.2.2 ${greeter.port} </dev/null`)).toBe('hello guest');
  expect(greeter.connections()).toBe(1);
  expect(
    await host.shell(`ip route add 127.9.0.0/16 dev eth0; nc -w 3 127.9.0.1 ${greeter.port}; echo status $?`),
  ).toContain('status 1');
  await host.stop();
}, 120_000);

test('a logged session with frames is replayed without a network, bit for bit', async () => {
  const folder = tempDir();
  const [log, first, second] = ['input.log', 'first.json', 'second.json'].map((name) => join(folder, name));
  if (log === undefined || first === undefined || second === undefined) throw new Error('paths');
  const port = await freePort();
  const net = `user,hostfwd=tcp::${port}-:80`;
  const guest = await booted(net, ['--input-log', log, '--stats', first]);
  await fetchFromGuest(guest, port, 700);
  await guest.shell('cat /proc/interrupts; ip neigh; cat /proc/net/dev');
  guest.send('poweroff -f\n');
  expect(await guest.process.exited()).toBe(0);
  expect(readFileSync(log, 'utf8').match(/^1 \d+ \d+ frame [0-9a-f]{28,}$/gm)?.length).toBeGreaterThan(10);
  const replay = [...(await bootArgs()), '--memory', '256M', '--console', 'stdio', '--net', net, '--replay', log];
  const { code, stdout } = await run(vmBinary(), [...replay, '--stats', second], { timeoutMs: 60_000, input: '' });
  expect(code).toBe(0);
  expect(readStats(second).state_sha256).toBe(readStats(first).state_sha256);
  expect(stdout).toBe(guest.output());
  const missing = await run(
    vmBinary(),
    replay.filter((word) => word !== '--net' && word !== net),
    { timeoutMs: 60_000 },
  );
  expect(missing.stderr).toContain('the replay has left the logged run');
}, 240_000);

test('the engines agree while frames come and go', async () => {
  const port = await freePort();
  const guest = await booted(`user,hostfwd=tcp::${port}-:80`, ['--engine', 'lockstep']);
  await fetchFromGuest(guest, port, 300);
  guest.send('poweroff -f\n');
  expect(await guest.process.exited()).toBe(0);
}, 240_000);

test('a machine on the wrong side of its options does not start', async () => {
  const greeter = await startGreeter('taken');
  const boot = await bootArgs();
  const cases: [string, string][] = [
    [`user,hostfwd=tcp::${greeter.port}-:80`, `cannot listen on 127.0.0.1 port ${greeter.port}`],
    ['user,hostfwd=tcp:192.0.2.7:8000-:80', 'cannot listen on 192.0.2.7 port 8000'],
    ['user,hostfwd=udp::53-:53', 'is not user'],
    ['tap', 'is not user'],
  ];
  for (const [net, says] of cases) {
    const { code, stderr } = await run(vmBinary(), [...boot, '--memory', '64M', '--net', net], { timeoutMs: 20_000 });
    expect(stderr).toContain(says);
    expect(code).toBe(2);
  }
}, 60_000);

test('forwards come and go while the machine runs', async () => {
  const guest = await booted('user');
  const control = await RawControl.connect(guest.controlSocket);
  control.hello();
  let request = 0n;
  const ask = async (name: string, forward: string): Promise<string> => {
    const answered = control.frames.length + (request === 0n ? 1 : 0);
    control.send(name, ++request, new PayloadWriter().str(forward).done());
    expect(await waitUntil(() => control.frames.length > answered, 10_000)).toBe(true);
    const payload = control.answers('error').find((frame) => frame.request === request)?.payload;
    return payload?.subarray(0, 5).toString('latin1') ?? 'done';
  };
  const port = await freePort();
  const forward = `tcp:127.0.0.1:${port}-:80`;
  const greeter = await startGreeter('taken');
  expect(await ask('vm_forward', forward)).toBe('done');
  await fetchFromGuest(guest, port, 20);
  expect(await ask('vm_forward', forward)).toBe('55006');
  expect(await ask('vm_forward', `tcp:127.0.0.1:${greeter.port}-:80`)).toBe('55006');
  expect(await ask('vm_forward', 'tcp:192.0.2.7:8000-:80')).toBe('22023');
  expect(await ask('vm_forward', 'tcp:127.0.0.1:80')).toBe('22023');
  expect(await ask('vm_forward_remove', forward)).toBe('done');
  expect(await ask('vm_forward_remove', forward)).toBe('done');
  await expect(exchange(port, '')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(await ask('vm_forward', forward)).toBe('done');
  expect((await httpGet(port, '/f')).length).toBe(20 * 1024);
  await guest.stop();
}, 120_000);

test('the helper is confined; without it the machine goes on, offline', async () => {
  const guest = await booted('user');
  const helper = helperOf(guest);
  const status = readFileSync(`/proc/${helper}/status`, 'utf8');
  expect(status).toMatch(/^Seccomp:\t2$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^CapEff:\t0{16}$/m);
  expect(
    readdirSync(`/proc/${helper}/fd`)
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual([0, 1, 2, 3, 4]);
  expect(readFileSync(`/proc/${helper}/environ`, 'utf8')).toBe('');
  process.kill(helper, 'SIGKILL');
  expect(await guest.shell('ping -c 1 -W 1 10.0.2.2 | grep -c "0 packets received"')).toBe('1');
  const control = await RawControl.connect(guest.controlSocket);
  control.hello();
  control.send('vm_forward', 1n, new PayloadWriter().str('tcp::8099-:80').done());
  await waitUntil(() => control.answers('error').length > 0, 10_000);
  expect(control.answers('error')[0]?.payload.subarray(0, 5).toString('latin1')).toBe('58000');
  expect(guest.process.log()).toContain('the guest is offline');
  await guest.stop();
}, 60_000);

test('the helper ends with its daemon', async () => {
  const guest = await booted('user');
  const helper = helperOf(guest);
  process.kill(guest.pid, 'SIGKILL');
  expect(await waitUntil(() => !isAlive(helper), 5000)).toBe(true);
}, 60_000);

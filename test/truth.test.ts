/** Every relation against what the guest's own /proc says. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlClient } from '../cli/src/control/client.js';
import { RowClient } from '../introspect/test/support/row-client.js';
import { introspectMain } from './harness/artifacts.js';
import { prompt, startGuest, type Guest } from './harness/guest.js';
import { spawnOwned } from './harness/processes.js';
import { tempDir } from './harness/temp.js';
import { socketAnswers, waitUntil } from '../cli/src/server/sockets.js';
import { ask, keyed, maps, stat, unescape } from './truth/proc-text.js';
import { compared, differences, readAll, stable, type Row } from './truth/stable.js';

const machine = 'truth';
/** USER_HZ */
const tickMs = 10;

let guest: Guest;
let client: RowClient;
let subject: number;

beforeAll(async () => {
  const run = tempDir();
  mkdirSync(join(run, 'vm'));
  const controlSocket = join(run, 'vm', `${machine}.sock`);
  guest = await startGuest({ initrd: true, controlSocket });
  await guest.expect(prompt);
  spawnOwned(process.execPath, [introspectMain(), '--run-dir', run]);
  const socket = join(run, 'introspect.sock');
  expect(await waitUntil(() => socketAnswers(socket), 10_000)).toBe(true);
  client = await RowClient.connect(socket);
  await guest.shell('insmod /lib/modules/*/dummy.ko; (cd /tmp && exec truth_subject 4) &');
  await guest.expect(/truth_subject \d+ ready/);
  await guest.shell('sleep 1');
  const { rows } = await client.scan(machine, 'processes', { where: { column: 'comm', value: 'truth_subject' } });
  subject = Number(rows[0]?.['pid']);
  expect(subject).toBeGreaterThan(1);
});

afterAll(async () => {
  client.close();
  await guest.stop();
});

const pidOf = (row: Row) => String(row['pid']);

/** Reads, asks the guest, reads again. */
async function sandwich<T>(
  relation: Parameters<typeof readAll>[2],
  key: (row: Row) => string,
  truth: () => Promise<T>,
) {
  const before = await readAll(client, machine, relation);
  const told = await truth();
  const after = await readAll(client, machine, relation);
  return { told, rows: stable(before, after, key) };
}

test('processes equal /proc/PID/status and stat', async () => {
  const { told, rows } = await sandwich('processes', pidOf, () =>
    ask(guest, 'for p in /proc/[0-9]*; do echo "= $p"; cat $p/status $p/stat $p/wchan; echo; done', 'echo $$'),
  );
  const asker = told[1]!.trim();
  const wrong: string[] = [];
  let count = 0;
  for (const section of told[0]!.split(/^= \/proc\//m).slice(1)) {
    const [pid = '', ...lines] = section.trimEnd().split('\n');
    const ours = rows.get(pid);
    if (!ours || lines.length < 10) continue;
    const wchan = lines.pop() ?? '';
    const fields = lines.pop() ?? '';
    const status = lines.join('\n');
    const theirs = processTruth(keyed(status), stat(fields), wchan);
    const ticks = { ...ours };
    // The shell waited for cat while it asked; in our readings it waits for input.
    if (pid === asker) delete ticks['wchan'];
    for (const column of ['user_time', 'system_time']) {
      if (column in ticks) ticks[column] = Math.floor(Number(ticks[column]) / tickMs);
    }
    if ('start_time_ns' in ticks) ticks['start_time_ns'] = Math.floor(Number(ticks['start_time_ns']) / (tickMs * 1e6));
    wrong.push(...differences(`process ${pid}`, ticks, theirs));
    count += compared(ticks, theirs);
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(20 * 15);
});

function processTruth(status: Record<string, string>, fields: string[], wchan: string): Row {
  const [uid, euid, suid] = (status['Uid'] ?? '').split('\t');
  const [gid, egid, sgid] = (status['Gid'] ?? '').split('\t');
  const kb = (name: string) => (status[name] === undefined ? null : parseInt(status[name], 10));
  const size = kb('VmSize');
  return {
    name: status['Name'] ?? '',
    state: status['State']?.[0] ?? '',
    tgid: status['Tgid'] ?? '',
    ppid: status['PPid'] ?? '',
    uid: uid ?? '',
    euid: euid ?? '',
    suid: suid ?? '',
    gid: gid ?? '',
    egid: egid ?? '',
    sgid: sgid ?? '',
    threads: status['Threads'] ?? '',
    vm_rss_kb: kb('VmRSS'),
    total_size: size === null ? null : size * 1024,
    pgroup: fields[5] ?? '',
    sid: fields[6] ?? '',
    flags: fields[9] ?? '',
    user_time: fields[14] ?? '',
    system_time: fields[15] ?? '',
    nice: fields[19] ?? '',
    start_time_ns: fields[22] ?? '',
    wchan: wchan === '0' ? null : wchan,
  };
}

test('paths and arguments of the subject equal its links and cmdline', async () => {
  const links = ['exe', 'cwd', 'root'].map((link) => `readlink /proc/${subject}/${link}`);
  const { told, rows } = await sandwich('processes', pidOf, () =>
    ask(guest, ...links, `tr '\\0' ' ' < /proc/${subject}/cmdline`, `cat /proc/${subject}/cgroup`),
  );
  const [exe = '', cwd = '', root = '', cmdline = '', cgroup = ''] = told.map((text) => text.trim());
  expect(rows.get(String(subject))).toMatchObject({
    path: exe,
    cwd,
    root,
    cmdline,
    cgroup_path: cgroup.split('::')[1] ?? null,
    on_disk: 1n,
    kthread: false,
    quality: null,
  });
});

test('threads equal /proc/PID/task', async () => {
  const { told, rows } = await sandwich(
    'threads',
    (row) => String(row['tid']),
    () =>
      ask(guest, `for t in /proc/${subject}/task/*; do cat $t/stat; done`, `grep ctxt /proc/${subject}/task/*/status`),
  );
  const [stats = '', switches = ''] = told;
  const lines = stats.trim().split('\n');
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const line of lines) {
    const ours = rows.get(line.split(' ')[0]!)!;
    const fields = stat(line);
    const switched = (kind: string) =>
      new RegExp(`/${line.split(' ')[0]!}/status:${kind}:\\s*(\\d+)`).exec(switches)?.[1] ?? '';
    const theirs = {
      tgid: subject,
      state: fields[3] ?? '',
      prio: Number(fields[18]) + 100,
      cpu: fields[39] ?? '',
      nvcsw: switched('voluntary_ctxt_switches'),
      nivcsw: switched('nonvoluntary_ctxt_switches'),
    };
    expect(differences(`thread ${line}`, ours, theirs)).toEqual([]);
  }
});

test('memory maps equal /proc/PID/maps', async () => {
  const { told } = await sandwich('process_memory_map', pidOf, () =>
    ask(guest, `cat /proc/${subject}/maps`, 'cat /proc/1/maps'),
  );
  const rows = await readAll(client, machine, 'process_memory_map');
  for (const [i, pid] of [subject, 1].entries()) {
    const ours = rows
      .filter((row) => Number(row['pid']) === pid)
      .map(({ start, end, permissions, offset, device, inode, path }) => ({
        start,
        end,
        permissions,
        offset,
        device,
        inode,
        path,
      }));
    expect(ours).toEqual(maps(told[i]!));
    expect(ours.length).toBeGreaterThan(5);
  }
});

test('open sockets equal /proc/net/tcp, udp and unix', async () => {
  await guest.shell(
    'mkdir -p /tmp/w; httpd -p 127.0.0.1:8080 -h /tmp/w; (tail -f /dev/null | nc 127.0.0.1 8080) & sleep 1',
  );
  const { told, rows } = await sandwich(
    'process_open_sockets',
    (row) => `${String(row['family'])} ${String(row['inode'])}`,
    () => ask(guest, 'cat /proc/net/tcp', 'cat /proc/net/udp', 'cat /proc/net/unix'),
  );
  const [tcp = '', udp = '', unix = ''] = told;
  const states = ['established', 'syn_sent', 'syn_recv', 'fin_wait1', 'fin_wait2', 'time_wait', 'close', 'close_wait'];
  const end = (text = ''): [string, number] => {
    const [address = '', port = ''] = text.split(':');
    return [
      (address.match(/../g) ?? [])
        .reverse()
        .map((byte) => parseInt(byte, 16))
        .join('.'),
      parseInt(port, 16),
    ];
  };
  const seen: string[] = [];
  for (const [protocol, text] of [
    ['tcp', tcp],
    ['udp', udp],
  ] as const) {
    for (const line of text.trim().split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const ours = rows.get(`inet ${fields[9] ?? ''}`);
      if (!ours) continue; // closed meanwhile, or without a descriptor
      const [[local_address, local_port], [remote_address, remote_port]] = [end(fields[1]), end(fields[2])];
      const state = protocol === 'udp' ? null : (states[parseInt(fields[3] ?? '', 16) - 1] ?? 'listen');
      const theirs = { protocol, state, local_address, local_port, remote_address, remote_port };
      expect(differences(line, ours, theirs)).toEqual([]);
      expect(compared(ours, theirs)).toBe(6);
      seen.push(`${protocol} ${state ?? ''}`);
    }
  }
  expect(seen.sort()).toEqual(expect.arrayContaining(['tcp established', 'tcp established', 'tcp listen', 'udp ']));
  const bound = unix
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 7);
  for (const fields of bound) {
    const ours = rows.get(`unix ${fields[6] ?? ''}`);
    if (ours) expect(ours).toMatchObject({ path: fields[7], type: fields[4] === '0001' ? 'stream' : 'dgram' });
  }
  expect(bound.map((fields) => fields[7])).toContain('/tmp/truth_subject/socket');
  expect([...rows.values()].map((row) => row['path'])).toContain('/tmp/truth_subject/socket');
});

test('open files equal /proc/PID/fd and fdinfo', async () => {
  const { told, rows } = await sandwich(
    'process_open_files',
    (row) => `${String(row['pid'])} ${String(row['fd'])}`,
    () =>
      ask(
        guest,
        `for f in $(ls /proc/${subject}/fd | sort -n); do echo "$f $(readlink /proc/${subject}/fd/$f)"; done`,
        `grep -r . /proc/${subject}/fdinfo | grep -E 'pos|flags|ino'`,
      ),
  );
  const [links = '', info = ''] = told;
  const lines = links.trim().split('\n');
  expect(lines.length).toBeGreaterThan(6);
  expect([...rows.keys()].filter((key) => key.startsWith(`${subject} `))).toHaveLength(lines.length);
  for (const line of lines) {
    const [fd = '', ...path] = line.split(' ');
    const ours = rows.get(`${subject} ${fd}`);
    const field = (name: string) => new RegExp(`fdinfo/${fd}:${name}:\\s*(\\S+)`).exec(info)?.[1] ?? '';
    expect(ours, line).toMatchObject({ path: path.join(' ') });
    const closeOnExec = 0o2000000;
    expect(Number(ours?.['flags'])).toBe(parseInt(field('flags'), 8) & ~closeOnExec);
    expect(String(ours?.['pos'])).toBe(field('pos'));
    expect(String(ours?.['inode'])).toBe(field('ino'));
  }
});

test('mounts equal /proc/1/mounts and mountinfo', async () => {
  const { told, rows } = await sandwich(
    'mounts',
    (row) => String(row['mount_id']),
    () => ask(guest, 'cat /proc/1/mounts', 'cat /proc/1/mountinfo'),
  );
  const [list = '', info = ''] = told.map((text) => text.trim());
  const infos = info!.split('\n').map((line) => line.split(' '));
  const ours = [...rows.values()];
  expect(ours).toHaveLength(infos.length);
  list!.split('\n').forEach((line, i) => {
    const [device = '', path = '', type = '', options = ''] = line.split(' ').map(unescape);
    const [id = '', parent = '', dev = ''] = infos[i]!;
    const row = ours[i]!;
    expect(row).toMatchObject({ device, path, type, dev, mount_id: BigInt(id), parent_id: BigInt(parent) });
    expect(`${options},`.startsWith(`${String(row['flags'])},`), `${options} begins with ${String(row['flags'])}`).toBe(
      true,
    );
  });
});

test('modules equal /proc/modules', async () => {
  const [told = ''] = await ask(guest, 'cat /proc/modules');
  const rows = await readAll(client, machine, 'kernel_modules');
  const lines = rows.map(({ name, size, refcount, used_by, status, address, taints }) => {
    const hex = BigInt.asUintN(64, address as bigint)
      .toString(16)
      .padStart(16, '0');
    const users = used_by === '' ? '-' : `${String(used_by)},`;
    return [name, size, refcount, users, status, `0x${hex}`, ...(taints === null ? [] : [`(${String(taints)})`])].join(
      ' ',
    );
  });
  expect(lines).toEqual(
    told
      .trim()
      .split('\n')
      .map((line) => line.trim()),
  );
  expect(lines.length).toBeGreaterThanOrEqual(2);
});

test('symbols equal /proc/kallsyms, every one', async () => {
  const [kernel = '', modules = ''] = await ask(
    guest,
    "grep -v '\\[' /proc/kallsyms | md5sum",
    "grep '\\[' /proc/kallsyms | sort | md5sum",
  );
  const rows = await readAll(client, machine, 'kernel_symbols');
  const line = ({ addr, type, name, module }: Row) =>
    `${BigInt.asUintN(64, addr as bigint)
      .toString(16)
      .padStart(16, '0')} ${String(type)} ${String(name)}${module === null ? '' : `\t[${String(module)}]`}\n`;
  const md5 = (lines: string[]) => createHash('md5').update(lines.join('')).digest('hex');
  expect(md5(rows.filter((row) => row['module'] === null).map(line))).toBe(kernel.split(' ')[0]);
  const own = rows.filter((row) => row['module'] !== null).map(line);
  expect(own.length).toBeGreaterThan(10);
  expect(md5(own.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))).toBe(modules.split(' ')[0]);
});

test('the log equals dmesg', async () => {
  const [told = ''] = await ask(guest, 'dmesg');
  const rows = await readAll(client, machine, 'dmesg');
  const ours = rows.map(({ ts_ns, text }) => {
    const us = (ts_ns as bigint) / 1000n;
    return `[${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, '0')}] ${String(text)}`;
  });
  expect(ours.join('\n')).toBe(told.trimEnd());
});

test('what was read by pid is what was read by everyone', async () => {
  for (const relation of ['processes', 'process_memory_map', 'process_open_files'] as const) {
    const { view } = await client.openView(machine);
    const { rows: all } = await client.scan(machine, relation, { view });
    const { rows } = await client.scan(machine, relation, { view, where: { column: 'pid', value: subject } });
    await client.closeView(view);
    expect(rows).toEqual(all.filter((row) => Number(row['pid']) === subject));
    expect(rows.length).toBeGreaterThan(0);
  }
});

test('faults, hot spots, traps and counters agree with each other', async () => {
  const { view } = await client.openView(machine);
  const read = async (name: Parameters<typeof readAll>[2]) => (await client.scan(machine, name, { view })).rows;
  const faults = await read('page_faults');
  const hot = await read('mmu_hotspots');
  const counters = new Map((await read('counters')).map((row) => [row['metric'], Number(row['value'])]));
  const traps = await read('traps');
  const processes = new Set((await read('processes')).map((row) => row['pid']));
  await client.closeView(view);
  expect(counters.get('page_fault_records')).toBe(faults.length);
  expect(hot.reduce((sum, row) => sum + Number(row['hit_count']), 0)).toBe(faults.length);
  const pageFaults = [1, 5, 7, 12, 13, 15].map(
    (code) => [...counters].find(([name]) => String(name).startsWith(`exc_${code}_`))?.[1] ?? 0,
  );
  expect(pageFaults.reduce((a, b) => a + b)).toBe(faults.length);
  expect(traps.length).toBeGreaterThan(faults.length / 2);
  const ofSubject = faults.filter((row) => Number(row['pid']) === subject);
  expect(ofSubject.length).toBeGreaterThan(10);
  expect(processes.has(BigInt(subject))).toBe(true);
  // A page table serves one process at a time: from the subject's first fault on, its page table has no other.
  const [first] = ofSubject;
  const sharing = faults.filter(
    (row) => row['satp'] === first?.['satp'] && (row['seq'] as bigint) >= (first?.['seq'] as bigint),
  );
  expect(new Set(sharing.map((row) => row['pid']))).toEqual(new Set([BigInt(subject)]));
});

test('console output is the guest’s, newest faults come first when asked', async () => {
  await guest.shell('echo über-marker');
  const console = await readAll(client, machine, 'console');
  const text = console.map((row) => row['text']).join('');
  expect(text).toContain('über-marker');
  expect(text).toContain('Linux version 6.1');
  const { rows } = await client.scan(machine, 'page_faults', {
    sort: { column: 'seq', descending: true },
    limit: 3,
    columns: ['seq'],
  });
  const sequence = rows.map((row) => Number(row['seq']));
  expect(sequence).toEqual([sequence[0]!, sequence[0]! - 1, sequence[0]! - 2]);
});

test('conditions in kernel words', async () => {
  expect(await client.resolve(machine, 'proc:truth_subject')).toEqual({ metNow: true, condition: '' });
  const absent = await client.resolve(machine, 'proc:no_such_thing');
  expect(absent.condition).toMatch(/^pc:0xffffffff[0-9a-f]{8}&str:(a1|x\d+)=no_such_thing$/);
  expect(await client.resolve(machine, 'syscall:openat')).toEqual({ metNow: false, condition: 'ecall:56' });
  expect(await client.resolve(machine, 'syscall:getpid')).toEqual({ metNow: false, condition: 'ecall:172' });
  const [told = ''] = await ask(guest, "grep ' do_exit$' /proc/kallsyms");
  expect(await client.resolve(machine, 'sym:do_exit')).toEqual({
    metNow: false,
    condition: `pc:0x${told.split(' ')[0] ?? ''}`,
  });
  expect(await client.resolve(machine, 'idle')).toEqual({ metNow: false, condition: 'idle' });
  const wanted = await client.resolve(machine, 'proc:sleep');
  const control = await ControlClient.connect(guest.controlSocket);
  guest.send('sleep 1\n');
  expect(await control.step(wanted.condition, 5_000_000_000n)).toMatchObject({ stoppedBy: 'pc', conditionMet: true });
  // At that instant the process has its name.
  const { rows: named } = await client.scan(machine, 'processes', { where: { column: 'comm', value: 'sleep' } });
  expect(named).toHaveLength(1);
  await control.run();
  control.close();
  await guest.expect(prompt);
  await expect(client.resolve(machine, 'sym:no_such_symbol')).rejects.toMatchObject({ sqlstate: '22023' });
});

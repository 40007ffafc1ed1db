import { beforeEach, describe, expect, test } from 'vitest';
import { dmesg } from '../src/relations/dmesg.js';
import { kernelModules } from '../src/relations/kernel-modules.js';
import { kernelSymbols } from '../src/relations/kernel-symbols.js';
import { mounts } from '../src/relations/mounts.js';
import { processMemoryMap } from '../src/relations/process-memory-map.js';
import { processOpenFiles } from '../src/relations/process-open-files.js';
import { processOpenSockets } from '../src/relations/process-open-sockets.js';
import { processes } from '../src/relations/processes.js';
import { threads } from '../src/relations/threads.js';
import type { Kernel } from '../src/kernel/kernel.js';
import { Budget } from '../src/memory/budget.js';
import { pinColumn } from '../src/scan/qual.js';
import { columnIndex, readRows } from './support/read-rows.js';
import { TestKernel, type TestTask } from './support/test-kernel.js';

describe.each(['old', 'new'] as const)('the relations read a kernel laid out the %s way', (variant) => {
  let made: TestKernel;
  let shell: TestTask;
  let kernel: Kernel;

  beforeEach(() => {
    made = new TestKernel(variant);
    const init = made.process(1, 'init', made.initTask, made.mm([[0x10000, 0x20000, 5]]));
    made.process(2, 'kthreadd', made.initTask);
    shell = made.process(
      40,
      'sh',
      init.address,
      made.mm([
        [0x10000, 0x12000, 5],
        [0x30000, 0x38000, 0x83],
      ]),
    );
    const etc = made.dentry('etc', made.rootDentry, 0o40755);
    const passwd = made.dentry('passwd', etc);
    const mountPoint = made.dentry('mnt', made.rootDentry, 0o40755);
    const other = made.mount('/dev/vda', made.dentry('', 0), made.rootMount, mountPoint, 0x47);
    made.open(init, []);
    made.open(shell, [made.file(passwd), 0, made.file(mountPoint)]);
    made.namespace(init, [made.rootMount, other]);
    made.module('loop', 4096);
    made.log(['first line', 'a second one', '']);
    kernel = made.attach();
  });

  test('attach reads banner, types, symbols and page tables', () => {
    expect(kernel.banner).toBe('Linux version 0.0.1-test');
    expect(kernel.mode).toBe('sv39');
    expect(kernel.symbols.lookup('init_task')).toBe(made.initTask);
    expect(kernel.stillThere()).toBe(true);
  });

  test('what is kept of a process belongs to one instant, also when scans of several take turns', () => {
    const names = () => readRows('processes', processes, kernel).rows.map(({ comm }) => comm);
    const rename = (comm: string) => made.image.text(made.image.member(shell.address, 'task_struct', 'comm'), comm);
    expect(names()).toEqual(['init', 'kthreadd', 'sh']);
    const budget = new Budget(1_000_000);
    const request = { budget, pin: () => pinColumn({ kind: 'true' }, 0), order: undefined };
    const early = processes(kernel, request).items[Symbol.iterator]();
    early.next();
    rename('later');
    expect(names()).toEqual(['init', 'kthreadd', 'sh']);
    kernel.newInstant();
    expect(names()).toEqual(['init', 'kthreadd', 'later']);
    early.next();
    const first = early.next().value as object;
    rename('sh');
    kernel.newInstant();
    expect(names()).toEqual(['init', 'kthreadd', 'sh']);
    expect(processes(kernel, request).kept!.get(first)).not.toContain('sh');
  });

  test('processes', () => {
    const { rows, cut } = readRows('processes', processes, kernel);
    expect(cut).toBeUndefined();
    expect(rows.map(({ pid, name, ppid, kthread }) => [pid, name, ppid, kthread])).toEqual([
      [1, 'init', 0, false],
      [2, 'kthreadd', 0, true],
      [40, 'sh', 1, false],
    ]);
    expect(rows[2]).toMatchObject({
      state: 'S',
      uid: 1000,
      euid: 1002,
      suid: 1001,
      gid: 7,
      egid: 9,
      sgid: 8,
      pgroup: 40,
      sid: 40,
      threads: 1,
      nice: 5,
      resident_size: 33 * 4096,
      vm_rss_kb: 132,
      total_size: 50 * 4096,
      start_time: 40,
      user_time: 2,
      system_time: 4,
      cwd: '/',
      root: '/',
      path: null,
      on_disk: -1,
      task_addr: shell.address,
    });
  });

  test('a pid in the quals finds its process, an absent one nothing', () => {
    const pid = columnIndex('processes', 'pid');
    const find = (value: number) =>
      readRows('processes', processes, kernel, { qual: { kind: 'compare', operator: 'eq', column: pid, value } }).rows;
    expect(find(40).map((row) => row['name'])).toEqual(['sh']);
    expect(find(41)).toEqual([]);
  });

  test('a budget that runs out in the middle of a row leaves whole rows and says so', () => {
    for (let steps = 0; steps < 9; steps++) {
      kernel.newInstant();
      const { rows, cut } = readRows('processes', processes, kernel, { steps });
      expect(cut).toMatch(/cut short/);
      expect(rows.every((row) => Object.keys(row).length > 30)).toBe(true);
    }
    expect(readRows('processes', processes, kernel, { steps: 40 }).cut).toBeUndefined();
  });

  test('threads', () => {
    const { rows } = readRows('threads', (found, request) => threads(found, request, undefined), kernel);
    expect(rows.map(({ tid, tgid, nvcsw, nivcsw, current }) => [tid, tgid, nvcsw, nivcsw, current])).toEqual([
      [1, 1, 3, 4, false],
      [2, 2, 3, 4, false],
      [40, 40, 3, 4, false],
    ]);
  });

  test('memory maps', () => {
    const { rows } = readRows('process_memory_map', processMemoryMap, kernel);
    expect(rows.map(({ pid, start, end, permissions }) => [pid, start, end, permissions])).toEqual([
      [1, 0x10000, 0x20000, 'r-xp'],
      [40, 0x10000, 0x12000, 'r-xp'],
      [40, 0x30000, 0x38000, 'rw-s'],
    ]);
  });

  test('open files', () => {
    const { rows } = readRows('process_open_files', processOpenFiles, kernel);
    expect(rows.map(({ pid, fd, path, type, pos, device }) => [pid, fd, path, type, Number(pos), device])).toEqual([
      [40, 0, '/etc/passwd', 'regular', 5, '8:3'],
      [40, 2, '/mnt', 'directory', 5, '8:3'],
    ]);
  });

  test('open sockets', () => {
    const network = made.process(50, 'server', made.initTask);
    made.open(network, [
      made.socket({ family: 2, type: 1, protocol: 6, state: 10, localPort: 80 }),
      made.socket({
        family: 2,
        type: 1,
        protocol: 6,
        state: 1,
        ...{ local: [10, 0, 2, 15], localPort: 80 },
        ...{ remote: [10, 0, 2, 2], remotePort: 0x1234 },
      }),
      made.socket({ family: 2, type: 2, protocol: 17, state: 7, local: [127, 0, 0, 1], localPort: 53 }),
      made.socket({ family: 1, type: 1, unixName: '/run/socket\0' }),
      made.socket({ family: 1, type: 5, unixName: '\0hidden' }),
      made.socket({ family: 1, type: 2 }),
      made.socket({ family: 16, type: 3 }),
    ]);
    kernel.newInstant();
    const { rows } = readRows('process_open_sockets', processOpenSockets, kernel);
    expect(
      rows.map((row) =>
        [
          'pid',
          'fd',
          'inode',
          'family',
          'type',
          'protocol',
          'state',
          'local_address',
          'local_port',
          'remote_address',
          'remote_port',
          'path',
        ]
          .map((column) => String(row[column]))
          .join(' '),
      ),
    ).toEqual([
      '50 0 77 inet stream tcp listen 0.0.0.0 80 0.0.0.0 0 null',
      '50 1 77 inet stream tcp established 10.0.2.15 80 10.0.2.2 4660 null',
      '50 2 77 inet dgram udp null 127.0.0.1 53 0.0.0.0 0 null',
      '50 3 77 unix stream null null null null null null /run/socket',
      '50 4 77 unix seqpacket null null null null null null @hidden',
      '50 5 77 unix dgram null null null null null null null',
      '50 6 77 netlink raw null null null null null null null',
    ]);
  });

  test('mounts', () => {
    const { rows } = readRows('mounts', mounts, kernel);
    expect(rows.map(({ device, path, type, flags, dev }) => [device, path, type, flags, dev])).toEqual([
      ['rootfs', '/', 'testfs', 'rw,relatime', '8:3'],
      ['/dev/vda', '/mnt', 'testfs', 'ro,nosuid,nodev,noexec', '8:3'],
    ]);
  });

  test('modules, log and symbols', () => {
    expect(readRows('kernel_modules', kernelModules, kernel).rows).toEqual([
      expect.objectContaining({ name: 'loop', size: 4096, used_by: '', status: 'Live', refcount: 1, taints: 'PO' }),
    ]);
    const lines = readRows('dmesg', dmesg, kernel).rows;
    expect(lines.map(({ seq, level, text, caller }) => [Number(seq), level, text, caller])).toEqual([
      [0, 6, 'first line', 'T1'],
      [1, 6, 'a second one', 'T1'],
      [2, 6, '', 'T1'],
    ]);
    const name = columnIndex('kernel_symbols', 'name');
    const found = readRows('kernel_symbols', (found, request) => kernelSymbols(found.symbols, found, request), kernel, {
      qual: { kind: 'in', column: name, values: ['sys_filler_7', 'no_such_symbol', null] },
    });
    expect(found.rows.map((row) => row['name'])).toEqual(['sys_filler_7']);
  });
});

/** A guest may write anything anywhere: every relation has to end, with rows or a reason. */
import { expect, test } from 'vitest';
import { LayoutError } from '../src/btf/layout.js';
import { IntrospectError } from '../src/errors.js';
import type { RelationName } from '../src/gen/relations.js';
import { attach } from '../src/kernel/attach.js';
import type { Kernel } from '../src/kernel/kernel.js';
import { GuestFault } from '../src/memory/guest-fault.js';
import { dmesg } from '../src/relations/dmesg.js';
import { kernelModules } from '../src/relations/kernel-modules.js';
import { kernelSymbols } from '../src/relations/kernel-symbols.js';
import { mounts } from '../src/relations/mounts.js';
import { processMemoryMap } from '../src/relations/process-memory-map.js';
import { processOpenFiles } from '../src/relations/process-open-files.js';
import { processOpenSockets } from '../src/relations/process-open-sockets.js';
import { processes } from '../src/relations/processes.js';
import { threads } from '../src/relations/threads.js';
import type { RowSource, ScanRequest } from '../src/scan/row-source.js';
import { Random } from './support/random.js';
import { readRows } from './support/read-rows.js';
import { TestKernel } from './support/test-kernel.js';

const relations: [RelationName, (kernel: Kernel, request: ScanRequest) => RowSource][] = [
  ['processes', processes],
  ['threads', (kernel, request) => threads(kernel, request, undefined)],
  ['process_memory_map', processMemoryMap],
  ['process_open_files', processOpenFiles],
  ['process_open_sockets', processOpenSockets],
  ['mounts', mounts],
  ['kernel_modules', kernelModules],
  ['kernel_symbols', (kernel, request) => kernelSymbols(kernel.symbols, kernel, request)],
  ['dmesg', dmesg],
];

function populated(variant: 'old' | 'new'): TestKernel {
  const made = new TestKernel(variant);
  const init = made.process(1, 'init', made.initTask, made.mm([[0x10000, 0x20000, 5]]));
  const file = made.file(made.dentry('file', made.dentry('folder', made.rootDentry)));
  for (let pid = 2; pid < 12; pid++) {
    const task = made.process(pid, `task ${pid}`, init.address, pid % 2 ? 0 : made.mm([[0x10000, 0x12000, 5]]));
    made.open(task, [file, file, 0]);
  }
  const inet = { family: 2, type: 1, protocol: 6, localPort: 80 };
  made.open(init, [
    file,
    made.socket({ ...inet, state: 10 }),
    made.socket({ family: 1, type: 1, unixName: '/socket' }),
  ]);
  made.namespace(init, [made.rootMount]);
  made.module('loop', 4096);
  made.log(['one', 'two', 'three']);
  return made;
}

function expectOrderlyEnd(kernel: Kernel): number {
  let ended = 0;
  for (const [name, open] of relations) {
    try {
      readRows(name, open, kernel, { steps: 20_000 });
    } catch (error) {
      const orderly = error instanceof IntrospectError || error instanceof LayoutError || error instanceof GuestFault;
      if (!orderly) throw error;
      ended++;
    }
  }
  return ended;
}

test.each(['old', 'new'] as const)('mutated kernel objects end every walk (%s layout)', (variant) => {
  const made = populated(variant);
  const kernel = made.attach();
  const { bytes } = made.image;
  const pristine = Buffer.from(bytes);
  // Objects lie behind the image; words that hold something are the interesting ones.
  const heap = 0x40_0000;
  const words: number[] = [];
  for (let at = heap; at < bytes.length; at += 8) if (bytes.readBigUInt64LE(at) !== 0n) words.push(at);
  const random = new Random(variant === 'old' ? 5 : 6);
  for (let round = 0; round < 200; round++) {
    const changed = Array.from({ length: 1 + random.below(12) }, () => random.pick(words));
    for (const at of changed) {
      const value = random.pick([
        () => pristine.readBigUInt64LE(random.pick(words)),
        () => BigInt(random.next()),
        () => 0xffff_ffff_ffff_ffffn - BigInt(random.below(64)),
        () => pristine.readBigUInt64LE(at) ^ (1n << BigInt(random.below(64))),
        () => 0n,
      ])();
      bytes.writeBigUInt64LE(value, at);
    }
    kernel.newInstant();
    expectOrderlyEnd(kernel);
    for (const at of changed) pristine.copy(bytes, at, at, at + 8);
  }
});

test('a damaged image is not attached to, or read in order', () => {
  const made = populated('old');
  made.attach();
  const { bytes } = made.image;
  const pristine = Buffer.from(bytes);
  const random = new Random(9);
  for (let round = 0; round < 40; round++) {
    const changed = Array.from({ length: 1 + random.below(40) }, () => 0x20_0000 + random.below(0x3_0000) * 4);
    for (const at of changed) bytes.writeUInt32LE(random.next(), at);
    try {
      expectOrderlyEnd(attach(made.image.memory()));
    } catch (error) {
      expect(error).toBeInstanceOf(IntrospectError);
    }
    for (const at of changed) pristine.copy(bytes, at, at, at + 4);
  }
});

test('empty and random RAM hold no kernel', () => {
  const made = populated('old');
  const { bytes } = made.image;
  bytes.fill(0);
  expect(() => attach(made.image.memory())).toThrow(IntrospectError);
  new Random(2).bytes(4096).copy(bytes, 0x20_0000);
  expect(() => attach(made.image.memory())).toThrow(/no kernel type information/);
});

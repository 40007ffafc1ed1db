import { expect, test } from 'vitest';
import { compareWithPeer } from './harness.js';
import { readRows } from './insn-table.js';
import { jumpProgram } from './jumps.js';
import { Random } from './random.js';

test('jumps and branches reach every distance, link and alignment as in QEMU', { timeout: 60_000 }, async () => {
  const { program, cases } = jumpProgram(readRows(), new Random(11));
  expect(cases).toBeGreaterThan(250);
  expect(await compareWithPeer(program)).toBeUndefined();
});

import { expect, test } from 'vitest';
import { compareWithPeer, scaled } from './harness.js';
import { illegalProgram } from './illegal.js';
import { readRows } from './insn-table.js';
import { Random } from './random.js';

test('words beside the decode table are as illegal as in QEMU', { timeout: 120_000 }, async () => {
  const { program, count } = illegalProgram(readRows(), new Random(3), scaled(40));
  expect(count).toBeGreaterThan(5_000);
  expect(await compareWithPeer(program)).toBeUndefined();
});

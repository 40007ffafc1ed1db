import { expect, test } from 'vitest';
import { compressedProgram } from './compressed.js';
import { compareWithPeer } from './harness.js';
import { Random } from './random.js';

test('every legal compressed parcel agrees with QEMU', { timeout: 120_000 }, async () => {
  const { program, parcels } = compressedProgram(new Random(7));
  expect(parcels).toBeGreaterThan(40_000);
  expect(await compareWithPeer(program)).toBeUndefined();
});

import { expect, test } from 'vitest';
import { compareWithPeer, scaled } from './harness.js';
import { readRows } from './insn-table.js';
import { randomProgram } from './random-program.js';
import { Random } from './random.js';

const rows = readRows();
const firstSeed = Number(process.env['LINUXSQL_ISA_SEED'] ?? '1');
const SEGMENTS = 1200;

for (let seed = firstSeed; seed < firstSeed + scaled(6); seed++)
  test(`random program ${seed} leaves the registers QEMU leaves`, { timeout: 120_000 }, async () => {
    expect(await compareWithPeer(randomProgram(rows, new Random(seed), SEGMENTS))).toBeUndefined();
  });

/* Without LR/SC: a trap between the two breaks the reservation. */
for (let seed = firstSeed; seed < firstSeed + scaled(2); seed++)
  test(`random program ${seed} does not notice timer interrupts`, { timeout: 120_000 }, async () => {
    const program = randomProgram(rows, new Random(seed + 500), SEGMENTS, { reservations: false });
    expect(await compareWithPeer(program, { ticking: true })).toBeUndefined();
  });

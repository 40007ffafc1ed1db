import { expect, test } from 'vitest';
import { emitCsrRow } from './csr-rows.js';
import { emitFloatRow, floatOperands } from './float-rows.js';
import { comparable, DEVIATIONS } from './deviations.js';
import { compareWithModel, compareWithPeer, scaled } from './harness.js';
import { readRows, rowNamed } from './insn-table.js';
import { emitIntegerRow, integerOperands } from './integer-rows.js';
import { emitMemoryRow, makeArea } from './memory-rows.js';
import { allTuples, EDGE_INTEGERS } from './operands.js';
import { Program } from './program.js';
import { Random } from './random.js';
import { withRegisters } from './encode.js';
import { emitTableLoop, x } from './table-loop.js';

const rows = readRows();

/** Rows a user program cannot compare with QEMU 7.2, and where they are tested instead. */
const ELSEWHERE: Record<string, string> = {
  jal: 'jumps.test.ts',
  jalr: 'jumps.test.ts',
  ecall: "the runtime's own system calls, bare/traps.S",
  ebreak: 'bare/traps.S',
  sret: 'bare/delegation.S',
  mret: 'runtime.S, every bare test',
  wfi: 'bare/wfi.S',
  sfence_vma: 'bare/mmu.S',
  sinval_vma: 'bare/svinval.S',
  sfence_w_inval: 'bare/svinval.S',
  sfence_inval_ir: 'bare/svinval.S',
  cbo_inval: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_clean: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_flush: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_zero: 'bare/cbo.S: QEMU 7.2 has no Zicboz',
};

function collect(emit: (program: Program, random: Random) => string[]): { program: Program; names: string[] } {
  const program = new Program();
  return { program, names: emit(program, new Random(20261122)) };
}

const peerRows = rows.filter((row) => !(row.name in ELSEWHERE) && comparable(row));

const integer = collect((program, random) => {
  const operands = integerOperands(random, scaled(200));
  return peerRows.filter((r) => emitIntegerRow(program, r, operands, random)).map((r) => r.name);
});

const memory = collect((program, random) => {
  const area = makeArea(program, random);
  return peerRows.filter((r) => emitMemoryRow(program, r, rows, area, random)).map((r) => r.name);
});

const csr = collect((program, random) => peerRows.filter((r) => emitCsrRow(program, r, random)).map((r) => r.name));

const float = collect((program, random) => {
  const operands = floatOperands(random, scaled(1000));
  return peerRows.filter((r) => emitFloatRow(program, r, operands, random)).map((r) => r.name);
});

test('every row of insn.def is under test, here or in the file named', () => {
  const here = new Set([...integer.names, ...memory.names, ...csr.names, ...float.names]);
  const missing = rows
    .map((r) => r.name)
    .filter((name) => !here.has(name) && !(name in ELSEWHERE) && !(name in DEVIATIONS));
  expect(missing).toEqual([]);
});

for (const [name, { program, names }] of Object.entries({ integer, memory, csr, float }))
  test(`${name}: ${names.length} rows agree with QEMU on every operand`, { timeout: 120_000 }, async () => {
    expect(await compareWithPeer(program)).toBeUndefined();
  });

/** Destination and sources, different and aliased. */
const MODEL_SHAPES = [
  [10, 11, 12],
  [11, 11, 12],
  [12, 11, 12],
  [10, 11, 11],
] as const;

for (const [name, { reason, model }] of Object.entries(DEVIATIONS))
  test(`${name} agrees with its definition (${reason})`, { timeout: 60_000 }, async () => {
    const program = new Program();
    const words: bigint[] = [];
    const tuples = allTuples(EDGE_INTEGERS, 2);
    const row = rowNamed(rows, name);
    for (const [rd, rs1, rs2] of MODEL_SHAPES) {
      const word = withRegisters(row.match, row.format === 'R' ? { rd, rs1, rs2 } : { rd, rs1 });
      const text = `${name} x${rd}, x${rs1}, x${rs2}`;
      emitTableLoop(program, { text, tuples, operands: [x(rs1), x(rs2)], body: [word], results: [x(rd)] });
      words.push(...tuples.map(([a = 0n, b = 0n]) => model(rs1 === rs2 ? b : a, b)));
    }
    const expected = Buffer.alloc(words.length * 8);
    words.forEach((w, i) => expected.writeBigUInt64LE(w, i * 8));
    expect(await compareWithModel(program, expected)).toBeUndefined();
  });

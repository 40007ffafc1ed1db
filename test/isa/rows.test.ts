import { expect, test } from 'vitest';
import { emitCsrRow } from './csr-rows.js';
import { emitFloatRow, floatOperands } from './float-rows.js';
import { compareWithModel, compareWithPeer, scaled } from './harness.js';
import { readRows, rowNamed } from './insn-table.js';
import { emitIntegerRow, integerOperands } from './integer-rows.js';
import { emitMemoryRow, makeArea } from './memory-rows.js';
import { allTuples, EDGE_INTEGERS } from './operands.js';
import { Program } from './program.js';
import { Random } from './random.js';
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
  czero_eqz: 'against a model below: QEMU 7.2 has no Zicond',
  czero_nez: 'against a model below: QEMU 7.2 has no Zicond',
  cbo_inval: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_clean: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_flush: 'bare/cbo.S: QEMU 7.2 has no Zicbom',
  cbo_zero: 'bare/cbo.S: QEMU 7.2 has no Zicboz',
};

function collect(emit: (program: Program, random: Random) => string[]): { program: Program; names: string[] } {
  const program = new Program();
  return { program, names: emit(program, new Random(20261122)) };
}

const integer = collect((program, random) => {
  const operands = integerOperands(random, scaled(60));
  return rows.filter((r) => !(r.name in ELSEWHERE) && emitIntegerRow(program, r, operands, random)).map((r) => r.name);
});

const memory = collect((program, random) => {
  const area = makeArea(program, random);
  return rows.filter((r) => !(r.name in ELSEWHERE) && emitMemoryRow(program, r, rows, area, random)).map((r) => r.name);
});

const csr = collect((program, random) =>
  rows.filter((r) => !(r.name in ELSEWHERE) && emitCsrRow(program, r, random)).map((r) => r.name),
);

const float = collect((program, random) => {
  const operands = floatOperands(random, scaled(300));
  return rows.filter((r) => emitFloatRow(program, r, operands, random)).map((r) => r.name);
});

test('every row of insn.def is under test, here or in the file named', () => {
  const here = new Set([...integer.names, ...memory.names, ...csr.names, ...float.names]);
  const missing = rows.map((r) => r.name).filter((name) => !here.has(name) && !(name in ELSEWHERE));
  expect(missing).toEqual([]);
});

for (const [name, { program, names }] of Object.entries({ integer, memory, csr, float }))
  test(`${name}: ${names.length} rows agree with QEMU on every operand`, { timeout: 120_000 }, async () => {
    expect(await compareWithPeer(program)).toBeUndefined();
  });

test('Zicond agrees with its definition', { timeout: 60_000 }, async () => {
  const program = new Program();
  const words: bigint[] = [];
  const tuples = allTuples(EDGE_INTEGERS, 2);
  for (const [name, zeroes] of [
    ['czero_eqz', (condition: bigint) => condition === 0n],
    ['czero_nez', (condition: bigint) => condition !== 0n],
  ] as const) {
    const word = (rowNamed(rows, name).match | (10 << 7) | (11 << 15) | (12 << 20)) >>> 0;
    emitTableLoop(program, { text: name, tuples, operands: [x(11), x(12)], body: [word], results: [x(10)] });
    words.push(...tuples.map(([value = 0n, condition = 0n]) => (zeroes(condition) ? 0n : value)));
  }
  const expected = Buffer.alloc(words.length * 8);
  words.forEach((w, i) => expected.writeBigUInt64LE(w, i * 8));
  expect(await compareWithModel(program, expected)).toBeUndefined();
});

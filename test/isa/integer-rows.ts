/** Register, immediate and branch formats of the decode table over edge operands, aliased registers and x0. */
import { asm, immB, immI, immU, withRegisters } from './encode.js';
import { mnemonic, type Row } from './insn-table.js';
import { allTuples, EDGE_INTEGERS, FEW_INTEGERS, randomIntegers } from './operands.js';
import type { Program } from './program.js';
import type { Random } from './random.js';
import { emitTableLoop, x } from './table-loop.js';

/** Registers free for tests: all but x0, gp, tp and the loop's four. */
export const FREE_REGISTERS: readonly number[] = [
  1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
];

const IMMEDIATES = [0, 1, -1, 2047, -2048, 1024, 31, 0x555, -0x556];
const UPPER_IMMEDIATES = [0, 1, 0x7ffff, 0x80000, 0xfffff, 0x12345, 0xfedcb];
const SHIFTS_64 = [0, 1, 7, 31, 32, 33, 62, 63];
const SHIFTS_32 = [0, 1, 7, 15, 16, 30, 31];

export interface Operands {
  readonly pairs: bigint[][];
  readonly fewPairs: bigint[][];
  readonly singles: bigint[][];
}

export function integerOperands(random: Random, extra: number): Operands {
  return {
    pairs: [...allTuples(EDGE_INTEGERS, 2), ...randomIntegers(random, extra, 2)],
    fewPairs: allTuples(FEW_INTEGERS, 2),
    singles: [...allTuples(EDGE_INTEGERS, 1), ...randomIntegers(random, Math.ceil(extra / 4), 1)],
  };
}

/** Three different free registers. */
export function threeRegisters(random: Random): [number, number, number] {
  const rd = random.pick(FREE_REGISTERS);
  const rs1 = random.pick(FREE_REGISTERS.filter((r) => r !== rd));
  return [rd, rs1, random.pick(FREE_REGISTERS.filter((r) => r !== rd && r !== rs1))];
}

function emitRegisterRow(program: Program, row: Row, operands: Operands, random: Random): void {
  const [a, b, c] = threeRegisters(random);
  const shapes = [
    [a, b, c],
    [b, b, c],
    [c, b, c],
    [a, b, b],
    [b, b, b],
    [0, b, c],
    [a, 0, c],
    [a, b, 0],
  ] as const;
  shapes.forEach(([rd, rs1, rs2], shape) => {
    emitTableLoop(program, {
      text: `${mnemonic(row)} x${rd}, x${rs1}, x${rs2}`,
      tuples: shape === 0 ? operands.pairs : operands.fewPairs,
      operands: [x(rs1), x(rs2)],
      body: [withRegisters(row.match, { rd, rs1, rs2 })],
      results: [x(rd), x(rs1), x(rs2)],
    });
  });
}

function emitUnary(
  program: Program,
  row: Row,
  operands: Operands,
  random: Random,
  immediates: readonly number[],
): void {
  const [a, b] = threeRegisters(random);
  const shapes = [
    [a, b],
    [b, b],
    [0, b],
    [a, 0],
  ] as const;
  for (const imm of immediates) {
    for (const [rd, rs1] of shapes) {
      const suffix = row.format === 'R1' ? '' : `, ${imm}`;
      emitTableLoop(program, {
        text: `${mnemonic(row)} x${rd}, x${rs1}${suffix}`,
        tuples: operands.singles,
        operands: [x(rs1)],
        body: [(withRegisters(row.match, { rd, rs1 }) | immI(imm)) >>> 0],
        results: [x(rd), x(rs1)],
      });
    }
  }
}

function emitUpper(program: Program, row: Row, random: Random): void {
  const [rd] = threeRegisters(random);
  for (const imm of UPPER_IMMEDIATES) {
    for (const target of [rd, 0]) {
      emitTableLoop(program, {
        text: `${mnemonic(row)} x${target}, 0x${imm.toString(16)}`,
        tuples: [[0x1111_2222_3333_4444n]],
        operands: [x(target)],
        body: [(withRegisters(row.match, { rd: target }) | immU(imm)) >>> 0],
        results: [x(target)],
      });
    }
  }
}

/** Forwards over one instruction, and backwards to a landing place before the branch. */
function emitBranch(program: Program, row: Row, operands: Operands, random: Random): void {
  const [mark, a, b] = threeRegisters(random);
  const shapes = [
    [a, b],
    [a, a],
    [0, b],
    [a, 0],
  ] as const;
  shapes.forEach(([rs1, rs2], shape) => {
    const branch = (offset: number): number => (withRegisters(row.match, { rs1, rs2 }) | immB(offset)) >>> 0;
    const set = (value: number): number => asm.addi(mark, 0, value);
    const common = {
      tuples: shape === 0 ? operands.pairs : operands.fewPairs,
      operands: [x(rs1), x(rs2)],
      results: [x(mark), x(rs1), x(rs2)],
    };
    const text = `${mnemonic(row)} x${rs1}, x${rs2}`;
    emitTableLoop(program, { ...common, text: `${text}, forwards`, body: [set(1), branch(8), set(0)] });
    const back = [asm.jal(0, 12), set(2), asm.jal(0, 12), set(1), branch(-12)];
    emitTableLoop(program, { ...common, text: `${text}, backwards`, body: back });
  });
}

/** True when the row's format belongs here. jalr has format I and is jumps.ts's. */
export function emitIntegerRow(program: Program, row: Row, operands: Operands, random: Random): boolean {
  if (row.name === 'jalr') return false;
  switch (row.format) {
    case 'R':
      emitRegisterRow(program, row, operands, random);
      return true;
    case 'R1':
      emitUnary(program, row, operands, random, [0]);
      return true;
    case 'I':
      emitUnary(program, row, operands, random, IMMEDIATES);
      return true;
    case 'SH6':
      emitUnary(program, row, operands, random, SHIFTS_64);
      return true;
    case 'SH5':
      emitUnary(program, row, operands, random, SHIFTS_32);
      return true;
    case 'U':
      emitUpper(program, row, random);
      return true;
    case 'B':
      emitBranch(program, row, operands, random);
      return true;
    default:
      return false;
  }
}

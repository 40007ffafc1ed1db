/** Every F and D row over special operands, in every static and dynamic rounding mode, with its flags. */
import { asm, CSR, withRegisters, type Fields } from './encode.js';
import { mnemonic, type Row } from './insn-table.js';
import { allTuples, EDGE_F32, EDGE_F64, EDGE_INTEGERS, randomFloats, randomIntegers } from './operands.js';
import type { Program } from './program.js';
import type { Random } from './random.js';
import { emitTableLoop, f, registerName, x, type Register } from './table-loop.js';

const MODE_NAMES = ['rne', 'rtz', 'rdn', 'rup', 'rmm'];
const DYNAMIC = 7;

/** For three operands: fewer values, cubed. Indices into the edge lists would hide which; these are the patterns. */
const FEW_F32: readonly bigint[] = [
  0x00000000n,
  0x80000000n,
  0x00000001n,
  0x807fffffn,
  0x00800000n,
  0x7f7fffffn,
  0xff800000n,
  0x7fc00000n,
  0x7f800001n,
  0x3f800000n,
  0xbf800001n,
  0x33800000n,
  0x4b800000n,
].map((w) => 0xffffffff00000000n | w);
const FEW_F64: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0x7ff0000000000001n,
  0x3ff0000000000000n,
  0xbff0000000000001n,
  0x3ca0000000000000n,
  0x4340000000000000n,
];

type Source = 's' | 'd' | 'x';

export interface FloatOperands {
  readonly tuples: Record<Source, readonly [bigint[][], bigint[][], bigint[][]]>;
}

export function floatOperands(random: Random, extra: number): FloatOperands {
  const floats = (single: boolean): [bigint[][], bigint[][], bigint[][]] => {
    const [edges, few] = single ? [EDGE_F32, FEW_F32] : [EDGE_F64, FEW_F64];
    return [
      [...allTuples(edges, 1), ...randomFloats(random, single, extra, 1)],
      [...allTuples(edges, 2), ...randomFloats(random, single, extra, 2)],
      [...allTuples(few, 3), ...randomFloats(random, single, extra, 3)],
    ];
  };
  const integers = [...allTuples(EDGE_INTEGERS, 1), ...randomIntegers(random, extra, 1)];
  return { tuples: { s: floats(true), d: floats(false), x: [integers, [], []] } };
}

interface Shape {
  readonly source: Source;
  readonly operands: number;
  readonly hasMode: boolean;
  readonly result: 'x' | 'f';
}

/** What a format means; undefined for formats that are not floating-point arithmetic. */
function shapeOf(row: Row): Shape | undefined {
  const last = row.name.slice(row.name.lastIndexOf('_') + 1);
  const source: Source = last === 'd' ? 'd' : 's';
  switch (row.format) {
    case 'FRM':
      return { source, operands: 2, hasMode: true, result: 'f' };
    case 'FRM1':
      return { source, operands: 1, hasMode: true, result: 'f' };
    case 'FR4':
      return { source, operands: 3, hasMode: true, result: 'f' };
    case 'FR':
      return { source, operands: 2, hasMode: false, result: 'f' };
    case 'FCMP':
      return { source, operands: 2, hasMode: false, result: 'x' };
    case 'FTOX':
      return { source, operands: 1, hasMode: false, result: 'x' };
    case 'FTOXRM':
      return { source, operands: 1, hasMode: true, result: 'x' };
    case 'XTOF':
      return { source: 'x', operands: 1, hasMode: false, result: 'f' };
    case 'XTOFRM':
      return { source: 'x', operands: 1, hasMode: true, result: 'f' };
    default:
      return undefined;
  }
}

interface Mode {
  readonly field: number;
  readonly text: string;
  readonly before: readonly number[];
  readonly flags: number;
}

function modesOf(shape: Shape): Mode[] {
  if (!shape.hasMode) return [{ field: 0, text: '', before: [], flags: 0 }];
  const fixed = MODE_NAMES.map((name, field) => ({
    field,
    text: `, ${name}`,
    before: [asm.csrrwi(0, CSR.frm, 0)],
    flags: 0,
  }));
  const dynamic = MODE_NAMES.map((name, mode) => ({
    field: DYNAMIC,
    text: `, dyn (frm = ${name})`,
    before: [asm.csrrwi(0, CSR.frm, mode)],
    flags: 0,
  }));
  /* With NX set an emulator may take short cuts. */
  const sticky = { field: 0, text: ', rne, NX set before', before: [], flags: 1 };
  return [...fixed, ...dynamic, sticky];
}

/** Destination and sources, different and aliased. The aliased ones run in one mode only. */
function registersOf(shape: Shape, random: Random): number[][] {
  const first = random.below(24) + 1;
  const [d, a, b, c] = [first, first + 1, first + 2, first + 3];
  const sources = [a, b, c].slice(0, shape.operands);
  if (shape.source === 'x' || shape.result === 'x') return [[10, ...sources.map((_, i) => 11 + i)]];
  const all = [
    [d, ...sources],
    [a, ...sources],
  ];
  if (shape.operands > 1) all.push([d, ...sources.map(() => a)], [sources.at(-1) ?? a, ...sources]);
  return all;
}

function emitOne(
  program: Program,
  row: Row,
  shape: Shape,
  mode: Mode,
  registers: readonly number[],
  tuples: bigint[][],
): void {
  const [rd = 0, rs1 = 0, rs2, rs3] = registers;
  const fields: Fields = {
    rd,
    rs1,
    ...(rs2 === undefined ? {} : { rs2 }),
    ...(rs3 === undefined ? {} : { rs3 }),
    rm: mode.field,
  };
  const operands: Register[] = registers.slice(1).map((n) => (shape.source === 'x' ? x(n) : f(n)));
  const result = shape.result === 'x' ? x(rd) : f(rd);
  emitTableLoop(program, {
    text: `${mnemonic(row)} ${[result, ...operands].map(registerName).join(', ')}${mode.text}`,
    tuples,
    operands,
    before: mode.before,
    body: [withRegisters(row.match, fields)],
    results: [result],
    flags: mode.flags,
  });
}

/** True when the row is floating-point arithmetic, comparison or conversion. */
export function emitFloatRow(program: Program, row: Row, operands: FloatOperands, random: Random): boolean {
  const shape = shapeOf(row);
  if (!shape) return false;
  const tuples = operands.tuples[shape.source][shape.operands - 1] ?? [];
  const [plain = [], ...aliased] = registersOf(shape, random);
  const modes = modesOf(shape);
  for (const mode of modes) emitOne(program, row, shape, mode, plain, tuples);
  const [mode] = modes;
  if (mode) for (const registers of aliased) emitOne(program, row, shape, mode, registers, tuples);
  program.emit(asm.csrrwi(0, CSR.fcsr, 0));
  return true;
}

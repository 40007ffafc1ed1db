/** Loads, stores, atomics and LR/SC pairs: alignment, page crossings, offsets at the ends of their range, aliasing. */
import { asm, immI, immS, withRegisters } from './encode.js';
import { mnemonic, rowNamed, type Row } from './insn-table.js';
import { threeRegisters } from './integer-rows.js';
import { DATA_BASE } from './layout.js';
import { FEW_INTEGERS } from './operands.js';
import type { Program } from './program.js';
import type { Random } from './random.js';
import { emitTableLoop, f, registerName, x } from './table-loop.js';

const OFFSETS = [0, 1, -1, 4, -8, 2047, -2048];
const PAGE = 4096;

/** Two pages of random bytes; addresses around the boundary between them, aligned and not. */
export interface Area {
  readonly addresses: readonly bigint[];
}

export function makeArea(program: Program, random: Random): Area {
  const offset = program.values(Array.from({ length: (3 * PAGE) / 8 }, () => random.u64()));
  const boundary = DATA_BASE + ((offset + 2 * PAGE - 1) & ~(PAGE - 1));
  const addresses = Array.from({ length: 18 }, (_, i) => BigInt(boundary - 9 + i));
  return { addresses: [...addresses, BigInt(boundary + 64), BigInt(boundary - 128)] };
}

function emitLoad(program: Program, row: Row, area: Area, random: Random): void {
  const [a, b] = threeRegisters(random);
  const float = row.format === 'FL';
  for (const offset of OFFSETS) {
    const tuples = area.addresses.map((address) => [BigInt.asUintN(64, address - BigInt(offset))]);
    for (const rd of float ? [a] : [a, b, 0]) {
      const result = float ? f(rd) : x(rd);
      emitTableLoop(program, {
        text: `${mnemonic(row)} ${registerName(result)}, ${offset}(x${b})`,
        tuples,
        operands: [x(b)],
        body: [(withRegisters(row.match, { rd, rs1: b }) | immI(offset)) >>> 0],
        results: [result, x(b)],
      });
    }
  }
}

/** After the store three aligned words around the address are read back. */
function emitStore(program: Program, row: Row, area: Area, random: Random): void {
  const [base, value, aligned] = threeRegisters(random);
  const free = [10, 11, 12, 13, 14, 15].filter((r) => r !== base && r !== value && r !== aligned);
  const [r0 = 0, r1 = 0, r2 = 0] = free;
  const float = row.format === 'FS';
  for (const offset of OFFSETS) {
    const tuples = area.addresses.map((address, i) => [
      FEW_INTEGERS[i % FEW_INTEGERS.length] ?? 0n,
      BigInt.asUintN(64, address - BigInt(offset)),
      address & ~7n,
    ]);
    for (const rs2 of float ? [value] : [value, base, 0]) {
      const source = float ? f(rs2) : x(rs2);
      emitTableLoop(program, {
        text: `${mnemonic(row)} ${registerName(source)}, ${offset}(x${base})`,
        tuples,
        operands: [source, x(base), x(aligned)],
        body: [
          (withRegisters(row.match, { rs1: base, rs2 }) | immS(offset)) >>> 0,
          asm.ld(r0, aligned, -8),
          asm.ld(r1, aligned, 0),
          asm.ld(r2, aligned, 8),
        ],
        results: [x(r0), x(r1), x(r2), x(base)],
      });
    }
  }
}

const isWord = (row: Row): boolean => row.name.endsWith('_w');

/** Tuples (rs2, address, aligned address, memory before): a word AMO also in the upper half. */
function atomicTuples(area: Area, word: boolean): bigint[][] {
  const aligned = (area.addresses[0] ?? 0n) & ~7n;
  const halves = word ? [aligned, aligned + 4n] : [aligned];
  return halves.flatMap((address) =>
    FEW_INTEGERS.flatMap((memory) => FEW_INTEGERS.map((value) => [value, address, aligned, memory])),
  );
}

function emitAtomic(program: Program, row: Row, tuples: bigint[][], random: Random): void {
  const [a, b, c] = threeRegisters(random);
  const [aligned, memory] = [a, b, c].includes(10) || [a, b, c].includes(11) ? [12, 13] : [10, 11];
  const clash = [a, b, c].includes(aligned) || [a, b, c].includes(memory);
  const [base, before] = clash ? [26, 27] : [aligned, memory];
  const safe = [a, b, c].map((r, i) => (r === base || r === before ? ([5, 6, 7][i] ?? 5) : r));
  const [rd = 0, rs1 = 0, rs2 = 0] = safe;
  const shapes = [
    [rd, rs1, rs2],
    [rs2, rs1, rs2],
    [rs1, rs1, rs2],
    [0, rs1, rs2],
    [rd, rs1, 0],
    [rd, rs1, rs1],
  ] as const;
  shapes.forEach(([d, s1, s2], shape) => {
    const ordering = shape % 4;
    emitTableLoop(program, {
      text: `${mnemonic(row)}${['', '.rl', '.aq', '.aqrl'][ordering]} x${d}, x${s2}, (x${s1})`,
      tuples,
      operands: [x(s2), x(s1), x(base), x(before)],
      body: [
        asm.sd(before, base, 0),
        (withRegisters(row.match, { rd: d, rs1: s1, rs2: s2 }) | (ordering << 25)) >>> 0,
        asm.ld(before, base, 0),
      ],
      results: [x(d), x(s1), x(s2), x(before)],
    });
  });
}

/**
 * SC after LR succeeds and stores; without a reservation, a second time, or to another reservation set it fails.
 * x5 = value, x6 = address, x7 = aligned address, x8 = memory before.
 */
function emitReservation(program: Program, lr: Row, sc: Row, tuples: bigint[][]): void {
  const load = (rd: number): number => withRegisters(lr.match, { rd, rs1: 6 });
  const conditional = (rd: number, rs1 = 6): number => withRegisters(sc.match, { rd, rs1, rs2: 5 });
  const cases: { text: string; body: number[] }[] = [
    { text: 'lr, sc', body: [load(9), asm.add(10, 5, 9), conditional(11)] },
    { text: 'sc alone', body: [conditional(11)] },
    { text: 'lr, sc, sc', body: [load(9), conditional(10), conditional(11)] },
    { text: 'lr, sc elsewhere', body: [load(9), asm.addi(12, 6, 1024), conditional(11, 12)] },
    { text: 'lr, sc into rs2', body: [load(9), conditional(5)] },
    { text: 'lr into x0, sc into x0', body: [load(0), conditional(0)] },
  ];
  for (const { text, body } of cases) {
    emitTableLoop(program, {
      text: `${mnemonic(lr)}/${mnemonic(sc)}: ${text}`,
      tuples,
      operands: [x(5), x(6), x(7), x(8)],
      body: [asm.addi(11, 0, 7), asm.addi(9, 0, 7), asm.sd(8, 7, 0), ...body, asm.ld(13, 7, 0)],
      results: [x(5), x(9), x(11), x(13)],
    });
  }
}

/** True when the row's format belongs here. */
export function emitMemoryRow(program: Program, row: Row, rows: readonly Row[], area: Area, random: Random): boolean {
  switch (row.format) {
    case 'L':
    case 'FL':
      emitLoad(program, row, area, random);
      return true;
    case 'S':
    case 'FS':
      emitStore(program, row, area, random);
      return true;
    case 'LR':
      emitReservation(program, row, rowNamed(rows, row.name.replace('lr', 'sc')), atomicTuples(area, isWord(row)));
      return true;
    case 'AMO':
      if (!row.name.startsWith('sc_')) emitAtomic(program, row, atomicTuples(area, isWord(row)), random);
      return true;
    default:
      return false;
  }
}

/**
 * Words beside the rows of the decode table: each must be as illegal here as it is to QEMU. The runtime steps over an
 * illegal instruction and sets x27.
 */
import { asm, immI, withRegisters } from './encode.js';
import type { Row } from './insn-table.js';
import { GP, HEADER, REG_OUT } from './layout.js';
import { Program } from './program.js';
import type { Random } from './random.js';
import { classifyParcel, CNOP } from './rvc.js';

const MARK = 27;
const hex = (word: number): string => `0x${word.toString(16).padStart(8, '0')}`;

/** Counters: user mode may read them under Linux, and their values differ from run to run. */
const isCounter = (csr: number): boolean => csr >= 0xc00 && csr <= 0xc1f;
const FLOATING_CSRS = [1, 2, 3];

function rowOf(rows: readonly Row[], word: number): Row | undefined {
  return rows.find((row) => (word & row.mask) >>> 0 === row.match);
}

/** A row's word with registers that do no harm and one or two fixed bits flipped. */
function neighbours(rows: readonly Row[], random: Random, perRow: number): number[] {
  const words = new Set<number>();
  for (const row of rows) {
    const fixed = Array.from({ length: 30 }, (_, i) => i + 2).filter((bit) => (row.mask >>> bit) & 1);
    const base = withRegisters(row.match, { rd: (row.mask >>> 7) & 31 ? 0 : 5 });
    for (const bit of fixed) words.add((base ^ (1 << bit)) >>> 0);
    for (let n = 0; n < perRow; n++) {
      const fields = (Number(random.u64() & 0xffff_ffffn) & ~row.mask) >>> 0;
      words.add(((row.match | fields) ^ (1 << random.pick(fixed)) ^ (1 << random.pick(fixed))) >>> 0);
    }
  }
  return [...words].filter((word) => (word & 3) === 3 && rowOf(rows, word) === undefined);
}

/** Static rounding modes 5 and 6 are reserved. */
function reservedModes(rows: readonly Row[]): number[] {
  const withMode = rows.filter((row) => row.format.endsWith('RM') || row.format === 'FRM1' || row.format === 'FR4');
  return withMode.flatMap((row) => [5, 6].map((rm) => withRegisters(row.match, { rd: 5, rs1: 6, rm })));
}

/** CSRs user mode does not have: a read of each, and a write of those its number calls read-only. */
function foreignCsrs(): number[] {
  const words: number[] = [];
  for (let csr = 0; csr < 0x1000; csr++) {
    if (FLOATING_CSRS.includes(csr)) continue;
    if (!isCounter(csr)) words.push(asm.csrrs(5, csr, 0));
    if (csr >= 0xc00) words.push((withRegisters(0x1073, { rd: 0, rs1: 5 }) | immI(csr)) >>> 0);
  }
  return words;
}

export function illegalProgram(
  rows: readonly Row[],
  random: Random,
  perRow: number,
): { program: Program; count: number } {
  const program = new Program();
  const words = [...neighbours(rows, random, perRow), ...reservedModes(rows), ...foreignCsrs()];
  const parcels: number[] = [];
  for (let p = 0; p < 0x10000; p++) if ((p & 3) !== 3 && classifyParcel(p).kind === 'reserved') parcels.push(p);
  const emit = (text: string, place: () => void): void => {
    program.emit(asm.addi(MARK, 0, 0));
    place();
    program.emit(asm.ld(REG_OUT, GP, HEADER.outPointer), asm.sd(MARK, REG_OUT, 0));
    program.emit(asm.addi(REG_OUT, REG_OUT, 8), asm.sd(REG_OUT, GP, HEADER.outPointer));
    program.callRuntime('flush');
    program.record(['x27 (1: illegal, 0: executed, 2: illegal with a wrong mtval)'], 1, () => text);
  };
  for (const word of words) emit(hex(word), () => program.emit(word));
  for (const parcel of parcels)
    emit(`parcel ${hex(parcel)}`, () => {
      program.parcel(parcel);
      program.parcel(CNOP);
    });
  return { program, count: words.length + parcels.length };
}

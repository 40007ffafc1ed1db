/** The Zicsr rows on the floating-point CSRs, the only ones a user program may write, and the fences. */
import { asm, CSR, immI, withRegisters } from './encode.js';
import { mnemonic, type Row } from './insn-table.js';
import { threeRegisters } from './integer-rows.js';
import type { Program } from './program.js';
import type { Random } from './random.js';
import { emitTableLoop, x } from './table-loop.js';

const BEFORE = [0n, 0x1fn, 0xe0n, 0xffn, 0x4an];
const VALUES = [0n, 1n, 4n, 0x1fn, 0x20n, 0xe0n, 0xffn, 0x155n, 0xffff_ffff_ffff_ffffn];
const IMMEDIATES = [0, 1, 4, 7, 16, 31];

/** Every case starts from a known fcsr and records what rd and fcsr have become. */
function emitCase(program: Program, text: string, word: number, rd: number, source: number | undefined): void {
  const values = source === undefined ? [0n] : VALUES;
  emitTableLoop(program, {
    text,
    tuples: BEFORE.flatMap((before) => values.map((value) => [before, value])),
    operands: [x(26), x(source ?? 0)],
    body: [asm.csrrw(0, CSR.fcsr, 26), word, asm.csrrs(27, CSR.fcsr, 0)],
    results: [x(rd), x(27)],
  });
  program.emit(asm.csrrwi(0, CSR.fcsr, 0));
}

function emitCsr(program: Program, row: Row, random: Random): void {
  for (const [name, number] of Object.entries(CSR)) {
    const [a, b] = threeRegisters(random).map((r) => (r > 25 ? r - 10 : r));
    const shapes = [
      [a ?? 5, b ?? 6],
      [b ?? 6, b ?? 6],
      [0, b ?? 6],
      [a ?? 5, 0],
    ] as const;
    const sources =
      row.format === 'CSRI' ? IMMEDIATES.flatMap((imm) => [[a ?? 5, imm] as const, [0, imm] as const]) : shapes;
    for (const [rd, source] of sources) {
      const word = (withRegisters(row.match, { rd, rs1: source }) | immI(number)) >>> 0;
      const operand = row.format === 'CSRI' ? `${source}` : `x${source}`;
      const text = `${mnemonic(row)} x${rd}, ${name}, ${operand} (x26 = fcsr before, x27 = after)`;
      emitCase(program, text, word, rd, row.format === 'CSRI' ? undefined : source);
    }
  }
}

/** Reserved fields of a fence are ignored; it changes nothing. */
function emitFence(program: Program, row: Row): void {
  for (const fields of [0x0ff0_0000, 0, 0x8330_0000, 0x0330_0000, 0xfff0_0000, 0x0ff2_8280]) {
    emitTableLoop(program, {
      text: `${mnemonic(row)} 0x${fields.toString(16)}`,
      tuples: [[0x0123_4567_89ab_cdefn]],
      operands: [x(5)],
      body: [(row.match | fields) >>> 0],
      results: [x(5)],
    });
  }
}

/** True when the row's format belongs here. */
export function emitCsrRow(program: Program, row: Row, random: Random): boolean {
  if (row.format === 'CSR' || row.format === 'CSRI') emitCsr(program, row, random);
  else if (row.format === 'FENCE') emitFence(program, row);
  else return false;
  return true;
}

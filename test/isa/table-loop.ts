/** One instruction (or a few) run over a table of operand tuples, its results recorded tuple by tuple. */
import { asm, CSR } from './encode.js';
import { GP, HEADER, REG_END, REG_FLAGS, REG_OUT, REG_TABLE } from './layout.js';
import { hex, type Program } from './program.js';

export interface Register {
  readonly file: 'x' | 'f';
  readonly number: number;
}

export const x = (number: number): Register => ({ file: 'x', number });
export const f = (number: number): Register => ({ file: 'f', number });
export const registerName = (r: Register): string => `${r.file}${r.number}`;

export interface TableLoop {
  /** Text of the instruction under test, for reports. */
  readonly text: string;
  readonly tuples: readonly (readonly bigint[])[];
  /** Where element i of a tuple goes before the test; later ones win where registers coincide. */
  readonly operands: readonly Register[];
  /** Instructions before the loop. */
  readonly before?: readonly number[];
  /** The instructions under test, and what puts further results into registers. */
  readonly body: readonly number[];
  readonly results: readonly Register[];
  /** What fflags hold before each tuple; then they are recorded after it. */
  readonly flags?: number;
}

const load = (r: Register, base: number, offset: number): number =>
  r.file === 'x' ? asm.ld(r.number, base, offset) : asm.fld(r.number, base, offset);
const store = (r: Register, base: number, offset: number): number =>
  r.file === 'x' ? asm.sd(r.number, base, offset) : asm.fsd(r.number, base, offset);

export function emitTableLoop(program: Program, loop: TableLoop): void {
  const tupleSize = (loop.tuples[0]?.length ?? 0) * 8;
  const offset = program.table(loop.tuples);
  program.emit(...(loop.before ?? []));
  program.emit(asm.ld(REG_OUT, GP, HEADER.outPointer));
  program.addressOf(REG_TABLE, offset);
  program.addressOf(REG_END, offset + tupleSize * loop.tuples.length);
  const start = program.pc;
  loop.operands.forEach((r, i) => program.emit(load(r, REG_TABLE, 8 * i)));
  if (loop.flags !== undefined) program.emit(asm.csrrwi(0, CSR.fflags, loop.flags));
  program.emit(...loop.body);
  if (loop.flags !== undefined) program.emit(asm.csrrs(REG_FLAGS, CSR.fflags, 0));
  const results = loop.flags !== undefined ? [...loop.results, x(REG_FLAGS)] : loop.results;
  results.forEach((r, i) => program.emit(store(r, REG_OUT, 8 * i)));
  program.emit(asm.addi(REG_TABLE, REG_TABLE, tupleSize), asm.addi(REG_OUT, REG_OUT, 8 * results.length));
  program.emit(asm.bne(REG_TABLE, REG_END, start - program.pc));
  program.emit(asm.sd(REG_OUT, GP, HEADER.outPointer));
  program.callRuntime('flush');
  const names = results.map((r, i) =>
    loop.flags !== undefined && i === results.length - 1 ? 'fflags' : registerName(r),
  );
  program.record(names, loop.tuples.length, (record) => {
    const tuple = loop.tuples[record] ?? [];
    const operands = loop.operands.map((r, i) => `${registerName(r)} = ${hex(tuple[i] ?? 0n)}`);
    return `${loop.text}   with ${operands.join(', ')}`;
  });
}

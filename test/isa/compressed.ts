/** Every legal compressed parcel that does not jump, a few at a time between dumps of all registers. */
import { asm } from './encode.js';
import { GP, HEADER, TP } from './layout.js';
import { Program } from './program.js';
import type { Random } from './random.js';
import { classifyParcel, type Parcel } from './rvc.js';

const GROUP = 8;
const STORE_GROUP = 4;
/** Read-backs of stores; none is a base or a register of the compressed formats' short encoding. */
const READ_BACK = [16, 17, 18, 19];
const hex4 = (p: number): string => `0x${p.toString(16).padStart(4, '0')}`;

interface Numbered {
  readonly parcel: number;
  readonly info: Parcel;
}

/** gp and tp are the runtime's: what the parcel did to them goes to f30 and gp comes back from f31. */
function emitGuarded(program: Program, n: Numbered): void {
  const guarded = n.info.rd === GP || n.info.rd === TP;
  if (guarded) program.emit(asm.fmv_d_x(31, GP), asm.addi(TP, 0, 0x123));
  program.parcel(n.parcel);
  if (!guarded) return;
  program.align();
  program.emit(asm.fmv_d_x(30, n.info.rd ?? 0), asm.fmv_x_d(GP, 31));
}

function loadRegisters(program: Program, random: Random): void {
  const values = Array.from({ length: 32 }, () => random.u64() >> BigInt(random.pick([0, 0, 32, 50])));
  program.addressOf(1, program.values(values));
  for (let r = 2; r < 32; r++) if (r !== GP && r !== TP) program.emit(asm.ld(r, 1, 8 * r));
  program.emit(asm.ld(1, 1, 8));
}

function emitComputeGroup(program: Program, group: readonly Numbered[], random: Random): void {
  loadRegisters(program, random);
  for (const n of group) emitGuarded(program, n);
  program.align();
  program.dump(() => `parcels ${group.map((n) => `${n.info.name} ${hex4(n.parcel)}`).join(', ')}`);
}

/** A load or store with its base pointing at the scratch words of the header. */
function emitMemoryGroup(program: Program, group: readonly Numbered[], random: Random): void {
  loadRegisters(program, random);
  group.forEach((n, i) => {
    const base = n.info.base ?? 2;
    program.emit(asm.addi(base, GP, HEADER.scratch));
    emitGuarded(program, n);
    program.align();
    const readBack = READ_BACK[i] ?? 16;
    if (n.info.kind === 'store') program.emit(asm.ld(readBack, base, (n.info.offset ?? 0) & ~7));
  });
  program.dump(() => `parcels ${group.map((n) => `${n.info.name} ${hex4(n.parcel)}`).join(', ')}`);
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let i = 0; i < items.length; i += size) groups.push(items.slice(i, i + size));
  return groups;
}

export function compressedProgram(random: Random): { program: Program; parcels: number } {
  const all: Numbered[] = [];
  for (let parcel = 0; parcel < 0x10000; parcel++)
    if ((parcel & 3) !== 3) all.push({ parcel, info: classifyParcel(parcel) });
  const of = (kind: Parcel['kind']): Numbered[] => all.filter((n) => n.info.kind === kind);
  const program = new Program();
  const [compute, loads, stores] = [of('compute'), of('load'), of('store')];
  for (const group of inGroups(compute, GROUP)) emitComputeGroup(program, group, random);
  for (const group of inGroups(stores, STORE_GROUP)) emitMemoryGroup(program, group, random);
  for (const group of inGroups(loads, STORE_GROUP)) emitMemoryGroup(program, group, random);
  return { program, parcels: compute.length + loads.length + stores.length };
}

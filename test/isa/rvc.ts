/**
 * Compressed parcels from their fields, written from the specification ("C" extension, section "RVC Instruction Set
 * Listings") and independent of vm-core/isa/rvc.c.
 */
type Placement = readonly [from: number, to: number];

/** Moves bit `from` of value to bit `to` of the parcel, for each pair. */
function scatter(value: number, ...places: Placement[]): number {
  return places.reduce((parcel, [from, to]) => parcel | (((value >> from) & 1) << to), 0);
}

export const cj = (offset: number): number =>
  0xa001 | scatter(offset, [11, 12], [4, 11], [9, 10], [8, 9], [10, 8], [6, 7], [7, 6], [3, 5], [2, 4], [1, 3], [5, 2]);

const branch = (base: number, rs1: number, offset: number): number =>
  base | ((rs1 - 8) << 7) | scatter(offset, [8, 12], [4, 11], [3, 10], [7, 6], [6, 5], [2, 4], [1, 3], [5, 2]);

export const cbeqz = (rs1: number, offset: number): number => branch(0xc001, rs1, offset);
export const cbnez = (rs1: number, offset: number): number => branch(0xe001, rs1, offset);
export const cjr = (rs1: number): number => 0x8002 | (rs1 << 7);
export const cjalr = (rs1: number): number => 0x9002 | (rs1 << 7);
export const cli = (rd: number, imm: number): number =>
  0x4001 | (rd << 7) | ((imm & 31) << 2) | (((imm >> 5) & 1) << 12);
export const CNOP = 0x0001;

export interface Parcel {
  readonly name: string;
  readonly kind: 'compute' | 'load' | 'store' | 'control' | 'reserved';
  /** Integer register written, if any. */
  readonly rd?: number;
  /** Base register and offset of a memory access; size in bytes. */
  readonly base?: number;
  readonly offset?: number;
}

const bit = (p: number, n: number): number => (p >> n) & 1;
const field = (p: number, high: number, low: number): number => (p >> low) & ((1 << (high - low + 1)) - 1);

const offsetD = (p: number): number => (field(p, 12, 10) << 3) | (field(p, 6, 5) << 6);
const offsetW = (p: number): number => (field(p, 12, 10) << 3) | (bit(p, 6) << 2) | (bit(p, 5) << 6);
const offsetDsp = (p: number): number => (bit(p, 12) << 5) | (field(p, 6, 5) << 3) | (field(p, 4, 2) << 6);
const offsetWsp = (p: number): number => (bit(p, 12) << 5) | (field(p, 6, 4) << 2) | (field(p, 3, 2) << 6);
const offsetDstore = (p: number): number => (field(p, 12, 10) << 3) | (field(p, 9, 7) << 6);
const offsetWstore = (p: number): number => (field(p, 12, 9) << 2) | (field(p, 8, 7) << 6);

const RESERVED: Parcel = { name: 'reserved', kind: 'reserved' };

function quadrant0(p: number): Parcel {
  const base = 8 + field(p, 9, 7);
  const rd = 8 + field(p, 4, 2);
  switch (p >> 13) {
    case 0:
      return field(p, 12, 5) === 0 ? RESERVED : { name: 'c.addi4spn', kind: 'compute', rd };
    case 1:
      return { name: 'c.fld', kind: 'load', base, offset: offsetD(p) };
    case 2:
      return { name: 'c.lw', kind: 'load', rd, base, offset: offsetW(p) };
    case 3:
      return { name: 'c.ld', kind: 'load', rd, base, offset: offsetD(p) };
    case 5:
      return { name: 'c.fsd', kind: 'store', base, offset: offsetD(p) };
    case 6:
      return { name: 'c.sw', kind: 'store', base, offset: offsetW(p) };
    case 7:
      return { name: 'c.sd', kind: 'store', base, offset: offsetD(p) };
    default:
      return RESERVED;
  }
}

function arithmetic(p: number): Parcel {
  const rd = 8 + field(p, 9, 7);
  const kinds = ['c.srli', 'c.srai', 'c.andi'];
  const name = kinds[field(p, 11, 10)];
  if (name !== undefined) return { name, kind: 'compute', rd };
  const register = ['c.sub', 'c.xor', 'c.or', 'c.and', 'c.subw', 'c.addw'][(bit(p, 12) << 2) | field(p, 6, 5)];
  return register === undefined ? RESERVED : { name: register, kind: 'compute', rd };
}

function quadrant1(p: number): Parcel {
  const rd = field(p, 11, 7);
  const immediate = field(p, 6, 2) | bit(p, 12);
  switch (p >> 13) {
    case 0:
      return { name: 'c.addi', kind: 'compute', rd };
    case 1:
      return rd === 0 ? RESERVED : { name: 'c.addiw', kind: 'compute', rd };
    case 2:
      return { name: 'c.li', kind: 'compute', rd };
    case 3:
      return immediate === 0 ? RESERVED : { name: rd === 2 ? 'c.addi16sp' : 'c.lui', kind: 'compute', rd };
    case 4:
      return arithmetic(p);
    default:
      return { name: 'c.j/c.beqz/c.bnez', kind: 'control' };
  }
}

function quadrant2(p: number): Parcel {
  const rd = field(p, 11, 7);
  switch (p >> 13) {
    case 0:
      return { name: 'c.slli', kind: 'compute', rd };
    case 1:
      return { name: 'c.fldsp', kind: 'load', base: 2, offset: offsetDsp(p) };
    case 2:
      return rd === 0 ? RESERVED : { name: 'c.lwsp', kind: 'load', rd, base: 2, offset: offsetWsp(p) };
    case 3:
      return rd === 0 ? RESERVED : { name: 'c.ldsp', kind: 'load', rd, base: 2, offset: offsetDsp(p) };
    case 4:
      if (field(p, 6, 2) === 0)
        return rd === 0 && !bit(p, 12) ? RESERVED : { name: 'c.jr/c.jalr/c.ebreak', kind: 'control' };
      return { name: bit(p, 12) ? 'c.add' : 'c.mv', kind: 'compute', rd };
    case 5:
      return { name: 'c.fsdsp', kind: 'store', base: 2, offset: offsetDstore(p) };
    case 6:
      return { name: 'c.swsp', kind: 'store', base: 2, offset: offsetWstore(p) };
    default:
      return { name: 'c.sdsp', kind: 'store', base: 2, offset: offsetDstore(p) };
  }
}

/** Classifies one of the 49,152 parcels whose low two bits are not 11. */
export function classifyParcel(p: number): Parcel {
  if ((p & 3) === 0) return quadrant0(p);
  return (p & 3) === 1 ? quadrant1(p) : quadrant2(p);
}

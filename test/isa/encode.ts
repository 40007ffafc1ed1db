/**
 * Instruction words from fields: the immediate formats of the unprivileged specification ("RV32I Base Integer
 * Instruction Set", section "Immediate Encoding Variants") and the few instructions the generated loops are made of.
 */
export interface Fields {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly rs3?: number;
  readonly rm?: number;
}

export function withRegisters(word: number, f: Fields): number {
  return (
    (word |
      ((f.rd ?? 0) << 7) |
      ((f.rm ?? 0) << 12) |
      ((f.rs1 ?? 0) << 15) |
      ((f.rs2 ?? 0) << 20) |
      ((f.rs3 ?? 0) << 27)) >>>
    0
  );
}

function bits(value: number, high: number, low: number): number {
  return (value >> low) & ((1 << (high - low + 1)) - 1);
}

export const immI = (imm: number): number => (imm << 20) >>> 0;
export const immS = (imm: number): number => ((bits(imm, 11, 5) << 25) | (bits(imm, 4, 0) << 7)) >>> 0;
export const immU = (imm20: number): number => (imm20 << 12) >>> 0;
export const immB = (imm: number): number =>
  ((bits(imm, 12, 12) << 31) | (bits(imm, 10, 5) << 25) | (bits(imm, 4, 1) << 8) | (bits(imm, 11, 11) << 7)) >>> 0;
export const immJ = (imm: number): number =>
  ((bits(imm, 20, 20) << 31) | (bits(imm, 10, 1) << 21) | (bits(imm, 11, 11) << 20) | (bits(imm, 19, 12) << 12)) >>> 0;

const i = (match: number, rd: number, rs1: number, imm: number): number =>
  (withRegisters(match, { rd, rs1 }) | immI(imm)) >>> 0;
const s = (match: number, rs2: number, rs1: number, imm: number): number =>
  (withRegisters(match, { rs1, rs2 }) | immS(imm)) >>> 0;

export const asm = {
  addi: (rd: number, rs1: number, imm: number): number => i(0x13, rd, rs1, imm),
  add: (rd: number, rs1: number, rs2: number): number => withRegisters(0x33, { rd, rs1, rs2 }),
  lui: (rd: number, imm20: number): number => (withRegisters(0x37, { rd }) | immU(imm20)) >>> 0,
  ld: (rd: number, rs1: number, imm: number): number => i(0x3003, rd, rs1, imm),
  sd: (rs2: number, rs1: number, imm: number): number => s(0x3023, rs2, rs1, imm),
  fld: (rd: number, rs1: number, imm: number): number => i(0x3007, rd, rs1, imm),
  fsd: (rs2: number, rs1: number, imm: number): number => s(0x3027, rs2, rs1, imm),
  andi: (rd: number, rs1: number, imm: number): number => i(0x7013, rd, rs1, imm),
  bne: (rs1: number, rs2: number, offset: number): number => (withRegisters(0x1063, { rs1, rs2 }) | immB(offset)) >>> 0,
  jal: (rd: number, offset: number): number => (withRegisters(0x6f, { rd }) | immJ(offset)) >>> 0,
  jalr: (rd: number, rs1: number, imm: number): number => i(0x67, rd, rs1, imm),
  csrrw: (rd: number, csr: number, rs1: number): number => i(0x1073, rd, rs1, csr),
  csrrs: (rd: number, csr: number, rs1: number): number => i(0x2073, rd, rs1, csr),
  csrrwi: (rd: number, csr: number, zimm: number): number => i(0x5073, rd, zimm, csr),
  fmv_d_x: (rd: number, rs1: number): number => withRegisters(0xf2000053, { rd, rs1 }),
  fmv_x_d: (rd: number, rs1: number): number => withRegisters(0xe2000053, { rd, rs1 }),
  nop: 0x13,
} as const;

export const CSR = { fflags: 1, frm: 2, fcsr: 3 } as const;

/** rd = value, for any 32-bit signed constant. */
export function loadConstant(rd: number, value: number): number[] {
  const low = (value << 20) >> 20;
  const high = ((value - low) >> 12) & 0xfffff;
  if (high === 0) return [asm.addi(rd, 0, low)];
  /* addiw, so that 0x7fffffff comes out right */
  return [asm.lui(rd, high), i(0x1b, rd, rd, low)];
}

/**
 * Addresses and runtime offsets of a generated program; the same as in runtime/layout.ld and runtime/runtime.S.
 */
export const CODE_BASE = 0x8001_0000;
export const DATA_BASE = 0x8080_0000;
/** The program's output buffer of 1 MiB; all of it fits into 16 MiB of RAM. */
export const OUTPUT_BASE = 0x80e0_0000;

/** Offsets from gp into the header of the data image. */
export const HEADER = { flush: 0x00, dump: 0x08, exit: 0x10, outPointer: 0x20, scratch: 0x400, end: 0x800 } as const;

export const RUNTIME = { flush: 0x8000_0100, dump: 0x8000_0200, exit: 0x8000_0400 } as const;

/** Registers: gp and tp belong to the runtime, the others to the loops of table.ts. */
export const GP = 3;
export const TP = 4;
export const REG_FLAGS = 28;
export const REG_END = 29;
export const REG_OUT = 30;
export const REG_TABLE = 31;

/** Words of one dump: x1 … x31, f0 … f31, fcsr. */
export const DUMP_WORDS = 64;
export const DUMP_NAMES: readonly string[] = [
  ...Array.from({ length: 31 }, (_, i) => `x${i + 1}`),
  ...Array.from({ length: 32 }, (_, i) => `f${i}`),
  'fcsr',
];

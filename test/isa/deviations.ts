/**
 * Rows whose result QEMU 7.2 (Debian 12) gets wrong or cannot run in user mode, each with its reason. The tests compare
 * them with a model written from the specification instead; random programs leave them out.
 */
import type { Row } from './insn-table.js';

type Model = (rs1: bigint, rs2: bigint) => bigint;

export interface Deviation {
  readonly reason: string;
  readonly model: Model;
}

function trailingZeros32(value: bigint): bigint {
  const low = BigInt.asUintN(32, value);
  if (low === 0n) return 32n;
  let count = 0n;
  while (((low >> count) & 1n) === 0n) count++;
  return count;
}

export const DEVIATIONS: Readonly<Record<string, Deviation>> = {
  ctzw: {
    reason: 'QEMU 7.2 counts on into the upper word when the lower one is zero; Zbb says 32',
    model: (rs1) => trailingZeros32(rs1),
  },
  czero_eqz: {
    reason: 'QEMU 7.2 has no Zicond',
    model: (rs1, rs2) => (rs2 === 0n ? 0n : rs1),
  },
  czero_nez: {
    reason: 'QEMU 7.2 has no Zicond',
    model: (rs1, rs2) => (rs2 !== 0n ? 0n : rs1),
  },
};

export const comparable = (row: Row): boolean => !(row.name in DEVIATIONS);

/**
 * Addresses as the decoders carry them.
 *
 * A guest virtual address is the 64-bit value read as two's complement and kept in a double: Sv39 and Sv48
 * addresses are sign-extended from bit 47 at most, so every canonical one is an exact safe integer and
 * arithmetic on it is plain number arithmetic. Kernel addresses are negative. A 64-bit word that is no
 * canonical address reads as NaN, which no range check accepts.
 *
 * A guest physical address is a non-negative number below 2^56; RAM bounds are checked on every access.
 */
export type Gva = number;
export type Gpa = number;

export const pageBytes = 4096;
export const pageMask = 4095;

/** No pointer: what a non-canonical word reads as. */
export const notAnAddress: Gva = NaN;

const twoTo32 = 4294967296;

/** The address whose words are high and low; NaN where bits 63 to 47 are not all equal. */
export function addressOf(low: number, high: number): Gva {
  const signed = high | 0;
  if (signed >= 0x8000 || signed < -0x8000) return notAnAddress;
  return signed * twoTo32 + (low >>> 0);
}

/** The address of a 64-bit value given as bigint (signed or unsigned). */
export function addressFromBigint(value: bigint): Gva {
  return addressOf(Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
}

/** The unsigned 64-bit hexadecimal form, as the kernel prints addresses. */
export function formatAddress(address: Gva): string {
  if (!Number.isSafeInteger(address)) return '(no address)';
  return '0x' + BigInt.asUintN(64, BigInt(address)).toString(16);
}

export function isKernelAddress(address: Gva): boolean {
  return address < 0;
}

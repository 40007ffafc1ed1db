/** Reads of record fields, shared by the relations over rings. */
import type { RingReader } from '../telemetry/ring-reader.js';

/** A signed 64-bit field: a number while it is a safe integer, else a bigint. */
export function signedField(ring: RingReader, item: number, offset: number): number | bigint {
  const at = item + offset / 4;
  const low = ring.words[at]!;
  const high = ring.words[at + 1]! | 0;
  if (high >= -0x200000 && high < 0x200000) return high * 4294967296 + low;
  return (BigInt(high) << 32n) | BigInt(low);
}

const privileges: Record<number, string> = { 0: 'U', 1: 'S', 3: 'M' };

export function privilegeName(privilege: number): string {
  return privileges[privilege] ?? '?';
}

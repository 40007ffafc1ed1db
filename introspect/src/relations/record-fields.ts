/** Reads and direct writes of record fields, shared by the relations over rings. */
import type { DirectWrite } from '../scan/row-source.js';
import { encodeText, type EncodedText } from '../server/row-writer.js';
import type { RingReader } from '../telemetry/ring-reader.js';

/** A signed 64-bit field: a number while it is a safe integer, else a bigint. */
export function signedField(ring: RingReader, item: number, offset: number): number | bigint {
  const at = item + offset / 4;
  const low = ring.words[at]!;
  const high = ring.words[at + 1]! | 0;
  if (high >= -0x200000 && high < 0x200000) return high * 4294967296 + low;
  return (BigInt(high) << 32n) | BigInt(low);
}

export function copyField(ring: RingReader, offset: number): DirectWrite {
  const word = offset / 4;
  return (item, writer, slot) => writer.setWords(slot, ring.words[item + word]!, ring.words[item + word + 1]!);
}

/** Writes one of a small set of texts; each is encoded once. */
export function copyText(texts: (key: number) => string, key: (item: number) => number): DirectWrite {
  const encoded = new Map<number, EncodedText>();
  return (item, writer, slot) => {
    const which = key(item);
    let text = encoded.get(which);
    if (!text) encoded.set(which, (text = encodeText(texts(which))));
    writer.setEncoded(slot, text);
  };
}

const privileges: Record<number, string> = { 0: 'U', 1: 'S', 3: 'M' };

export function privilegeName(privilege: number): string {
  return privileges[privilege] ?? '?';
}

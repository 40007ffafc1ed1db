/**
 * The decoded symbol table: names as bytes in one buffer, found by hash, addresses in ascending order.
 * Strings are made only for symbols that are asked for, and kept.
 */
import type { Gva } from '../memory/address.js';
import type { KallsymsTables } from './locate.js';

/** KSYM_NAME_LEN of 6.1 and later. */
const longestName = 512;

export class Symbols {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #addresses: Float64Array;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  readonly #names: (string | undefined)[];

  constructor(bytes: Uint8Array, starts: Uint32Array, addresses: Float64Array) {
    this.count = addresses.length;
    this.#bytes = bytes;
    this.#starts = starts;
    this.#addresses = addresses;
    this.#names = new Array<string | undefined>(this.count).fill(undefined);
    const size = 1 << (32 - Math.clz32(this.count * 2));
    this.#mask = size - 1;
    this.#buckets = new Int32Array(size).fill(-1);
    for (let symbol = 0; symbol < this.count; symbol++) {
      let bucket = this.#hash(bytes, starts[symbol]! + 1, starts[symbol + 1]!) & this.#mask;
      while (this.#buckets[bucket] !== -1) bucket = (bucket + 1) & this.#mask;
      this.#buckets[bucket] = symbol;
    }
  }

  #hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = 0x811c9dc5;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  /** nm letter. */
  type(symbol: number): string {
    return String.fromCharCode(this.#bytes[this.#starts[symbol]!]!);
  }

  name(symbol: number): string {
    return (this.#names[symbol] ??= Buffer.from(
      this.#bytes.buffer,
      this.#starts[symbol]! + 1,
      this.#starts[symbol + 1]! - this.#starts[symbol]! - 1,
    ).toString('latin1'));
  }

  address(symbol: number): Gva {
    return this.#addresses[symbol]!;
  }

  /** Bytes to the next higher address, or undefined for the last symbol. */
  size(symbol: number): number | undefined {
    for (let next = symbol + 1; next < this.count; next++) {
      if (this.#addresses[next]! > this.#addresses[symbol]!) return this.#addresses[next]! - this.#addresses[symbol]!;
    }
    return undefined;
  }

  /** Indexes of all symbols called name (static functions share names), in address order. */
  named(name: string): number[] {
    const key = Buffer.from(name, 'latin1');
    const found: number[] = [];
    let bucket = this.#hash(key, 0, key.length) & this.#mask;
    for (let symbol = this.#buckets[bucket]!; symbol !== -1; symbol = this.#buckets[bucket]!) {
      if (this.#equals(symbol, key)) found.push(symbol);
      bucket = (bucket + 1) & this.#mask;
    }
    return found.sort((a, b) => a - b);
  }

  #equals(symbol: number, key: Uint8Array): boolean {
    const start = this.#starts[symbol]! + 1;
    if (this.#starts[symbol + 1]! - start !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (this.#bytes[start + i] !== key[i]) return false;
    return true;
  }

  /** Address of the first symbol called name, or undefined. */
  lookup(name: string): Gva | undefined {
    const symbol = this.named(name)[0];
    return symbol === undefined ? undefined : this.#addresses[symbol];
  }

  /** The first symbol at or above address. */
  lowerBound(address: Gva): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The last symbol at or below address (of several at one address, the first), or undefined. */
  covering(address: Gva): number | undefined {
    const after = this.lowerBound(address);
    if (after < this.count && this.#addresses[after] === address) return after;
    if (after === 0) return undefined;
    return this.lowerBound(this.#addresses[after - 1]!);
  }
}

/** Expands every name; undefined when the tables contradict themselves. */
export function decodeSymbols(tables: KallsymsTables): Symbols | undefined {
  const { names, count, tokens, tokenIndex, offsets, relativeBase } = tables;
  const ends = new Uint16Array(256);
  for (let token = 0; token < 256; token++) ends[token] = tokens.indexOf(0, tokenIndex[token]!);
  let out: Uint8Array = new Uint8Array(count * 24);
  const starts = new Uint32Array(count + 1);
  const addresses = new Float64Array(count);
  let written = 0;
  let at = 0;
  for (let symbol = 0; symbol < count; symbol++) {
    let length = names[at++]!;
    if (length >= 0x80) length = (length & 0x7f) | (names[at++]! << 7);
    if (written + 2 * longestName > out.length) out = grow(out);
    starts[symbol] = written;
    for (let i = 0; i < length; i++) {
      const token = names[at++]!;
      const end = ends[token]!;
      if (written - starts[symbol]! + (end - tokenIndex[token]!) > longestName) return undefined;
      for (let from = tokenIndex[token]!; from < end; from++) out[written++] = tokens[from]!;
    }
    if (written === starts[symbol]) return undefined;
    addresses[symbol] = relativeBase + offsets[symbol]!;
  }
  starts[count] = written;
  return new Symbols(out, starts, addresses);
}

function grow(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length * 2 + 4 * longestName);
  larger.set(bytes);
  return larger;
}

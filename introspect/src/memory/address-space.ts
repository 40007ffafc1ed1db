/**
 * Reads through one page table: the kernel's, or a process's. Translations are remembered in a small
 * direct-mapped table until forget() is called, which the owner does for every new view of the guest.
 * All readers throw GuestFault where nothing is mapped.
 */
import { addressOf, pageBytes, pageMask, type Gpa, type Gva } from './address.js';
import { GuestFault } from './guest-fault.js';
import type { GuestMemory } from './guest-memory.js';
import { notMapped, walkPage, type PagingMode } from './page-table.js';

/** A run of virtual addresses that maps to one run of RAM, found and checked at attach. */
export interface DirectRange {
  start: Gva;
  end: Gva;
  /** pa = va - delta */
  delta: number;
}

const slots = 1024;
/** Most names are shorter. */
const shortText = 48;

export class AddressSpace {
  readonly memory: GuestMemory;
  readonly root: Gpa;
  readonly mode: PagingMode;
  readonly #direct: readonly DirectRange[];
  readonly #tags = new Float64Array(slots).fill(NaN);
  readonly #pages = new Float64Array(slots);

  constructor(memory: GuestMemory, root: Gpa, mode: PagingMode, direct: readonly DirectRange[] = []) {
    this.memory = memory;
    this.root = root;
    this.mode = mode;
    this.#direct = direct;
  }

  /** Drops remembered translations: the guest may have run since. */
  forget(): void {
    this.#tags.fill(NaN);
  }

  /** Physical address behind va, or notMapped. */
  translate(va: Gva): Gpa {
    for (const range of this.#direct) {
      if (va >= range.start && va < range.end) return va - range.delta;
    }
    if (!Number.isSafeInteger(va)) return notMapped;
    const page = Math.floor(va / pageBytes);
    const slot = page & (slots - 1);
    if (this.#tags[slot] !== page) {
      const pa = walkPage(this.memory, this.root, this.mode, va);
      if (pa === notMapped) return notMapped;
      this.#tags[slot] = page;
      this.#pages[slot] = pa;
    }
    return this.#pages[slot]! + (va - page * pageBytes);
  }

  #at(va: Gva): Gpa {
    const pa = this.translate(va);
    if (pa === notMapped) throw new GuestFault('address not mapped');
    return pa;
  }

  u8(va: Gva): number {
    return this.memory.u8(this.#at(va));
  }

  u16(va: Gva): number {
    if (inPage(va) === pageMask) return this.u8(va) | (this.u8(va + 1) << 8);
    return this.memory.u16(this.#at(va));
  }

  u32(va: Gva): number {
    if (inPage(va) > pageBytes - 4) return (this.u16(va) | (this.u16(va + 2) << 16)) >>> 0;
    return this.memory.u32(this.#at(va));
  }

  i32(va: Gva): number {
    return this.u32(va) | 0;
  }

  /** A pointer; NaN when it is no canonical address. */
  pointer(va: Gva): Gva {
    if (inPage(va) > pageBytes - 8) return addressOf(this.u32(va), this.u32(va + 4));
    return this.memory.pointer(this.#at(va));
  }

  /** An unsigned 64-bit value, rounded above 2^53: for counters and times. */
  count(va: Gva): number {
    return this.u32(va + 4) * 4294967296 + this.u32(va);
  }

  /** A signed 64-bit value, rounded beyond 2^53. */
  long(va: Gva): number {
    return this.i32(va + 4) * 4294967296 + this.u32(va);
  }

  u64(va: Gva): bigint {
    return (BigInt(this.u32(va + 4)) << 32n) | BigInt(this.u32(va));
  }

  /** Copies bytes; throws when any page is missing. */
  bytes(va: Gva, length: number): Uint8Array {
    const out = new Uint8Array(length);
    const got = this.readInto(va, out);
    if (got !== length) throw new GuestFault('address not mapped');
    return out;
  }

  /** Copies bytes into out until it is full or a page is missing; returns how many were copied. */
  readInto(va: Gva, out: Uint8Array): number {
    let done = 0;
    while (done < out.length) {
      const at = va + done;
      const pa = this.translate(at);
      const length = Math.min(out.length - done, pageBytes - inPage(at));
      if (pa === notMapped || !this.memory.contains(pa, length)) break;
      out.set(this.memory.view(pa, length), done);
      done += length;
    }
    return done;
  }

  /** Bytes up to a NUL or limit, whichever comes first, as text. */
  text(va: Gva, limit: number): string {
    const short = this.#shortAscii(va, Math.min(limit, shortText));
    if (short !== undefined && (short.length === limit || short.length < shortText)) return short;
    const buffer = new Uint8Array(Math.min(limit, pageBytes));
    const got = this.readInto(va, buffer);
    if (got === 0) throw new GuestFault('address not mapped');
    const end = buffer.subarray(0, got).indexOf(0);
    return decodeText(buffer.subarray(0, end < 0 ? got : end));
  }

  /** The quick way for names: ASCII within one page. Undefined when it is not that. */
  #shortAscii(va: Gva, limit: number): string | undefined {
    const pa = this.#at(va);
    if (inPage(va) > pageBytes - limit) return undefined;
    let text = '';
    for (let i = 0; i < limit; i++) {
      const byte = this.memory.u8(pa + i);
      if (byte === 0) return text;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}

/** Offset in its page; ToInt32 keeps the low bits of negative addresses too. */
function inPage(va: Gva): number {
  return va & pageMask;
}

const decoder = new TextDecoder('utf-8');

/** Guest bytes as text that PostgreSQL accepts: bad UTF-8 and NUL become U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  let ascii = true;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x80 || byte === 0) {
      ascii = false;
      break;
    }
  }
  if (ascii && bytes.length < 64) return String.fromCharCode(...bytes);
  const text = decoder.decode(bytes);
  return ascii ? text : text.replaceAll('\0', '\ufffd');
}

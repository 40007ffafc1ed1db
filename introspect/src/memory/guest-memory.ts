/**
 * Guest RAM by physical address, read-only. Multi-byte values are little-endian; every access is
 * bounds-checked and throws GuestFault outside RAM. The buffer may be shared memory that the guest is
 * writing: callers copy what they validate.
 */
import { addressOf, type Gpa, type Gva } from './address.js';
import { GuestFault } from './guest-fault.js';

/** A range of RAM that has host pages behind it, in bytes from RAM's start. */
export interface Extent {
  start: number;
  end: number;
}

export class GuestMemory {
  readonly base: Gpa;
  readonly size: number;
  readonly end: Gpa;
  readonly #buffer: ArrayBuffer;
  readonly #words: Uint32Array;
  readonly #populated: () => Extent[];

  /** buffer: RAM from its first byte; populated: the extents worth scanning (all of it when not given). */
  constructor(buffer: ArrayBuffer, base: Gpa, populated?: () => Extent[]) {
    this.base = base;
    this.size = buffer.byteLength - (buffer.byteLength % 4096);
    this.end = base + this.size;
    this.#buffer = buffer;
    this.#words = new Uint32Array(buffer, 0, this.size / 4);
    this.#populated = populated ?? (() => [{ start: 0, end: this.size }]);
  }

  contains(pa: Gpa, length: number): boolean {
    return pa >= this.base && length >= 0 && pa + length <= this.end;
  }

  #offset(pa: Gpa, length: number): number {
    const offset = pa - this.base;
    if (!(offset >= 0 && offset + length <= this.size)) throw new GuestFault('address outside guest RAM');
    return offset;
  }

  u8(pa: Gpa): number {
    const offset = this.#offset(pa, 1);
    const within = offset % 4;
    return (this.#words[(offset - within) / 4]! >>> (within * 8)) & 0xff;
  }

  u16(pa: Gpa): number {
    const offset = this.#offset(pa, 2);
    const within = offset % 4;
    if (within === 3) return this.u8(pa) | (this.u8(pa + 1) << 8);
    return (this.#words[(offset - within) / 4]! >>> (within * 8)) & 0xffff;
  }

  u32(pa: Gpa): number {
    const offset = this.#offset(pa, 4);
    if (offset % 4 !== 0) return (this.u16(pa) | (this.u16(pa + 2) << 16)) >>> 0;
    return this.#words[offset / 4]!;
  }

  /** A pointer: the value at pa as an address, NaN when not canonical. */
  pointer(pa: Gpa): Gva {
    const offset = this.#offset(pa, 8);
    if (offset % 4 !== 0) return addressOf(this.u32(pa), this.u32(pa + 4));
    const index = offset / 4;
    const high = this.#words[index + 1]! | 0;
    if (high >= 0x8000 || high < -0x8000) return NaN;
    return high * 4294967296 + this.#words[index]!;
  }

  u64(pa: Gpa): bigint {
    return (BigInt(this.u32(pa + 4)) << 32n) | BigInt(this.u32(pa));
  }

  /** A view of RAM itself, not a copy: it changes under the reader. */
  view(pa: Gpa, length: number): Uint8Array {
    return new Uint8Array(this.#buffer, this.#offset(pa, length), length);
  }

  copy(pa: Gpa, length: number): Uint8Array {
    return this.view(pa, length).slice();
  }

  /** Extents that may hold something; holes of sparse RAM would be filled by merely reading them. */
  populated(): Extent[] {
    return this.#populated();
  }
}

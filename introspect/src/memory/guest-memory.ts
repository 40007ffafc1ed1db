/**
 * Guest RAM by physical address, read-only. Multi-byte values are little-endian; every access is
 * bounds-checked and throws GuestFault outside RAM. With a view selected, all reads see RAM as it was at the
 * view's instant. Without one the buffer may be shared memory that the guest is writing: callers copy what
 * they validate.
 */
import { addressOf, pageBytes, type Gpa, type Gva } from './address.js';
import { GuestFault } from './guest-fault.js';
import type { Residency } from './residency.js';
import type { ViewKey, ViewPages } from './view-pages.js';

/** A range of RAM that has host pages behind it, in bytes from RAM's start. */
export interface Extent {
  start: number;
  end: number;
}

export class GuestMemory {
  readonly base: Gpa;
  readonly size: number;
  readonly end: Gpa;
  readonly #live: ArrayBuffer;
  readonly #views: ViewPages | undefined;
  readonly #stamps: Float64Array;
  /** What is read from: RAM itself, or the shadow while a view is selected. */
  #buffer: ArrayBuffer;
  #words: Uint32Array;
  #view: ViewKey | undefined;
  /** Epoch of the view, 0 without one. */
  #epoch = 0;
  readonly #populated: () => Extent[];
  readonly #residency: Residency | undefined;
  /** RAM itself is read, and not all of it is there. */
  #partial = false;

  /** buffer: RAM from its first byte; populated: the extents worth scanning (all of it when not given). */
  constructor(buffer: ArrayBuffer, base: Gpa, populated?: () => Extent[], views?: ViewPages, residency?: Residency) {
    this.base = base;
    this.size = buffer.byteLength - (buffer.byteLength % 4096);
    this.end = base + this.size;
    this.#live = this.#buffer = buffer;
    this.#views = views;
    this.#stamps = views?.stamps ?? new Float64Array(0);
    this.#words = new Uint32Array(buffer, 0, this.size / 4);
    this.#residency = residency;
    this.#partial = this.loading;
    this.#populated = populated ?? (() => [{ start: 0, end: this.size }]);
  }

  /** Reads see this view from now on; undefined: RAM as it is. */
  select(view: ViewKey | undefined): void {
    this.#partial = view === undefined && this.loading;
    if (view?.epoch === this.#view?.epoch) return;
    if (view && this.#views) {
      this.#views.trim();
      this.#view = view;
      this.#epoch = view.epoch;
      this.#buffer = this.#views.shadow;
    } else {
      this.#view = undefined;
      this.#epoch = 0;
      this.#buffer = this.#live;
    }
    this.#words = new Uint32Array(this.#buffer, 0, this.size / 4);
  }

  /** Whether RAM is still being loaded from a checkpoint; what is read is waited for. */
  get loading(): boolean {
    return this.#residency !== undefined && !this.#residency.complete;
  }

  contains(pa: Gpa, length: number): boolean {
    return pa >= this.base && length >= 0 && pa + length <= this.end;
  }

  #offset(pa: Gpa, length: number): number {
    const offset = pa - this.base;
    if (!(offset >= 0 && offset + length <= this.size)) throw new GuestFault('address outside guest RAM');
    if (this.#epoch !== 0) {
      const first = (offset / pageBytes) | 0;
      if (this.#stamps[first] !== this.#epoch) this.#views!.fetch(first, this.#view!);
      const last = ((offset + length - 1) / pageBytes) | 0;
      if (last > first) this.#fetchMore(first + 1, last);
    } else if (this.#partial) {
      this.#residency!.need((offset / pageBytes) | 0, ((offset + length - 1) / pageBytes) | 0);
    }
    return offset;
  }

  #fetchMore(first: number, last: number): void {
    for (let page = first; page <= last; page++)
      if (this.#stamps[page] !== this.#epoch) this.#views!.fetch(page, this.#view!);
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

  /** Not a copy: without a view selected it changes under the reader, and with one it is good until the next. */
  view(pa: Gpa, length: number): Uint8Array {
    return new Uint8Array(this.#buffer, this.#offset(pa, length), length);
  }

  copy(pa: Gpa, length: number): Uint8Array {
    return this.view(pa, length).slice();
  }

  /** [start, end) of RAM as it is now, to search for what is then read and checked by the other calls. */
  haystack(start: Gpa, end: Gpa): Buffer {
    const offset = start - this.base;
    if (!(offset >= 0 && start <= end && end <= this.end)) throw new GuestFault('address outside guest RAM');
    if (end > start) this.#residency?.need((offset / pageBytes) | 0, ((end - this.base - 1) / pageBytes) | 0);
    return Buffer.from(this.#live, offset, end - start);
  }

  /** Extents that may hold something; holes of sparse RAM would be filled by merely reading them. */
  populated(): Extent[] {
    return this.#populated();
  }
}

/**
 * A kernel that has been found in guest RAM: its types, its symbols, its address space. Decoders of one
 * subsystem each are made on first use and kept; a decoder that this kernel cannot serve throws LayoutError
 * from its constructor, and only the relations that need it fail.
 */
import type { LocatedBtf } from '../btf/locate.js';
import { LayoutError, type Types } from '../btf/layout.js';
import type { Symbols } from '../kallsyms/symbols.js';
import type { Gva } from '../memory/address.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import type { PagingMode } from '../memory/page-table.js';

export interface KernelParts {
  memory: GuestMemory;
  types: Types;
  symbols: Symbols;
  space: AddressSpace;
  mode: PagingMode;
  banner: string;
  btf: LocatedBtf;
}

/** Bytes of the BTF header and of the first type records compared to notice another kernel. */
const fingerprintBytes = 256;
const mostCpus = 4096;

export class Kernel {
  readonly memory: GuestMemory;
  readonly types: Types;
  readonly symbols: Symbols;
  readonly space: AddressSpace;
  readonly mode: PagingMode;
  readonly banner: string;
  readonly #btf: LocatedBtf;
  readonly #fingerprint: Uint8Array;
  readonly #decoders = new Map<unknown, unknown>();
  #instant = 0;

  constructor(parts: KernelParts) {
    this.memory = parts.memory;
    this.types = parts.types;
    this.symbols = parts.symbols;
    this.space = parts.space;
    this.mode = parts.mode;
    this.banner = parts.banner;
    this.#btf = parts.btf;
    this.#fingerprint = parts.memory.copy(parts.btf.pa, fingerprintBytes);
  }

  /** Where types and symbols were found, for the machines relation. */
  get provenance(): string {
    const at = '0x' + this.#btf.pa.toString(16);
    return `BTF at ${at} (${this.types.btf.typeCount} types), kallsyms (${this.symbols.count} symbols), ${this.mode}`;
  }

  /** Whether the bytes this kernel was recognised by are still there and still mapped. */
  stillThere(): boolean {
    const start = this.symbols.lookup('__start_BTF');
    const now = this.memory.view(this.#btf.pa, fingerprintBytes);
    return start !== undefined && Buffer.compare(now, this.#fingerprint) === 0;
  }

  /** The guest may have run since: remembered translations and per-instant tables are dropped. */
  newInstant(): void {
    this.#instant++;
    this.space.forget();
  }

  /** Grows with every newInstant(); decoders compare it to know whether what they keep is current. */
  get instant(): number {
    return this.#instant;
  }

  decoder<T>(make: new (kernel: Kernel) => T): T {
    let known = this.#decoders.get(make) as T | undefined;
    if (known === undefined) {
      known = new make(this);
      this.#decoders.set(make, known);
    }
    return known;
  }

  /** The address of a kernel variable or function; throws LayoutError when the kernel has none. */
  symbol(name: string): Gva {
    const address = this.symbols.lookup(name);
    if (address === undefined) throw new LayoutError(`this kernel has no symbol ${name}`);
    return address;
  }

  /** Sum of a per-CPU s32 over the possible processors; on a uniprocessor kernel the pointer is plain. */
  sumPerCpuInts(pointer: Gva): number {
    const offsets = this.symbols.lookup('__per_cpu_offset');
    if (offsets === undefined) return this.space.i32(pointer);
    const idsAt = this.symbols.lookup('nr_cpu_ids');
    const cpus = Math.min(idsAt === undefined ? 1 : this.space.u32(idsAt), mostCpus);
    let sum = 0;
    for (let cpu = 0; cpu < cpus; cpu++) sum += this.space.i32(pointer + this.space.pointer(offsets + cpu * 8));
    return sum;
  }

  /** The name of the function that holds address, or undefined. */
  functionAt(address: Gva): string | undefined {
    const symbol = this.symbols.covering(address);
    return symbol === undefined ? undefined : this.symbols.name(symbol);
  }
}

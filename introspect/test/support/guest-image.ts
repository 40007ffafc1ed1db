/** A made-up guest: RAM with Sv39 page tables, BTF, kallsyms and room for kernel objects. */
import { GuestMemory } from '../../src/memory/guest-memory.js';
import type { BtfWriter } from './btf-writer.js';
import { kallsymsTables, type TestSymbol } from './kallsyms-writer.js';

export const ramBase = 0x8000_0000;
export const ramBytes = 8 * 1024 * 1024;
const imageOffset = 0x20_0000;
const megapage = 0x20_0000;
/** As in 6.1, the linear map starts at the kernel's load address. */
export const linearBase = -0x28_0000_0000;
export const imageBase = -0x8000_0000;
const imageLimit = 0x20_0000;
const pteLeaf = 0xcf;
const ptePointer = 1;

export class GuestImage {
  readonly bytes = Buffer.from(new ArrayBuffer(ramBytes));
  readonly #btf: BtfWriter;
  readonly #symbols: TestSymbol[] = [];
  /** Next free byte of the image, and of the heap behind it. */
  #imageAt = 0x1000;
  #heapAt = imageOffset + imageLimit;

  constructor(btf: BtfWriter) {
    this.#btf = btf;
  }

  /** Offset in RAM of an image or linear address. */
  at(va: number): number {
    if (va >= imageBase && va < imageBase + imageLimit) return va - imageBase + imageOffset;
    return va - linearBase + imageOffset;
  }

  /** Zeroed kernel memory in the linear map, 256-byte aligned. */
  alloc(bytes: number): number {
    const at = this.#heapAt;
    this.#heapAt = Math.ceil((at + bytes) / 256) * 256;
    if (this.#heapAt > ramBytes) throw new Error('the test guest is full');
    return at - imageOffset + linearBase;
  }

  object(struct: string): number {
    return this.alloc(this.#btf.size(struct));
  }

  /** Memory in the image, with a symbol. */
  variable(name: string, bytes: number, type = 'D'): number {
    const va = imageBase + this.#imageAt;
    this.#imageAt = Math.ceil((this.#imageAt + bytes) / 4096) * 4096;
    if (this.#imageAt > imageLimit) throw new Error('the test image is full');
    this.#symbols.push({ name, type, address: BigInt(va) });
    return va;
  }

  /** A symbol at the next free byte of the image; several may share it. */
  symbol(name: string, type: string): void {
    this.#symbols.push({ name, type, address: BigInt(imageBase + this.#imageAt) });
  }

  addressOf(symbol: string): number {
    return Number(this.#symbols.find(({ name }) => name === symbol)!.address);
  }

  u8(va: number, value: number): void {
    this.bytes.writeUInt8(value, this.at(va));
  }
  u32(va: number, value: number): void {
    this.bytes.writeUInt32LE(value >>> 0, this.at(va));
  }
  u64(va: number, value: number | bigint): void {
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), this.at(va));
  }
  text(va: number, value: string): void {
    this.bytes.write(`${value}\0`, this.at(va), 'utf8');
  }
  newText(value: string): number {
    const va = this.alloc(value.length * 3 + 1);
    this.text(va, value);
    return va;
  }

  /** Address of a member. */
  member(va: number, struct: string, path: string): number {
    return va + this.#btf.offset(struct, path);
  }

  /** An empty circular list. */
  listHead(head: number): void {
    this.u64(head, head);
    this.u64(head + 8, head);
  }

  /** Appends node to the list at head. */
  listAdd(head: number, node: number): void {
    const last = this.bytes.readBigInt64LE(this.at(head) + 8);
    this.u64(node, head);
    this.u64(node + 8, last);
    this.u64(Number(last), node);
    this.u64(head + 8, node);
  }

  /** Writes BTF, symbols and page tables; nothing may be added to the image afterwards. */
  finish(newKallsymsOrder: boolean): GuestMemory {
    const root = this.variable('swapper_pg_dir', 4096);
    const blob = this.#btf.padTo(1100).blob();
    const btfAt = this.variable('__start_BTF', blob.length, 'R');
    blob.copy(this.bytes, this.at(btfAt));
    const tables = this.variable('kallsyms', 64 * 1024, 'R');
    for (let i = 0; i < 300; i++) this.symbol(`sys_filler_${i}`, 't');
    this.variable('_end', 1, 'B');
    const symbols = [{ name: '_start', type: 'T', address: BigInt(imageBase) }, ...this.#symbols];
    kallsymsTables(symbols, newKallsymsOrder).copy(this.bytes, this.at(tables));
    this.#map(root);
    return this.memory();
  }

  /** Two levels: a root entry each for the image and the linear map, megapages below. */
  #map(root: number): void {
    // Twice the size, so that a whole page can be aligned in it.
    const imageTable = this.alloc(8192);
    const linearTable = this.alloc(8192);
    const physical = (va: number) => ramBase + this.at(va);
    this.u64(root + 510 * 8, (physical(alignPage(imageTable)) / 4096) * 1024 + ptePointer);
    this.u64(root + 352 * 8, (physical(alignPage(linearTable)) / 4096) * 1024 + ptePointer);
    for (let page = 0; page * megapage < ramBytes - imageOffset; page++) {
      const pte = ((ramBase + imageOffset + page * megapage) / 4096) * 1024 + pteLeaf;
      this.u64(alignPage(linearTable) + page * 8, pte);
      if (page === 0) this.u64(alignPage(imageTable), pte);
    }
  }

  memory(): GuestMemory {
    return new GuestMemory(this.bytes.buffer as ArrayBuffer, ramBase);
  }
}

function alignPage(va: number): number {
  return Math.ceil(va / 4096) * 4096;
}

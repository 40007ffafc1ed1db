/**
 * BTF bytes to an index of type records (Documentation/bpf/btf.rst, "Type Encoding"). The blob is a private
 * copy; parse checks that every record lies inside it, so readers need not.
 */
export const kinds = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** Bytes that follow a 12-byte record: fixed part, and part per vlen. */
const extraFixed = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const extraEach = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
const recordBytes = 12;

export class Btf {
  readonly typeCount: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #records: Uint32Array;
  readonly #strings: number;
  readonly #stringsEnd: number;
  #byName: Map<string, number[]> | undefined;

  constructor(bytes: Uint8Array, records: Uint32Array, typeCount: number, strings: number, stringsEnd: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#records = records;
    this.typeCount = typeCount;
    this.#strings = strings;
    this.#stringsEnd = stringsEnd;
  }

  /** Type ids run from 1 to typeCount; 0 is void, and ids beyond read as void. */
  kind(id: number): number {
    return id > 0 && id <= this.typeCount ? (this.#info(id) >>> 24) & 31 : kinds.void;
  }

  #info(id: number): number {
    return this.#view.getUint32(this.#records[id]! + 4, true);
  }

  vlen(id: number): number {
    return this.#info(id) & 0xffff;
  }

  flag(id: number): boolean {
    return this.#info(id) >>> 31 === 1;
  }

  /** Size in bytes of an int, struct, union, enum or float; the referenced type id of the other kinds. */
  sizeOrType(id: number): number {
    return this.#view.getUint32(this.#records[id]! + 8, true);
  }

  name(id: number): string {
    return this.string(this.#view.getUint32(this.#records[id]!, true));
  }

  /** Word n of what follows the record. */
  extra(id: number, n: number): number {
    return this.#view.getUint32(this.#records[id]! + recordBytes + n * 4, true);
  }

  string(offset: number): string {
    const start = this.#strings + offset;
    if (start >= this.#stringsEnd) return '';
    const end = this.#bytes.indexOf(0, start);
    if (end < 0 || end - start > 512) return '';
    return String.fromCharCode(...this.#bytes.subarray(start, end));
  }

  /** Ids of the named structs and unions called name; several exist for some names. */
  structsNamed(name: string): readonly number[] {
    this.#byName ??= this.#indexStructs();
    return this.#byName.get(name) ?? [];
  }

  /** Ids of the enumerations, in order. */
  *enumerations(): Generator<number> {
    for (let id = 1; id <= this.typeCount; id++) {
      if (this.kind(id) === kinds.enum) yield id;
    }
  }

  #indexStructs(): Map<string, number[]> {
    const index = new Map<string, number[]>();
    for (let id = 1; id <= this.typeCount; id++) {
      const kind = (this.#info(id) >>> 24) & 31;
      if (kind !== kinds.struct && kind !== kinds.union) continue;
      if (this.#view.getUint32(this.#records[id]!, true) === 0) continue;
      const name = this.name(id);
      const known = index.get(name);
      if (known) known.push(id);
      else index.set(name, [id]);
    }
    return index;
  }
}

/** The index of a BTF blob (header included), or undefined when the blob is not sound. */
export function parseBtf(bytes: Uint8Array): Btf | undefined {
  if (bytes.length < 24) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = view.getUint32(4, true);
  const typesStart = header + view.getUint32(8, true);
  const typesEnd = typesStart + view.getUint32(12, true);
  const strings = header + view.getUint32(16, true);
  const stringsEnd = strings + view.getUint32(20, true);
  if (header < 24 || typesEnd > bytes.length || stringsEnd > bytes.length || strings >= stringsEnd) return undefined;
  if (bytes[strings] !== 0 || bytes[stringsEnd - 1] !== 0) return undefined;
  const records = new Uint32Array(Math.floor((typesEnd - typesStart) / recordBytes) + 1);
  let count = 0;
  let at = typesStart;
  while (at < typesEnd) {
    if (at + recordBytes > typesEnd) return undefined;
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    if (kind === 0 || kind >= extraFixed.length) return undefined;
    records[++count] = at;
    at += recordBytes + extraFixed[kind]! + extraEach[kind]! * (info & 0xffff);
  }
  return at === typesEnd ? new Btf(bytes, records, count, strings, stringsEnd) : undefined;
}

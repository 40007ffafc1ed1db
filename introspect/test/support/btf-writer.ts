/** Writes BTF for made-up structs, and tells where their members ended up. */
export type Member = [name: string, type: string];

interface Struct {
  id: number;
  size: number;
  offsets: Map<string, number>;
  types: Map<string, string>;
}

const kindInt = 1;
const kindPointer = 2;
const kindArray = 3;
const kindStruct = 4;
const kindUnion = 5;
const integers: Record<string, number> = { u8: 1, u16: 2, u32: 4, u64: 8 };

export class BtfWriter {
  readonly #records: Buffer[] = [];
  #strings = '\0';
  readonly #structs = new Map<string, Struct>();
  readonly #simple = new Map<string, { id: number; size: number }>();
  #count = 0;

  constructor() {
    for (const [name, size] of Object.entries(integers)) {
      this.#simple.set(name, { id: this.#record(name, kindInt, 0, size, Buffer.from([size * 8, 0, 0, 0])), size });
    }
    this.#simple.set('ptr', { id: this.#record('', kindPointer, 0, 0, Buffer.alloc(0)), size: 8 });
  }

  #string(text: string): number {
    if (text === '') return 0;
    const at = this.#strings.length;
    this.#strings += `${text}\0`;
    return at;
  }

  #record(name: string, kind: number, vlen: number, sizeOrType: number, extra: Buffer, flag = false): number {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(this.#string(name), 0);
    head.writeUInt32LE((((flag ? 1 : 0) << 31) | (kind << 24) | vlen) >>> 0, 4);
    head.writeUInt32LE(sizeOrType, 8);
    this.#records.push(head, extra);
    return ++this.#count;
  }

  /** u8 to u64, ptr, a struct's name, or any of these with [n]. */
  #type(name: string): { id: number; size: number } {
    const known = this.#simple.get(name) ?? this.#structs.get(name);
    if (known) return known;
    const [, element, count] = /^(.+)\[(\d+)\]$/.exec(name) ?? [];
    if (element === undefined) throw new Error(`no type ${name}`);
    const inner = this.#type(element);
    const extra = Buffer.alloc(12);
    extra.writeUInt32LE(inner.id, 0);
    extra.writeUInt32LE(this.#type('u32').id, 4);
    extra.writeUInt32LE(Number(count), 8);
    const made = { id: this.#record('', kindArray, 0, 0, extra), size: inner.size * Number(count) };
    this.#simple.set(name, made);
    return made;
  }

  /** Members at 8-byte steps; `bits N` types make bit fields of a byte in the packed encoding. */
  struct(name: string, members: Member[], union = false): this {
    const bitfields = members.some(([, type]) => type.startsWith('bits '));
    const offsets = new Map<string, number>();
    const extra = Buffer.alloc(members.length * 12);
    let size = 0;
    let bit = 0;
    const placed = members.map(([member, type]) => {
      const width = type.startsWith('bits ') ? Number(type.slice(5)) : 0;
      const held = this.#type(width > 0 ? 'u8' : type);
      const offset = union ? 0 : size;
      if (width > 0) {
        const at = { member, id: held.id, raw: ((width << 24) | (offset * 8 + bit)) >>> 0 };
        offsets.set(member, offset);
        bit += width;
        if (bit === 8) size += 8;
        return at;
      }
      offsets.set(member, offset);
      size = Math.max(size, offset + Math.ceil(held.size / 8) * 8);
      return { member, id: held.id, raw: offset * 8 };
    });
    placed.forEach(({ member, id, raw }, i) => {
      extra.writeUInt32LE(this.#string(member.startsWith('-') ? '' : member), i * 12);
      extra.writeUInt32LE(id, i * 12 + 4);
      extra.writeUInt32LE(raw, i * 12 + 8);
    });
    const label = name.startsWith('-') ? '' : name;
    const id = this.#record(label, union ? kindUnion : kindStruct, members.length, size, extra, bitfields);
    this.#structs.set(name, { id, size, offsets, types: new Map(members) });
    return this;
  }

  /** Byte offset of a member; path goes through embedded structs. */
  offset(struct: string, path: string): number {
    const [first = '', ...rest] = path.split('.');
    const made = this.#structs.get(struct);
    const at = made?.offsets.get(first);
    if (made === undefined || at === undefined) throw new Error(`no member ${struct}.${first}`);
    return rest.length === 0 ? at : at + this.offset(made.types.get(first)!, rest.join('.'));
  }

  size(struct: string): number {
    return this.#structs.get(struct)!.size;
  }

  /** Filler, so that the whole looks like a kernel's. */
  padTo(types: number): this {
    while (this.#count < types) this.#record('', kindPointer, 0, 0, Buffer.alloc(0));
    return this;
  }

  blob(): Buffer {
    const types = Buffer.concat(this.#records);
    const strings = Buffer.from(this.#strings, 'latin1');
    const header = Buffer.alloc(24);
    header.writeUInt16LE(0xeb9f, 0);
    header.writeUInt8(1, 2);
    header.writeUInt32LE(24, 4);
    header.writeUInt32LE(0, 8);
    header.writeUInt32LE(types.length, 12);
    header.writeUInt32LE(types.length, 16);
    header.writeUInt32LE(strings.length, 20);
    return Buffer.concat([header, types, strings]);
  }
}

/**
 * Field offsets out of BTF. A decoder names the struct and the members it uses; kernels that differ are told
 * apart by the members they have, never by version.
 */
import { kinds, type Btf } from './parse.js';

/** A struct or member this kernel does not have: the relation that needs it fails with this reason. */
export class LayoutError extends Error {
  override name = 'LayoutError';
}

export interface FieldLayout {
  /** Bytes from the start of the outermost struct; for a bit field, of the word that holds it. */
  offset: number;
  /** Type id with modifiers and typedefs stripped. */
  type: number;
  /** Bytes of one whole member (arrays: all elements). */
  size: number;
  /** Bit fields only: first bit counted from offset * 8, and width. */
  bitOffset: number;
  bitSize: number;
}

const deepest = 16;

export class Types {
  readonly #btf: Btf;
  readonly #structs = new Map<string, StructLayout>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  get btf(): Btf {
    return this.#btf;
  }

  /** The layout of struct name that has all the required members (paths); throws LayoutError if none has. */
  struct(name: string, ...required: string[]): StructLayout {
    const known = this.#structs.get(name);
    if (known && required.every((path) => known.has(path))) return known;
    for (const id of this.#btf.structsNamed(name)) {
      const layout = new StructLayout(this.#btf, name, id);
      if (required.every((path) => layout.has(path))) {
        this.#structs.set(name, layout);
        return layout;
      }
    }
    const lacking = required.length > 0 ? ` with ${required.join(', ')}` : '';
    throw new LayoutError(`this kernel has no struct ${name}${lacking}`);
  }

  hasStruct(name: string): boolean {
    return this.#btf.structsNamed(name).length > 0;
  }

  /** The value of a named enumerator in any 32-bit enumeration, or undefined. */
  enumerator(name: string): number | undefined {
    for (const id of this.#btf.enumerations()) {
      const count = this.#btf.vlen(id);
      for (let i = 0; i < count; i++) {
        if (this.#btf.string(this.#btf.extra(id, i * 2)) === name) return this.#btf.extra(id, i * 2 + 1);
      }
    }
    return undefined;
  }
}

export class StructLayout {
  readonly name: string;
  readonly size: number;
  readonly #btf: Btf;
  readonly #id: number;
  readonly #fields = new Map<string, FieldLayout | null>();

  constructor(btf: Btf, name: string, id: number) {
    this.#btf = btf;
    this.#id = id;
    this.name = name;
    this.size = btf.sizeOrType(id);
  }

  has(path: string): boolean {
    return this.#find(path) !== null;
  }

  /** Byte offset of a member; path is `a.b.c` through embedded structs and unions. */
  offset(path: string): number {
    return this.field(path).offset;
  }

  /** The offset of the first of several spellings that this kernel has. */
  offsetOfAny(...paths: string[]): number {
    for (const path of paths) {
      if (this.has(path)) return this.offset(path);
    }
    throw new LayoutError(`this kernel's struct ${this.name} has no member ${paths.join(' or ')}`);
  }

  optional(path: string): number | undefined {
    return this.#find(path)?.offset;
  }

  field(path: string): FieldLayout {
    const found = this.#find(path);
    if (!found) throw new LayoutError(`this kernel's struct ${this.name} has no member ${path}`);
    return found;
  }

  /** The struct that a pointer member points to, when it is one. */
  pointee(path: string): string | undefined {
    const field = this.#find(path);
    if (!field || this.#btf.kind(field.type) !== kinds.pointer) return undefined;
    const target = strip(this.#btf, this.#btf.sizeOrType(field.type));
    return this.#btf.kind(target) === kinds.struct ? this.#btf.name(target) : undefined;
  }

  #find(path: string): FieldLayout | null {
    const known = this.#fields.get(path);
    if (known !== undefined) return known;
    let at: FieldLayout | null = { offset: 0, type: this.#id, size: this.size, bitOffset: 0, bitSize: 0 };
    for (const part of path.split('.')) {
      const inner: FieldLayout | null = at && member(this.#btf, at.type, part, 0);
      at = at && inner && { ...inner, offset: at.offset + inner.offset };
    }
    this.#fields.set(path, at);
    return at;
  }
}

/** The member of a struct or union, looked for in unnamed members too. */
function member(btf: Btf, id: number, name: string, depth: number): FieldLayout | null {
  const kind = btf.kind(id);
  if ((kind !== kinds.struct && kind !== kinds.union) || depth > deepest) return null;
  const count = btf.vlen(id);
  const packed = btf.flag(id);
  for (let i = 0; i < count; i++) {
    const nameOffset = btf.extra(id, i * 3);
    const type = strip(btf, btf.extra(id, i * 3 + 1));
    const raw = btf.extra(id, i * 3 + 2);
    const bits = packed ? raw & 0xffffff : raw;
    if (nameOffset === 0) {
      const inner = member(btf, type, name, depth + 1);
      if (inner) return { ...inner, offset: inner.offset + (bits >>> 3) };
    } else if (btf.string(nameOffset) === name) {
      const bitSize = packed ? raw >>> 24 : 0;
      return { offset: bits >>> 3, type, size: sizeOf(btf, type, 0), bitOffset: bitSize > 0 ? bits & 7 : 0, bitSize };
    }
  }
  return null;
}

/** Follows typedefs and qualifiers. */
function strip(btf: Btf, id: number): number {
  for (let i = 0; i < 32; i++) {
    const kind = btf.kind(id);
    const modifier =
      kind === kinds.typedef ||
      kind === kinds.volatile ||
      kind === kinds.const ||
      kind === kinds.restrict ||
      kind === kinds.typeTag;
    if (!modifier) return id;
    id = btf.sizeOrType(id);
  }
  return 0;
}

function sizeOf(btf: Btf, id: number, depth: number): number {
  const type = strip(btf, id);
  switch (btf.kind(type)) {
    case kinds.pointer:
      return 8;
    case kinds.array:
      return depth > deepest ? 0 : btf.extra(type, 2) * sizeOf(btf, btf.extra(type, 0), depth + 1);
    case kinds.int:
    case kinds.struct:
    case kinds.union:
    case kinds.enum:
    case kinds.float:
    case kinds.enum64:
      return btf.sizeOrType(type);
    default:
      return 0;
  }
}

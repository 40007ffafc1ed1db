/**
 * Finds the kernel's compressed symbol tables (scripts/kallsyms.c) in raw RAM. They have no header, and their
 * order changed in 6.4; what never changes is that the token table holds every used character as a string of
 * its own, so the ten digits lie side by side. From there each neighbour is found by its own invariants:
 *
 *   token_index[i]   byte offset of token i; must fit all 256 tokens
 *   num_syms, names  a count and that many length-prefixed strings; their offsets must equal the markers
 *   offsets, relative_base   before num_syms (to 6.3) or after token_index (from 6.4): ascending u32 and a
 *                            kernel address
 */
import { addressOf, type Gpa, type Gva } from '../memory/address.js';
import type { GuestMemory } from '../memory/guest-memory.js';

export interface KallsymsTables {
  /** Private copies: the guest cannot change them under the decoder. */
  names: Uint8Array;
  count: number;
  tokens: Uint8Array;
  tokenIndex: Uint16Array;
  offsets: Uint32Array;
  relativeBase: Gva;
}

const digits = Uint8Array.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));
const codeOfZero = 0x30;
const tokenCount = 256;
const farthestBack = 24 * 1024 * 1024;
const fewestSymbols = 256;
const mostSymbols = 4 * 1024 * 1024;

/** The first sound set of tables whose token table lies in [start, end), or undefined. */
export function locateKallsyms(memory: GuestMemory, start: Gpa, end: Gpa): KallsymsTables | undefined {
  const haystack = memory.haystack(start, end);
  for (let at = haystack.indexOf(digits); at >= 0; at = haystack.indexOf(digits, at + 1)) {
    const tables = examine(memory, start + at);
    if (tables) return tables;
  }
  return undefined;
}

interface Tokens {
  table: Gpa;
  index: Gpa;
  bytes: Uint8Array;
  offsets: Uint16Array;
}

function examine(memory: GuestMemory, zeroToken: Gpa): KallsymsTables | undefined {
  const tokens = locateTokens(memory, zeroToken);
  const names = tokens && locateNames(memory, tokens.table);
  if (!tokens || !names) return undefined;
  const offsets = locateOffsets(memory, names.at, names.count, tokens.index + tokenCount * 2);
  if (!offsets) return undefined;
  return { names: names.bytes, count: names.count, tokens: tokens.bytes, tokenIndex: tokens.offsets, ...offsets };
}

/** The token table around the string "0", checked against the index that follows it. */
function locateTokens(memory: GuestMemory, zeroToken: Gpa): Tokens | undefined {
  const longest = 64 * 1024;
  const length = Math.min(longest, memory.end - zeroToken);
  const after = memory.view(zeroToken, length);
  const ends: number[] = [];
  for (let token = codeOfZero, at = 0; token < tokenCount; token++) {
    const end = after.indexOf(0, at);
    if (end < 0) return undefined;
    ends.push(at);
    at = end + 1;
    if (token === tokenCount - 1) ends.push(at);
  }
  const index = align8(zeroToken + ends[ends.length - 1]!);
  if (!memory.contains(index, tokenCount * 2)) return undefined;
  const table = zeroToken - memory.u16(index + codeOfZero * 2);
  if (!memory.contains(table, longest) && !memory.contains(table, index - table)) return undefined;
  const bytes = memory.copy(table, index - table);
  const offsets = new Uint16Array(tokenCount);
  for (let token = 0, at = 0; token < tokenCount; token++) {
    offsets[token] = memory.u16(index + token * 2);
    if (offsets[token] !== at) return undefined;
    at = bytes.indexOf(0, at) + 1;
    if (at === 0) return undefined;
  }
  return { table, index, bytes, offsets };
}

/** num_syms and names before the token table; every marker must name the symbol it counts. */
function locateNames(memory: GuestMemory, table: Gpa): { at: Gpa; count: number; bytes: Uint8Array } | undefined {
  const lowest = Math.max(memory.base, table - farthestBack);
  for (let at = align8(table) - 8; at >= lowest; at -= 8) {
    const count = memory.u32(at);
    if (count < fewestSymbols || count > mostSymbols || memory.u32(at + 4) !== 0) continue;
    const room = table - at - 8;
    // A name takes at least two bytes; with its marker and its place in the sorted order at most about 130.
    if (room < count * 2 || room > count * 132) continue;
    const length = namesLength(memory.view(at + 8, room), count, memory, at + 8);
    if (length > 0) return { at, count, bytes: memory.copy(at + 8, length) };
  }
  return undefined;
}

/** Bytes of the names if they parse and the markers after them agree, else 0. */
function namesLength(bytes: Uint8Array, count: number, memory: GuestMemory, start: Gpa): number {
  const markers: number[] = [];
  let at = 0;
  for (let symbol = 0; symbol < count; symbol++) {
    if ((symbol & 255) === 0) markers.push(at);
    const first = bytes[at];
    if (first === undefined || first === 0) return 0;
    at += first < 0x80 ? 1 + first : 2 + ((first & 0x7f) | ((bytes[at + 1] ?? 0) << 7));
    if (at > bytes.length) return 0;
  }
  const stored = align8(start + at);
  if (!memory.contains(stored, markers.length * 4)) return 0;
  return markers.every((marker, i) => memory.u32(stored + i * 4) === marker) ? at : 0;
}

function locateOffsets(memory: GuestMemory, numSyms: Gpa, count: number, afterIndex: Gpa) {
  const before = align8Down(numSyms - 8 - align8(count * 4));
  return (
    readOffsets(memory, before, numSyms - 8, count) ??
    readOffsets(memory, align8(afterIndex), align8(align8(afterIndex) + count * 4), count)
  );
}

function readOffsets(memory: GuestMemory, at: Gpa, baseAt: Gpa, count: number) {
  if (!memory.contains(at, count * 4) || !memory.contains(baseAt, 8)) return undefined;
  const relativeBase = addressOf(memory.u32(baseAt), memory.u32(baseAt + 4));
  if (!(relativeBase < 0)) return undefined;
  const bytes = memory.copy(at, count * 4);
  const offsets = new Uint32Array(bytes.buffer, 0, count);
  for (let i = 1; i < count; i++) {
    if (offsets[i]! < offsets[i - 1]!) return undefined;
  }
  return { offsets, relativeBase };
}

/** The tables are aligned to 8; physical and virtual addresses agree in the low bits. */
function align8(address: number): number {
  return Math.ceil(address / 8) * 8;
}

function align8Down(address: number): number {
  return Math.floor(address / 8) * 8;
}

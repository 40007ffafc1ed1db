/**
 * Finds the kernel's BTF (Documentation/bpf/btf.rst) in raw RAM by its header bytes. Copies of the header
 * alone lie in slab (struct btf embeds one), so a hit counts only when its type records walk exactly to the
 * end of the type section and its strings start with a NUL.
 */
import type { Gpa } from '../memory/address.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import { parseBtf, type Btf } from './parse.js';

/** Little-endian magic 0xeb9f, version 1, flags 0, hdr_len 24. */
const signature = Uint8Array.of(0x9f, 0xeb, 1, 0, 24, 0, 0, 0);
const headerBytes = 24;
const largestBtf = 64 * 1024 * 1024;
/** vmlinux has tens of thousands of types; a module's split BTF has a few and does not stand alone. */
const fewestTypes = 1000;

export interface LocatedBtf {
  pa: Gpa;
  bytes: number;
  btf: Btf;
}

/** The first sound vmlinux BTF in [start, end), or undefined. */
export function locateBtf(memory: GuestMemory, start: Gpa, end: Gpa): LocatedBtf | undefined {
  const haystack = memory.haystack(start, end);
  let at = haystack.indexOf(signature);
  while (at >= 0) {
    const found = examine(memory, start + at);
    if (found) return found;
    at = haystack.indexOf(signature, at + 1);
  }
  return undefined;
}

function examine(memory: GuestMemory, pa: Gpa): LocatedBtf | undefined {
  if (!memory.contains(pa, headerBytes)) return undefined;
  const typeOffset = memory.u32(pa + 8);
  const typeLength = memory.u32(pa + 12);
  const stringOffset = memory.u32(pa + 16);
  const stringLength = memory.u32(pa + 20);
  if (typeOffset !== 0 || typeLength < fewestTypes * 12 || stringOffset < typeLength) return undefined;
  const bytes = headerBytes + stringOffset + stringLength;
  if (bytes > largestBtf || !memory.contains(pa, bytes)) return undefined;
  const btf = parseBtf(memory.copy(pa, bytes));
  return btf && btf.typeCount >= fewestTypes ? { pa, bytes, btf } : undefined;
}

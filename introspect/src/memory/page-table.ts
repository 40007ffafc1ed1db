/**
 * Sv39 and Sv48 page table walks (privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System"),
 * with Svnapot's 64 KiB pages. A walk is pure: it reads RAM and returns what it found.
 */
import type { Gpa, Gva } from './address.js';
import type { GuestMemory } from './guest-memory.js';

export type PagingMode = 'sv39' | 'sv48';

export const pagingLevels: Record<PagingMode, number> = { sv39: 3, sv48: 4 };

const pteValid = 1;
const pteReadWriteExecute = 0b1110;
/** Linux marks a PROT_NONE page by V=0 and G=1 (arch/riscv/include/asm/pgtable-bits.h, _PAGE_PROT_NONE). */
const pteGlobal = 1 << 5;

/** No translation. */
export const notMapped = -1;

/** The page table mode of a satp value; undefined for bare or a mode no supported hart has. */
export function satpMode(satp: bigint): PagingMode | undefined {
  const mode = (satp >> 60n) & 15n;
  return mode === 8n ? 'sv39' : mode === 9n ? 'sv48' : undefined;
}

/** Physical address of the root page table named by satp. */
export function satpRoot(satp: bigint): Gpa {
  return Number(satp & 0xfff_ffff_ffffn) * 4096;
}

/**
 * Physical address of the page holding va, or notMapped. Pages mapped PROT_NONE count as mapped: their
 * content is the process's still. va must be canonical for the mode.
 */
export function walkPage(memory: GuestMemory, root: Gpa, mode: PagingMode, va: Gva): Gpa {
  const levels = pagingLevels[mode];
  const reach = levels === 3 ? 2 ** 38 : 2 ** 47;
  if (!(va >= -reach && va < reach)) return notMapped;
  let table = root;
  let span = levels === 3 ? 2 ** 30 : 2 ** 39;
  for (let level = levels - 1; level >= 0; level--) {
    const quotient = Math.floor(va / span);
    const index = ((quotient % 512) + 512) % 512;
    const at = table + index * 8;
    if (!memory.contains(at, 8)) return notMapped;
    const low = memory.u32(at);
    const high = memory.u32(at + 4);
    const present = (low & pteValid) !== 0 || (low & pteGlobal) !== 0;
    if (!present) return notMapped;
    const ppn = (high & 0x3fffff) * 0x400000 + (low >>> 10);
    if ((low & pteReadWriteExecute) !== 0 || (low & pteValid) === 0) {
      return leafPage(va, ppn, span, level, high);
    }
    table = ppn * 4096;
    span /= 512;
  }
  return notMapped;
}

function leafPage(va: Gva, ppn: number, span: number, level: number, high: number): Gpa {
  let pages = span / 4096;
  const napot = (high & 0x80000000) !== 0;
  if (napot) {
    if (level !== 0 || ppn % 16 !== 8) return notMapped;
    ppn -= 8;
    pages = 16;
  }
  if (ppn % pages !== 0) return notMapped;
  const page = Math.floor(va / 4096);
  const within = ((page % pages) + pages) % pages;
  return (ppn + within) * 4096;
}

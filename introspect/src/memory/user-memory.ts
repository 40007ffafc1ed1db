/** Reads of a process's own memory through its page table, for a few bytes at a time. */
import { pageBytes, pageMask, type Gpa, type Gva } from './address.js';
import type { GuestMemory } from './guest-memory.js';
import { notMapped, walkPage, type PagingMode } from './page-table.js';

/** Copies from va into out until it is full or a page is not present; returns how many bytes were copied. */
export function readUser(memory: GuestMemory, root: Gpa, mode: PagingMode, va: Gva, out: Uint8Array): number {
  let done = 0;
  while (done < out.length) {
    const at = va + done;
    const page = walkPage(memory, root, mode, at);
    const within = at & pageMask;
    const length = Math.min(out.length - done, pageBytes - within);
    if (page === notMapped || !memory.contains(page + within, length)) break;
    out.set(memory.view(page + within, length), done);
    done += length;
  }
  return done;
}

/* Finding, building and dropping decoded blocks. Hart thread.
 *
 * Blocks and code pages live in one arena that is only ever emptied as a whole, between blocks. Dropping a
 * page's blocks (a store reached bytes they came from) makes them unreachable at once and sets hart->leave,
 * so that even the running block ends after the storing instruction: code is fetched as it is in memory,
 * without fence.i, whatever engine runs. */
#ifndef INTERP_BLOCK_H
#define INTERP_BLOCK_H

#include "interp/op.h"
#include "mmu/tlb.h"

struct block_counters {
  uint64_t built, dropped, flushed; /* blocks, blocks, whole arenas */
};

enum { BREAKPOINT_OFFSETS_MAX = 16 };

struct block_store {
  struct hart *hart;
  struct insn_index index;
  uint8_t *arena;
  size_t used;
  struct code_page **pages; /* by RAM page number */
  uint64_t page_count;
  uint64_t *live; /* RAM page numbers that have a code_page */
  uint64_t live_count;
  struct block *scratch; /* blocks cut short by the budget */
  struct block_counters counters;
  unsigned breakpoint_count;
  uint16_t breakpoint_offset[BREAKPOINT_OFFSETS_MAX]; /* page offsets where an op_breakpoint goes */
};

/* false: no memory. mmu_attach comes first. */
bool block_store_init(struct block_store *store, struct hart *hart);
void block_store_destroy(struct block_store *store);

/* The block at hart->pc, with hart->code_page set; builds it when needed. NULL: a fetch exception was raised.
 */
const struct block *block_find(struct block_store *store);

/* The first `insns` instructions of a block, as a scratch block valid until the next call. */
const struct block *block_cut(struct block_store *store, const struct block *block, unsigned insns);

/* Drop everything: breakpoints changed, RAM replaced. */
void block_flush(struct block_store *store);

#endif

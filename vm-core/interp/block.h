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

/* What a JIT asks of the store. All NULL without one. */
struct block_translator {
  op_fn hot;         /* op put before every block; its imm begins at hot_after */
  int64_t hot_after; /* executions */
  void **no_native;  /* code_page.native of a new page */
  void (*drop_page)(void *opaque, struct code_page *page); /* its blocks are gone */
  void (*drop_all)(void *opaque);                          /* before all pages go */
  void *opaque;
};

struct block_store {
  struct hart *hart;
  struct insn_index index;
  uint8_t *arena;
  size_t used, touched;     /* bytes; behind `touched` the arena is zero, as it was made */
  struct code_page **pages; /* by RAM page number */
  uint64_t page_count;
  uint64_t *live; /* RAM page numbers that have a code_page */
  uint64_t live_count;
  struct block *scratch; /* blocks cut short by the budget */
  struct block_counters counters;
  struct block_translator translator;
  unsigned breakpoint_count;
  uint16_t breakpoint_offset[BREAKPOINT_OFFSETS_MAX]; /* page offsets where an op_breakpoint goes */
};

/* false: no memory. mmu_attach comes first. */
bool block_store_init(struct block_store *store, struct hart *hart);
/* Before mmu_detach. */
void block_store_destroy(struct block_store *store);

/* The block at hart->pc, with hart->code_page set; builds it when needed. NULL: a fetch exception was raised.
 */
const struct block *block_find(struct block_store *store);

/* The code page of the instruction at va, which is in level 1 then. NULL: it has none, or a fetch exception
 * was raised. */
struct code_page *block_page(struct block_store *store, uint64_t va);

/* The first `insns` instructions of a block, as a scratch block valid until the next call. */
const struct block *block_cut(struct block_store *store, const struct block *block, unsigned insns);

/* Bytes [offset, offset + size) of a page that has blocks were decoded by a translator too: a store to them
 * drops the page's blocks. */
void block_cover(struct code_page *page, unsigned offset, unsigned size);

/* The bytes of a code page, PAGE_SIZE of them. */
const uint8_t *block_page_bytes(struct block_store *store, const struct code_page *page);

/* Drop everything: breakpoints changed, RAM replaced. */
void block_flush(struct block_store *store);

#endif

/* Turning instruction bytes into ops. */
#ifndef INTERP_BUILD_H
#define INTERP_BUILD_H

#include "interp/block.h"

/* Every instruction may have a breakpoint op before it; one op ends the block, one may
 * count its executions. */
enum { BLOCK_MAX_OPS = 2 * BLOCK_MAX_INSNS + 2, BLOCK_SINGLE_OPS = 4 };

static inline size_t block_size(unsigned ops) { return sizeof(struct block) + ops * sizeof(struct op); }

/* Decode from `offset` of the page up to max_insns (1..BLOCK_MAX_INSNS) instructions, a jump or the page's
 * end; `counted`: begin with the translator's op. The instruction at `offset` lies wholly in the page.
 * Returns the page offset behind the last one. */
unsigned block_build(const struct block_store *store, struct block *block, const uint8_t *page,
                     unsigned offset, unsigned max_insns, bool counted);

/* A block of the single instruction `word`, located at `offset`; not linked to any page. */
void block_build_single(const struct block_store *store, struct block *block, uint32_t word, unsigned offset,
                        bool counted);

/* The op of one instruction at page offset `offset`; `left` is the caller's. */
struct op block_make_op(const struct insn *insn, unsigned offset);

/* True when a breakpoint may be at this page offset. */
bool block_breakpoint_at(const struct block_store *store, unsigned offset);

/* Ops of a finished block. */
unsigned block_op_count(const struct block *block);

#endif

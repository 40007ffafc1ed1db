#include "interp/interp.h"

/* Runs chained blocks from `block` on; returns when the dispatcher must find the next one by hart->pc. */
static void run_chain(struct block_store *store, const struct block *block) {
  struct hart *hart = store->hart;
  do {
    if (unlikely(block->count > hart->budget)) {
      if (!hart->budget) {
        hart->pc = hart->code_page + block->offset;
        return;
      }
      block = block_cut(store, block, (unsigned)hart->budget);
    }
    hart->budget -= block->count;
    hart->block = block;
    block = block->ops->fn(hart, block->ops);
  } while (block);
}

static bool may_go_on(const struct hart *hart) {
  if (hart->budget <= 0 || hart->leave || hart->trap.raised) return false;
  return hart->fetching || !atomic_load_explicit(&hart->attention, memory_order_relaxed);
}

void interp_run(struct block_store *store) {
  struct hart *hart = store->hart;
  while (may_go_on(hart)) {
    const struct block *block = block_find(store);
    hart->fetching = false;
    if (!block) return;
    run_chain(store, block);
  }
}

/* The interpreter: runs blocks until the budget is spent, an exception is raised, hart->leave is set, or
 * (seen between chains of blocks) another thread wants attention. */
#ifndef INTERP_INTERP_H
#define INTERP_INTERP_H

#include "interp/block.h"

/* Runs at most hart->budget instructions. On return hart->pc, budget and pending are exact. */
void interp_run(struct block_store *store);

#endif

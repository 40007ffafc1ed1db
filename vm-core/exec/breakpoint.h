/* Breakpoints of a run: where blocks get a breakpoint op, and whether reaching one stops the hart. Hart
 * thread. */
#ifndef EXEC_BREAKPOINT_H
#define EXEC_BREAKPOINT_H

#include "exec/run.h"
#include "interp/block.h"

struct breakpoints {
  struct breakpoint at[BREAKPOINT_MAX];
  unsigned count;
  /* Where the last stop was: running on from there passes it once. */
  uint64_t passed_pc, passed_instret;
};

/* Take over the breakpoints of `limits` (texts must outlive the run) and note their page offsets in the
 * store. true: they differ from before, decoded blocks are void. */
bool breakpoints_set(struct breakpoints *breakpoints, const struct run_limits *limits,
                     struct block_store *store);

/* The hart is about to execute the instruction at pc: stop? */
bool breakpoints_hit(struct breakpoints *breakpoints, struct hart *hart, uint64_t pc);

#endif

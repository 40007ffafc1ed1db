/* --engine lockstep: two engines execute every instruction, and the first difference ends the run.
 *
 * The machine's own hart (the fast side, JIT) runs a stretch: what run_hart would run, cut to a pseudo-random
 * length. A second hart with RAM of its own (the reference, interpreter) then repeats it. Devices see only
 * the fast side; every access to them is logged with its instret and its effects, and answers the reference.
 * Then the whole hart state and every page either side wrote are compared. What happens between stretches
 * (traps, interrupts, events, DMA) is code both engines share: the reference takes the result over.
 *
 * On a difference both sides go back to the start of the stretch and repeat shorter parts of it, to name the
 * instruction; a report goes to standard error.
 *
 * Environment, for tests:
 *   LINUXSQL_LOCKSTEP_STRETCH=N           at most N instructions in a stretch (32768)
 *   LINUXSQL_LOCKSTEP_CUT=N               the reference runs in pieces of at most N instructions
 *   LINUXSQL_LOCKSTEP_FAST=interp         the fast side is the interpreter too
 *   LINUXSQL_LOCKSTEP_FAULT=INSTRET:WHAT  a deliberate error: flip the lowest bit of a word of the hart's
 * state (x5, f1, pc, csr.mepc, ... see hart/state.h) or of the byte at physical address 0x... on the fast
 * side when INSTRET is reached Hart thread. */
#ifndef EXEC_LOCKSTEP_H
#define EXEC_LOCKSTEP_H

#include "exec/breakpoint.h"

struct lockstep;

/* False when the fast side shall be an interpreter. */
bool lockstep_uses_jit(void);

/* `fast`: the block store of the machine's hart. NULL with a static text in *error. */
struct lockstep *lockstep_create(struct block_store *fast, const char **error);
/* Before the fast side's block store goes. NULL is allowed. */
void lockstep_destroy(struct lockstep *lockstep);

/* RAM or hart state was replaced from outside. */
void lockstep_flush(struct lockstep *lockstep);

/* The breakpoints of a run, for the reference. */
void lockstep_set_breakpoints(struct lockstep *lockstep, const struct run_limits *limits);

/* In place of interp_run. `breakpoints`: those of the fast side. false: the sides differ, the report is
 * written, and the hart must not go on. */
bool lockstep_run(struct lockstep *lockstep, const struct breakpoints *breakpoints);

#endif

/* The outer loop: runs a hart until a limit, a device or another thread stops it. Hart thread.
 *
 * Only this module takes traps and fires events. run_hart may be called again after any return and goes on
 * exactly where it stopped: where it stops never changes what the guest sees.
 *
 * An instant is one (instret, time_ns). What happens at it has an order: outside input, events that are due,
 * an interrupt or the end of WFI; then the next instruction begins, which retires or takes an exception. A
 * run ends between the interrupt and the next instruction, so that instret and time_ns say all about where it
 * stands. Exceptions to this are what a breakpoint, an exception or an ecall stops at, and a hart whose trap
 * handler cannot be fetched. */
#ifndef EXEC_RUN_H
#define EXEC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gen/telemetry.h"
#include "hart/hart.h"

enum engine_kind { ENGINE_INTERP, ENGINE_JIT, ENGINE_LOCKSTEP };

/* Input epochs: every this many instructions (instret a multiple of it) the owner takes in outside input. */
enum { EPOCH_INSNS = 1 << 18 };

/* "idle" means: the next event is at least this far away. */
enum { IDLE_NS = 10 * 1000 * 1000 };

/* Stop before the instruction at virtual address pc (any address space). With `reg` in 1..31 only when x[reg]
 * points to exactly `text` followed by a NUL, readable at this moment. */
struct breakpoint {
  uint64_t pc;
  uint8_t reg;
  const char *text;
};

enum { BREAKPOINT_MAX = 16 };

struct run_limits {
  uint64_t stop_at_instret; /* UINT64_MAX: none */
  bool stop_on_idle;
  bool stop_on_first_user;
  uint32_t fault_causes; /* bit c: stop after exception c was taken (page and access faults) */
  int64_t ecall_number;  /* stop after an ecall from U-mode with a7 equal to this; -1: off */
  const struct breakpoint *breakpoints;
  unsigned breakpoint_count; /* at most BREAKPOINT_MAX */
};

#define RUN_LIMITS_NONE ((struct run_limits){.stop_at_instret = UINT64_MAX, .ecall_number = -1})

/* The machine around the hart. Every member may be NULL. */
struct run_owner {
  /* Take in logged outside input: when an input epoch or stop_at_instret is reached, and when waiting has let
   * time go on. Never at the instant a run begins at. */
  void (*input)(void *opaque);
  /* An input epoch was reached, after input(). */
  void (*epoch)(void *opaque);
  /* The hart waits for `ns` of virtual time. Sleep on the host as far as wanted and return how many ns have
   * passed (at most ns); NULL or the same value back: jump at once. */
  uint64_t (*idle_wait)(void *opaque, uint64_t ns);
  /* WFI and no event is queued: wait for outside input. *passed, at first 0: how many ns go by
   * meanwhile, of which a replay learns from the input's record. False: STOP_HALTED. */
  bool (*idle_forever)(void *opaque, uint64_t *passed);
  void *opaque;
};

struct engine;

/* One engine for one hart; mmu_attach must have been called. NULL with a one-line reason in *error (static
 * text) when the engine does not exist in this build or memory is short. */
struct engine *engine_create(struct hart *hart, enum engine_kind kind, const struct run_owner *owner,
                             const char **error);
/* NULL is allowed. Before mmu_detach. */
void engine_destroy(struct engine *engine);

/* Forget decoded code and cached translations: RAM or hart state was replaced from outside. */
void engine_flush(struct engine *engine);

enum stop_reason run_hart(struct engine *engine, const struct run_limits *limits);

/* "budget", "breakpoint", ... for messages and SQL. */
const char *stop_reason_name(enum stop_reason reason);

/* Instructions retired by each kind of execution, for --stats and telemetry. */
struct engine_counters {
  uint64_t interp_insns, jit_insns, jit_compiles, jit_evictions, jit_entries, jit_exits[JIT_EXIT_COUNT];
  uint64_t jit_op_calls, jit_refills, jit_lookups, jit_drops, jit_failures, jit_code_bytes;
  uint64_t blocks_built, blocks_dropped, traps, interrupts, wfi;
  uint64_t tlb_fill_read, tlb_fill_write, tlb_fill_fetch, tlb_walks, tlb_flush, tlb_flush_page;
  uint64_t mmio_reads, mmio_writes;
};
void engine_counters(const struct engine *engine, struct engine_counters *out);

/* What the JIT did, as the last members of a JSON object, with its brace and a newline. */
void engine_print_jit(const struct engine_counters *counters, FILE *out);

#endif

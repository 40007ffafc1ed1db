#include "exec/run.h"

#include <stdlib.h>
#include <string.h>

#include "exec/breakpoint.h"
#include "exec/lockstep.h"
#include "hart/trap.h"
#include "interp/interp.h"
#include "jit/jit.h"
#include "mmu/mmu.h"

/* Traps one after the other with nothing retired in between: the handler itself cannot be fetched. Such a
 * hart does nothing until an interrupt comes, like one in WFI. */
enum { STUCK_TRAPS = 16 };

struct engine {
  struct hart *hart;
  struct run_owner owner;
  struct block_store blocks;
  struct jit *jit;           /* NULL: interpreter only */
  struct lockstep *lockstep; /* NULL: off */
  struct breakpoints breakpoints;
  uint64_t instret;      /* of the last arrival */
  bool idled;            /* time has gone on without an instruction since */
  bool asked;            /* to stop, as soon as the hart stands where a run may end */
  uint64_t trap_instret; /* of the last exception; UINT64_MAX: none, or time has gone on since */
  unsigned stuck;
  uint64_t wait_instret; /* of the last wait */
  uint64_t traps, interrupts, waits, insns_start;
};

static bool breakpoint_hit(void *opaque, uint64_t pc) {
  struct engine *engine = opaque;
  return breakpoints_hit(&engine->breakpoints, engine->hart, pc);
}

struct engine *engine_create(struct hart *hart, enum engine_kind kind, const struct run_owner *owner,
                             const char **error) {
  *error = "not enough memory for the engine";
  struct engine *engine = calloc(1, sizeof *engine);
  if (!engine) return NULL;
  engine->hart = hart;
  if (owner) engine->owner = *owner;
  engine->instret = engine->insns_start = hart_instret(hart);
  engine->trap_instret = engine->wait_instret = UINT64_MAX;
  if (!block_store_init(&engine->blocks, hart)) {
    free(engine);
    return NULL;
  }
  bool jit = kind == ENGINE_JIT || (kind == ENGINE_LOCKSTEP && lockstep_uses_jit());
  if ((jit && !(engine->jit = jit_create(&engine->blocks, error))) ||
      (kind == ENGINE_LOCKSTEP && !(engine->lockstep = lockstep_create(&engine->blocks, error)))) {
    engine_destroy(engine);
    return NULL;
  }
  hart->hooks.breakpoint = breakpoint_hit;
  hart->hooks.opaque = engine;
  return engine;
}

void engine_destroy(struct engine *engine) {
  if (!engine) return;
  lockstep_destroy(engine->lockstep);
  jit_destroy(engine->jit);
  block_store_destroy(&engine->blocks);
  free(engine);
}

void engine_flush(struct engine *engine) {
  block_flush(&engine->blocks);
  mmu_flush_all(engine->hart);
  if (engine->lockstep) lockstep_flush(engine->lockstep);
}

void engine_counters(const struct engine *engine, struct engine_counters *out) {
  const struct mmu_counters *mmu = &engine->hart->mmu->counters;
  const struct block_counters *blocks = &engine->blocks.counters;
  struct jit_counters jit = engine->jit ? *jit_counters(engine->jit) : (struct jit_counters){0};
  uint64_t jit_insns = jit.insns;
  *out = (struct engine_counters){
      .interp_insns = hart_instret(engine->hart) - engine->insns_start - jit_insns,
      .jit_insns = jit_insns,
      .jit_compiles = jit.compiles,
      .jit_evictions = jit.evictions,
      .jit_entries = jit.entries,
      .jit_op_calls = jit.op_calls,
      .jit_refills = jit.refills,
      .jit_lookups = jit.lookups,
      .jit_drops = jit.drops,
      .jit_failures = jit.failures,
      .jit_code_bytes = jit.code_bytes,
      .blocks_built = blocks->built,
      .blocks_dropped = blocks->dropped,
      .traps = engine->traps,
      .interrupts = engine->interrupts,
      .wfi = engine->waits,
      .tlb_fill_read = mmu->fill_read,
      .tlb_fill_write = mmu->fill_write,
      .tlb_fill_fetch = mmu->fill_fetch,
      .tlb_walks = mmu->walks,
      .tlb_flush = mmu->flush_all,
      .tlb_flush_page = mmu->flush_page,
      .mmio_reads = mmu->mmio_reads,
      .mmio_writes = mmu->mmio_writes,
  };
  memcpy(out->jit_exits, jit.exits, sizeof out->jit_exits);
}

const char *stop_reason_name(enum stop_reason reason) {
  static const char *const names[] = {
      [STOP_NONE] = "none",
      [STOP_BUDGET] = "budget",
      [STOP_BREAKPOINT] = "breakpoint",
      [STOP_FIRST_USER] = "first user instruction",
      [STOP_FAULT] = "fault",
      [STOP_ECALL] = "ecall",
      [STOP_REQUESTED] = "requested",
      [STOP_IDLE] = "idle",
      [STOP_HALTED] = "halted",
      [STOP_POWEROFF] = "poweroff",
      [STOP_REBOOT] = "reboot",
      [STOP_HTIF] = "htif",
      [STOP_DIVERGED] = "a difference between the engines",
  };
  return (unsigned)reason < sizeof names / sizeof *names ? names[reason] : "unknown";
}

static uint64_t next_epoch(uint64_t instret) { return (instret / EPOCH_INSNS + 1) * EPOCH_INSNS; }

/* A new instant. What comes from outside comes now, before anything else happens at it, and at no instant
 * twice: so an instant that a run has stopped at is complete, and a replay that stops at it stands at the
 * same. */
static void arrive(struct engine *engine, const struct run_limits *limits) {
  const struct run_owner *owner = &engine->owner;
  uint64_t now = hart_instret(engine->hart);
  bool retired = now != engine->instret, epoch = retired && now % EPOCH_INSNS == 0;
  bool takes_input = engine->idled || epoch || (retired && now >= limits->stop_at_instret);
  if (engine->idled) engine->trap_instret = UINT64_MAX;
  engine->instret = now;
  engine->idled = false;
  if (takes_input && owner->input) owner->input(owner->opaque);
  if (epoch && owner->epoch) owner->epoch(owner->opaque);
}

/* What an instant brings by itself. Doing it twice is doing it once. */
static void settle(struct engine *engine) {
  struct hart *hart = engine->hart;
  event_fire_due(hart);
  int irq = hart_pending_interrupt(hart);
  if (irq >= 0) {
    engine->interrupts++;
    engine->stuck = 0;
    hart->waiting = false;
    hart_take_interrupt(hart, (unsigned)irq);
  }
  if (hart->waiting && hart_wfi_ready(hart)) hart->waiting = false;
  /* The interrupt comes before the first instruction of user mode. */
  if (hart->stop_request == STOP_FIRST_USER && hart->priv != PRIV_U) hart->stop_request = STOP_NONE;
}

/* Whether to stop because another thread asks. An exception was taken at this instant, or its next fetch was
 * walked for: a run that only counts instructions stops before that, so the hart goes on by one. */
static bool asked_to_stop(struct engine *engine) {
  struct hart *hart = engine->hart;
  if (atomic_exchange_explicit(&hart->attention, 0, memory_order_acquire)) engine->asked = true;
  return engine->asked && !hart->fetching && engine->trap_instret != hart_instret(hart);
}

static void set_budget(struct hart *hart, uint64_t stop_at) {
  uint64_t now = hart_instret(hart), end = next_epoch(now);
  if (stop_at < end) end = stop_at;
  uint64_t event = event_next_ns(hart);
  if (event != EVENT_NEVER && event - hart->idle_ns < end) end = event - hart->idle_ns;
  hart->budget_end = end;
  hart->budget = (int64_t)(end - now);
}

/* Virtual time jumps to the next event, or as far as the owner lets it. */
static enum stop_reason wait_for_event(struct engine *engine, const struct run_limits *limits) {
  struct hart *hart = engine->hart;
  const struct run_owner *owner = &engine->owner;
  uint64_t event = event_next_ns(hart), now = hart_time_ns(hart), passed = 0;
  if (event == EVENT_NEVER) {
    if (limits->stop_on_idle) return STOP_IDLE;
    if (!owner->idle_forever || !owner->idle_forever(owner->opaque, &passed)) return STOP_HALTED;
  } else {
    uint64_t ns = event - now;
    if (limits->stop_on_idle && ns >= IDLE_NS) return STOP_IDLE;
    passed = owner->idle_wait ? owner->idle_wait(owner->opaque, ns) : ns;
    if (passed > ns) passed = ns;
  }
  hart->idle_ns += passed;
  engine->idled = passed > 0;
  return STOP_NONE;
}

static void take_exception(struct engine *engine, const struct run_limits *limits) {
  struct hart *hart = engine->hart;
  uint64_t cause = hart->trap.cause, now = hart_instret(hart);
  engine->stuck = now == engine->trap_instret ? engine->stuck + 1 : 0;
  engine->trap_instret = now;
  engine->traps++;
  hart_take_exception(hart);
  if (cause < 32 && (limits->fault_causes & BIT(cause))) hart_request_stop(hart, STOP_FAULT);
  if (cause == CAUSE_ECALL_U && limits->ecall_number >= 0 && hart->x[17] == (uint64_t)limits->ecall_number) {
    hart_request_stop(hart, STOP_ECALL);
  }
}

/* Asked for by what an instruction is or does: the hart stops right there. */
static bool stops_at_once(enum stop_reason reason) {
  return reason && reason != STOP_REQUESTED && reason != STOP_FIRST_USER;
}

/* Events, interrupts and waiting between two stretches of execution. STOP_NONE: the hart may run. */
static enum stop_reason between(struct engine *engine, const struct run_limits *limits) {
  struct hart *hart = engine->hart;
  for (;;) {
    if (stops_at_once(hart->stop_request)) {
      engine->instret = hart_instret(hart);
      return hart->stop_request;
    }
    arrive(engine, limits);
    settle(engine);
    if (hart->stop_request) return hart->stop_request;
    if (hart_instret(hart) >= limits->stop_at_instret) return STOP_BUDGET;
    if (asked_to_stop(engine)) return STOP_REQUESTED;
    if (!hart->waiting && engine->stuck < STUCK_TRAPS) return STOP_NONE;
    if (engine->asked) return STOP_REQUESTED; /* stuck: it may never go on */
    engine->stuck = 0;
    if (engine->wait_instret != hart_instret(hart)) engine->waits++;
    engine->wait_instret = hart_instret(hart);
    enum stop_reason reason = wait_for_event(engine, limits);
    if (reason) return reason;
  }
}

/* A trap was taken and nothing else can have changed: handlers are entered with less enabled than before, and
 * time, events and input have their instants at the end of the budget. What asks for more sets hart->leave.
 */
static bool goes_straight_on(const struct engine *engine) {
  const struct hart *hart = engine->hart;
  return hart->budget > 0 && !hart->leave && !hart->stop_request && engine->stuck < STUCK_TRAPS &&
         !atomic_load_explicit(&hart->attention, memory_order_relaxed);
}

static void run_stretch(struct engine *engine, const struct run_limits *limits) {
  do {
    interp_run(&engine->blocks);
    if (!engine->hart->trap.raised) return;
    take_exception(engine, limits);
  } while (goes_straight_on(engine));
}

enum stop_reason run_hart(struct engine *engine, const struct run_limits *limits) {
  struct hart *hart = engine->hart;
  hart->stop_request = STOP_NONE;
  hart->stop_on_first_user = limits->stop_on_first_user;
  engine->asked = false;
  if (breakpoints_set(&engine->breakpoints, limits, &engine->blocks)) block_flush(&engine->blocks);
  if (engine->lockstep) lockstep_set_breakpoints(engine->lockstep, limits);
  for (;;) {
    enum stop_reason reason = between(engine, limits);
    if (reason) return reason;
    hart->leave = false;
    set_budget(hart, engine->asked ? hart_instret(hart) + 1 : limits->stop_at_instret);
    if (!engine->lockstep) {
      run_stretch(engine, limits);
    } else {
      if (!lockstep_run(engine->lockstep, &engine->breakpoints)) return STOP_DIVERGED;
      if (hart->trap.raised) take_exception(engine, limits);
    }
  }
}

#include "exec/lockstep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exec/lockstep_side.h"
#include "interp/interp.h"
#include "mmu/mmu.h"
#include "mmu/tlb.h"

enum { MAX_STRETCH = 32768 };

static uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  uint64_t value = text ? strtoull(text, NULL, 0) : 0;
  return value ? value : otherwise;
}

bool lockstep_uses_jit(void) {
  const char *text = getenv("LINUXSQL_LOCKSTEP_FAST");
  return !text || strcmp(text, "interp") != 0;
}

static int word_named(const char *name) {
  for (unsigned word = 0; word < HART_STATE_WORDS; word++) {
    char text[HART_STATE_NAME];
    hart_state_name(word, text);
    if (*text && strcmp(text, name) == 0) return (int)word;
  }
  return -1;
}

/* INSTRET:WHAT */
static bool parse_deliberate(struct deliberate *deliberate, const struct phys *phys) {
  const char *text = getenv("LINUXSQL_LOCKSTEP_FAULT");
  char *end;
  if (!text) return true;
  deliberate->on = true;
  deliberate->at = strtoull(text, &end, 0);
  if (*end != ':') return false;
  deliberate->word = word_named(end + 1);
  if (deliberate->word >= 0) return true;
  deliberate->gpa = strtoull(end + 1, &end, 0);
  return !*end && phys_in_ram(phys, deliberate->gpa, 1);
}

static bool reference_breakpoint(void *opaque, uint64_t pc) {
  struct lockstep *lockstep = opaque;
  return breakpoints_hit(&lockstep->breakpoints, &lockstep->hart, pc);
}

static bool create_reference(struct lockstep *lockstep) {
  hart_init(&lockstep->hart);
  if (!pages_create(lockstep) || !mmu_attach(&lockstep->hart, &lockstep->phys) ||
      !block_store_init(&lockstep->store, &lockstep->hart))
    return false;
  lockstep->hart.hooks.breakpoint = reference_breakpoint;
  lockstep->hart.hooks.opaque = lockstep;
  return true;
}

struct lockstep *lockstep_create(struct block_store *fast, const char **error) {
  *error = "not enough memory for the lockstep engine";
  struct lockstep *lockstep = calloc(1, sizeof *lockstep);
  if (!lockstep) return NULL;
  struct hart *hart = fast->hart;
  lockstep->fast = (struct side){.lockstep = lockstep, .hart = hart, .phys = hart->mmu->phys, .store = fast};
  lockstep->reference = (struct side){
      .lockstep = lockstep, .hart = &lockstep->hart, .phys = &lockstep->phys, .store = &lockstep->store};
  lockstep->max_stretch = setting("LINUXSQL_LOCKSTEP_STRETCH", MAX_STRETCH);
  lockstep->max_cut = setting("LINUXSQL_LOCKSTEP_CUT", UINT64_MAX);
  bool good = create_reference(lockstep);
  if (good && !parse_deliberate(&lockstep->deliberate, hart->mmu->phys)) {
    *error = "LINUXSQL_LOCKSTEP_FAULT is not INSTRET:WHAT";
    good = false;
  }
  if (good) return lockstep;
  lockstep_destroy(lockstep);
  return NULL;
}

void lockstep_destroy(struct lockstep *lockstep) {
  if (!lockstep) return;
  if (lockstep->attached) {
    log_detach(lockstep);
    pages_detach(lockstep);
  }
  if (lockstep->store.hart) block_store_destroy(&lockstep->store);
  mmu_detach(&lockstep->hart);
  pages_destroy(lockstep);
  free(lockstep->meetings);
  free(lockstep->dma);
  free(lockstep);
}

void lockstep_flush(struct lockstep *lockstep) {
  if (!lockstep->attached) return;
  block_flush(&lockstep->store);
  mmu_flush_all(&lockstep->hart);
  pages_forget(lockstep);
  log_detach(lockstep);
  pages_detach(lockstep);
  lockstep->phys.mmio_count = 0;
  lockstep->attached = false;
}

void lockstep_set_breakpoints(struct lockstep *lockstep, const struct run_limits *limits) {
  if (breakpoints_set(&lockstep->breakpoints, limits, &lockstep->store)) block_flush(&lockstep->store);
}

/* The devices are there when the first instruction runs, not when the engine is made. */
static void attach(struct lockstep *lockstep) {
  if (lockstep->attached) return;
  lockstep->attached = true;
  pages_attach(lockstep);
  log_attach(lockstep);
  hart_state_save(lockstep->fast.hart, lockstep->start);
  hart_state_load(&lockstep->hart, lockstep->start);
  tlb_drop_level1(lockstep->fast.hart);
  if (!mmu_copy(&lockstep->hart, lockstep->fast.hart)) lockstep->short_of_memory = true;
}

/* Uniform in 0 .. bound - 1 and a function of the instant alone (splitmix64). */
static uint64_t scatter(uint64_t instret, uint64_t bound) {
  uint64_t z = instret + UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (z ^ z >> 31) % bound;
}

/* Mostly long, at times a few instructions: cuts everywhere. */
static uint64_t stretch_length(const struct lockstep *lockstep) {
  static const uint32_t most[] = {16, 256, 4096, 4096};
  uint64_t instret = hart_instret(lockstep->fast.hart), kind = scatter(~instret, 16);
  uint64_t bound = kind < 4 && most[kind] < lockstep->max_stretch ? most[kind] : lockstep->max_stretch;
  return 1 + scatter(instret, bound);
}

static void begin(struct lockstep *lockstep, const struct breakpoints *breakpoints) {
  struct hart *fast = lockstep->fast.hart, *reference = &lockstep->hart;
  hart_state_save(fast, lockstep->start);
  hart_state_load(reference, lockstep->start);
  reference->hooks.context_changed(reference, CONTEXT_MODE);
  reference->stop_on_first_user = fast->stop_on_first_user;
  reference->stop_request = STOP_NONE;
  lockstep->breakpoints.passed_pc = breakpoints->passed_pc;
  lockstep->breakpoints.passed_instret = breakpoints->passed_instret;
  lockstep->meeting_count = 0;
  lockstep->dma_used = 0;
  pages_begin(lockstep);
}

static bool must_look(const struct side *side) {
  const struct hart *hart = side->hart;
  if (hart->trap.raised || hart->waiting || hart->stop_request || side->must_leave || side->mismatch)
    return true;
  if (hart->stimer.queued && hart->stimer.at_ns <= hart_time_ns(hart)) return true;
  return hart->leave && hart_pending_interrupt(hart) >= 0;
}

void side_advance(struct side *side, uint64_t end) {
  struct hart *hart = side->hart;
  uint64_t cut = side == &side->lockstep->reference ? side->lockstep->max_cut : UINT64_MAX;
  side->next = 0;
  side->must_leave = false;
  side->mismatch = NULL;
  for (uint64_t now; (now = hart_instret(hart)) < end;) {
    uint64_t piece = end - now < cut ? end - now : cut;
    hart->leave = false;
    hart->budget_end = now + piece;
    hart->budget = (int64_t)piece;
    interp_run(side->store);
    if (must_look(side)) return;
  }
}

void lockstep_follow(struct lockstep *lockstep) {
  const struct hart *fast = lockstep->fast.hart;
  side_advance(&lockstep->reference, hart_instret(fast) + fast->trap.raised);
}

static bool same_end(struct lockstep *lockstep) {
  const struct hart *fast = lockstep->fast.hart;
  struct hart *reference = &lockstep->hart;
  if (fast->trap.raised != reference->trap.raised) return false;
  if (fast->trap.raised &&
      (fast->trap.cause != reference->trap.cause || fast->trap.tval != reference->trap.tval))
    return false;
  if (fast->stop_request == STOP_BREAKPOINT && !reference->stop_request)
    return breakpoints_hit(&lockstep->breakpoints, reference, reference->pc);
  return fast->stop_request == reference->stop_request;
}

bool lockstep_differs(struct lockstep *lockstep) {
  uint64_t fast[HART_STATE_WORDS], reference[HART_STATE_WORDS];
  hart_state_save(lockstep->fast.hart, fast);
  hart_state_save(&lockstep->hart, reference);
  if (memcmp(fast, reference, sizeof fast) != 0 || lockstep->fast.hart->x[0]) return true;
  if (!same_end(lockstep) || lockstep->fast.hart->pending) return true;
  if (lockstep->fast.mismatch || lockstep->reference.mismatch) return true;
  if (lockstep->reference.next != lockstep->meeting_count) return true;
  for (size_t i = 0; i < lockstep->saved_count; i++)
    if (pages_difference(lockstep, &lockstep->saved[i]) >= 0) return true;
  return lockstep->short_of_memory;
}

/* Flip one bit when this stretch has reached the instant. */
void lockstep_deliberate(struct lockstep *lockstep) {
  const struct deliberate *deliberate = &lockstep->deliberate;
  struct hart *hart = lockstep->fast.hart;
  if (!deliberate->on || hart_instret(hart) < deliberate->at) return;
  bool ignored;
  if (deliberate->word < 0) {
    *phys_write_ptr(lockstep->fast.phys, deliberate->gpa, 1, &ignored) ^= 1;
    return;
  }
  uint64_t words[HART_STATE_WORDS];
  struct trap trap = hart->trap;
  hart_state_save(hart, words);
  words[deliberate->word] ^= 1;
  hart_state_load(hart, words);
  hart->trap = trap;
}

bool lockstep_run(struct lockstep *lockstep, const struct breakpoints *breakpoints) {
  struct hart *hart = lockstep->fast.hart;
  attach(lockstep);
  begin(lockstep, breakpoints);
  uint64_t length = stretch_length(lockstep);
  if ((uint64_t)hart->budget > length) {
    hart->budget_end -= (uint64_t)hart->budget - length;
    hart->budget = (int64_t)length;
  }
  lockstep->recording = true;
  lockstep->fast.mismatch = NULL;
  interp_run(lockstep->fast.store);
  lockstep_deliberate(lockstep);
  lockstep_follow(lockstep);
  lockstep->recording = false;
  if (!lockstep_differs(lockstep)) return true;
  lockstep_report(lockstep);
  return false;
}

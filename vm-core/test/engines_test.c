/* Every engine stops, fires events, takes interrupts and meets breakpoints at the same instructions as the
 * interpreter, however a run is cut, also in hot code. */
#include "hart/state.h"
#include "test/rig.h"

enum { MRET = 0x30200073, BODY = 6, LOOP = BODY + 2, LOOPS = 5000 };

static const enum engine_kind kinds[] = {ENGINE_JIT, ENGINE_LOCKSTEP};
enum { KINDS = sizeof kinds / sizeof *kinds };

static uint32_t addi(unsigned rd, unsigned rs1, int imm) {
  return 0x13 | rd << 7 | rs1 << 15 | (uint32_t)(imm & 0xfff) << 20;
}
static uint32_t jump_back(unsigned bytes) {
  uint32_t imm = (uint32_t) - (int32_t)bytes;
  return 0x6f | (imm >> 12 & 0xff) << 12 | (imm >> 11 & 1) << 20 | (imm >> 1 & 0x3ff) << 21 | 1u << 31;
}

/* A loop of LOOP instructions: x5 counts rounds, x6 the others; a timer handler at 0x100 counts in x7. */
static void load(struct rig *t, enum engine_kind kind) {
  static const uint32_t handler[] = {
      0x14d022f3, /* csrr t0, stimecmp */
      0x00328293, /* addi t0, t0, 3 */
      0x14d29073, /* csrw stimecmp, t0 */
      0x00138393, /* addi t2, t2, 1 */
      MRET,
  };
  rig_init(t, NULL);
  rig_use(t, kind, NULL);
  for (unsigned i = 0; i < BODY; i++) rig_word(t, RIG_BASE + 4 * i, addi(6, 6, 1));
  rig_word(t, RIG_BASE + 4 * BODY, addi(8, 8, 1));
  rig_word(t, RIG_BASE + 4 * (BODY + 1), jump_back(4 * (BODY + 1)));
  for (unsigned i = 0; i < sizeof handler / sizeof *handler; i++)
    rig_word(t, RIG_BASE + 0x100 + 4 * i, handler[i]);
}

static void start_timer(struct rig *t) {
  csr_write(&t->hart, CSR_menvcfg, ENVCFG_STCE | ENVCFG_ADUE);
  csr_write(&t->hart, CSR_stimecmp, 5);
  csr_write(&t->hart, CSR_mtvec, RIG_BASE + 0x100);
  csr_write(&t->hart, CSR_mie, BIT(IRQ_STI));
  csr_write(&t->hart, CSR_mstatus, MSTATUS_MIE);
}

static bool same_state(const struct rig *a, const struct rig *b) {
  uint64_t x[HART_STATE_WORDS], y[HART_STATE_WORDS];
  hart_state_save(&a->hart, x);
  hart_state_save(&b->hart, y);
  return !memcmp(x, y, sizeof x);
}

static struct run_limits until(uint64_t instret) {
  struct run_limits limits = RUN_LIMITS_NONE;
  limits.stop_at_instret = instret;
  return limits;
}

static void test_exact_stops(struct rig *t, enum engine_kind kind) {
  struct rig r;
  load(&r, kind);
  uint64_t seed = 7, now = 0;
  for (unsigned i = 0; i < 3000; i++) {
    now += rig_random(&seed) % (i % 3 ? 40 : 3000);
    struct run_limits limits = until(now);
    enum stop_reason reason = run_hart(r.engine, &limits);
    CHECK(t, reason == STOP_BUDGET && hart_instret(&r.hart) == now,
          "engine %d: stopped by %s at %" PRIu64 ", not %" PRIu64, kind, stop_reason_name(reason),
          hart_instret(&r.hart), now);
    CHECK(t, r.hart.pc == RIG_BASE + 4 * (now % LOOP), "pc %" PRIx64 " after %" PRIu64, r.hart.pc, now);
    CHECK(t, r.hart.x[8] == (now + 1) / LOOP, "x8 %" PRIu64 " after %" PRIu64, r.hart.x[8], now);
  }
  rig_destroy(&r);
}

/* A timer interrupt every 300 instructions, the run cut anywhere, the engine flushed at times. */
static void test_cut_runs(struct rig *t, enum engine_kind kind) {
  for (uint64_t seed = 1; seed < 12; seed++) {
    struct rig a, b;
    uint64_t random = seed, end = 60000 + seed * 13;
    load(&a, ENGINE_INTERP);
    load(&b, kind);
    start_timer(&a);
    start_timer(&b);
    struct run_limits limits = until(end);
    run_hart(a.engine, &limits);
    while (hart_instret(&b.hart) < end) {
      uint64_t next = hart_instret(&b.hart) + 1 + rig_random(&random) % (seed * 200);
      limits = until(next < end ? next : end);
      if (run_hart(b.engine, &limits) == STOP_DIVERGED) break;
      if (rig_random(&random) % 7 == 0) engine_flush(b.engine);
    }
    CHECK(t, same_state(&a, &b), "engine %d, seed %" PRIu64 ": states differ", kind, seed);
    CHECK(t, a.hart.x[7] > 50, "timer interrupts: %" PRIu64, a.hart.x[7]);
    rig_destroy(&a);
    rig_destroy(&b);
  }
}

/* Breakpoints on every instruction of hot code in turn, some of them set when the code is hot already. */
static void test_breakpoints(struct rig *t, enum engine_kind kind) {
  for (unsigned at = 0; at < LOOP; at++) {
    struct rig r;
    load(&r, kind);
    struct run_limits limits = until(at % 2 ? LOOPS : 0);
    run_hart(r.engine, &limits);
    uint64_t now = hart_instret(&r.hart);
    struct breakpoint breakpoint = {.pc = RIG_BASE + 4 * at};
    limits.stop_at_instret = UINT64_MAX;
    limits.breakpoints = &breakpoint;
    limits.breakpoint_count = 1;
    uint64_t first = now + (at + LOOP - now % LOOP) % LOOP;
    for (unsigned i = 0; i < 300; i++) {
      enum stop_reason reason = run_hart(r.engine, &limits);
      uint64_t want = first + (uint64_t)i * LOOP;
      CHECK(t, reason == STOP_BREAKPOINT && hart_instret(&r.hart) == want && r.hart.pc == breakpoint.pc,
            "engine %d: stopped by %s at %" PRIu64 ", not %" PRIu64, kind, stop_reason_name(reason),
            hart_instret(&r.hart), want);
    }
    limits = until(hart_instret(&r.hart) + LOOPS);
    CHECK(t, run_hart(r.engine, &limits) == STOP_BUDGET, "runs on without it");
    rig_destroy(&r);
  }
}

/* Somebody else's write to RAM and engine_flush: the new code runs, also where the old was hot. */
static void test_replaced_code(struct rig *t, enum engine_kind kind) {
  struct rig r;
  load(&r, kind);
  for (unsigned i = 1; i < 20; i++) {
    uint64_t x6 = r.hart.x[6], start = hart_instret(&r.hart);
    for (unsigned k = 0; k < BODY; k++) rig_word(&r, RIG_BASE + 4 * k, addi(6, 6, (int)i));
    engine_flush(r.engine);
    struct run_limits limits = until(start + LOOP * 1000);
    run_hart(r.engine, &limits);
    CHECK(t, r.hart.x[6] - x6 == 1000 * BODY * i, "engine %d: x6 grew by %" PRIu64, kind, r.hart.x[6] - x6);
  }
  rig_destroy(&r);
}

int main(void) {
  static const char *const thresholds[] = {"1", "64"};
  struct rig t = {0};
  for (unsigned i = 0; i < 2 * KINDS; i++) {
    setenv("LINUXSQL_JIT_THRESHOLD", thresholds[i / KINDS], 1);
    enum engine_kind kind = kinds[i % KINDS];
    test_exact_stops(&t, kind);
    test_cut_runs(&t, kind);
    test_breakpoints(&t, kind);
    test_replaced_code(&t, kind);
  }
  return rig_finish(&t);
}

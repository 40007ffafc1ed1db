/* The run loop: exact counts, events and stops however a run is cut; WFI; self-modifying code; trap loops. */
#include "hart/state.h"
#include "test/rig.h"

enum { NOP = 0x00000013, WFI = 0x10500073, MRET = 0x30200073, LOOP_COUNT = 1000 };

static uint32_t addi(unsigned rd, unsigned rs1, int imm) {
  return 0x13 | rd << 7 | rs1 << 15 | (uint32_t)(imm & 0xfff) << 20;
}
static uint32_t jump_back(unsigned bytes) { /* jal x0, -bytes; below 2 KB */
  uint32_t imm = (uint32_t) - (int32_t)bytes;
  return 0x6f | (imm >> 12 & 0xff) << 12 | (imm >> 11 & 1) << 20 | (imm >> 1 & 0x3ff) << 21 | 1u << 31;
}

struct seen {
  struct hart *hart;
  struct event event;
  uint64_t at[64];
  unsigned count;
  uint64_t step_ns;
};

static void note(void *opaque) {
  struct seen *seen = opaque;
  if (seen->count < 64) seen->at[seen->count++] = hart_time_ns(seen->hart);
  event_schedule(seen->hart, &seen->event, seen->event.at_ns + seen->step_ns);
}

static struct run_limits until(uint64_t instret) {
  struct run_limits limits = RUN_LIMITS_NONE;
  limits.stop_at_instret = instret;
  return limits;
}

/* An endless loop of eight instructions: x5 counts rounds, x6 everything else. */
static void load_loop(struct rig *t) {
  for (unsigned i = 0; i < 6; i++) rig_word(t, RIG_BASE + 4 * i, addi(6, 6, 1));
  rig_word(t, RIG_BASE + 24, addi(5, 5, 1));
  rig_word(t, RIG_BASE + 28, jump_back(28));
}

static void test_exact_stop(struct rig *t) {
  load_loop(t);
  uint64_t seed = 7, now = hart_instret(&t->hart);
  for (unsigned i = 0; i < 2000; i++) {
    now += rig_random(&seed) % 40;
    struct run_limits limits = until(now);
    enum stop_reason reason = run_hart(t->engine, &limits);
    CHECK(t, reason == STOP_BUDGET && hart_instret(&t->hart) == now,
          "stopped by %s at %" PRIu64 ", not %" PRIu64, stop_reason_name(reason), hart_instret(&t->hart),
          now);
    CHECK(t, t->hart.pc == RIG_BASE + 4 * (now % 8), "pc %" PRIx64 " after %" PRIu64, t->hart.pc, now);
    CHECK(t, t->hart.x[5] == (now + 1) / 8, "x5 %" PRIu64 " after %" PRIu64, t->hart.x[5], now);
  }
}

static void test_exact_events(struct rig *t) {
  static const uint64_t steps[] = {1, 2, 7, 8, 9, 64, 1001};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    struct seen seen = {.hart = &t->hart, .step_ns = steps[i]};
    uint64_t start = hart_time_ns(&t->hart) + 3;
    seen.event.fire = note;
    seen.event.opaque = &seen;
    event_schedule(&t->hart, &seen.event, start);
    struct run_limits limits = until(hart_instret(&t->hart) + 70 * steps[i]);
    run_hart(t->engine, &limits);
    event_cancel(&t->hart, &seen.event);
    CHECK(t, seen.count == 64, "%u events", seen.count);
    for (unsigned k = 0; k < seen.count; k++) {
      CHECK(t, seen.at[k] == start + k * steps[i], "event %u of step %" PRIu64 " at %" PRIu64, k, steps[i],
            seen.at[k]);
    }
  }
}

/* The same program with a timer interrupt every 300 ns, run whole and run in pieces: equal states. */
static void load_timer_program(struct rig *t) {
  static const uint32_t handler[] = {
      0x14d022f3, /* csrr t0, stimecmp */
      0x00328293, /* addi t0, t0, 3 */
      0x14d29073, /* csrw stimecmp, t0 */
      0x00138393, /* addi t2, t2, 1 */
      MRET,
  };
  load_loop(t);
  for (unsigned i = 0; i < sizeof handler / sizeof *handler; i++)
    rig_word(t, RIG_BASE + 0x100 + 4 * i, handler[i]);
  csr_write(&t->hart, CSR_menvcfg, ENVCFG_STCE | ENVCFG_ADUE);
  csr_write(&t->hart, CSR_stimecmp, 5);
  csr_write(&t->hart, CSR_mtvec, RIG_BASE + 0x100);
  csr_write(&t->hart, CSR_mie, BIT(IRQ_STI));
  csr_write(&t->hart, CSR_mstatus, MSTATUS_MIE);
}

static void test_cut_runs(struct rig *t) {
  uint64_t whole[HART_STATE_WORDS], pieces[HART_STATE_WORDS];
  for (uint64_t seed = 1; seed < 20; seed++) {
    struct rig a, b;
    uint64_t random = seed, end = 20000 + seed * 13;
    rig_init(&a, NULL);
    rig_init(&b, NULL);
    load_timer_program(&a);
    load_timer_program(&b);
    struct run_limits limits = until(end);
    run_hart(a.engine, &limits);
    while (hart_instret(&b.hart) < end) {
      uint64_t next = hart_instret(&b.hart) + 1 + rig_random(&random) % (seed * 10);
      limits = until(next < end ? next : end);
      run_hart(b.engine, &limits);
      if (rig_random(&random) % 3 == 0) engine_flush(b.engine);
    }
    hart_state_save(&a.hart, whole);
    hart_state_save(&b.hart, pieces);
    CHECK(t, !memcmp(whole, pieces, sizeof whole), "seed %" PRIu64 ": states differ", seed);
    CHECK(t, a.hart.x[7] > 50, "timer interrupts: %" PRIu64, a.hart.x[7]);
    rig_destroy(&a);
    rig_destroy(&b);
  }
}

static void test_wfi(struct rig *t) {
  struct rig w;
  rig_init(&w, NULL);
  load_timer_program(&w);
  for (unsigned i = 0; i < 7; i++) rig_word(&w, RIG_BASE + 4 * i, i == 3 ? WFI : NOP);
  csr_write(&w.hart, CSR_stimecmp, 1000);
  struct run_limits limits = until(4);
  run_hart(w.engine, &limits);
  CHECK(t, w.hart.waiting && hart_time_ns(&w.hart) == 4, "waiting after WFI");
  limits = until(5);
  run_hart(w.engine, &limits);
  CHECK(t, hart_time_ns(&w.hart) == 100001 && w.hart.idle_ns == 100000 - 4, "woken at %" PRIu64,
        hart_time_ns(&w.hart));
  CHECK(t, w.hart.csr.mepc == RIG_BASE + 16 && w.hart.csr.mcause == (CAUSE_INTERRUPT | IRQ_STI),
        "mepc %" PRIx64, w.hart.csr.mepc);
  csr_write(&w.hart, CSR_stimecmp, UINT64_MAX);
  csr_write(&w.hart, CSR_mie, 0);
  limits = RUN_LIMITS_NONE;
  w.hart.pc = RIG_BASE;
  CHECK(t, run_hart(w.engine, &limits) == STOP_HALTED, "nothing will ever wake it");
  rig_destroy(&w);
}

/* A trap handler that cannot be fetched must not hang the loop. */
static void test_trap_loop(struct rig *t) {
  struct rig w;
  rig_init(&w, NULL);
  rig_word(&w, RIG_BASE, 0);
  csr_write(&w.hart, CSR_mtvec, 0x1000);
  struct run_limits limits = RUN_LIMITS_NONE;
  CHECK(t, run_hart(w.engine, &limits) == STOP_HALTED, "trap loop");
  rig_destroy(&w);
}

/* Code that rewrites the instruction right behind the store, and a later one of the same block, without
 * fence.i. */
static void test_self_modifying(struct rig *t) {
  struct rig w;
  rig_init(&w, NULL);
  rig_word(&w, RIG_BASE, 0x00b52023);          /* sw a1, 0(a0) */
  rig_word(&w, RIG_BASE + 4, addi(12, 12, 1)); /* becomes addi a3, a3, 5 */
  rig_word(&w, RIG_BASE + 8, addi(14, 14, 1));
  rig_word(&w, RIG_BASE + 12, jump_back(12));
  struct run_limits limits = until(1);
  w.hart.x[10] = RIG_BASE + 0x800; /* the first round stores elsewhere */
  run_hart(w.engine, &limits);
  limits = until(4);
  run_hart(w.engine, &limits);
  CHECK(t, w.hart.x[12] == 1 && w.hart.x[13] == 0, "before");
  w.hart.x[10] = RIG_BASE + 4;
  w.hart.x[11] = addi(13, 13, 5);
  limits = until(8);
  run_hart(w.engine, &limits);
  CHECK(t, w.hart.x[12] == 1 && w.hart.x[13] == 5 && w.hart.x[14] == 2, "x12 %" PRIu64 " x13 %" PRIu64,
        w.hart.x[12], w.hart.x[13]);
  rig_destroy(&w);
}

/* A 4-byte instruction over a page boundary, whose second half changes. */
static void test_across_pages(struct rig *t) {
  struct rig w;
  uint64_t at = RIG_BASE + 0xffe;
  uint16_t nop16 = 0x0001;
  rig_init(&w, NULL);
  for (unsigned i = 0; i < 2; i++) {
    uint32_t word = addi(5, 0, 7 + (int)i);
    memcpy(w.ram + 0xffe, &word, 4);
    memcpy(w.ram + 0x1002, &nop16, 2);
    w.hart.pc = at;
    struct run_limits limits = until(hart_instret(&w.hart) + 1);
    run_hart(w.engine, &limits);
    CHECK(t, w.hart.x[5] == 7 + i && w.hart.pc == at + 4, "x5 %" PRIu64 " pc %" PRIx64, w.hart.x[5],
          w.hart.pc);
  }
  rig_destroy(&w);
}

static void test_breakpoints(struct rig *t) {
  struct rig w;
  rig_init(&w, NULL);
  load_loop(&w);
  struct breakpoint points[] = {{.pc = RIG_BASE + 12}, {.pc = RIG_BASE + 24, .reg = 10, .text = "here"}};
  struct run_limits limits = until(1000);
  limits.breakpoints = points;
  limits.breakpoint_count = 2;
  memcpy(w.ram + 0x900, "here", 5);
  for (unsigned i = 0; i < 3; i++) {
    CHECK(t, run_hart(w.engine, &limits) == STOP_BREAKPOINT, "round %u", i);
    CHECK(t, w.hart.pc == RIG_BASE + 12 && hart_instret(&w.hart) == 3 + 8 * i, "pc %" PRIx64, w.hart.pc);
  }
  w.hart.x[10] = RIG_BASE + 0x900;
  CHECK(t, run_hart(w.engine, &limits) == STOP_BREAKPOINT && w.hart.pc == RIG_BASE + 24, "text breakpoint");
  limits.breakpoint_count = 0;
  CHECK(t, run_hart(w.engine, &limits) == STOP_BUDGET && hart_instret(&w.hart) == 1000, "cleared");
  rig_destroy(&w);
}

static void test_state_round_trip(struct rig *t) {
  uint64_t before[HART_STATE_WORDS], after[HART_STATE_WORDS];
  struct rig a, b;
  rig_init(&a, NULL);
  load_timer_program(&a);
  struct run_limits limits = until(777);
  run_hart(a.engine, &limits);
  hart_state_save(&a.hart, before);
  rig_init(&b, NULL);
  memcpy(b.ram, a.ram, RIG_SIZE);
  hart_state_load(&b.hart, before);
  engine_flush(b.engine);
  limits = until(5000);
  run_hart(a.engine, &limits);
  run_hart(b.engine, &limits);
  hart_state_save(&a.hart, before);
  hart_state_save(&b.hart, after);
  CHECK(t, !memcmp(before, after, sizeof before), "a loaded state goes on like the saved one");
  rig_destroy(&a);
  rig_destroy(&b);
}

int main(void) {
  struct rig t;
  rig_init(&t, NULL);
  test_exact_stop(&t);
  test_exact_events(&t);
  test_cut_runs(&t);
  test_wfi(&t);
  test_trap_loop(&t);
  test_self_modifying(&t);
  test_across_pages(&t);
  test_breakpoints(&t);
  test_state_round_trip(&t);
  rig_destroy(&t);
  return rig_finish(&t);
}

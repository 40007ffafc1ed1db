/* Where a run may end: instret and time_ns of every stop say all about the state there. A hart is disturbed
 * in every way it can be (input, another thread's attention in the middle of a stretch, idling cut short); a
 * second one, with nothing but the logged inputs, then goes to each of the instants the first stopped at. */
#include <pthread.h>
#include <sched.h>

#include "hart/state.h"
#include "test/rig.h"

enum { STOPS = 3000, INPUTS = 4000, DROP_NS = 7 };

struct instant {
  uint64_t instret, time_ns;
};

struct world {
  struct rig rig;
  struct event drop; /* ends the interrupt an input began */
  bool replays;
  uint64_t random;
  struct instant inputs[INPUTS], goal;
  unsigned input_count, next, waits_for_input;
};

static struct instant here(const struct world *world) {
  return (struct instant){hart_instret(&world->rig.hart), hart_time_ns(&world->rig.hart)};
}
static bool same(struct instant a, struct instant b) {
  return a.instret == b.instret && a.time_ns == b.time_ns;
}

static void drop(void *opaque) {
  struct world *world = opaque;
  hart_set_irq(&world->rig.hart, IRQ_MSI, false);
  if (!world->replays && rig_random(&world->random) % 2) hart_request_attention(&world->rig.hart);
}

static void deliver(struct world *world) {
  hart_set_irq(&world->rig.hart, IRQ_MSI, true);
  event_schedule(&world->rig.hart, &world->drop, hart_time_ns(&world->rig.hart) + DROP_NS);
}

static void on_input(void *opaque) {
  struct world *world = opaque;
  if (world->replays) {
    for (; world->next < world->input_count && same(world->inputs[world->next], here(world)); world->next++) {
      deliver(world);
      hart_request_attention(&world->rig.hart);
    }
    return;
  }
  bool comes = rig_random(&world->random) % 3 == 0;
  if (!comes || world->input_count == INPUTS) return;
  world->inputs[world->input_count++] = here(world);
  deliver(world);
  if (rig_random(&world->random) % 2) hart_request_attention(&world->rig.hart);
}

/* Not beyond the next input or the goal, if they lie within this idling. */
static uint64_t limited(struct world *world, uint64_t ns) {
  struct instant now = here(world), next = world->inputs[world->next];
  if (world->next < world->input_count && next.instret == now.instret && next.time_ns - now.time_ns < ns)
    ns = next.time_ns - now.time_ns;
  if (world->goal.instret != now.instret || world->goal.time_ns - now.time_ns > ns) return ns;
  hart_request_stop(&world->rig.hart, STOP_REQUESTED);
  return world->goal.time_ns - now.time_ns;
}

static uint64_t on_idle(void *opaque, uint64_t ns) {
  struct world *world = opaque;
  if (world->replays) return limited(world, ns);
  uint64_t kind = rig_random(&world->random) % 4;
  if (kind < 2) hart_request_attention(&world->rig.hart);
  return kind == 0 ? 0 : kind == 3 ? ns : rig_random(&world->random) % (ns + 1);
}

static bool on_idle_forever(void *opaque, uint64_t *passed) {
  struct world *world = opaque;
  if (world->replays) return (*passed = limited(world, UINT64_MAX)) != UINT64_MAX;
  if (rig_random(&world->random) % 2) hart_request_attention(&world->rig.hart);
  world->waits_for_input++;
  *passed = rig_random(&world->random) % 2;
  return true;
}

/* An ecall, then WFI with interrupts off; the handler at 0x100 steps over the ecall, or arms a timer that is
 * at times off, so that only input can go on. */
static const uint32_t program[] = {
    0x00130313, /* addi t1, t1, 1 */
    0x00130313, /* addi t1, t1, 1 */
    0x00000073, /* ecall */
    0x00130313, /* addi t1, t1, 1 */
    0x30047073, /* csrci mstatus, MIE */
    0x10500073, /* wfi */
    0x30046073, /* csrsi mstatus, MIE */
    0x00130313, /* addi t1, t1, 1 */
    0xfe1ff06f, /* j the beginning */
};
static const uint32_t handler[] = {
    0x342022f3, /* csrr t0, mcause */
    0x0002cc63, /* bltz t0, interrupt */
    0x341022f3, /* csrr t0, mepc */
    0x00428293, /* addi t0, t0, 4 */
    0x34129073, /* csrw mepc, t0 */
    0x00140413, /* addi s0, s0, 1 */
    0x30200073, /* mret */
    0x00148493, /* interrupt: addi s1, s1, 1 */
    0x0064f313, /* andi t1, s1, 6 */
    0xfff00293, /* li t0, -1 */
    0x00030663, /* beqz t1, off */
    0xc01022f3, /* csrr t0, time */
    0x00328293, /* addi t0, t0, 3 */
    0x14d29073, /* off: csrw stimecmp, t0 */
    0x30200073, /* mret */
};

static void load(struct world *world, enum engine_kind kind) {
  struct rig *rig = &world->rig;
  struct run_owner owner = {
      .input = on_input, .idle_wait = on_idle, .idle_forever = on_idle_forever, .opaque = world};
  rig_init(rig, NULL);
  rig_use(rig, kind, &owner);
  for (unsigned i = 0; i < sizeof program / sizeof *program; i++) rig_word(rig, RIG_BASE + 4 * i, program[i]);
  for (unsigned i = 0; i < sizeof handler / sizeof *handler; i++)
    rig_word(rig, RIG_BASE + 0x100 + 4 * i, handler[i]);
  csr_write(&rig->hart, CSR_menvcfg, ENVCFG_STCE | ENVCFG_ADUE);
  csr_write(&rig->hart, CSR_stimecmp, 5);
  csr_write(&rig->hart, CSR_mtvec, RIG_BASE + 0x100);
  csr_write(&rig->hart, CSR_mie, BIT(IRQ_STI) | BIT(IRQ_MSI));
  csr_write(&rig->hart, CSR_mstatus, MSTATUS_MIE);
  world->drop = (struct event){.fire = drop, .opaque = world};
}

struct pest {
  struct hart *hart;
  _Atomic bool ends;
};

static void *bother(void *opaque) {
  struct pest *pest = opaque;
  while (!atomic_load(&pest->ends)) {
    hart_request_attention(pest->hart);
    for (unsigned i = 0; i < 3; i++) sched_yield();
  }
  return NULL;
}

struct stop {
  struct instant at;
  uint64_t state[HART_STATE_WORDS], drop_ns;
};

static void note(const struct world *world, struct stop *stop) {
  stop->at = here(world);
  stop->drop_ns = world->drop.queued ? world->drop.at_ns : EVENT_NEVER;
  hart_state_save(&world->rig.hart, stop->state);
}

static void live(struct rig *t, struct world *world, struct stop *stops) {
  struct pest pest = {.hart = &world->rig.hart};
  pthread_t thread;
  CHECK(t, pthread_create(&thread, NULL, bother, &pest) == 0, "no thread");
  for (unsigned i = 0; i < STOPS; i++) {
    struct run_limits limits = RUN_LIMITS_NONE;
    limits.stop_at_instret = hart_instret(&world->rig.hart) + 1 + rig_random(&world->random) % 3000;
    enum stop_reason reason = run_hart(world->rig.engine, &limits);
    CHECK(t, reason == STOP_BUDGET || reason == STOP_REQUESTED, "stopped by %s", stop_reason_name(reason));
    note(world, &stops[i]);
  }
  atomic_store(&pest.ends, true);
  pthread_join(thread, NULL);
}

/* False: it does not come there. */
static bool go_to(struct world *world, struct instant goal) {
  world->goal = goal;
  while (!same(here(world), goal)) {
    struct run_limits limits = RUN_LIMITS_NONE;
    uint64_t now = hart_instret(&world->rig.hart);
    if (now > goal.instret || hart_time_ns(&world->rig.hart) > goal.time_ns) return false;
    limits.stop_at_instret = goal.instret + (now == goal.instret);
    uint64_t input = world->inputs[world->next].instret;
    if (world->next < world->input_count && input > now && input < limits.stop_at_instret)
      limits.stop_at_instret = input;
    enum stop_reason reason = run_hart(world->rig.engine, &limits);
    if (reason != STOP_BUDGET && reason != STOP_REQUESTED) return false;
  }
  return true;
}

static void replay(struct rig *t, struct world *world, const struct stop *stops) {
  struct stop now;
  for (unsigned i = 0; i < STOPS; i++) {
    bool there = go_to(world, stops[i].at);
    CHECK(t, there, "stop %u is not met again", i);
    if (!there) return;
    note(world, &now);
    CHECK(t, now.drop_ns == stops[i].drop_ns, "stop %u: another event waits", i);
    for (unsigned word = 0; word < HART_STATE_WORDS; word++) {
      char name[HART_STATE_NAME];
      hart_state_name(word, name);
      CHECK(t, now.state[word] == stops[i].state[word],
            "stop %u at %" PRIu64 "@%" PRIu64 ": %s is %" PRIx64 " and was %" PRIx64, i, now.at.instret,
            now.at.time_ns, name, now.state[word], stops[i].state[word]);
    }
  }
}

static void test_instants(struct rig *t, enum engine_kind kind, uint64_t seed) {
  struct world *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
  struct stop *stops = calloc(STOPS, sizeof *stops);
  if (!first || !second || !stops) exit(1);
  first->random = seed;
  second->replays = true;
  load(first, kind);
  load(second, kind);
  live(t, first, stops);
  CHECK(t, first->input_count > 100 && first->waits_for_input > 100, "%u inputs, waited for %u times",
        first->input_count, first->waits_for_input);
  memcpy(second->inputs, first->inputs, sizeof first->inputs);
  second->input_count = first->input_count;
  replay(t, second, stops);
  rig_destroy(&first->rig);
  rig_destroy(&second->rig);
  free(first);
  free(second);
  free(stops);
}

int main(void) {
  struct rig t;
  rig_init(&t, NULL);
  for (uint64_t seed = 1; seed <= 6; seed++) {
    test_instants(&t, ENGINE_INTERP, seed);
    test_instants(&t, ENGINE_JIT, seed);
  }
  rig_destroy(&t);
  return rig_finish(&t);
}

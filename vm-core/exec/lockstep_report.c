#include <inttypes.h>
#include <stdio.h>

#include "exec/lockstep_side.h"
#include "interp/interp.h"
#include "isa/insn.h"
#include "mmu/mmu.h"

enum { TRACE = 32, BYTES_SHOWN = 16, PAGES_SHOWN = 4 };

struct traced {
  uint64_t pc;
  uint32_t word;
  bool known;
};

static uint64_t start_instret(const struct lockstep *lockstep) { return lockstep->start[31 + 32]; }

static void rewind_side(struct lockstep *lockstep, struct side *side) {
  struct hart *hart = side->hart;
  pages_restore(lockstep, side);
  hart_state_load(hart, lockstep->start);
  hart->stop_request = STOP_NONE;
  hart->x[0] = 0;
  mmu_flush_all(hart);
}

/* Repeat the first `insns` instructions of the stretch on both sides; true: they differ. */
static bool repeat(struct lockstep *lockstep, uint64_t insns) {
  rewind_side(lockstep, &lockstep->fast);
  rewind_side(lockstep, &lockstep->reference);
  side_advance(&lockstep->fast, start_instret(lockstep) + insns);
  lockstep_deliberate(lockstep);
  /* A shorter part has fewer meetings: what counts is that both sides had as many. */
  size_t all = lockstep->meeting_count;
  lockstep->meeting_count = lockstep->fast.next;
  lockstep_follow(lockstep);
  bool differs = lockstep_differs(lockstep);
  lockstep->meeting_count = all;
  return differs;
}

/* The fewest instructions after which the sides differ; 0: not when repeated. */
static uint64_t find_first(struct lockstep *lockstep, uint64_t insns) {
  if (!repeat(lockstep, insns)) return 0;
  uint64_t same = 0, differs = insns;
  while (differs - same > 1) {
    uint64_t middle = same + (differs - same) / 2;
    if (repeat(lockstep, middle))
      differs = middle;
    else
      same = middle;
  }
  return differs;
}

static uint32_t fetch(const struct side *side, uint64_t va, bool *known) {
  uint32_t word = 0;
  for (unsigned part = 0; part < 2; part++) {
    uint64_t gpa;
    *known = mmu_debug_translate(side->hart, va + 2 * part, &gpa) && phys_in_ram(side->phys, gpa, 2);
    if (!*known) return 0;
    word |= (uint32_t) * (const uint16_t *)phys_read_ptr(side->phys, gpa) << 16 * part;
    if ((word & 3) != 3) break;
  }
  return word;
}

static void print_trace(const struct lockstep *lockstep, const struct traced *trace, unsigned count) {
  for (unsigned i = count > TRACE ? count - TRACE : 0; i < count; i++) {
    const struct traced *at = &trace[i % TRACE];
    char text[128] = "(not readable)";
    struct insn insn = insn_decode(&lockstep->store.index, at->word);
    if (at->known) insn_disasm(text, sizeof text, &insn, at->pc);
    fprintf(stderr, "    0x%016" PRIx64 "  %08x  %s\n", at->pc, at->known ? insn.raw : 0, text);
  }
}

/* The reference goes the way once more, one instruction at a time. */
static void report_path(struct lockstep *lockstep, uint64_t insns) {
  struct side *side = &lockstep->reference;
  struct traced trace[TRACE];
  unsigned count = 0;
  uint64_t start = start_instret(lockstep);
  rewind_side(lockstep, side);
  size_t next = 0;
  for (uint64_t done = 0; done < insns && count < UINT32_MAX; done++) {
    struct traced *at = &trace[count++ % TRACE];
    at->pc = side->hart->pc;
    at->word = fetch(side, at->pc, &at->known);
    side->next = next;
    side->must_leave = false;
    side->mismatch = NULL;
    side->hart->leave = false;
    side->hart->budget_end = start + done + 1;
    side->hart->budget = 1;
    interp_run(side->store);
    next = side->next;
    if (side->hart->trap.raised || hart_instret(side->hart) != start + done + 1) break;
  }
  fprintf(stderr, "  the last instructions, as the interpreter executes them:\n");
  print_trace(lockstep, trace, count);
  uint64_t gpa;
  if (count && mmu_debug_translate(side->hart, trace[(count - 1) % TRACE].pc, &gpa))
    fprintf(stderr,
            "  the last one is at physical 0x%" PRIx64 "; LINUXSQL_JIT_DUMP=FILE keeps all machine code\n",
            gpa);
}

static void report_words(const struct lockstep *lockstep) {
  uint64_t fast[HART_STATE_WORDS], reference[HART_STATE_WORDS];
  hart_state_save(lockstep->fast.hart, fast);
  hart_state_save(&lockstep->hart, reference);
  for (unsigned word = 0; word < HART_STATE_WORDS; word++) {
    char name[HART_STATE_NAME];
    hart_state_name(word, name);
    if (fast[word] != reference[word])
      fprintf(stderr,
              "  %-16s fast 0x%016" PRIx64 "  interpreter 0x%016" PRIx64 "  at the start 0x%016" PRIx64 "\n",
              name, fast[word], reference[word], lockstep->start[word]);
  }
  if (lockstep->fast.hart->x[0])
    fprintf(stderr, "  x0               fast 0x%016" PRIx64 "\n", lockstep->fast.hart->x[0]);
  if (lockstep->fast.hart->pending)
    fprintf(stderr, "  pending          fast %u\n", lockstep->fast.hart->pending);
}

static void report_end(const char *name, const struct hart *hart) {
  fprintf(stderr, "  %s stopped at pc 0x%" PRIx64 ", instret %" PRIu64 ", %s", name, hart->pc,
          hart_instret(hart), stop_reason_name(hart->stop_request));
  if (hart->trap.raised)
    fprintf(stderr, ", exception %" PRIu64 " tval 0x%" PRIx64, hart->trap.cause, hart->trap.tval);
  if (hart_pending_interrupt(hart) >= 0)
    fprintf(stderr, ", interrupt %d to take", hart_pending_interrupt(hart));
  fputc('\n', stderr);
}

static void report_meeting(const char *who, const struct meeting *meeting) {
  static const char *const kinds[] = {"read", "write", "watched store"};
  fprintf(stderr, "    %s: %s of %u bytes at 0x%" PRIx64 ", value 0x%" PRIx64 ", instret %" PRIu64 "\n", who,
          kinds[meeting->kind], meeting->size, meeting->gpa, meeting->value, meeting->instret);
}

static void report_meetings(const struct lockstep *lockstep) {
  const struct side *side = lockstep->fast.mismatch ? &lockstep->fast : &lockstep->reference;
  const struct meeting *logged =
      side->next < lockstep->meeting_count ? &lockstep->meetings[side->next] : NULL;
  if (side->mismatch) {
    fprintf(stderr, "  devices: %s\n", side->mismatch);
    if (logged) report_meeting("logged", logged);
    report_meeting("then", &side->met);
  } else if (lockstep->fast.next > side->next && logged) {
    fprintf(stderr, "  devices: an access only the fast side made\n");
    report_meeting("logged", logged);
  }
}

static void report_page(const struct lockstep *lockstep, const struct saved_page *saved, int at) {
  const uint8_t *fast = lockstep->fast.phys->ram + (saved->page << PAGE_SHIFT);
  const uint8_t *reference = lockstep->phys.ram + (saved->page << PAGE_SHIFT);
  int from = at & -BYTES_SHOWN;
  const uint8_t *rows[] = {fast, reference, saved->bytes};
  static const char *const names[] = {"fast", "interpreter", "at the start"};
  fprintf(stderr, "  memory differs from 0x%" PRIx64 " on:\n",
          lockstep->phys.ram_base + (saved->page << PAGE_SHIFT) + (uint64_t)at);
  for (unsigned row = 0; row < 3; row++) {
    fprintf(stderr, "    %-12s", names[row]);
    for (int i = 0; i < BYTES_SHOWN; i++) fprintf(stderr, " %02x", rows[row][from + i]);
    fputc('\n', stderr);
  }
}

static void report_pages(const struct lockstep *lockstep) {
  unsigned shown = 0;
  for (size_t i = 0; i < lockstep->saved_count; i++) {
    int at = pages_difference(lockstep, &lockstep->saved[i]);
    if (at >= 0 && shown++ < PAGES_SHOWN) report_page(lockstep, &lockstep->saved[i], at);
  }
  if (shown > PAGES_SHOWN) fprintf(stderr, "  and %u more pages\n", shown - PAGES_SHOWN);
}

static void report_state(const struct lockstep *lockstep) {
  report_end("the fast side", lockstep->fast.hart);
  report_end("the interpreter", &lockstep->hart);
  report_words(lockstep);
  report_meetings(lockstep);
  report_pages(lockstep);
}

void lockstep_report(struct lockstep *lockstep) {
  uint64_t insns = hart_instret(lockstep->fast.hart) - start_instret(lockstep);
  if (hart_instret(&lockstep->hart) - start_instret(lockstep) > insns)
    insns = hart_instret(&lockstep->hart) - start_instret(lockstep);
  insns += lockstep->fast.hart->trap.raised || lockstep->hart.trap.raised;
  fprintf(stderr,
          "linuxsql-vm: lockstep: the engines differ in the %" PRIu64 " instructions from instret %" PRIu64
          ", pc 0x%" PRIx64 " on\n",
          insns, start_instret(lockstep), lockstep->start[31 + 32 + 1]);
  if (lockstep->short_of_memory) fprintf(stderr, "  (there was no memory to compare them)\n");
  report_state(lockstep);
  atomic_store(&lockstep->fast.hart->attention, 0);
  lockstep->recording = false;
  lockstep->replaying = true;
  uint64_t first = lockstep->short_of_memory || !insns ? 0 : find_first(lockstep, insns);
  if (!first) {
    fprintf(stderr, "  repeated from there, they do not differ\n");
    report_path(lockstep, insns);
    return;
  }
  repeat(lockstep, first);
  fprintf(stderr, "  repeated from there, they differ first after %" PRIu64 " instructions:\n", first);
  report_state(lockstep);
  report_path(lockstep, first);
}

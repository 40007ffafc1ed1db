#include "exec/breakpoint.h"

#include <string.h>

#include "mmu/mmu.h"

static bool same(const struct breakpoints *breakpoints, const struct run_limits *limits) {
  if (breakpoints->count != limits->breakpoint_count) return false;
  for (unsigned i = 0; i < breakpoints->count; i++) {
    if (breakpoints->at[i].pc != limits->breakpoints[i].pc) return false;
  }
  return true;
}

bool breakpoints_set(struct breakpoints *breakpoints, const struct run_limits *limits,
                     struct block_store *store) {
  bool changed = !same(breakpoints, limits);
  unsigned count = limits->breakpoint_count < BREAKPOINT_MAX ? limits->breakpoint_count : BREAKPOINT_MAX;
  breakpoints->count = store->breakpoint_count = count;
  for (unsigned i = 0; i < count; i++) {
    breakpoints->at[i] = limits->breakpoints[i];
    store->breakpoint_offset[i] = limits->breakpoints[i].pc & 0xfff;
  }
  return changed;
}

/* Compare guest bytes at va with text and its NUL, page by page, without side effects. */
static bool points_to(const struct hart *hart, uint64_t va, const char *text) {
  struct phys *phys = hart->mmu->phys;
  for (size_t i = 0, length = strlen(text) + 1; i < length; i++) {
    uint64_t gpa;
    if (!mmu_debug_translate(hart, va + i, &gpa)) return false;
    if (*phys_read_ptr(phys, gpa) != (uint8_t)text[i]) return false;
  }
  return true;
}

bool breakpoints_hit(struct breakpoints *breakpoints, struct hart *hart, uint64_t pc) {
  uint64_t now = hart_instret(hart);
  if (breakpoints->passed_pc == pc && breakpoints->passed_instret == now) return false;
  for (unsigned i = 0; i < breakpoints->count; i++) {
    const struct breakpoint *at = &breakpoints->at[i];
    if (at->pc != pc) continue;
    if (at->reg && !points_to(hart, hart->x[at->reg & 31], at->text)) continue;
    breakpoints->passed_pc = pc;
    breakpoints->passed_instret = now;
    return true;
  }
  return false;
}

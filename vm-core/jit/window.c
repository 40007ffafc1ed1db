#include <string.h>

#include "jit/emit.h"

enum { SPAN_MAX = 2048 };

/* Bytes of a plain load or store, 0: it is none. */
static unsigned access_size(const struct insn *insn) {
  switch (insn->id) {
  case INSN_lb:
  case INSN_lbu:
  case INSN_sb: return 1;
  case INSN_lh:
  case INSN_lhu:
  case INSN_sh: return 2;
  case INSN_lw:
  case INSN_lwu:
  case INSN_sw:
  case INSN_flw:
  case INSN_fsw: return 4;
  case INSN_ld:
  case INSN_sd:
  case INSN_fld:
  case INSN_fsd: return 8;
  default: return 0;
  }
}

/* What may change translations or pages: the next access probes again. */
static bool closes_all(const struct insn *insn) {
  if (insn->id == INSN_ILLEGAL) return true;
  const struct insn_row *row = &insn_table[insn->id];
  return (row->flags & INSN_SYSTEM) || row->format == FORMAT_AMO || row->format == FORMAT_LR ||
         row->format == FORMAT_CBO;
}

static bool joins(const struct window *window, int32_t first, int32_t last) {
  int32_t low = first < window->first ? first : window->first;
  int32_t high = last > window->last ? last : window->last;
  return high - low < SPAN_MAX;
}

static void join(struct window *window, int32_t first, int32_t last, unsigned size, bool write) {
  if (first < window->first) window->first = first;
  if (last > window->last) window->last = last;
  if (size > window->granule) window->granule = (uint8_t)size;
  window->write |= write;
  window->uses++;
}

/* Window of the access, a new one where none fits; -1: it gets none. */
static int place(struct emitter *e, const struct insn *insn, int active) {
  unsigned size = access_size(insn);
  int32_t first = (int32_t)insn->imm, last = first + (int32_t)size - 1;
  if (first & (int32_t)(size - 1)) return -1;
  if (active < 0 || !joins(&e->windows[active], first, last)) {
    if (e->window_count == WINDOWS_MAX) return -1;
    active = (int)e->window_count++;
    e->windows[active] = (struct window){.base = insn->rs1, .granule = 1, .first = first, .last = last};
  }
  join(&e->windows[active], first, last, size, insn_table[insn->id].flags & INSN_STORE);
  return active;
}

static bool writes_register(const struct insn *insn) {
  switch (insn_table[insn->id].format) {
  case FORMAT_S:
  case FORMAT_B:
  case FORMAT_FL:
  case FORMAT_FS:
  case FORMAT_FR:
  case FORMAT_FRM:
  case FORMAT_FRM1:
  case FORMAT_FR4:
  case FORMAT_XTOF:
  case FORMAT_XTOFRM: return false;
  default: return true;
  }
}

void windows_plan(struct emitter *e) {
  int active[32];
  memset(active, -1, sizeof active);
  memset(e->window_of, -1, sizeof e->window_of);
  e->window_count = 0;
  for (unsigned i = 0; i < e->node->count; i++) {
    const struct insn *insn = &e->region->insns[e->node->insn[i]].insn;
    if (closes_all(insn)) {
      memset(active, -1, sizeof active);
      continue;
    }
    if (access_size(insn) && insn->rs1) {
      int w = place(e, insn, active[insn->rs1]);
      e->window_of[i] = (int8_t)w;
      if (w >= 0) active[insn->rs1] = w;
    }
    if (writes_register(insn)) active[insn->rd] = -1;
  }
}

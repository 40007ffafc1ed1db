/* Guest registers in host registers, instruction by instruction: a value that is read again gets a host
 * register, and when none is left the one whose next use is farthest goes to memory. */
#include <string.h>

#include "jit/emit.h"

/* Most used registers of compiled programs; the core is the first CORE_REGS of
 * both lists. */
#if HOST_RISCV
static const uint8_t core_guest[CORE_REGS] = {2, 10, 15, 14, 8,
                                              1, 11, 13, 12, 9}; /* sp a0 a5 a4 s0 ra a1 a3 a2 s1 */
#else
static const uint8_t core_guest[CORE_REGS] = {2, 10, 15}; /* sp a0 a5 */
#endif

#if HOST_X86
/* R3 is rcx, which variable shifts need: last. */
static const sljit_s32 pool[] = {SLJIT_S2, SLJIT_S3, SLJIT_S4, SLJIT_S5, SLJIT_R6,
                                 SLJIT_R4, SLJIT_R5, SLJIT_R2, SLJIT_R3};
#else
static const sljit_s32 pool[] = {SLJIT_S(2), SLJIT_S(3), SLJIT_S(4), SLJIT_S(5), SLJIT_S(6), SLJIT_S(7),
                                 SLJIT_S(8), SLJIT_S(9), SLJIT_R(3), SLJIT_R(4), SLJIT_R(5), SLJIT_R(6),
                                 SLJIT_R(7), SLJIT_R(8), SLJIT_R(9), SLJIT_R(10)};
#endif

enum { POOL = sizeof pool / sizeof *pool };

unsigned registers_pool(const sljit_s32 **first) {
  *first = pool;
  return POOL;
}

sljit_s32 registers_home(unsigned x) {
  for (unsigned i = 0; i < CORE_REGS; i++)
    if (core_guest[i] == x) return pool[i];
  return 0;
}

struct register_state registers_core(void) {
  struct register_state state = {.dirty = 0};
  for (unsigned i = 0; i < CORE_REGS; i++) {
    state.host[core_guest[i]] = (uint8_t)pool[i];
    state.dirty |= 1u << core_guest[i];
  }
  return state;
}

/* f registers of an instruction: read (bits) and written (bits). */
static uint32_t uses_f(const struct insn *insn, uint32_t *write) {
  *write = 0;
  if (insn->id == INSN_ILLEGAL) return 0;
  uint32_t rd = 1u << insn->rd, rs1 = 1u << insn->rs1, rs2 = 1u << insn->rs2;
  switch (insn_table[insn->id].format) {
  case FORMAT_FL:
  case FORMAT_XTOF:
  case FORMAT_XTOFRM: return *write = rd, 0;
  case FORMAT_FS: return rs2;
  case FORMAT_FR:
  case FORMAT_FRM: return *write = rd, rs1 | rs2;
  case FORMAT_FRM1: return *write = rd, rs1;
  case FORMAT_FR4: return *write = rd, rs1 | rs2 | 1u << insn->rs3;
  case FORMAT_FCMP: return rs1 | rs2;
  case FORMAT_FTOX:
  case FORMAT_FTOXRM: return rs1;
  default: return 0;
  }
}

static void choose_f(struct emitter *e) {
  uint32_t weight[32] = {0};
  for (unsigned i = 0; i < e->region->insn_count; i++) {
    const struct region_insn *at = &e->region->insns[i];
    uint32_t write, read = uses_f(&at->insn, &write);
    for (unsigned f = 0; f < 32; f++) weight[f] += at->weight * ((read >> f & 1) + (write >> f & 1));
    e->fwritten |= write;
  }
  for (unsigned i = 2; i < HOST_FLOATS; i++) {
    unsigned best = 0;
    for (unsigned f = 0; f < 32; f++)
      if (!e->fhost[f] && weight[f] > (e->fhost[best] ? 2 : weight[best])) best = f;
    if (e->fhost[best] || weight[best] < 3) break;
    e->fhost[best] = SLJIT_FR((int)i);
    e->uses_f = true;
  }
}

void registers_choose(struct emitter *e) {
  uses_find(e);
  choose_f(e);
}

static void load_one(struct emitter *e, unsigned x, sljit_s32 host) {
  sljit_emit_op1(e->c, SLJIT_MOV, host, 0, HART(x) + (sljit_sw)(8 * x));
}

static void store_one(struct emitter *e, unsigned x, sljit_s32 host) {
  sljit_emit_op1(e->c, SLJIT_MOV, HART(x) + (sljit_sw)(8 * x), host, 0);
}

/* Guest register in a host register, or 0. */
static unsigned holder(const struct register_state *state, sljit_s32 host) {
  for (unsigned x = 1; x < 32; x++)
    if (state->host[x] == host) return x;
  return 0;
}

/* A free host register: the one it had, or the one nobody else had most recently; those of the core last. */
static sljit_s32 free_host(const struct emitter *e, unsigned x) {
  sljit_s32 home = registers_home(x), found = 0;
  if (e->last[x] && !holder(&e->now, e->last[x])) return e->last[x];
  if (home && !holder(&e->now, home)) return home;
  for (unsigned i = 0; i < POOL; i++) {
    sljit_s32 host = pool[(i + CORE_REGS) % POOL];
    if (holder(&e->now, host)) continue;
    bool others = false;
    for (unsigned y = 1; y < 32; y++) others |= e->last[y] == host;
    if (!others) return host;
    if (!found) found = host;
  }
  return found;
}

/* The one to go: used again after more than `distance` instructions, and later than all others; 0: none. */
static unsigned victim(const struct emitter *e, uint32_t pinned, unsigned index, unsigned distance) {
  unsigned best = 0, farthest = distance;
  for (unsigned x = 1; x < 32; x++) {
    if (!e->now.host[x] || (pinned >> x & 1)) continue;
    unsigned next = uses_next(e, x, index);
    bool clean = !(e->now.dirty >> x & 1);
    if (next > farthest || (best && next == farthest && clean)) {
      best = x;
      farthest = next;
    }
  }
  return best;
}

/* A host register for x, not loaded; false: it stays in memory. */
static bool take(struct emitter *e, unsigned x, uint32_t pinned, unsigned index, unsigned distance) {
  sljit_s32 host = free_host(e, x);
  if (!host) {
    unsigned out = victim(e, pinned, index, distance);
    if (!out) return false;
    host = e->now.host[out];
    if (e->now.dirty >> out & 1) store_one(e, out, host);
    e->now.dirty &= ~(1u << out);
    e->now.host[out] = 0;
  }
  e->now.host[x] = e->last[x] = (uint8_t)host;
  return true;
}

void registers_prepare(struct emitter *e, unsigned index) {
  unsigned insn = e->node->insn[index], write = e->uses.writes[insn];
  uint32_t reads = e->uses.reads[insn], pinned = reads | 1u << write;
  for (unsigned x = 1; x < 32; x++) {
    if (!(pinned >> x & 1) || e->now.host[x]) continue;
    unsigned distance = uses_next(e, x, index);
    if (distance == USE_FAR || !take(e, x, pinned, index, distance)) continue;
    if (reads >> x & 1)
      load_one(e, x, e->now.host[x]);
    else
      e->fresh = 1u << x;
  }
}

bool registers_want(struct emitter *e, unsigned x) {
  unsigned last = e->node->count - 1u;
  uint32_t pinned = e->uses.reads[e->node->insn[last]] | 1u << x;
  if (e->now.host[x]) return true;
  if (!take(e, x, pinned, last, 1)) return false;
  load_one(e, x, e->now.host[x]);
  return true;
}

void registers_done(struct emitter *e) {
  unsigned write = e->uses.writes[e->node->insn[e->index]];
  e->fresh = 0;
  if (e->now.host[write]) e->now.dirty |= 1u << write;
}

void registers_load(struct emitter *e, const struct register_state *state) {
  for (unsigned x = 1; x < 32; x++)
    if (state->host[x]) load_one(e, x, state->host[x]);
}

void registers_store(struct emitter *e, const struct register_state *state) {
  for (unsigned x = 1; x < 32; x++)
    if (state->host[x] && (state->dirty >> x & 1)) store_one(e, x, state->host[x]);
}

void registers_load_f(struct emitter *e) {
  for (unsigned f = 0; f < 32; f++)
    if (e->fhost[f]) sljit_emit_fop1(e->c, SLJIT_MOV_F64, e->fhost[f], 0, HART(f) + (sljit_sw)(8 * f));
}

void registers_store_f(struct emitter *e) {
  for (unsigned f = 0; f < 32; f++)
    if (e->fhost[f] && (e->fwritten >> f & 1))
      sljit_emit_fop1(e->c, SLJIT_MOV_F64, HART(f) + (sljit_sw)(8 * f), e->fhost[f], 0);
}

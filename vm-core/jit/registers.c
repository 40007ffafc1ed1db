#include <string.h>

#include "jit/emit.h"

/* Most used registers of compiled programs; the core is the first CORE_REGS of
 * both lists. */
static const uint8_t core_guest[CORE_REGS] = {2, 10, 15}; /* sp a0 a5 */

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

void registers_core(sljit_s32 host[32]) {
  memset(host, 0, 32 * sizeof *host);
  for (unsigned i = 0; i < CORE_REGS; i++) host[core_guest[i]] = pool[i];
}

/* Integer registers an instruction reads (bits) and writes (*write, 0: none).
 */
static uint32_t uses(const struct insn *insn, unsigned *write) {
  *write = 0;
  if (insn->id == INSN_ILLEGAL) return 0;
  uint32_t rs1 = 1u << insn->rs1, rs2 = 1u << insn->rs2;
  switch (insn_table[insn->id].format) {
  case FORMAT_R:
  case FORMAT_AMO: return *write = insn->rd, rs1 | rs2;
  case FORMAT_R1:
  case FORMAT_I:
  case FORMAT_L:
  case FORMAT_SH6:
  case FORMAT_SH5:
  case FORMAT_CSR:
  case FORMAT_LR: return *write = insn->rd, rs1;
  case FORMAT_U:
  case FORMAT_J:
  case FORMAT_CSRI:
  case FORMAT_FCMP:
  case FORMAT_FTOX:
  case FORMAT_FTOXRM: return *write = insn->rd, 0;
  case FORMAT_S:
  case FORMAT_B:
  case FORMAT_SFENCE: return rs1 | rs2;
  case FORMAT_CBO:
  case FORMAT_FL:
  case FORMAT_FS:
  case FORMAT_XTOF:
  case FORMAT_XTOFRM: return rs1;
  default: return 0;
  }
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
  uint32_t weight[32] = {0}, written = 0;
  registers_core(e->host);
  for (unsigned i = 0; i < e->region->insn_count; i++) {
    const struct region_insn *at = &e->region->insns[i];
    unsigned write;
    uint32_t read = uses(&at->insn, &write);
    for (unsigned x = 1; x < 32; x++) weight[x] += at->weight * ((read >> x & 1) + (write == x));
    written |= 1u << write;
  }
  for (unsigned i = CORE_REGS; i < POOL; i++) {
    unsigned best = 0;
    for (unsigned x = 1; x < 32; x++)
      if (!e->host[x] && weight[x] > weight[best]) best = x;
    if (!best || weight[best] < 3) break;
    e->host[best] = pool[i];
    e->extras |= 1u << best;
  }
  e->written = written & ~1u;
  choose_f(e);
}

void registers_load(struct emitter *e, bool core) {
  for (unsigned x = 1; x < 32; x++)
    if (e->host[x] && (core || (e->extras >> x & 1)))
      sljit_emit_op1(e->c, SLJIT_MOV, e->host[x], 0, HART(x) + (sljit_sw)(8 * x));
  for (unsigned f = 0; f < 32; f++)
    if (e->fhost[f]) sljit_emit_fop1(e->c, SLJIT_MOV_F64, e->fhost[f], 0, HART(f) + (sljit_sw)(8 * f));
}

void registers_store(struct emitter *e, bool core) {
  for (unsigned x = 1; x < 32; x++) {
    bool extra = e->extras >> x & 1;
    if (e->host[x] && (extra ? e->written >> x & 1 : core))
      sljit_emit_op1(e->c, SLJIT_MOV, HART(x) + (sljit_sw)(8 * x), e->host[x], 0);
  }
  for (unsigned f = 0; f < 32; f++)
    if (e->fhost[f] && (e->fwritten >> f & 1))
      sljit_emit_fop1(e->c, SLJIT_MOV_F64, HART(f) + (sljit_sw)(8 * f), e->fhost[f], 0);
}

/* Integer loads and stores: the interpreter's TLB probe inline, its op function
 * where that misses. */
#include "jit/emit.h"

static void load(struct emitter *e, const struct region_insn *at, sljit_s32 move, unsigned size) {
  unsigned rd = at->insn.rd;
  struct operand from = access_place(e, at, false, size, NULL);
  if (rd) set_guest(e, rd, move, from);
  access_done(e);
}

/* R0 stays free beside a place in R1, R1 beside one in R0. */
static struct operand other_temp(struct operand place) {
  return reg(place.r == SLJIT_MEM1(SLJIT_R0) ? SLJIT_R1 : SLJIT_R0);
}

static void store(struct emitter *e, const struct region_insn *at, sljit_s32 move, unsigned size) {
  struct operand to = access_place(e, at, true, size, NULL), value = guest(e, at->insn.rs2);
  if (value.r & SLJIT_MEM) {
    struct operand temp = other_temp(to);
    op1(e, SLJIT_MOV, temp, value);
    value = temp;
  }
  op1(e, move, to, value);
  access_done(e);
}

/* f registers: refused while mstatus.FS is Off, Dirty afterwards; inline only when it is Dirty already. */
static void load_f(struct emitter *e, const struct region_insn *at, bool single) {
  unsigned rd = at->insn.rd;
  struct sljit_jump *clean = float_state(e, FLOAT_DIRTY);
  struct operand from = access_place(e, at, false, single ? 4 : 8, clean), temp = other_temp(from);
  if (!single && e->fhost[rd]) {
    sljit_emit_fop1(e->c, SLJIT_MOV_F64, e->fhost[rd], 0, from.r, from.w);
  } else {
    op1(e, single ? SLJIT_MOV_U32 : SLJIT_MOV, temp, from);
    if (single) { /* its upper half is all ones */
      sljit_s32 ones = temp.r == SLJIT_R0 ? SLJIT_R1 : SLJIT_R0;
      op1(e, SLJIT_MOV, reg(ones), imm((int64_t)UINT64_C(0xffffffff00000000)));
      op2(e, SLJIT_OR, temp, temp, reg(ones));
      if (ones == SLJIT_R1) e->cached = -1;
    }
    if (e->fhost[rd])
      sljit_emit_fcopy(e->c, SLJIT_COPY_TO_F64, e->fhost[rd], temp.r);
    else
      op1(e, SLJIT_MOV, guest_f(e, rd), temp);
  }
  e->boxed = single ? e->boxed | 1u << rd : e->boxed & ~(1u << rd);
  access_done(e);
}

static void store_f(struct emitter *e, const struct region_insn *at, bool single) {
  unsigned rs2 = at->insn.rs2;
  struct sljit_jump *clean = float_state(e, FLOAT_DIRTY);
  struct operand to = access_place(e, at, true, single ? 4 : 8, clean), temp = other_temp(to);
  if (e->fhost[rs2]) {
    sljit_emit_fop1(e->c, single ? SLJIT_MOV_F32 : SLJIT_MOV_F64, to.r, to.w, e->fhost[rs2], 0);
  } else {
    op1(e, SLJIT_MOV, temp, guest_f(e, rs2));
    op1(e, single ? SLJIT_MOV_U32 : SLJIT_MOV, to, temp);
  }
  access_done(e);
}

bool lower_memory(struct emitter *e, const struct region_insn *at) {
  switch (at->insn.id) {
  case INSN_lb: return load(e, at, SLJIT_MOV_S8, 1), true;
  case INSN_lh: return load(e, at, SLJIT_MOV_S16, 2), true;
  case INSN_lw: return load(e, at, SLJIT_MOV_S32, 4), true;
  case INSN_ld: return load(e, at, SLJIT_MOV, 8), true;
  case INSN_lbu: return load(e, at, SLJIT_MOV_U8, 1), true;
  case INSN_lhu: return load(e, at, SLJIT_MOV_U16, 2), true;
  case INSN_lwu: return load(e, at, SLJIT_MOV_U32, 4), true;
  case INSN_sb: return store(e, at, SLJIT_MOV_U8, 1), true;
  case INSN_sh: return store(e, at, SLJIT_MOV_U16, 2), true;
  case INSN_sw: return store(e, at, SLJIT_MOV_U32, 4), true;
  case INSN_sd: return store(e, at, SLJIT_MOV, 8), true;
  case INSN_flw: return load_f(e, at, true), true;
  case INSN_fld: return load_f(e, at, false), true;
  case INSN_fsw: return store_f(e, at, true), true;
  case INSN_fsd: return store_f(e, at, false), true;
  default: return false;
  }
}

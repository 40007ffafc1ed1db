/* D on hosts whose exception flags are not used (jit/lower_sse.c uses them). Singles are called.
 *
 * Arithmetic is done by the host's unit while hart->fp_fast holds and kept when
 * the result is normal and not next to the subnormals: then no flag can change
 * and IEEE 754 leaves one answer (fp/host.h says why). All else goes to the op
 * function. */
#include <string.h>

#include "jit/emit.h"

enum { RM_RNE = 0, RM_DYNAMIC = 7 };

static struct sljit_jump *unless(struct emitter *e, size_t flag) {
  sljit_emit_op1(e->c, SLJIT_MOV_U8, SLJIT_R0, 0, SLJIT_MEM1(HOST_HART), (sljit_sw)flag);
  return branch(e, SLJIT_EQUAL, reg(SLJIT_R0), imm(0));
}

static struct sljit_jump *unless_fast(struct emitter *e) { return unless(e, offsetof(struct hart, fp_fast)); }
static struct sljit_jump *unless_dirty(struct emitter *e) {
  return unless(e, offsetof(struct hart, fp_dirty));
}

/* Jump taken when the double in FR0 is zero, subnormal, the smallest normals',
 * infinite or NaN. */
static struct sljit_jump *unless_normal(struct emitter *e) {
  sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, SLJIT_FR0, SLJIT_R0);
  op2(e, SLJIT_LSHR, reg(SLJIT_R0), reg(SLJIT_R0), imm(52));
  op2(e, SLJIT_SUB, reg(SLJIT_R0), reg(SLJIT_R0), imm(2));
  op2(e, SLJIT_AND, reg(SLJIT_R0), reg(SLJIT_R0), imm(0x7ff));
  return branch(e, SLJIT_GREATER_EQUAL, reg(SLJIT_R0), imm(0x7fd));
}

static void set_f(struct emitter *e, unsigned f, sljit_s32 from) {
  struct operand d = guest_f(e, f);
  sljit_emit_fop1(e->c, SLJIT_MOV_F64, d.r, d.w, from, 0);
}

static sljit_s32 in_fregister(struct emitter *e, unsigned f, sljit_s32 temp) {
  struct operand from = guest_f(e, f);
  if (e->fhost[f]) return e->fhost[f];
  sljit_emit_fop1(e->c, SLJIT_MOV_F64, temp, 0, from.r, from.w);
  return temp;
}

static bool rounds_to_nearest(const struct insn *insn) {
  return insn->rm == RM_RNE || insn->rm == RM_DYNAMIC;
}

static bool arithmetic(struct emitter *e, const struct region_insn *at, sljit_s32 op) {
  const struct insn *insn = &at->insn;
  if (!rounds_to_nearest(insn)) return false;
  struct operand a = guest_f(e, insn->rs1), b = guest_f(e, insn->rs2);
  struct sljit_jump *slow = unless_fast(e);
  sljit_emit_fop2(e->c, op, SLJIT_FR0, 0, a.r, a.w, b.r, b.w);
  cold_op(e, unless_normal(e), slow, side_op(e, at));
  set_f(e, insn->rd, SLJIT_FR0);
  resume_here(e);
  return true;
}

/* Ordered operands: no flag. */
static bool compare(struct emitter *e, const struct region_insn *at, sljit_s32 type, sljit_s32 set) {
  const struct insn *insn = &at->insn;
  struct sljit_jump *slow = unless_dirty(e);
  sljit_s32 a = in_fregister(e, insn->rs1, SLJIT_FR0), b = in_fregister(e, insn->rs2, SLJIT_FR1);
  cold_op(e, sljit_emit_fcmp(e->c, SLJIT_UNORDERED, a, 0, b, 0), slow, side_op(e, at));
  if (insn->rd) {
    struct operand d = guest(e, insn->rd);
    sljit_emit_fop1(e->c, SLJIT_CMP_F64 | set, a, 0, b, 0);
    sljit_emit_op_flags(e->c, SLJIT_MOV, d.r, d.w, type);
  }
  resume_here(e);
  return true;
}

/* fsgnj, fsgnjn, fsgnjx: on the bits. */
static bool sign(struct emitter *e, const struct region_insn *at, sljit_s32 change) {
  const struct insn *insn = &at->insn;
  cold_op(e, unless_dirty(e), NULL, side_op(e, at));
  if (insn->rs1 == insn->rs2 && !change) {
    struct operand a = guest_f(e, insn->rs1);
    if (e->fhost[insn->rs1] || e->fhost[insn->rd]) {
      struct operand d = guest_f(e, insn->rd);
      sljit_emit_fop1(e->c, SLJIT_MOV_F64, d.r, d.w, a.r, a.w);
    } else {
      op1(e, SLJIT_MOV, guest_f(e, insn->rd), a);
    }
    resume_here(e);
    return true;
  }
  sljit_s32 a = in_fregister(e, insn->rs1, SLJIT_FR0), b = in_fregister(e, insn->rs2, SLJIT_FR1);
  sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, a, SLJIT_R0);
  sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, b, SLJIT_R1);
  if (change == 'x') op2(e, SLJIT_XOR, reg(SLJIT_R1), reg(SLJIT_R1), reg(SLJIT_R0));
  if (change == 'n') op2(e, SLJIT_XOR, reg(SLJIT_R1), reg(SLJIT_R1), imm(-1));
  op2(e, SLJIT_LSHR, reg(SLJIT_R1), reg(SLJIT_R1), imm(63));
  op2(e, SLJIT_SHL, reg(SLJIT_R1), reg(SLJIT_R1), imm(63));
  op2(e, SLJIT_SHL, reg(SLJIT_R0), reg(SLJIT_R0), imm(1));
  op2(e, SLJIT_LSHR, reg(SLJIT_R0), reg(SLJIT_R0), imm(1));
  op2(e, SLJIT_OR, reg(SLJIT_R0), reg(SLJIT_R0), reg(SLJIT_R1));
  sljit_emit_fcopy(e->c, SLJIT_COPY_TO_F64, SLJIT_FR0, SLJIT_R0);
  set_f(e, insn->rd, SLJIT_FR0);
  resume_here(e);
  return true;
}

/* Integers to double: exact, or rounded with NX, which is set already. */
static bool from_integer(struct emitter *e, const struct region_insn *at, sljit_s32 widen) {
  const struct insn *insn = &at->insn;
  if (!rounds_to_nearest(insn)) return false;
  cold_op(e, unless_fast(e), NULL, side_op(e, at));
  op1(e, widen, reg(SLJIT_R0), guest(e, insn->rs1));
  sljit_emit_fop1(e->c, SLJIT_CONV_F64_FROM_SW, SLJIT_FR0, 0, SLJIT_R0, 0);
  set_f(e, insn->rd, SLJIT_FR0);
  resume_here(e);
  return true;
}

static bool move_bits(struct emitter *e, const struct region_insn *at, bool to_x) {
  const struct insn *insn = &at->insn;
  cold_op(e, unless_dirty(e), NULL, side_op(e, at));
  if (to_x && insn->rd) {
    sljit_s32 a = in_fregister(e, insn->rs1, SLJIT_FR0);
    sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, a, SLJIT_R0);
    op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R0));
  } else if (!to_x) {
    op1(e, SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs1));
    sljit_emit_fcopy(e->c, SLJIT_COPY_TO_F64, SLJIT_FR0, SLJIT_R0);
    set_f(e, insn->rd, SLJIT_FR0);
  }
  resume_here(e);
  return true;
}

bool lower_float(struct emitter *e, const struct region_insn *at) {
  switch (at->insn.id) {
  case INSN_fadd_d: return arithmetic(e, at, SLJIT_ADD_F64);
  case INSN_fsub_d: return arithmetic(e, at, SLJIT_SUB_F64);
  case INSN_fmul_d: return arithmetic(e, at, SLJIT_MUL_F64);
  case INSN_fdiv_d: return arithmetic(e, at, SLJIT_DIV_F64);
  case INSN_feq_d: return compare(e, at, SLJIT_F_EQUAL, SLJIT_SET_F_EQUAL);
  case INSN_flt_d: return compare(e, at, SLJIT_F_LESS, SLJIT_SET_F_LESS);
  case INSN_fle_d: return compare(e, at, SLJIT_F_LESS_EQUAL, SLJIT_SET_F_LESS_EQUAL);
  case INSN_fsgnj_d: return sign(e, at, 0);
  case INSN_fsgnjn_d: return sign(e, at, 'n');
  case INSN_fsgnjx_d: return sign(e, at, 'x');
  case INSN_fcvt_d_w: return from_integer(e, at, SLJIT_MOV_S32);
  case INSN_fcvt_d_wu: return from_integer(e, at, SLJIT_MOV_U32);
  case INSN_fcvt_d_l: return from_integer(e, at, SLJIT_MOV);
  case INSN_fmv_x_d: return move_bits(e, at, true);
  case INSN_fmv_d_x: return move_bits(e, at, false);
  default: return false;
  }
}

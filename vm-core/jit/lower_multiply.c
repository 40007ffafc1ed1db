/* M. The host's division wants R0 and R1 and must not see a zero divisor or the
 * one overflow. */
#include "jit/emit.h"

static void operands(struct emitter *e, const struct insn *insn, sljit_s32 move) {
  op1(e, move, reg(SLJIT_R0), guest(e, insn->rs1));
  op1(e, move, reg(SLJIT_R1), guest(e, insn->rs2));
}

static void high(struct emitter *e, const struct insn *insn, sljit_s32 op) {
  operands(e, insn, SLJIT_MOV);
  sljit_emit_op0(e->c, op);
  op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R1));
}

static void multiply_word(struct emitter *e, const struct insn *insn) {
  op2(e, SLJIT_MUL | SLJIT_32, reg(SLJIT_R0), guest(e, insn->rs1), guest(e, insn->rs2));
  set_guest(e, insn->rd, SLJIT_MOV_S32, reg(SLJIT_R0));
}

/* By zero: all ones, or the dividend itself. By -1: the negated dividend, or 0.
 * Signed words are divided in 64 bits, where -2^31 / -1 does not overflow. */
static void divide(struct emitter *e, const struct insn *insn, bool is_signed, bool remainder, bool is_word) {
  struct sljit_jump *minus = NULL, *from_minus = NULL;
  operands(e, insn, !is_word ? SLJIT_MOV : is_signed ? SLJIT_MOV_S32 : SLJIT_MOV_U32);
  struct sljit_jump *zero = branch(e, SLJIT_EQUAL, reg(SLJIT_R1), imm(0));
  if (is_signed && !is_word) minus = branch(e, SLJIT_EQUAL, reg(SLJIT_R1), imm(-1));
  sljit_emit_op0(e->c, is_signed ? SLJIT_DIVMOD_SW : SLJIT_DIVMOD_UW | (is_word ? SLJIT_32 : 0));
  if (remainder) op1(e, SLJIT_MOV, reg(SLJIT_R0), reg(SLJIT_R1));
  struct sljit_jump *done = sljit_emit_jump(e->c, SLJIT_JUMP);
  if (minus) {
    here(e, minus);
    if (remainder)
      op1(e, SLJIT_MOV, reg(SLJIT_R0), imm(0));
    else
      op2(e, SLJIT_SUB, reg(SLJIT_R0), imm(0), reg(SLJIT_R0));
    from_minus = sljit_emit_jump(e->c, SLJIT_JUMP);
  }
  here(e, zero);
  if (!remainder) op1(e, SLJIT_MOV, reg(SLJIT_R0), imm(-1));
  here(e, done);
  if (from_minus) here(e, from_minus);
  set_guest(e, insn->rd, is_word ? SLJIT_MOV_S32 : SLJIT_MOV, reg(SLJIT_R0));
}

bool lower_multiply(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  if (insn->id < INSN_mul || insn->id > INSN_remuw) return false;
  if (!insn->rd) return true;
  switch (insn->id) {
  case INSN_mul: return op2(e, SLJIT_MUL, guest(e, insn->rd), guest(e, insn->rs1), guest(e, insn->rs2)), true;
  case INSN_mulh: return high(e, insn, SLJIT_LMUL_SW), true;
  case INSN_mulhu: return high(e, insn, SLJIT_LMUL_UW), true;
  case INSN_mulw: return multiply_word(e, insn), true;
  case INSN_div: return divide(e, insn, true, false, false), true;
  case INSN_divu: return divide(e, insn, false, false, false), true;
  case INSN_rem: return divide(e, insn, true, true, false), true;
  case INSN_remu: return divide(e, insn, false, true, false), true;
  case INSN_divw: return divide(e, insn, true, false, true), true;
  case INSN_divuw: return divide(e, insn, false, false, true), true;
  case INSN_remw: return divide(e, insn, true, true, true), true;
  case INSN_remuw: return divide(e, insn, false, true, true), true;
  default: return false;
  }
}

/* Zba, Zbb, Zbs, Zicond. Those not here are called. */
#include "jit/emit.h"

static void shift_add(struct emitter *e, const struct insn *insn, unsigned shift, bool is_word) {
  op1(e, is_word ? SLJIT_MOV_U32 : SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs1));
  if (shift) op2(e, SLJIT_SHL, reg(SLJIT_R0), reg(SLJIT_R0), imm(shift));
  op2(e, SLJIT_ADD, guest(e, insn->rd), reg(SLJIT_R0), guest(e, insn->rs2));
}

static void shift_word(struct emitter *e, const struct insn *insn) {
  op1(e, SLJIT_MOV_U32, reg(SLJIT_R0), guest(e, insn->rs1));
  op2(e, SLJIT_SHL, guest(e, insn->rd), reg(SLJIT_R0), imm(insn->imm));
}

/* rd = rs1 op ~rs2 */
static void with_not(struct emitter *e, const struct insn *insn, sljit_s32 op) {
  op2(e, SLJIT_XOR, reg(SLJIT_R0), guest(e, insn->rs2), imm(-1));
  op2(e, op, guest(e, insn->rd), reg(SLJIT_R0), guest(e, insn->rs1));
}

static void convert(struct emitter *e, const struct insn *insn, sljit_s32 op) {
  op1(e, SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs1));
  set_guest(e, insn->rd, op, reg(SLJIT_R0));
}

/* rd = a when `type` holds between rs1 and rs2, else b. */
static void choose(struct emitter *e, const struct insn *insn, sljit_s32 type) {
  op1(e, SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs1));
  struct sljit_jump *keep = branch(e, type, reg(SLJIT_R0), guest(e, insn->rs2));
  op1(e, SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs2));
  here(e, keep);
  op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R0));
}

static void zero_if(struct emitter *e, const struct insn *insn, sljit_s32 keep_type) {
  op1(e, SLJIT_MOV, reg(SLJIT_R0), guest(e, insn->rs1));
  op1(e, SLJIT_MOV, reg(SLJIT_R1), guest(e, insn->rs2));
  struct sljit_jump *keep = branch(e, keep_type, reg(SLJIT_R1), imm(0));
  op1(e, SLJIT_MOV, reg(SLJIT_R0), imm(0));
  here(e, keep);
  op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R0));
}

static void rotate(struct emitter *e, const struct insn *insn, sljit_s32 op, bool is_word, struct operand b) {
  if (!is_word) {
    op2(e, op, guest(e, insn->rd), guest(e, insn->rs1), b);
    return;
  }
  op2(e, op | SLJIT_32, reg(SLJIT_R0), guest(e, insn->rs1), b);
  set_guest(e, insn->rd, SLJIT_MOV_S32, reg(SLJIT_R0));
}

/* rd = rs1 op (1 << b); clear: rd = rs1 & ~(1 << b) */
static void single_bit(struct emitter *e, const struct insn *insn, sljit_s32 op, bool clear,
                       struct operand b) {
  if (b.r == SLJIT_IMM) {
    op1(e, SLJIT_MOV, reg(SLJIT_R0), imm((int64_t)(UINT64_C(1) << (b.w & 63))));
  } else {
    op1(e, SLJIT_MOV, reg(SLJIT_R0), imm(1));
    op2(e, SLJIT_MSHL, reg(SLJIT_R0), reg(SLJIT_R0), b);
  }
  if (clear) op2(e, SLJIT_XOR, reg(SLJIT_R0), reg(SLJIT_R0), imm(-1));
  op2(e, op, guest(e, insn->rd), reg(SLJIT_R0), guest(e, insn->rs1));
}

static void extract_bit(struct emitter *e, const struct insn *insn, struct operand b) {
  op2(e, SLJIT_MLSHR, reg(SLJIT_R0), guest(e, insn->rs1), b);
  op2(e, SLJIT_AND, guest(e, insn->rd), reg(SLJIT_R0), imm(1));
}

static bool zba_zbs(struct emitter *e, const struct insn *insn) {
  struct operand b = guest(e, insn->rs2), i = imm(insn->imm);
  switch (insn->id) {
  case INSN_add_uw: return shift_add(e, insn, 0, true), true;
  case INSN_slli_uw: return shift_word(e, insn), true;
  case INSN_sh1add: return shift_add(e, insn, 1, false), true;
  case INSN_sh2add: return shift_add(e, insn, 2, false), true;
  case INSN_sh3add: return shift_add(e, insn, 3, false), true;
  case INSN_sh1add_uw: return shift_add(e, insn, 1, true), true;
  case INSN_sh2add_uw: return shift_add(e, insn, 2, true), true;
  case INSN_sh3add_uw: return shift_add(e, insn, 3, true), true;
  case INSN_bclr: return single_bit(e, insn, SLJIT_AND, true, b), true;
  case INSN_bclri: return single_bit(e, insn, SLJIT_AND, true, i), true;
  case INSN_bext: return extract_bit(e, insn, b), true;
  case INSN_bexti: return extract_bit(e, insn, i), true;
  case INSN_binv: return single_bit(e, insn, SLJIT_XOR, false, b), true;
  case INSN_binvi: return single_bit(e, insn, SLJIT_XOR, false, i), true;
  case INSN_bset: return single_bit(e, insn, SLJIT_OR, false, b), true;
  case INSN_bseti: return single_bit(e, insn, SLJIT_OR, false, i), true;
  case INSN_czero_eqz: return zero_if(e, insn, SLJIT_NOT_EQUAL), true;
  case INSN_czero_nez: return zero_if(e, insn, SLJIT_EQUAL), true;
  default: return false;
  }
}

static bool zbb(struct emitter *e, const struct insn *insn) {
  struct operand b = guest(e, insn->rs2), i = imm(insn->imm);
  switch (insn->id) {
  case INSN_andn: return with_not(e, insn, SLJIT_AND), true;
  case INSN_orn: return with_not(e, insn, SLJIT_OR), true;
  case INSN_xnor: return with_not(e, insn, SLJIT_XOR), true;
  case INSN_clz: return convert(e, insn, SLJIT_CLZ), true;
  case INSN_ctz: return convert(e, insn, SLJIT_CTZ), true;
  case INSN_sext_b: return convert(e, insn, SLJIT_MOV_S8), true;
  case INSN_sext_h: return convert(e, insn, SLJIT_MOV_S16), true;
  case INSN_zext_h: return convert(e, insn, SLJIT_MOV_U16), true;
  case INSN_rev8: return convert(e, insn, SLJIT_REV), true;
  case INSN_min: return choose(e, insn, SLJIT_SIG_LESS), true;
  case INSN_minu: return choose(e, insn, SLJIT_LESS), true;
  case INSN_max: return choose(e, insn, SLJIT_SIG_GREATER), true;
  case INSN_maxu: return choose(e, insn, SLJIT_GREATER), true;
  case INSN_rol: return rotate(e, insn, SLJIT_ROTL, false, b), true;
  case INSN_ror: return rotate(e, insn, SLJIT_ROTR, false, b), true;
  case INSN_rori: return rotate(e, insn, SLJIT_ROTR, false, i), true;
  case INSN_rolw: return rotate(e, insn, SLJIT_ROTL, true, b), true;
  case INSN_rorw: return rotate(e, insn, SLJIT_ROTR, true, b), true;
  case INSN_roriw: return rotate(e, insn, SLJIT_ROTR, true, i), true;
  default: return false;
  }
}

bool lower_bits(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  if (insn->id < INSN_add_uw || insn->id > INSN_czero_nez) return false;
  if (!insn->rd) return true;
  return zba_zbs(e, insn) || zbb(e, insn);
}

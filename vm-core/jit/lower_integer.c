/* RV64I without memory and jumps. */
#include "jit/emit.h"

/* rd = a op b, all 64 bits. */
static void plain(struct emitter *e, const struct insn *insn, sljit_s32 op, struct operand b) {
  op2(e, op, guest(e, insn->rd), guest(e, insn->rs1), b);
}

/* rd = sign-extended low half of a op b. */
static void word(struct emitter *e, const struct insn *insn, sljit_s32 op, struct operand b) {
  op2(e, op | SLJIT_32, reg(SLJIT_R0), guest(e, insn->rs1), b);
  set_guest(e, insn->rd, SLJIT_MOV_S32, reg(SLJIT_R0));
}

/* srliw by one or more: the result is not negative, so its upper half is zero. */
static void shift_right_word(struct emitter *e, const struct insn *insn) {
  if (!insn->imm || !HOST_X86 || !e->now.host[insn->rd]) {
    word(e, insn, SLJIT_LSHR, imm(insn->imm));
    return;
  }
  op2(e, SLJIT_LSHR | SLJIT_32, guest(e, insn->rd), guest(e, insn->rs1), imm(insn->imm));
}

/* x0 as an operand of add, or, xor, sub makes a move. */
static bool moves(struct emitter *e, const struct insn *insn) {
  if (insn->id != INSN_add && insn->id != INSN_or && insn->id != INSN_xor && insn->id != INSN_sub)
    return false;
  if (!insn->rs2) return op1(e, SLJIT_MOV, guest(e, insn->rd), guest(e, insn->rs1)), true;
  if (insn->rs1 || insn->id == INSN_sub) return false;
  return op1(e, SLJIT_MOV, guest(e, insn->rd), guest(e, insn->rs2)), true;
}

/* slli and srli or srai by the same amount, both into one register: an extension of the low part. Does both.
 */
static bool extends(struct emitter *e, const struct insn *insn) {
  if (insn->id != INSN_slli || e->index + 1 >= e->node->count) return false;
  const struct insn *next = &e->region->insns[e->node->insn[e->index + 1]].insn;
  bool is_signed = next->id == INSN_srai;
  if ((next->id != INSN_srli && !is_signed) || next->imm != insn->imm) return false;
  if (next->rd != insn->rd || next->rs1 != insn->rd) return false;
  sljit_s32 move = insn->imm == 32   ? (is_signed ? SLJIT_MOV_S32 : SLJIT_MOV_U32)
                   : insn->imm == 48 ? (is_signed ? SLJIT_MOV_S16 : SLJIT_MOV_U16)
                   : insn->imm == 56 ? (is_signed ? SLJIT_MOV_S8 : SLJIT_MOV_U8)
                                     : 0;
  if (!move || !insn->rs1) return false;
  set_guest(e, insn->rd, move, guest(e, insn->rs1));
  e->done = e->index + 1;
  return true;
}

static void set_if_less(struct emitter *e, const struct insn *insn, sljit_s32 type, struct operand b) {
  struct operand a = guest(e, insn->rs1), d = guest(e, insn->rd);
  sljit_emit_op2u(e->c, SLJIT_SUB | (type == SLJIT_LESS ? SLJIT_SET_LESS : SLJIT_SET_SIG_LESS), a.r, a.w, b.r,
                  b.w);
  sljit_emit_op_flags(e->c, SLJIT_MOV, d.r, d.w, type);
}

static void add_immediate(struct emitter *e, const struct insn *insn) {
  if (!insn->rs1)
    op1(e, SLJIT_MOV, guest(e, insn->rd), imm(insn->imm));
  else if (!insn->imm)
    op1(e, SLJIT_MOV, guest(e, insn->rd), guest(e, insn->rs1));
  else
    plain(e, insn, SLJIT_ADD, imm(insn->imm));
}

static void add_word_immediate(struct emitter *e, const struct insn *insn) {
  if (!insn->imm)
    set_guest(e, insn->rd, SLJIT_MOV_S32, guest(e, insn->rs1));
  else
    word(e, insn, SLJIT_ADD, imm((int32_t)insn->imm));
}

static void add_pc(struct emitter *e, const struct region_insn *at) {
  struct operand d = guest(e, at->insn.rd);
  sljit_s32 to = e->now.host[at->insn.rd] ? d.r : SLJIT_R0;
  sljit_emit_op1(e->c, SLJIT_MOV, to, 0, HART(code_page));
  op2(e, SLJIT_ADD, d, reg(to), imm(at->insn.imm + at->offset));
}

static bool immediate(struct emitter *e, const struct insn *insn) {
  struct operand i = imm(insn->imm);
  switch (insn->id) {
  case INSN_addi: return add_immediate(e, insn), true;
  case INSN_slti: return set_if_less(e, insn, SLJIT_SIG_LESS, i), true;
  case INSN_sltiu: return set_if_less(e, insn, SLJIT_LESS, i), true;
  case INSN_xori: return plain(e, insn, SLJIT_XOR, i), true;
  case INSN_ori: return plain(e, insn, SLJIT_OR, i), true;
  case INSN_andi: return plain(e, insn, SLJIT_AND, i), true;
  case INSN_slli: return plain(e, insn, SLJIT_SHL, i), true;
  case INSN_srli: return plain(e, insn, SLJIT_LSHR, i), true;
  case INSN_srai: return plain(e, insn, SLJIT_ASHR, i), true;
  case INSN_addiw: return add_word_immediate(e, insn), true;
  case INSN_slliw: return word(e, insn, SLJIT_SHL, i), true;
  case INSN_srliw: return shift_right_word(e, insn), true;
  case INSN_sraiw: return word(e, insn, SLJIT_ASHR, i), true;
  case INSN_lui: return op1(e, SLJIT_MOV, guest(e, insn->rd), i), true;
  default: return false;
  }
}

static bool registers(struct emitter *e, const struct insn *insn) {
  struct operand b = guest(e, insn->rs2);
  switch (insn->id) {
  case INSN_add: return plain(e, insn, SLJIT_ADD, b), true;
  case INSN_sub: return plain(e, insn, SLJIT_SUB, b), true;
  case INSN_sll: return plain(e, insn, SLJIT_MSHL, b), true;
  case INSN_slt: return set_if_less(e, insn, SLJIT_SIG_LESS, b), true;
  case INSN_sltu: return set_if_less(e, insn, SLJIT_LESS, b), true;
  case INSN_xor: return plain(e, insn, SLJIT_XOR, b), true;
  case INSN_srl: return plain(e, insn, SLJIT_MLSHR, b), true;
  case INSN_sra: return plain(e, insn, SLJIT_MASHR, b), true;
  case INSN_or: return plain(e, insn, SLJIT_OR, b), true;
  case INSN_and: return plain(e, insn, SLJIT_AND, b), true;
  case INSN_addw: return word(e, insn, SLJIT_ADD, b), true;
  case INSN_subw: return word(e, insn, SLJIT_SUB, b), true;
  case INSN_sllw: return word(e, insn, SLJIT_MSHL, b), true;
  case INSN_srlw: return word(e, insn, SLJIT_MLSHR, b), true;
  case INSN_sraw: return word(e, insn, SLJIT_MASHR, b), true;
  default: return false;
  }
}

bool lower_integer(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  if (lower_same(e, insn)) return true;
  if (insn->id == INSN_fence || insn->id == INSN_fence_i) return true;
  if (insn->id != INSN_auipc && insn_table[insn->id].flags) return false;
  unsigned format = insn_table[insn->id].format;
  bool mine = format == FORMAT_R || format == FORMAT_I || format == FORMAT_SH6 || format == FORMAT_SH5 ||
              format == FORMAT_U;
  if (!mine) return false;
  if (!insn->rd) return insn->id <= INSN_sraw; /* no effect */
  if (insn->id == INSN_auipc) return add_pc(e, at), true;
  return moves(e, insn) || extends(e, insn) || immediate(e, insn) || registers(e, insn);
}

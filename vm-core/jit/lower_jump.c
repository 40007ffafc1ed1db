/* Branches, jal, jalr; everything else that ends a node is left to its op
 * function. */
#include "jit/emit.h"

static void link(struct emitter *e, const struct region_insn *at) {
  unsigned rd = at->insn.rd;
  if (!rd) return;
  struct operand d = guest(e, rd);
  sljit_s32 to = e->now.host[rd] ? d.r : SLJIT_R1;
  sljit_emit_op1(e->c, SLJIT_MOV, to, 0, HART(code_page));
  op2(e, SLJIT_ADD, d, reg(to), imm(at->offset + at->insn.length));
  registers_done(e);
}

static void conditional(struct emitter *e, const struct region_insn *at, sljit_s32 type) {
  const struct insn *insn = &at->insn;
  struct operand a = guest(e, insn->rs1), b = guest(e, insn->rs2);
  int64_t target = region_target(at), next = at->offset + insn->length;
  if (a.r == SLJIT_IMM) {
    op1(e, SLJIT_MOV, reg(SLJIT_R0), a);
    a = reg(SLJIT_R0);
  }
  if (lower_select(e, at, type)) return;
  int node = region_node_at(e->region, target);
  if (node >= 0) {
    edges_jump(e, branch(e, type, a, b), (unsigned)node);
  } else {
    struct sljit_jump *skip = branch(e, type ^ 1, a, b);
    exit_to_offset(e, target);
    here(e, skip);
  }
  exit_at_end(e, next);
}

static void indirect(struct emitter *e, const struct region_insn *at) {
  add(e, reg(SLJIT_R0), guest(e, at->insn.rs1), at->insn.imm);
  op2(e, SLJIT_AND, reg(SLJIT_R0), reg(SLJIT_R0), imm(-2));
  link(e, at);
  exit_to_address(e);
}

bool lower_jump(struct emitter *e, const struct region_insn *at) {
  switch (at->insn.id) {
  case INSN_jal: return link(e, at), exit_at_end(e, region_target(at)), true;
  case INSN_jalr: return indirect(e, at), true;
  case INSN_beq: return conditional(e, at, SLJIT_EQUAL), true;
  case INSN_bne: return conditional(e, at, SLJIT_NOT_EQUAL), true;
  case INSN_blt: return conditional(e, at, SLJIT_SIG_LESS), true;
  case INSN_bge: return conditional(e, at, SLJIT_SIG_GREATER_EQUAL), true;
  case INSN_bltu: return conditional(e, at, SLJIT_LESS), true;
  case INSN_bgeu: return conditional(e, at, SLJIT_GREATER_EQUAL), true;
  default: return false;
  }
}

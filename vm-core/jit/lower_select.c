/* A branch over a few instructions that compute one register: both ways are computed and one is chosen, since
 * such branches are often as unpredictable as the data they test. */
#include "jit/emit.h"

enum { SELECT_MAX = 3 };

static bool computes(const struct insn *insn, unsigned rd) {
  if (insn->id == INSN_ILLEGAL || insn->id > INSN_sraw || insn_table[insn->id].flags || insn->rd != rd)
    return false;
  switch (insn_table[insn->id].format) {
  case FORMAT_R:
  case FORMAT_I:
  case FORMAT_SH6:
  case FORMAT_SH5: return true;
  default: return insn->id == INSN_lui;
  }
}

/* Neither way is rare. */
static bool depends(const struct emitter *e, unsigned from, unsigned over) {
  enum { RARE = 8 };
  unsigned all = e->uses.runs[from], some = e->uses.runs[over];
  return !uses_unlikely(e, from, over) && (all < 2 * RARE || some * RARE <= all * (RARE - 1));
}

/* The node behind e->node that the branch jumps over, if that is all it does and nothing else leads there. */
static const struct region_node *skipped(const struct emitter *e, const struct region_insn *at) {
  const struct region *region = e->region;
  unsigned index = e->node_index + 1;
  if (index >= region->node_count || e->uses.ways_in[index] != 1) return NULL;
  const struct region_node *node = &region->nodes[index];
  if (node->offset != at->offset + at->insn.length || node->next != region_target(at)) return NULL;
  if (node->ends || node->count > SELECT_MAX || region_node_at(region, node->next) < 0) return NULL;
  unsigned rd = region->insns[node->insn[0]].insn.rd;
  if (!rd || !depends(e, e->node_index, index)) return NULL;
  for (unsigned i = 0; i < node->count; i++)
    if (!computes(&region->insns[node->insn[i]].insn, rd)) return NULL;
  return node;
}

/* R1 = what the node would leave in rd. */
static void compute(struct emitter *e, const struct region_node *node, unsigned rd) {
  const struct region_node *kept_node = e->node;
  unsigned kept_index = e->index;
  uint8_t host = e->now.host[rd];
  op1(e, SLJIT_MOV, reg(SLJIT_R1), reg(host));
  e->now.host[rd] = SLJIT_R1;
  e->node = node;
  e->done = 0;
  for (e->index = 0; e->index < node->count; e->index++)
    if (!e->index || e->index != e->done) lower_integer(e, &e->region->insns[node->insn[e->index]]);
  e->done = 0;
  e->now.host[rd] = host;
  e->node = kept_node;
  e->index = kept_index;
}

static sljit_s32 flags_for(sljit_s32 type) {
  switch (type) {
  case SLJIT_LESS:
  case SLJIT_GREATER_EQUAL: return SLJIT_SET_LESS;
  case SLJIT_SIG_LESS:
  case SLJIT_SIG_GREATER_EQUAL: return SLJIT_SET_SIG_LESS;
  default: return SLJIT_SET_Z;
  }
}

bool lower_select(struct emitter *e, const struct region_insn *at, sljit_s32 type) {
  const struct region_node *node = skipped(e, at);
  if (!node || !at->insn.rs1) return false;
  unsigned rd = e->region->insns[node->insn[0]].insn.rd;
  if (!registers_want(e, rd)) return false;
  struct operand a = guest(e, at->insn.rs1), b = guest(e, at->insn.rs2);
  compute(e, node, rd);
  op2(e, SLJIT_SUB, reg(SLJIT_R0), reg(HOST_BUDGET), imm(node->count));
  sljit_emit_op2u(e->c, SLJIT_SUB | flags_for(type), a.r, a.w, b.r, b.w);
  sljit_emit_select(e->c, type ^ 1, e->now.host[rd], SLJIT_R1, 0, e->now.host[rd]);
  sljit_emit_select(e->c, type ^ 1, HOST_BUDGET, SLJIT_R0, 0, HOST_BUDGET);
  e->now.dirty |= 1u << rd;
  e->moved[e->node_index + 1] = true;
  exit_at_end(e, node->next);
  return true;
}

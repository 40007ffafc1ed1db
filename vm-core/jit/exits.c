#include <string.h>

#include "interp/build.h"
#include "jit/emit.h"
#include "mmu/tlb.h"

static void jump_fixed(struct emitter *e, sljit_uw address) {
  sljit_set_target(sljit_emit_jump(e->c, SLJIT_JUMP), address);
}

void exit_to_interpreter(struct emitter *e, unsigned offset) {
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)offset);
  jump_fixed(e, e->jit->stubs.miss);
}

/* R0: virtual address. The code TLB knows its page, the page where its machine
 * code is. In the last page of all, an address differs from the tag of an empty
 * entry in its low bits only; bit 0 is among them, and rotated it is too large. */
void exit_to_address(struct emitter *e) {
  enum { CODE = offsetof(struct tlb_set, code), PAGE = CODE + offsetof(struct tlb_code_entry, page) };
  struct sljit_compiler *c = e->c;
  registers_store(e, false);
  sljit_emit_op2(c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT - 4);
  sljit_emit_op2(c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, (TLB_SIZE - 1) << 4);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_exec));
  sljit_emit_op2(c, SLJIT_XOR, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1), CODE);
  sljit_emit_op2(c, SLJIT_ROTR, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, 1);
  struct sljit_jump *other = sljit_emit_cmp(c, SLJIT_GREATER_EQUAL, SLJIT_R0, 0, SLJIT_IMM, PAGE_SIZE / 2);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_R0, 0);
  sljit_emit_op1(c, SLJIT_MOV, HART(code_page), SLJIT_MEM1(SLJIT_R1), CODE);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_R1), PAGE);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_R1), offsetof(struct code_page, native));
  sljit_emit_ijump(c, SLJIT_JUMP, SLJIT_MEM2(SLJIT_R1, SLJIT_R0), 2);
  sljit_set_label(other, sljit_emit_label(c));
  sljit_emit_op2(c, SLJIT_ROTL, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, 1);
  sljit_emit_op2(c, SLJIT_XOR, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1), CODE);
  jump_fixed(e, e->jit->stubs.pc);
}

/* A static target: inside the region, elsewhere in the page, or in another
 * page. */
void exit_to_offset(struct emitter *e, int64_t offset) {
  struct sljit_compiler *c = e->c;
  int node = region_node_at(e->region, offset);
  if (node >= 0) {
    e->jumps[e->jump_count++] = (struct node_jump){sljit_emit_jump(c, SLJIT_JUMP), (unsigned)node};
    return;
  }
  if (offset >= 0 && offset < PAGE_SIZE) {
    registers_store(e, false);
    sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, offset);
    sljit_emit_ijump(c, SLJIT_JUMP, SLJIT_MEM0(), (sljit_sw)&e->page->native[offset >> 1]);
    return;
  }
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HART(code_page));
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, offset);
  exit_to_address(e);
}

void exit_at_end(struct emitter *e, int64_t offset) {
  if (region_node_at(e->region, offset) != (int)e->node_index + 1 || !e->fast) exit_to_offset(e, offset);
}

void exit_with_op(struct emitter *e, const struct op *side) {
  registers_store(e, false);
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)side);
  jump_fixed(e, e->jit->stubs.side);
}

void call_op(struct emitter *e, const struct op *side) {
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_IMM, (sljit_sw)side);
  e->calls[e->call_count++] = sljit_emit_jump(e->c, SLJIT_FAST_CALL);
}

/* Run the op function of R1 on state in memory; leave the region unless it asks
 * to go on. */
static void call_stub(struct emitter *e) {
  struct sljit_compiler *c = e->c;
  if (!e->call_count) return;
  struct sljit_label *label = sljit_emit_label(c);
  for (unsigned i = 0; i < e->call_count; i++) sljit_set_label(e->calls[i], label);
  sljit_emit_op_dst(c, SLJIT_FAST_ENTER, SLJIT_MEM1(SLJIT_SP), 0);
  registers_store(e, true);
  sljit_emit_op1(c, SLJIT_MOV, HART(budget), HOST_BUDGET, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HOST_HART, 0);
  sljit_emit_icall(c, SLJIT_CALL, SLJIT_ARGS2(W, W, W), SLJIT_MEM1(SLJIT_R1), offsetof(struct op, fn));
  struct sljit_jump *left =
      sljit_emit_cmp(c, SLJIT_NOT_EQUAL, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)&jit_continue);
  registers_load(e, true);
  sljit_emit_op_src(c, SLJIT_FAST_RETURN, SLJIT_MEM1(SLJIT_SP), 0);
  sljit_set_label(left, sljit_emit_label(c));
  jump_fixed(e, e->jit->stubs.null);
}

void cold_op(struct emitter *e, struct sljit_jump *from, struct sljit_jump *also, const struct op *side) {
  e->cold[e->cold_count++] = (struct cold){.kind = COLD_OP, .from = from, .also = also, .side = side};
}

void resume_here(struct emitter *e) {
  e->cold[e->cold_count - 1].resume = sljit_emit_label(e->c);
  e->cached = -1;
}

static void cold_piece(struct emitter *e, struct cold *cold) {
  struct sljit_compiler *c = e->c;
  struct sljit_label *label = sljit_emit_label(c);
  sljit_set_label(cold->from, label);
  if (cold->also) sljit_set_label(cold->also, label);
  if (cold->kind == COLD_BUDGET) {
    registers_store(e, false);
    exit_to_interpreter(e, cold->node->offset);
    return;
  }
  call_op(e, cold->side);
  sljit_set_label(sljit_emit_jump(c, SLJIT_JUMP), cold->resume);
}

void cold_code(struct emitter *e) {
  for (unsigned i = 0; i < e->cold_count; i++) cold_piece(e, &e->cold[i]);
  call_stub(e);
}

const struct op *side_op(struct emitter *e, const struct region_insn *at) {
  struct op *side = &e->sides[2 * e->side_count++];
  side[0] = block_make_op(&at->insn, at->offset);
  side[0].left = (uint16_t)(e->node->count - e->index);
  side[1] = (struct op){.fn = jit_op_return};
  return side;
}

/* Integer loads and stores: the interpreter's TLB probe inline, its op function where that misses. */
#include <string.h>

#include "jit/emit.h"
#include "mmu/tlb.h"

enum { READ = offsetof(struct tlb_set, read), WRITE = offsetof(struct tlb_set, write) };

static void cold_op(struct emitter *e, struct sljit_jump *from, const struct op *side) {
  e->cold[e->cold_count++] = (struct cold){.kind = COLD_OP, .from = from, .side = side};
}

/* The slow way ends where the fast one does. */
static void resume_here(struct emitter *e) { e->cold[e->cold_count - 1].resume = sljit_emit_label(e->c); }

/* Jump taken unless (R0 & mask) is the tag of the entry R1 points to; R0 and R1 survive. */
static struct sljit_jump *compare_tag(struct emitter *e, unsigned set, int32_t mask) {
#if HOST_X86
  /* mov rdx, rax; and rdx, mask; cmp rdx, [rsi + set] */
  uint8_t code[3 + 7 + 7] = {0x48, 0x89, 0xc2, 0x48, 0x81, 0xe2, 0, 0, 0, 0, 0x48, 0x3b, 0x96};
  int32_t displacement = (int32_t)set;
  memcpy(code + 6, &mask, 4);
  memcpy(code + 13, &displacement, 4);
  sljit_emit_op_custom(e->c, code, 3);
  sljit_emit_op_custom(e->c, code + 3, 7);
  sljit_emit_op_custom(e->c, code + 10, 7);
  sljit_set_current_flags(e->c, SLJIT_SET_Z | SLJIT_CURRENT_FLAGS_SUB | SLJIT_CURRENT_FLAGS_COMPARE);
  return sljit_emit_jump(e->c, SLJIT_NOT_EQUAL);
#else
  sljit_emit_op2(e->c, SLJIT_AND, HOST_T2, 0, SLJIT_R0, 0, SLJIT_IMM, mask);
  return sljit_emit_cmp(e->c, SLJIT_NOT_EQUAL, HOST_T2, 0, SLJIT_MEM1(SLJIT_R1), set);
#endif
}

/* R0 = host address of rs1 + imm. */
static void probe(struct emitter *e, const struct region_insn *at, unsigned set, unsigned size) {
  struct sljit_compiler *c = e->c;
  op2(e, SLJIT_ADD, reg(SLJIT_R0), guest(e, at->insn.rs1), imm(at->insn.imm));
  sljit_emit_op2(c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT - 4);
  sljit_emit_op2(c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, (TLB_SIZE - 1) << 4);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_data));
  cold_op(e, compare_tag(e, set, (int32_t)(-PAGE_SIZE | (int)(size - 1))), side_op(e, at));
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
}

static void load(struct emitter *e, const struct region_insn *at, sljit_s32 move, unsigned size) {
  unsigned rd = at->insn.rd;
  probe(e, at, READ, size);
  if (rd && e->host[rd]) {
    sljit_emit_op1(e->c, move, e->host[rd], 0, SLJIT_MEM1(SLJIT_R0), 0);
  } else if (rd) {
    sljit_emit_op1(e->c, move, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R0), 0);
    op1(e, SLJIT_MOV, guest(e, rd), reg(SLJIT_R0));
  }
  resume_here(e);
}

static void store(struct emitter *e, const struct region_insn *at, sljit_s32 move, unsigned size) {
  probe(e, at, WRITE, size);
  struct operand value = guest(e, at->insn.rs2);
  if (value.r & SLJIT_MEM) {
    op1(e, SLJIT_MOV, reg(SLJIT_R1), value);
    value = reg(SLJIT_R1);
  }
  sljit_emit_op1(e->c, move, SLJIT_MEM1(SLJIT_R0), 0, value.r, value.w);
  resume_here(e);
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
  default: return false;
  }
}

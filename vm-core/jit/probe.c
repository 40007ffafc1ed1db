/* Level 1 of the TLB in machine code. */
#include <string.h>

#include "jit/emit.h"
#include "mmu/tlb.h"

struct sljit_jump *probe_compare(struct emitter *e, unsigned set, int32_t mask) {
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

#if HOST_RISCV
/* Displacements are short, and so are the immediates of AND. */
unsigned probe_set(bool write) { return (void)write, 0; }

void probe_entry(struct emitter *e, bool write) {
  enum { ABOVE = 64 - PAGE_SHIFT - 12, ENTRY = sizeof(struct tlb_entry) };
  _Static_assert(TLB_SIZE == 1 << 12 && ENTRY == 1 << 4, "the shifts");
  sljit_emit_op2(e->c, SLJIT_SHL, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, ABOVE);
  sljit_emit_op2(e->c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, 64 - 12 - 4);
  sljit_emit_op2(e->c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, -ENTRY);
  if (write)
    sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_write));
  else
    sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_data));
}
#else
unsigned probe_set(bool write) {
  return write ? offsetof(struct tlb_set, write) : offsetof(struct tlb_set, read);
}

void probe_entry(struct emitter *e, bool write) {
  (void)write;
  sljit_emit_op2(e->c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT - 4);
  sljit_emit_op2(e->c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, (TLB_SIZE - 1) << 4);
  sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_data));
}
#endif

unsigned slow_add(struct emitter *e, struct sljit_jump *jump) {
  struct slow_jump *slow = &e->slow[e->slow_count];
  *slow = (struct slow_jump){jump, (uint16_t)e->node_index, (uint16_t)e->index, e->fresh, e->now, {0}};
  memcpy(slow->last, e->last, sizeof slow->last);
  return e->slow_count++;
}

void slow_jump(struct emitter *e, struct sljit_jump *jump) {
  if (jump) slow_add(e, jump);
}

struct operand probe_access(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also) {
  unsigned set = probe_set(write);
  struct sljit_label *retry = e->fast ? NULL : sljit_emit_label(e->c);
  e->cached = -1;
  add(e, reg(SLJIT_R0), guest(e, at->insn.rs1), at->insn.imm);
  probe_entry(e, write);
  struct sljit_jump *miss = probe_compare(e, set, (int32_t)(-PAGE_SIZE | (int)(size - 1)));
  if (e->fast) {
    slow_jump(e, miss);
    slow_jump(e, also);
  } else {
    cold_access(e, miss, also, retry, write ? -(sljit_sw)size : (sljit_sw)size, side_op(e, at));
  }
  sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
  return (struct operand){SLJIT_MEM1(SLJIT_R0), 0};
}

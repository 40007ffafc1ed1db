#include <string.h>

#include "jit/emit.h"
#include "mmu/tlb.h"

/* Jump taken unless (R0 & mask) is the tag of the entry R1 points to; R0 and R1
 * survive. */
static struct sljit_jump *compare_tag(struct emitter *e, unsigned set,
                                      int32_t mask) {
#if HOST_X86
  /* mov rdx, rax; and rdx, mask; cmp rdx, [rsi + set] */
  uint8_t code[3 + 7 + 7] = {0x48, 0x89, 0xc2, 0x48, 0x81, 0xe2, 0,
                             0,    0,    0,    0x48, 0x3b, 0x96};
  int32_t displacement = (int32_t)set;
  memcpy(code + 6, &mask, 4);
  memcpy(code + 13, &displacement, 4);
  sljit_emit_op_custom(e->c, code, 3);
  sljit_emit_op_custom(e->c, code + 3, 7);
  sljit_emit_op_custom(e->c, code + 10, 7);
  sljit_set_current_flags(e->c, SLJIT_SET_Z | SLJIT_CURRENT_FLAGS_SUB |
                                    SLJIT_CURRENT_FLAGS_COMPARE);
  return sljit_emit_jump(e->c, SLJIT_NOT_EQUAL);
#else
  sljit_emit_op2(e->c, SLJIT_AND, HOST_T2, 0, SLJIT_R0, 0, SLJIT_IMM, mask);
  return sljit_emit_cmp(e->c, SLJIT_NOT_EQUAL, HOST_T2, 0, SLJIT_MEM1(SLJIT_R1),
                        set);
#endif
}

void probe(struct emitter *e, const struct region_insn *at,
           enum probe_kind kind, unsigned size, struct sljit_jump *also) {
  unsigned set = kind == PROBE_READ ? offsetof(struct tlb_set, read)
                                    : offsetof(struct tlb_set, write);
  struct sljit_compiler *c = e->c;
  op2(e, SLJIT_ADD, reg(SLJIT_R0), guest(e, at->insn.rs1), imm(at->insn.imm));
  sljit_emit_op2(c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM,
                 PAGE_SHIFT - 4);
  sljit_emit_op2(c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM,
                 (TLB_SIZE - 1) << 4);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_data));
  cold_op(e, compare_tag(e, set, (int32_t)(-PAGE_SIZE | (int)(size - 1))), also,
          side_op(e, at));
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
}

/* RV64I without system instructions. */
#include "interp/ops.h"

ALU(lui, IMM);
ALU(auipc, hart->code_page + IMM);

OP(jal) {
  RD = op_pc(hart, op) + op->length;
  return jump_static(hart, IMM, 0);
}

OP(jalr) {
  uint64_t target = (RS1 + IMM) & ~UINT64_C(1);
  RD = op_pc(hart, op) + op->length;
  return jump_to(hart, target);
}

/* Exit 0: taken. Exit 1: not taken, the target lies right behind. */
#define BRANCH(name, condition)                                                                              \
  OP(name) {                                                                                                 \
    if (condition) return jump_static(hart, IMM, 0);                                                         \
    return jump_static(hart, (uint64_t)op->offset + op->length, 1);                                          \
  }                                                                                                          \
  _Static_assert(1, "")

BRANCH(beq, RS1 == RS2);
BRANCH(bne, RS1 != RS2);
BRANCH(blt, (int64_t)RS1 < (int64_t)RS2);
BRANCH(bge, (int64_t)RS1 >= (int64_t)RS2);
BRANCH(bltu, RS1 < RS2);
BRANCH(bgeu, RS1 >= RS2);

ALU(addi, RS1 + IMM);
ALU(slti, (int64_t)RS1 < op->imm);
ALU(sltiu, RS1 < IMM);
ALU(xori, RS1 ^ IMM);
ALU(ori, RS1 | IMM);
ALU(andi, RS1 &IMM);
ALU(slli, RS1 << op->imm);
ALU(srli, RS1 >> op->imm);
ALU(srai, (int64_t)RS1 >> op->imm);
ALU(add, RS1 + RS2);
ALU(sub, RS1 - RS2);
ALU(sll, RS1 << (RS2 & 63));
ALU(slt, (int64_t)RS1 < (int64_t)RS2);
ALU(sltu, RS1 < RS2);
ALU(xor, RS1 ^ RS2);
ALU(srl, RS1 >> (RS2 & 63));
ALU(sra, (int64_t)RS1 >> (RS2 & 63));
ALU(or, RS1 | RS2);
ALU(and, RS1 &RS2);
ALU(addiw, word(RS1 + IMM));
ALU(slliw, word(RS1 << op->imm));
ALU(srliw, word((uint32_t)RS1 >> op->imm));
ALU(sraiw, (int32_t)RS1 >> op->imm);
ALU(addw, word(RS1 + RS2));
ALU(subw, word(RS1 - RS2));
ALU(sllw, word((uint32_t)RS1 << (RS2 & 31)));
ALU(srlw, word((uint32_t)RS1 >> (RS2 & 31)));
ALU(sraw, (int32_t)RS1 >> (RS2 & 31));

/* One hart, in order, and stores are visible to fetches at once: fences have nothing to do. */
OP(fence) { NEXT; }
OP(fence_i) { NEXT; }

const struct block *jump_unlinked(struct hart *hart, uint64_t target, unsigned which) {
  const struct block *from = hart->block, *to = block_at(hart, hart->code_page + target);
  if (!to) return NULL;
  if (target < PAGE_SIZE && from->page) ((struct block *)(uintptr_t)from)->link[which] = to;
  return block_enter(hart, to);
}

OP(block_end) { return jump_static(hart, IMM, 0); }

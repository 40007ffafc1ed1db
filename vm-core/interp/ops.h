/* What op functions are made of. Included by interp/ops_*.c only.
 *
 * An op ends in exactly one of: NEXT (fall through to the following op), op_trap (exception raised,
 * instruction not retired), op_leave (retired, then look around), or a jump. Locals whose address escapes
 * would cost the tail call: slow paths hand results over in hart->load_value. */
#ifndef INTERP_OPS_H
#define INTERP_OPS_H

#include "interp/op.h"
#include "mmu/access.h"

#define OP(name) const struct block *op_##name(struct hart *hart, const struct op *op)
#define NEXT     return op[1].fn(hart, op + 1)

#define RD  hart->x[op->rd]
#define RS1 hart->x[op->rs1]
#define RS2 hart->x[op->rs2]
#define IMM ((uint64_t)op->imm)

/* An op whose whole effect is rd = expression. */
#define ALU(name, expression)                                                                                \
  OP(name) {                                                                                                 \
    RD = (uint64_t)(expression);                                                                             \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")

/* The low 32 bits of a value, sign-extended. */
static inline uint64_t word(uint64_t value) { return (uint64_t)(int64_t)(int32_t)value; }

static inline uint64_t op_pc(const struct hart *hart, const struct op *op) {
  return hart->code_page + op->offset;
}

/* The instruction raised hart->trap: give its budget and that of its followers back. */
static inline const struct block *op_trap(struct hart *hart, const struct op *op) {
  hart->budget += op->left;
  hart->pending = 0;
  hart->pc = op_pc(hart, op);
  return NULL;
}

/* The instruction is done, the block must not go on. */
static inline const struct block *op_leave(struct hart *hart, const struct op *op) {
  hart->budget += op->left - 1;
  hart->pending = 0;
  hart->pc = op_pc(hart, op) + op->length;
  return NULL;
}

static inline const struct block *op_raise(struct hart *hart, const struct op *op, uint64_t cause,
                                           uint64_t tval) {
  hart_raise(hart, cause, tval);
  return op_trap(hart, op);
}

/* The block at virtual address pc when the code TLB and its page know it; else NULL with hart->pc set. */
static inline const struct block *block_at(struct hart *hart, uint64_t pc) {
  const struct tlb_code_entry *entry = &hart->tlb_exec->code[tlb_code_index(pc)];
  if (likely(entry->tag == (pc & PAGE_MASK))) {
    const struct block *block = entry->page->slot[(pc & 0xfff) >> 1];
    if (likely(block)) {
      hart->code_page = pc & PAGE_MASK;
      return block;
    }
  }
  hart->pc = pc;
  return NULL;
}

/* Start a block from the end of another. The dispatcher does it instead when the budget does not cover the
 * block, and always in builds whose calls in tail position are not jumps: there a chain of blocks would grow
 * the stack. */
static inline const struct block *block_enter(struct hart *hart, const struct block *block) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
  if (unlikely(block->count > hart->budget)) return block;
  hart->budget -= block->count;
  hart->block = block;
  return block->ops->fn(hart, block->ops);
#else
  (void)hart;
  return block;
#endif
}

/* Jump to a virtual address. */
static inline const struct block *jump_to(struct hart *hart, uint64_t pc) {
  const struct block *to = block_at(hart, pc);
  return likely(to) ? block_enter(hart, to) : NULL;
}

/* The first time a static exit is taken: links inside a page live as long as the page's blocks. */
const struct block *jump_unlinked(struct hart *hart, uint64_t target, unsigned which);

/* Jump to a page-relative target known when the block was decoded, as exit `which` of the block. */
static inline const struct block *jump_static(struct hart *hart, uint64_t target, unsigned which) {
  const struct block *to = hart->block->link[which];
  return likely(to) ? block_enter(hart, to) : jump_unlinked(hart, target, which);
}

#endif

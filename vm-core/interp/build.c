#include "interp/build.h"

#include <string.h>

enum { SINK = 32 };

static bool writes_x(unsigned format) {
  switch (format) {
  case FORMAT_FL:
  case FORMAT_FR:
  case FORMAT_FRM:
  case FORMAT_FRM1:
  case FORMAT_FR4:
  case FORMAT_XTOF:
  case FORMAT_XTOFRM: return false;
  default: return true;
  }
}

struct op block_make_op(const struct insn *insn, unsigned offset) {
  struct op op = {.fn = op_table[insn->id],
                  .imm = insn->imm,
                  .rd = insn->rd,
                  .rs1 = insn->rs1,
                  .rs2 = insn->rs2,
                  .rs3 = insn->rs3,
                  .offset = (uint16_t)offset,
                  .raw = insn->raw,
                  .rm = insn->rm,
                  .length = insn->length};
  if (insn->id == INSN_ILLEGAL) return op;
  unsigned format = insn_table[insn->id].format;
  if (writes_x(format) && !op.rd) op.rd = SINK;
  bool relative = format == FORMAT_B || format == FORMAT_J || insn->id == INSN_auipc;
  if (relative) op.imm += offset;
  return op;
}

static bool ends_block(const struct insn *insn) {
  return insn->id == INSN_ILLEGAL || (insn_table[insn->id].flags & INSN_END);
}

bool block_breakpoint_at(const struct block_store *store, unsigned offset) {
  for (unsigned i = 0; i < store->breakpoint_count; i++) {
    if (store->breakpoint_offset[i] == offset) return true;
  }
  return false;
}

static struct op *emit(const struct block_store *store, struct op *op, const struct insn *insn,
                       unsigned offset) {
  if (unlikely(block_breakpoint_at(store, offset))) {
    *op++ = (struct op){.fn = op_breakpoint, .offset = (uint16_t)offset};
  }
  *op++ = block_make_op(insn, offset);
  return op;
}

/* Give every op the number of instructions from it to the end, and close a block that does not jump. */
static void finish(struct block *block, struct op *end, const struct insn *last, unsigned offset) {
  unsigned left = 0;
  for (struct op *op = end; op-- != block->ops;) {
    if (op->length) left++;
    op->left = (uint16_t)left;
  }
  block->count = (uint16_t)left;
  if (!ends_block(last)) *end = (struct op){.fn = op_block_end, .imm = offset};
}

static void start(struct block *block, unsigned offset) {
  memset(block, 0, sizeof *block);
  block->offset = (uint16_t)offset;
}

static struct op *count_runs(const struct block_store *store, struct op *op, unsigned offset) {
  const struct block_translator *translator = &store->translator;
  if (!translator->hot) return op;
  *op = (struct op){.fn = translator->hot, .imm = translator->hot_after, .offset = (uint16_t)offset};
  return op + 1;
}

unsigned block_build(const struct block_store *store, struct block *block, const uint8_t *page,
                     unsigned offset, unsigned max_insns, bool counted) {
  struct insn insn = {.id = INSN_ILLEGAL};
  struct op *op = block->ops;
  start(block, offset);
  if (counted) op = count_runs(store, op, offset);
  for (unsigned i = 0; i < max_insns && offset < PAGE_SIZE; i++) {
    uint32_t word = *(const uint16_t *)(page + offset);
    if ((word & 3) == 3) {
      if (offset + 4 > PAGE_SIZE) break;
      word |= (uint32_t) * (const uint16_t *)(page + offset + 2) << 16;
    }
    insn = insn_decode(&store->index, word);
    op = emit(store, op, &insn, offset);
    offset += insn.length;
    if (ends_block(&insn)) break;
  }
  finish(block, op, &insn, offset);
  return offset;
}

void block_build_single(const struct block_store *store, struct block *block, uint32_t word, unsigned offset,
                        bool counted) {
  start(block, offset);
  struct insn insn = insn_decode(&store->index, word);
  struct op *op = counted ? count_runs(store, block->ops, offset) : block->ops;
  struct op *end = emit(store, op, &insn, offset);
  finish(block, end, &insn, offset + insn.length);
}

unsigned block_op_count(const struct block *block) {
  const struct op *op = block->ops;
  while (op->left > 1 || !op->length) op++;
  return (unsigned)(op - block->ops) + 2; /* the last instruction and a possible block end */
}

/* Decoded operations and blocks, the interpreter's own form of code.
 *
 * A block is a run of instructions inside one physical page, decoded once. It depends on nothing but the
 * bytes of the page: addresses are relative to hart->code_page, so every virtual alias, privilege and ASID
 * shares it. Each op's function performs one instruction and tail-calls the next; the last op of a block
 * returns the next block, or NULL when the dispatcher has to look around (hart->pc is then valid). */
#ifndef INTERP_OP_H
#define INTERP_OP_H

#include "hart/hart.h"
#include "isa/insn.h"

struct block;
struct op;

typedef const struct block *(*op_fn)(struct hart *hart, const struct op *op);

struct op {
  op_fn fn;
  int64_t imm; /* pc-relative results are turned into page-relative ones when decoded */
  uint8_t rd;  /* 32 instead of 0 for x registers: the sink */
  uint8_t rs1, rs2, rs3;
  uint16_t offset; /* of the instruction in its page */
  uint16_t left;   /* instructions of the block from this one on, itself included */
  uint32_t raw;    /* instruction bits: tval of an illegal instruction */
  uint8_t rm;
  uint8_t length; /* 0: not an instruction (breakpoint, execution count, end of block) */
};

_Static_assert(sizeof(struct op) == 32, "ops are walked with a shift");

struct code_page;

struct block {
  struct code_page *page; /* NULL: a scratch block, never linked to */
  const struct block *link[2];
  struct block *next_in_page;
  uint16_t count;  /* instructions; ops has one more entry when the last of them does not jump */
  uint16_t offset; /* of the first instruction in the page */
  struct op ops[];
};

enum { BLOCK_MAX_INSNS = 64, PAGE_SLOTS = 2048 };

/* Blocks of one physical page. */
struct code_page {
  uint64_t number; /* RAM page number */
  uint64_t lines;  /* bit n: bytes 64n..64n+63 were decoded */
  struct block *blocks;
  struct block *cross; /* the 4-byte instruction that starts in the last two bytes, valid while its bits
                          are cross_raw */
  uint32_t cross_raw;
  uint64_t cross_number; /* RAM page number of its second half */
  void **native;         /* machine code by offset / 2; set by the JIT, else block_store.no_native */
  const struct block *slot[PAGE_SLOTS]; /* by offset / 2 */
};

/* The op functions, one for each row of isa/insn.def, and their table. */
#define INSN(name, match, mask, format, extension, flags)                                                    \
  const struct block *op_##name(struct hart *hart, const struct op *op);
#include "isa/insn.def"
#undef INSN
const struct block *op_illegal(struct hart *hart, const struct op *op);
const struct block *op_block_end(struct hart *hart,
                                 const struct op *op); /* go on after the last instruction */
const struct block *op_breakpoint(struct hart *hart,
                                  const struct op *op); /* before an instruction; counts none */

extern const op_fn op_table[INSN_COUNT + 1];

#endif

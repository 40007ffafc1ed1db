/* LR, SC and the simple AMOs where the TLB has the page: the fast code of a node only. One hart, so a load,
 * an operation and a store are atomic. */
#include "jit/emit.h"
#include "mmu/mmu.h"
#include "mmu/tlb.h"

enum { OLD_SLOT = 8 }; /* of the frame: the value that was in memory */

/* A 64-bit constant that turns host addresses of RAM into guest-physical ones. */
static int64_t host_to_gpa(const struct emitter *e) {
  const struct phys *phys = e->jit->hart->mmu->phys;
  return (int64_t)(phys->ram_base - (uint64_t)(uintptr_t)phys->ram);
}

static bool load_reserved(struct emitter *e, const struct region_insn *at, bool is_word) {
  struct operand from = access_place(e, at, false, is_word ? 4 : 8, NULL);
  op1(e, SLJIT_MOV, reg(SLJIT_R1), imm(host_to_gpa(e)));
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), reg(SLJIT_R0));
  op1(e, SLJIT_MOV, (struct operand){HART(reservation)}, reg(SLJIT_R1));
  op1(e, SLJIT_MOV_U8, (struct operand){HART(reservation_valid)}, imm(1));
  op1(e, SLJIT_MOV_U8, (struct operand){HART(reservation_size)}, imm(is_word ? 4 : 8));
  if (at->insn.rd) set_guest(e, at->insn.rd, is_word ? SLJIT_MOV_S32 : SLJIT_MOV, from);
  return true;
}

/* Success, and failure for want of a reservation (kernels drop one by it); what else fails is done by the op
 * function from the start. */
static bool store_conditional(struct emitter *e, const struct region_insn *at, bool is_word) {
  unsigned size = is_word ? 4 : 8;
  struct operand rs1 = guest(e, at->insn.rs1), rd = guest(e, at->insn.rd);
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(reservation_valid)});
  struct sljit_jump *valid = branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(0));
  op2(e, SLJIT_AND, reg(SLJIT_R0), rs1, imm(size - 1));
  slow_jump(e, branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(0)));
  if (at->insn.rd) op1(e, SLJIT_MOV, rd, imm(1));
  struct sljit_jump *failed = sljit_emit_jump(e->c, SLJIT_JUMP);
  here(e, valid);
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(reservation_size)});
  slow_jump(e, branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(size)));
  struct operand to = access_place(e, at, true, size, NULL);
  op1(e, SLJIT_MOV, reg(SLJIT_R1), imm(host_to_gpa(e)));
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), reg(SLJIT_R0));
  slow_jump(e, branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R1), (struct operand){HART(reservation)}));
  op1(e, SLJIT_MOV_U8, (struct operand){HART(reservation_valid)}, imm(0));
  op1(e, SLJIT_MOV, reg(SLJIT_R1), guest(e, at->insn.rs2));
  op1(e, is_word ? SLJIT_MOV_U32 : SLJIT_MOV, to, reg(SLJIT_R1));
  if (at->insn.rd) op1(e, SLJIT_MOV, rd, imm(0));
  here(e, failed);
  e->cached = -1;
  return true;
}

/* `op` 0: swap */
static bool modify(struct emitter *e, const struct region_insn *at, sljit_s32 op, bool is_word) {
  struct operand place = access_place(e, at, true, is_word ? 4 : 8, NULL);
  struct operand old = {SLJIT_MEM1(SLJIT_SP), OLD_SLOT};
  op1(e, is_word ? SLJIT_MOV_S32 : SLJIT_MOV, reg(SLJIT_R1), place);
  op1(e, SLJIT_MOV, old, reg(SLJIT_R1));
  if (op)
    op2(e, op, reg(SLJIT_R1), reg(SLJIT_R1), guest(e, at->insn.rs2));
  else
    op1(e, SLJIT_MOV, reg(SLJIT_R1), guest(e, at->insn.rs2));
  op1(e, is_word ? SLJIT_MOV_U32 : SLJIT_MOV, place, reg(SLJIT_R1));
  if (at->insn.rd) op1(e, SLJIT_MOV, guest(e, at->insn.rd), old);
  return true;
}

bool lower_atomic(struct emitter *e, const struct region_insn *at) {
  if (!e->fast) return false;
  switch (at->insn.id) {
  case INSN_lr_w: return load_reserved(e, at, true);
  case INSN_lr_d: return load_reserved(e, at, false);
  case INSN_sc_w: return store_conditional(e, at, true);
  case INSN_sc_d: return store_conditional(e, at, false);
  case INSN_amoswap_w: return modify(e, at, 0, true);
  case INSN_amoadd_w: return modify(e, at, SLJIT_ADD, true);
  case INSN_amoxor_w: return modify(e, at, SLJIT_XOR, true);
  case INSN_amoand_w: return modify(e, at, SLJIT_AND, true);
  case INSN_amoor_w: return modify(e, at, SLJIT_OR, true);
  case INSN_amoswap_d: return modify(e, at, 0, false);
  case INSN_amoadd_d: return modify(e, at, SLJIT_ADD, false);
  case INSN_amoxor_d: return modify(e, at, SLJIT_XOR, false);
  case INSN_amoand_d: return modify(e, at, SLJIT_AND, false);
  case INSN_amoor_d: return modify(e, at, SLJIT_OR, false);
  default: return false;
  }
}

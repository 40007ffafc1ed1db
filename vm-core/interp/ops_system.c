/* Zicsr, environment calls, xRET, WFI, address-translation fences, cache-block operations. */
#include "hart/csr.h"
#include "hart/trap.h"
#include "interp/ops.h"

OP(illegal) { return op_raise(hart, op, CAUSE_ILLEGAL, op->raw); }

OP(ecall) {
  static const uint8_t cause[] = {
      [PRIV_U] = CAUSE_ECALL_U, [PRIV_S] = CAUSE_ECALL_S, [PRIV_M] = CAUSE_ECALL_M};
  return op_raise(hart, op, cause[hart->priv], 0);
}

OP(ebreak) { return op_raise(hart, op, CAUSE_BREAKPOINT, op_pc(hart, op)); }

OP(breakpoint) {
  hart->pending = op->left;
  bool stop = hart->hooks.breakpoint(hart->hooks.opaque, op_pc(hart, op));
  hart->pending = 0;
  if (!stop) NEXT;
  hart_request_stop(hart, STOP_BREAKPOINT);
  return op_trap(hart, op);
}

/* rs1 = x0 (or a zero immediate) makes set and clear pure reads. */
static inline const struct block *csr_op(struct hart *hart, const struct op *op, enum csr_action action,
                                         uint64_t source) {
  unsigned number = (unsigned)op->imm;
  bool write = action == CSR_SWAP || op->rs1;
  if (!csr_allowed(hart, number, write)) return op_illegal(hart, op);
  hart->pending = op->left;
  uint64_t old = csr_read(hart, number);
  if (write) {
    uint64_t from = action == CSR_SWAP ? 0 : csr_read_for_update(hart, number);
    csr_write(hart, number, action == CSR_CLEAR ? from & ~source : from | source);
  }
  hart->pending = 0;
  RD = old;
  if (hart->leave) return op_leave(hart, op);
  NEXT;
}

OP(csrrw) { return csr_op(hart, op, CSR_SWAP, RS1); }
OP(csrrs) { return csr_op(hart, op, CSR_SET, RS1); }
OP(csrrc) { return csr_op(hart, op, CSR_CLEAR, RS1); }
OP(csrrwi) { return csr_op(hart, op, CSR_SWAP, op->rs1); }
OP(csrrsi) { return csr_op(hart, op, CSR_SET, op->rs1); }
OP(csrrci) { return csr_op(hart, op, CSR_CLEAR, op->rs1); }

OP(mret) {
  if (hart->priv != PRIV_M) return op_illegal(hart, op);
  hart_mret(hart);
  return hart->leave ? NULL : jump_to(hart, hart->pc);
}

OP(sret) {
  bool trapped = hart->priv == PRIV_S && (hart->csr.mstatus & MSTATUS_TSR);
  if (hart->priv == PRIV_U || trapped) return op_illegal(hart, op);
  hart_sret(hart);
  return hart->leave ? NULL : jump_to(hart, hart->pc);
}

OP(wfi) {
  bool trapped = hart->priv == PRIV_S && (hart->csr.mstatus & MSTATUS_TW);
  if (hart->priv == PRIV_U || trapped) return op_illegal(hart, op);
  hart->pending = op->left - 1u; /* the wait begins after WFI has retired */
  bool ready = hart_wfi_ready(hart);
  hart->pending = 0;
  if (ready) NEXT;
  hart->waiting = true;
  hart->leave = true;
  return op_leave(hart, op);
}

static const struct block *fence_translation(struct hart *hart, const struct op *op) {
  bool trapped = hart->priv == PRIV_S && (hart->csr.mstatus & MSTATUS_TVM);
  if (hart->priv == PRIV_U || trapped) return op_illegal(hart, op);
  uint64_t va = RS1, asid = RS2;
  tlb_fence(hart, op->rs1 ? &va : NULL, op->rs2 ? &asid : NULL);
  return op_leave(hart, op);
}

OP(sfence_vma) { return fence_translation(hart, op); }
OP(sinval_vma) { return fence_translation(hart, op); }

OP(sfence_w_inval) {
  if (hart->priv == PRIV_U) return op_illegal(hart, op);
  NEXT;
}
OP(sfence_inval_ir) {
  if (hart->priv == PRIV_U) return op_illegal(hart, op);
  NEXT;
}

/* The envcfg bits that apply in the present mode: all in M, menvcfg's in S, those of both in U. */
static uint64_t envcfg(const struct hart *hart) {
  if (hart->priv == PRIV_M) return UINT64_MAX;
  return hart->priv == PRIV_S ? hart->csr.menvcfg : hart->csr.menvcfg & hart->csr.senvcfg;
}

static const struct block *cache_op(struct hart *hart, const struct op *op, uint64_t enable,
                                    bool (*action)(struct hart *, uint64_t)) {
  if (!(envcfg(hart) & enable)) return op_illegal(hart, op);
  hart->pending = op->left;
  bool ok = action(hart, RS1);
  hart->pending = 0;
  if (!ok) return op_trap(hart, op);
  if (hart->leave) return op_leave(hart, op);
  NEXT;
}

/* Memory is coherent: inval has nothing to drop, clean and flush nothing to write. */
OP(cbo_inval) { return cache_op(hart, op, ENVCFG_CBIE, mem_manage_block); }
OP(cbo_clean) { return cache_op(hart, op, ENVCFG_CBCFE, mem_manage_block); }
OP(cbo_flush) { return cache_op(hart, op, ENVCFG_CBCFE, mem_manage_block); }
OP(cbo_zero) { return cache_op(hart, op, ENVCFG_CBZE, mem_zero_block); }

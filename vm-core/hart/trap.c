#include "hart/trap.h"

#include "hart/csr.h"
#include "telemetry/telemetry.h"

static uint64_t vector(uint64_t tvec, uint64_t cause, bool interrupt) {
  uint64_t base = tvec & ~UINT64_C(3);
  return interrupt && (tvec & 1) ? base + 4 * cause : base;
}

static void enter_supervisor(struct hart *hart, uint64_t cause, uint64_t tval, bool interrupt) {
  struct csr_state *csr = &hart->csr;
  uint64_t status = csr->mstatus & ~(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);
  if (csr->mstatus & MSTATUS_SIE) status |= MSTATUS_SPIE;
  if (hart->priv == PRIV_S) status |= MSTATUS_SPP;
  csr->mstatus = status;
  csr->sepc = hart->pc;
  csr->scause = cause | (interrupt ? CAUSE_INTERRUPT : 0);
  csr->stval = tval;
  hart->pc = vector(csr->stvec, cause, interrupt);
  hart_set_priv(hart, PRIV_S);
}

static void enter_machine(struct hart *hart, uint64_t cause, uint64_t tval, bool interrupt) {
  struct csr_state *csr = &hart->csr;
  uint64_t status = csr->mstatus & ~(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP);
  if (csr->mstatus & MSTATUS_MIE) status |= MSTATUS_MPIE;
  status |= (uint64_t)hart->priv << MSTATUS_MPP_SHIFT;
  csr->mstatus = status;
  csr->mepc = hart->pc;
  csr->mcause = cause | (interrupt ? CAUSE_INTERRUPT : 0);
  csr->mtval = tval;
  hart->pc = vector(csr->mtvec, cause, interrupt);
  hart_set_priv(hart, PRIV_M);
}

static void enter(struct hart *hart, uint64_t cause, uint64_t tval, bool interrupt) {
  uint64_t delegated = interrupt ? hart->csr.mideleg : hart->csr.medeleg;
  uint64_t pc = hart->pc;
  unsigned from = hart->priv;
  hart->reservation_valid = false;
  if (from != PRIV_M && (delegated & BIT(cause)))
    enter_supervisor(hart, cause, tval, interrupt);
  else
    enter_machine(hart, cause, tval, interrupt);
  if (hart->telemetry) {
    struct telemetry_trap trap = {.instret = hart_instret(hart),
                                  .cause = cause | (interrupt ? CAUSE_INTERRUPT : 0),
                                  .tval = tval,
                                  .pc = pc,
                                  .satp = hart->csr.satp,
                                  .priv_from = (uint8_t)from,
                                  .priv_to = hart->priv,
                                  .context = from == PRIV_U ? hart->csr.sscratch : hart->x[4]};
    telemetry_trap(hart->telemetry, &trap);
  }
}

void hart_take_exception(struct hart *hart) {
  struct trap trap = hart->trap;
  hart->trap.raised = false;
  enter(hart, trap.cause, trap.tval, false);
}

void hart_take_interrupt(struct hart *hart, unsigned irq) { enter(hart, irq, 0, true); }

static void return_to(struct hart *hart, uint64_t status, unsigned priv, uint64_t pc) {
  if (priv != PRIV_M) status &= ~MSTATUS_MPRV;
  hart->csr.mstatus = status;
  hart->reservation_valid = false;
  hart->pc = pc;
  hart_set_priv(hart, priv);
  hart_check_interrupts(hart);
  if (priv == PRIV_U && hart->stop_on_first_user) hart_request_stop(hart, STOP_FIRST_USER);
}

void hart_mret(struct hart *hart) {
  uint64_t status = hart->csr.mstatus;
  unsigned priv = (unsigned)bits(status, 12, 11);
  status &= ~(MSTATUS_MIE | MSTATUS_MPP);
  if (status & MSTATUS_MPIE) status |= MSTATUS_MIE;
  return_to(hart, status | MSTATUS_MPIE, priv, hart->csr.mepc);
}

void hart_sret(struct hart *hart) {
  uint64_t status = hart->csr.mstatus;
  unsigned priv = status & MSTATUS_SPP ? PRIV_S : PRIV_U;
  status &= ~(MSTATUS_SIE | MSTATUS_SPP);
  if (status & MSTATUS_SPIE) status |= MSTATUS_SIE;
  return_to(hart, status | MSTATUS_SPIE, priv, hart->csr.sepc);
}

/* Pending, enabled and prioritised interrupts (Privileged ISA, "Machine Interrupt Registers"). */
#include "hart/csr.h"

uint64_t hart_mip(const struct hart *hart) {
  const struct csr_state *csr = &hart->csr;
  uint64_t mip = csr->mip_lines | csr->mip_soft;
  if ((csr->menvcfg & ENVCFG_STCE) && hart_mtime(hart) >= csr->stimecmp) mip |= BIT(IRQ_STI);
  return mip;
}

void hart_set_irq(struct hart *hart, unsigned mip_bit, bool level) {
  uint64_t bit = BIT(mip_bit);
  hart->csr.mip_lines = level ? hart->csr.mip_lines | bit : hart->csr.mip_lines & ~bit;
  if (level) hart_check_interrupts(hart);
}

int hart_pending_interrupt(const struct hart *hart) {
  const struct csr_state *csr = &hart->csr;
  uint64_t pending = hart_mip(hart) & csr->mie;
  if (likely(!pending)) return -1;
  uint64_t machine = pending & ~csr->mideleg, supervisor = pending & csr->mideleg;
  bool machine_on = hart->priv < PRIV_M || (csr->mstatus & MSTATUS_MIE);
  bool supervisor_on = hart->priv < PRIV_S || (hart->priv == PRIV_S && (csr->mstatus & MSTATUS_SIE));
  uint64_t take = machine_on && machine ? machine : supervisor_on ? supervisor : 0;
  static const uint8_t priority[] = {IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI};
  for (unsigned i = 0; i < sizeof priority; i++) {
    if (take & BIT(priority[i])) return priority[i];
  }
  return -1;
}

bool hart_wfi_ready(const struct hart *hart) { return hart_mip(hart) & hart->csr.mie; }

void hart_check_interrupts(struct hart *hart) {
  if (hart_pending_interrupt(hart) >= 0) hart->leave = true;
}

/* mstatus, interrupt and environment CSRs, satp. */
#include "hart/csr.h"

#define MSTATUS_WRITABLE                                                                                     \
  (MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP | MSTATUS_FS |        \
   MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR)

static uint64_t mstatus_with_sd(const struct hart *hart) {
  uint64_t value = hart->csr.mstatus;
  return (value & MSTATUS_FS) == MSTATUS_FS ? value | MSTATUS_SD : value;
}

void hart_write_mstatus(struct hart *hart, uint64_t value) {
  uint64_t old = hart->csr.mstatus, mask = MSTATUS_WRITABLE;
  if (bits(value, 12, 11) == 2) mask &= ~MSTATUS_MPP;
  uint64_t new = (old & ~mask) | (value & mask);
  uint64_t changed = old ^ new;
  hart->csr.mstatus = new;
  unsigned what = 0;
  if (changed & (MSTATUS_SUM | MSTATUS_MPRV | MSTATUS_MPP)) what |= CONTEXT_MODE;
  if (changed & MSTATUS_MXR) what |= CONTEXT_PERMS;
  if (what) hart->hooks.context_changed(hart, what);
  if (changed & (MSTATUS_SIE | MSTATUS_MIE)) hart_check_interrupts(hart);
}

uint64_t csr_read_mstatus(const struct hart *hart) { return mstatus_with_sd(hart); }
void csr_write_mstatus(struct hart *hart, uint64_t value) { hart_write_mstatus(hart, value); }
uint64_t csr_read_sstatus(const struct hart *hart) { return mstatus_with_sd(hart) & SSTATUS_MASK; }

void csr_write_sstatus(struct hart *hart, uint64_t value) {
  uint64_t mask = SSTATUS_MASK & MSTATUS_WRITABLE;
  hart_write_mstatus(hart, (hart->csr.mstatus & ~mask) | (value & mask));
}

bool csr_change_sstatus(struct hart *hart, enum csr_action action, uint64_t source) {
  const struct csr_state *csr = &hart->csr;
  if (hart->priv < PRIV_S) return false;
  uint64_t old = csr->mstatus, mask = SSTATUS_MASK & MSTATUS_WRITABLE;
  uint64_t wanted = action == CSR_SWAP ? source : action == CSR_SET ? old | source : old & ~source;
  uint64_t new = (old & ~mask) | (wanted & mask), changed = old ^ new;
  if (changed & MSTATUS_MXR) return false;
  bool quiet = !((csr->mip_lines | csr->mip_soft) & csr->mie) && hart->stimer.queued;
  if ((changed & new &MSTATUS_SIE) && !quiet) return false;
  hart->load_value = csr_read_sstatus(hart);
  hart->csr.mstatus = new;
  if (changed & MSTATUS_SUM) hart->hooks.context_changed(hart, CONTEXT_MODE);
  return true;
}

uint64_t csr_read_mideleg(const struct hart *hart) { return hart->csr.mideleg; }
void csr_write_mideleg(struct hart *hart, uint64_t value) {
  hart->csr.mideleg = value & MIP_S_MASK;
  hart_check_interrupts(hart);
}

uint64_t csr_read_mie(const struct hart *hart) { return hart->csr.mie; }
void csr_write_mie(struct hart *hart, uint64_t value) {
  hart->csr.mie = value & (MIP_S_MASK | MIP_M_MASK);
  hart_check_interrupts(hart);
}

uint64_t csr_read_sie(const struct hart *hart) { return hart->csr.mie & hart->csr.mideleg; }
void csr_write_sie(struct hart *hart, uint64_t value) {
  uint64_t mask = hart->csr.mideleg;
  csr_write_mie(hart, (hart->csr.mie & ~mask) | (value & mask));
}

static void write_mip_soft(struct hart *hart, uint64_t value, uint64_t mask) {
  hart->csr.mip_soft = (hart->csr.mip_soft & ~mask) | (value & mask);
  hart_check_interrupts(hart);
}

uint64_t csr_read_mip(const struct hart *hart) { return hart_mip(hart); }
void csr_write_mip(struct hart *hart, uint64_t value) {
  uint64_t mask = MIP_S_MASK;
  if (hart->csr.menvcfg & ENVCFG_STCE) mask &= ~BIT(IRQ_STI);
  write_mip_soft(hart, value, mask);
}

uint64_t csr_read_sip(const struct hart *hart) { return hart_mip(hart) & hart->csr.mideleg; }
void csr_write_sip(struct hart *hart, uint64_t value) {
  write_mip_soft(hart, value, hart->csr.mideleg & BIT(IRQ_SSI));
}

/* CBIE is WARL: 2 is reserved and leaves the field as it was. */
static uint64_t envcfg_merge(uint64_t old, uint64_t value, uint64_t mask) {
  if (bits(value, 5, 4) == 2) mask &= ~ENVCFG_CBIE;
  return (old & ~mask) | (value & mask);
}

uint64_t csr_read_menvcfg(const struct hart *hart) { return hart->csr.menvcfg; }
void csr_write_menvcfg(struct hart *hart, uint64_t value) {
  uint64_t old = hart->csr.menvcfg;
  hart->csr.menvcfg = envcfg_merge(old, value,
                                   ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE | ENVCFG_ADUE |
                                       ENVCFG_PBMTE | ENVCFG_STCE);
  uint64_t changed = old ^ hart->csr.menvcfg;
  if (changed & (ENVCFG_ADUE | ENVCFG_PBMTE)) hart->hooks.context_changed(hart, CONTEXT_PERMS);
  if (changed & ENVCFG_STCE) {
    hart->csr.mip_soft &= ~BIT(IRQ_STI);
    hart_arm_stimer(hart);
  }
}

uint64_t csr_read_senvcfg(const struct hart *hart) { return hart->csr.senvcfg; }
void csr_write_senvcfg(struct hart *hart, uint64_t value) {
  hart->csr.senvcfg =
      envcfg_merge(hart->csr.senvcfg, value, ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE);
}

/* An unsupported mode leaves the whole register unchanged (Privileged ISA, "Supervisor Address Translation
 * and Protection (satp) Register"). */
uint64_t csr_read_satp(const struct hart *hart) { return hart->csr.satp; }
void csr_write_satp(struct hart *hart, uint64_t value) {
  uint64_t mode = value >> 60;
  if (mode != SATP_BARE && mode != SATP_SV39 && mode != SATP_SV48) return;
  hart->csr.satp = value;
  hart->hooks.context_changed(hart, CONTEXT_SATP);
  hart->leave = true;
}

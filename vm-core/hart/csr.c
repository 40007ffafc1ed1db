#include "hart/csr.h"

static bool counter_allowed(const struct hart *hart, unsigned number) {
  uint64_t bit = BIT(number & 31);
  if (hart->priv == PRIV_M) return true;
  if (!(hart->csr.mcounteren & bit)) return false;
  return hart->priv == PRIV_S || (hart->csr.scounteren & bit);
}

static bool stimecmp_allowed(const struct hart *hart) {
  if (hart->priv == PRIV_M) return true;
  return (hart->csr.mcounteren & BIT(CSR_time & 31)) && (hart->csr.menvcfg & ENVCFG_STCE);
}

bool csr_allowed(const struct hart *hart, unsigned number, bool write) {
  if ((number >> 8 & 3) > hart->priv) return false;
  if (write && number >> 10 == 3) return false;
  if (!csr_exists(number)) return false;
  switch (number) {
  case CSR_fflags:
  case CSR_frm:
  case CSR_fcsr: return hart->csr.mstatus & MSTATUS_FS;
  case CSR_satp: return hart->priv == PRIV_M || !(hart->csr.mstatus & MSTATUS_TVM);
  case CSR_stimecmp: return stimecmp_allowed(hart);
  default: break;
  }
  if (number >= CSR_cycle && number <= CSR_cycle + 31) return counter_allowed(hart, number);
  return true;
}

/* clang-format off */
uint64_t csr_read(const struct hart *hart, unsigned number) {
  switch (number) {
#define CSR_WORD(number, name, member, mask) case number: return hart->csr.member;
#define CSR_HOOK(number, name) case number: return csr_read_##name(hart);
#define CSR_ZERO(first, last, name)
#define CSR_FIXED(number, name, value) case number: return value;
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
  default: return 0;
  }
}
/* clang-format on */

uint64_t csr_read_for_update(const struct hart *hart, unsigned number) {
  if (number != CSR_mip) return csr_read(hart, number);
  uint64_t seip = BIT(IRQ_SEI);
  return (hart_mip(hart) & ~seip) | (hart->csr.mip_soft & seip);
}

/* clang-format off */
void csr_write(struct hart *hart, unsigned number, uint64_t value) {
  switch (number) {
#define CSR_WORD(number, name, member, mask) \
  case number: hart->csr.member = (hart->csr.member & ~(uint64_t)(mask)) | (value & (mask)); break;
#define CSR_HOOK(number, name) case number: csr_write_##name(hart, value); break;
#define CSR_ZERO(first, last, name)
#define CSR_FIXED(number, name, value)
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
  default: break;
  }
}
/* clang-format on */

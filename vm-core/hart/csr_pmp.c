/* Physical memory protection CSRs: 16 entries, 4-byte granularity. */
#include "hart/csr.h"

enum { PMP_W_ONLY = 2, PMP_RW = 3, PMP_A_SHIFT = 3, PMP_A_TOR = 1, PMP_LOCK = 0x80, PMP_CFG_MASK = 0x9f };

static uint64_t read_config(const struct hart *hart, unsigned first) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; i++) value |= (uint64_t)hart->csr.pmpcfg[first + i] << (8 * i);
  return value;
}

static void write_config(struct hart *hart, unsigned first, uint64_t value) {
  for (unsigned i = 0; i < 8; i++) {
    uint8_t config = (uint8_t)(value >> (8 * i)) & PMP_CFG_MASK;
    if (hart->csr.pmpcfg[first + i] & PMP_LOCK) continue;
    if ((config & PMP_RW) == PMP_W_ONLY) config &= (uint8_t)~PMP_RW; /* W without R is reserved */
    hart->csr.pmpcfg[first + i] = config;
  }
  hart->hooks.context_changed(hart, CONTEXT_PERMS);
}

static void write_address(struct hart *hart, unsigned entry, uint64_t value) {
  if (hart->csr.pmpcfg[entry] & PMP_LOCK) return;
  if (entry + 1 < PMP_ENTRIES) {
    uint8_t next = hart->csr.pmpcfg[entry + 1];
    if ((next & PMP_LOCK) && (next >> PMP_A_SHIFT & 3) == PMP_A_TOR) return;
  }
  hart->csr.pmpaddr[entry] = value & (BIT(54) - 1);
  hart->hooks.context_changed(hart, CONTEXT_PERMS);
}

uint64_t csr_read_pmpcfg0(const struct hart *hart) { return read_config(hart, 0); }
void csr_write_pmpcfg0(struct hart *hart, uint64_t value) { write_config(hart, 0, value); }
uint64_t csr_read_pmpcfg2(const struct hart *hart) { return read_config(hart, 8); }
void csr_write_pmpcfg2(struct hart *hart, uint64_t value) { write_config(hart, 8, value); }

#define PMPADDR(n)                                                                                           \
  uint64_t csr_read_pmpaddr##n(const struct hart *hart) { return hart->csr.pmpaddr[n]; }                     \
  void csr_write_pmpaddr##n(struct hart *hart, uint64_t value) { write_address(hart, n, value); }

PMPADDR(0)
PMPADDR(1)
PMPADDR(2)
PMPADDR(3)
PMPADDR(4)
PMPADDR(5)
PMPADDR(6)
PMPADDR(7)
PMPADDR(8)
PMPADDR(9)
PMPADDR(10)
PMPADDR(11)
PMPADDR(12)
PMPADDR(13)
PMPADDR(14)
PMPADDR(15)

/* Physical memory protection check (Privileged ISA, "Physical Memory Protection"). */
#include "mmu/tlb.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_LOCK = 0x80, PMP_OFF = 0, PMP_TOR = 1, PMP_NA4 = 2 };

/* The bytes entry i matches; first > last: none. */
static struct pmp_range range_of(const struct hart *hart, unsigned i) {
  uint64_t address = hart->csr.pmpaddr[i], low = i ? hart->csr.pmpaddr[i - 1] << 2 : 0;
  uint8_t config = hart->csr.pmpcfg[i];
  switch (config >> 3 & 3) {
  case PMP_OFF: return (struct pmp_range){1, 0, 0};
  case PMP_TOR:
    if (low >= address << 2) return (struct pmp_range){1, 0, 0};
    return (struct pmp_range){low, (address << 2) - 1, config};
  case PMP_NA4: return (struct pmp_range){address << 2, (address << 2) + 3, config};
  default: break;
  }
  uint64_t mask = address ^ (address + 1); /* NAPOT: the trailing ones and the zero above them */
  uint64_t first = (address & ~mask) << 2;
  return (struct pmp_range){first, first + (mask << 2 | 3), config};
}

void pmp_update(struct hart *hart) {
  struct mmu *mmu = hart->mmu;
  mmu->pmp_count = 0;
  for (unsigned i = 0; i < PMP_ENTRIES; i++) {
    struct pmp_range range = range_of(hart, i);
    if (range.first <= range.last) mmu->pmp[mmu->pmp_count++] = range;
  }
}

/* The first entry that matches any byte decides; it must match all of them. */
bool pmp_allows(const struct hart *hart, uint64_t gpa, unsigned size, enum access access, unsigned priv) {
  static const uint8_t needed[] = {[ACCESS_LOAD] = PMP_R, [ACCESS_STORE] = PMP_W, [ACCESS_FETCH] = PMP_X};
  const struct mmu *mmu = hart->mmu;
  uint64_t last = gpa + size - 1;
  for (unsigned i = 0; i < mmu->pmp_count; i++) {
    const struct pmp_range *range = &mmu->pmp[i];
    if (last < range->first || gpa > range->last) continue;
    if (gpa < range->first || last > range->last) return false;
    if (priv == PRIV_M && !(range->config & PMP_LOCK)) return true;
    return range->config & needed[access];
  }
  return priv == PRIV_M;
}

bool pmp_page_uniform(const struct hart *hart, uint64_t gpa) {
  const struct mmu *mmu = hart->mmu;
  uint64_t first = gpa & PAGE_MASK, last = first | 0xfff;
  for (unsigned i = 0; i < mmu->pmp_count; i++) {
    const struct pmp_range *range = &mmu->pmp[i];
    if (last < range->first || first > range->last) continue;
    return first >= range->first && last <= range->last;
  }
  return true;
}

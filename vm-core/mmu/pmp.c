/* Physical memory protection check (Privileged ISA, "Physical Memory Protection"). */
#include "mmu/tlb.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_LOCK = 0x80, PMP_OFF = 0, PMP_TOR = 1, PMP_NA4 = 2 };

struct region {
  uint64_t first, last; /* inclusive; empty when first > last */
};

static struct region pmp_region(const struct hart *hart, unsigned i) {
  uint64_t address = hart->csr.pmpaddr[i];
  switch (hart->csr.pmpcfg[i] >> 3 & 3) {
  case PMP_OFF: return (struct region){1, 0};
  case PMP_TOR: {
    uint64_t low = i ? hart->csr.pmpaddr[i - 1] << 2 : 0, high = address << 2;
    return low < high ? (struct region){low, high - 1} : (struct region){1, 0};
  }
  case PMP_NA4: return (struct region){address << 2, (address << 2) + 3};
  default: {
    uint64_t mask = address ^ (address + 1); /* the trailing ones and the zero above them */
    uint64_t first = (address & ~mask) << 2;
    return (struct region){first, first + (mask << 2 | 3)};
  }
  }
}

bool pmp_allows(const struct hart *hart, uint64_t gpa, unsigned size, enum access access, unsigned priv) {
  static const uint8_t needed[] = {[ACCESS_LOAD] = PMP_R, [ACCESS_STORE] = PMP_W, [ACCESS_FETCH] = PMP_X};
  uint64_t last = gpa + size - 1;
  for (unsigned i = 0; i < PMP_ENTRIES; i++) {
    struct region region = pmp_region(hart, i);
    if (region.first > region.last || last < region.first || gpa > region.last) continue;
    if (gpa < region.first || last > region.last) return false; /* only part of the access matches */
    uint8_t config = hart->csr.pmpcfg[i];
    if (priv == PRIV_M && !(config & PMP_LOCK)) return true;
    return config & needed[access];
  }
  return priv == PRIV_M;
}

bool pmp_page_uniform(const struct hart *hart, uint64_t gpa) {
  uint64_t first = gpa & PAGE_MASK, last = first | 0xfff;
  for (unsigned i = 0; i < PMP_ENTRIES; i++) {
    struct region region = pmp_region(hart, i);
    if (region.first > region.last || last < region.first || first > region.last) continue;
    return first >= region.first && last <= region.last;
  }
  return true;
}

/* Sites: what single loads and stores of machine code found last. */
#include <string.h>

#include "mmu/tlb.h"

/* Of the bits a masked address has zero, 6:3 are the set of loads and stores and those above a generation;
 * the last one stays unused, so that a tag of all ones matches nothing. */
enum { SET_SHIFT = 3, GENERATION_SHIFT = 7, GENERATIONS = (1 << (SITE_SHIFT - GENERATION_SHIFT)) - 1 };

_Static_assert(TLB_SETS <= 16, "four bits of the key are the set");

void sites_forget(struct hart *hart) {
  memset(hart->sites, 0xff, sizeof hart->sites);
  hart->site_key &= (UINT64_C(1) << GENERATION_SHIFT) - 1;
}

void sites_drop(struct hart *hart) {
  uint64_t key = hart->site_key + (UINT64_C(1) << GENERATION_SHIFT);
  if (key >> GENERATION_SHIFT == GENERATIONS)
    sites_forget(hart);
  else
    hart->site_key = key;
}

void sites_select(struct hart *hart) {
  uint64_t set = (uint64_t)(hart->tlb_data - hart->mmu->sets);
  hart->site_key = (hart->site_key & ~((UINT64_C(1) << GENERATION_SHIFT) - 1)) | set << SET_SHIFT;
}

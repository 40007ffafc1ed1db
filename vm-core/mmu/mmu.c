#include "mmu/mmu.h"

#include <stdlib.h>

#include "mmu/tlb.h"

static struct tlb_set *set_for(struct hart *hart, unsigned priv, bool sum) {
  if (priv == PRIV_M) return &hart->mmu->sets[TLB_MACHINE];
  struct tlb_set *sets = tlb_present_sets(hart);
  return &sets[priv == PRIV_U ? TLB_USER : sum ? TLB_SUPERVISOR_SUM : TLB_SUPERVISOR];
}

static void choose_sets(struct hart *hart) {
  hart->tlb_data = set_for(hart, mmu_effective_priv(hart, ACCESS_LOAD), hart->csr.mstatus & MSTATUS_SUM);
  hart->tlb_write = hart->tlb_data->write;
  hart->tlb_exec = set_for(hart, hart->priv, false);
  sites_select(hart);
}

static void context_changed(struct hart *hart, unsigned changes) {
  if (changes & CONTEXT_PERMS) {
    pmp_update(hart);
    tlb_drop_level1(hart);
    hart->leave = true;
  }
  choose_sets(hart);
}

bool mmu_attach(struct hart *hart, struct phys *phys) {
  struct mmu *mmu = calloc(1, sizeof *mmu);
  if (!mmu) return false;
  mmu->hart = hart;
  mmu->phys = phys;
  mmu->clock = 1;
  mmu->page_count = phys->ram_size >> PAGE_SHIFT;
  mmu->flushed_asid = calloc(1 << 16, sizeof *mmu->flushed_asid);
  mmu->writers = calloc(mmu->page_count + 1, sizeof *mmu->writers);
  hart->mmu = mmu;
  if (!mmu->flushed_asid || !mmu->writers) {
    mmu_detach(hart);
    return false;
  }
  tlb_create_level1(hart);
  hart->hooks.context_changed = context_changed;
  context_changed(hart, CONTEXT_MODE | CONTEXT_PERMS);
  hart->leave = false;
  return true;
}

void mmu_detach(struct hart *hart) {
  if (!hart->mmu) return;
  free(hart->mmu->flushed_asid);
  free(hart->mmu->writers);
  free(hart->mmu);
  hart->mmu = NULL;
  hart->tlb_data = hart->tlb_exec = NULL;
  hart->tlb_write = NULL;
}

void mmu_drop_writable(struct hart *hart) { tlb_drop_writable(hart); }

void mmu_flush_all(struct hart *hart) {
  pmp_update(hart);
  tlb_fence(hart, NULL, NULL);
  tlb_drop_level1(hart);
  choose_sets(hart);
}

bool mmu_debug_translate(const struct hart *hart, uint64_t va, uint64_t *gpa) {
  struct phys *phys = hart->mmu->phys;
  uint64_t satp = hart->csr.satp, mode = satp >> 60;
  if (hart->priv == PRIV_M || mode == SATP_BARE) {
    *gpa = va;
    return phys_in_ram(phys, va, 1);
  }
  uint64_t table = bits(satp, 43, 0) << PAGE_SHIFT;
  for (unsigned level = mode == SATP_SV48 ? 3 : 2;; level--) {
    uint64_t at = table + bits(va, 20 + 9 * level, 12 + 9 * level) * 8;
    if (!phys_in_ram(phys, at, 8)) return false;
    uint64_t pte = *(const uint64_t *)phys_read_ptr(phys, at), ppn = PTE_PPN(pte);
    if (!(pte & PTE_V)) return false;
    if (pte & (PTE_R | PTE_X)) {
      uint64_t low = pte & PTE_N ? 15 : BIT(9 * level) - 1;
      *gpa = ((ppn & ~low) | ((va >> PAGE_SHIFT) & low)) << PAGE_SHIFT | (va & ~PAGE_MASK);
      return phys_in_ram(phys, *gpa, 1);
    }
    if (!level) return false;
    table = ppn << PAGE_SHIFT;
  }
}

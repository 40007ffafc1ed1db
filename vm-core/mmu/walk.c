/* Sv39 and Sv48 page-table walk with Svadu, Svpbmt and Svnapot (Privileged ISA, "Virtual Address Translation
 * Process"). */
#include "mmu/tlb.h"

enum { LEVEL_NAPOT = 4, NAPOT_64K = 8 };

static const uint8_t page_fault[] = {
    [ACCESS_LOAD] = CAUSE_LOAD_PAGE, [ACCESS_STORE] = CAUSE_STORE_PAGE, [ACCESS_FETCH] = CAUSE_FETCH_PAGE};
static const uint8_t access_fault[] = {[ACCESS_LOAD] = CAUSE_LOAD_ACCESS,
                                       [ACCESS_STORE] = CAUSE_STORE_ACCESS,
                                       [ACCESS_FETCH] = CAUSE_FETCH_ACCESS};

bool pte_allows(const struct hart *hart, uint64_t pte, enum access access, unsigned priv) {
  uint64_t status = hart->csr.mstatus;
  if (priv == PRIV_U) {
    if (!(pte & PTE_U)) return false;
  } else if ((pte & PTE_U) && (access == ACCESS_FETCH || !(status & MSTATUS_SUM))) {
    return false;
  }
  switch (access) {
  case ACCESS_LOAD: return pte & (status & MSTATUS_MXR ? PTE_R | PTE_X : PTE_R);
  case ACCESS_STORE: return pte & PTE_W;
  default: return pte & PTE_X;
  }
}

static bool read_pte(struct hart *hart, uint64_t gpa, uint64_t *pte) {
  struct phys *phys = hart->mmu->phys;
  if (!phys_in_ram(phys, gpa, 8) || !pmp_allows(hart, gpa, 8, ACCESS_LOAD, PRIV_S)) return false;
  *pte = *(const uint64_t *)phys_read_ptr(phys, gpa);
  return true;
}

static bool write_pte(struct hart *hart, uint64_t gpa, uint64_t pte) {
  struct phys *phys = hart->mmu->phys;
  bool ignored;
  if (!pmp_allows(hart, gpa, 8, ACCESS_STORE, PRIV_S)) return false;
  *(uint64_t *)phys_write_ptr(phys, gpa, 8, &ignored) = pte;
  phys_stored(phys, gpa, 8);
  return true;
}

/* Reserved and disabled high bits; a pointer PTE may have none of N, PBMT, D, A, U. */
static bool pte_well_formed(const struct hart *hart, uint64_t pte) {
  if (!(pte & PTE_V) || (!(pte & PTE_R) && (pte & PTE_W)) || (pte & PTE_RESERVED)) return false;
  if (!(pte & (PTE_R | PTE_X))) return !(pte & (PTE_N | PTE_PBMT | PTE_D | PTE_A | PTE_U));
  if (!(hart->csr.menvcfg & ENVCFG_PBMTE)) return !(pte & PTE_PBMT);
  return (pte & PTE_PBMT) != PTE_PBMT;
}

/* Page address of the leaf, or false when the superpage is misaligned or the NAPOT encoding reserved. */
static bool leaf_page(uint64_t pte, uint64_t va, unsigned level, struct walk_result *out) {
  uint64_t ppn = PTE_PPN(pte), vpn = va >> PAGE_SHIFT;
  uint64_t low = BIT(9 * level) - 1;
  out->level = (uint8_t)level;
  if (pte & PTE_N) {
    if (level || (ppn & 15) != NAPOT_64K) return false;
    low = 15;
    ppn &= ~low;
    out->level = LEVEL_NAPOT;
  }
  if (ppn & low) return false;
  out->page = (ppn | (vpn & low)) << PAGE_SHIFT;
  return true;
}

/* Set A, and D for a store, in the leaf. false: page fault (hardware update off) or access fault; *cause says
 * which. */
static bool update_leaf(struct hart *hart, uint64_t gpa, uint64_t *pte, enum access access, uint8_t *cause) {
  uint64_t want = PTE_A | (access == ACCESS_STORE ? PTE_D : 0);
  if ((*pte & want) == want) return true;
  if (!(hart->csr.menvcfg & ENVCFG_ADUE)) return false;
  *cause = access_fault[access];
  *pte |= want;
  return write_pte(hart, gpa, *pte);
}

bool mmu_walk(struct hart *hart, uint64_t va, enum access access, unsigned priv, struct walk_result *out) {
  uint64_t satp = hart->csr.satp;
  int level = satp >> 60 == SATP_SV48 ? 3 : 2;
  uint8_t cause = page_fault[access];
  if (sext(va, 12 + 9 * ((unsigned)level + 1)) != (int64_t)va) return hart_raise(hart, cause, va);
  uint64_t table = bits(satp, 43, 0) << PAGE_SHIFT, pte, gpa;
  for (;; level--) {
    gpa = table + bits(va, 20 + 9 * (unsigned)level, 12 + 9 * (unsigned)level) * 8;
    if (!read_pte(hart, gpa, &pte)) return hart_raise(hart, access_fault[access], va);
    if (!pte_well_formed(hart, pte)) return hart_raise(hart, cause, va);
    if (pte & (PTE_R | PTE_X)) break;
    if (!level) return hart_raise(hart, cause, va);
    table = PTE_PPN(pte) << PAGE_SHIFT;
  }
  if (!pte_allows(hart, pte, access, priv)) return hart_raise(hart, cause, va);
  if (!leaf_page(pte, va, (unsigned)level, out)) return hart_raise(hart, cause, va);
  if (!update_leaf(hart, gpa, &pte, access, &cause)) return hart_raise(hart, cause, va);
  out->pte = pte & 0xff;
  return true;
}

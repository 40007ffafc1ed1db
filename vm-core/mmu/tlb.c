#include "mmu/tlb.h"

#include <string.h>

#include "telemetry/telemetry.h"

enum { ASID_SHIFT = 44, LEVEL_NAPOT = 4 };

/* Virtual-address bits a leaf of each level covers. */
static const uint8_t leaf_shift[] = {12, 21, 30, 39, 16};

static uint16_t current_asid(const struct hart *hart) { return (uint16_t)(hart->csr.satp >> ASID_SHIFT); }

static struct l2_entry *l2_slot(struct mmu *mmu, uint64_t va, enum access access) {
  uint64_t vpn = va >> PAGE_SHIFT;
  uint64_t hash = vpn ^ vpn >> 12;
  return access == ACCESS_FETCH ? &mmu->fetch[hash & (L2_FETCH_SIZE - 1)]
                                : &mmu->data[hash & (L2_DATA_SIZE - 1)];
}

static bool l2_alive(const struct mmu *mmu, const struct l2_entry *entry, uint16_t asid) {
  if (!entry->pte || entry->stamp < mmu->flushed_all) return false;
  if (entry->pte & PTE_G) return true;
  return entry->asid == asid && entry->stamp >= mmu->flushed_asid[asid];
}

static void level1_drop_page(struct mmu *mmu, uint64_t va, bool data, bool code) {
  unsigned i = tlb_index(va);
  for (unsigned mode = 0; mode < TLB_MACHINE; mode++) {
    struct tlb_set *set = &mmu->sets[mode];
    if (data) set->read[i].tag = set->write[i].tag = TLB_NO_TAG;
    if (code) set->code[i].tag = TLB_NO_TAG;
  }
}

static unsigned large_hash(uint64_t va, unsigned level) {
  return (unsigned)((va >> leaf_shift[level]) * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

static void note_large(struct mmu *mmu, uint64_t va, unsigned level) {
  if (!level) return;
  unsigned hash = large_hash(va, level);
  mmu->seen_large[level - 1][hash >> 6] |= BIT(hash & 63);
}

static bool maybe_large(const struct mmu *mmu, uint64_t va) {
  for (unsigned level = 1; level <= LEVEL_NAPOT; level++) {
    unsigned hash = large_hash(va, level);
    if (mmu->seen_large[level - 1][hash >> 6] & BIT(hash & 63)) return true;
  }
  return false;
}

unsigned mmu_effective_priv(const struct hart *hart, enum access access) {
  if (access != ACCESS_FETCH && (hart->csr.mstatus & MSTATUS_MPRV)) {
    return (unsigned)bits(hart->csr.mstatus, 12, 11);
  }
  return hart->priv;
}

static bool l2_allows(const struct hart *hart, const struct l2_entry *entry, enum access access,
                      unsigned priv) {
  if (access == ACCESS_STORE && !(entry->pte & PTE_D)) return false;
  return pte_allows(hart, entry->pte, access, priv);
}

/* Inclusion: what leaves level 2 leaves level 1. */
static void l2_replace(struct mmu *mmu, struct l2_entry *entry, const struct l2_entry *new,
                       enum access access) {
  if (entry->pte)
    level1_drop_page(mmu, entry->vpn << PAGE_SHIFT, access != ACCESS_FETCH, access == ACCESS_FETCH);
  *entry = *new;
}

bool mmu_translate(struct hart *hart, uint64_t va, enum access access, struct translation *out) {
  struct mmu *mmu = hart->mmu;
  unsigned priv = mmu_effective_priv(hart, access);
  if (priv == PRIV_M || hart->csr.satp >> 60 == SATP_BARE) {
    *out = (struct translation){va & PAGE_MASK, 0xff};
    return true;
  }
  uint16_t asid = current_asid(hart);
  struct l2_entry *entry = l2_slot(mmu, va, access);
  bool hit = entry->vpn == va >> PAGE_SHIFT && l2_alive(mmu, entry, asid);
  if (!hit || !l2_allows(hart, entry, access, priv)) {
    struct walk_result walk;
    mmu->counters.walks++;
    if (!mmu_walk(hart, va, access, priv, &walk)) return false;
    note_large(mmu, va, walk.level);
    struct l2_entry new = {
        .vpn = va >> PAGE_SHIFT, .page = walk.page, .stamp = mmu->clock, .asid = asid, .pte = walk.pte};
    l2_replace(mmu, entry, &new, access);
  }
  /* Also when level 2 had it: after a fault of SC the retry begins with LR, whose load fills level 2. */
  static const uint8_t kind[] = {TELEMETRY_LOAD, TELEMETRY_STORE, TELEMETRY_FETCH};
  telemetry_filled(hart->telemetry, hart->csr.satp, va, kind[access], entry->page | (va & ~PAGE_MASK));
  *out = (struct translation){entry->page, entry->pte};
  return true;
}

void tlb_put(struct mmu *mmu, const struct l2_entry *entry, enum access access) {
  *l2_slot(mmu, entry->vpn << PAGE_SHIFT, access) = *entry;
}

void tlb_fill_read(struct hart *hart, uint64_t va, const uint8_t *host) {
  uint64_t page = va & PAGE_MASK;
  hart->mmu->counters.fill_read++;
  hart->tlb_data->read[tlb_index(va)] = (struct tlb_entry){page, (uint64_t)(uintptr_t)host - page};
}

void tlb_fill_write(struct hart *hart, uint64_t va, uint8_t *host) {
  uint64_t page = va & PAGE_MASK;
  hart->mmu->counters.fill_write++;
  hart->tlb_data->write[tlb_index(va)] = (struct tlb_entry){page, (uint64_t)(uintptr_t)host - page};
}

void tlb_fill_code(struct hart *hart, uint64_t va, struct code_page *page) {
  hart->mmu->counters.fill_fetch++;
  hart->tlb_exec->code[tlb_index(va)] = (struct tlb_code_entry){va & PAGE_MASK, page};
}

static void drop_translated_level1(struct mmu *mmu) {
  memset(mmu->sets, 0xff, TLB_MACHINE * sizeof *mmu->sets);
}

void tlb_drop_translated(struct hart *hart) { drop_translated_level1(hart->mmu); }

void tlb_drop_level1(struct hart *hart) { memset(hart->mmu->sets, 0xff, sizeof hart->mmu->sets); }

void tlb_drop_writable(struct hart *hart) {
  for (unsigned mode = 0; mode < TLB_MODES; mode++) {
    memset(hart->mmu->sets[mode].write, 0xff, sizeof hart->mmu->sets[mode].write);
  }
}

void tlb_drop_code(struct hart *hart) {
  for (unsigned mode = 0; mode < TLB_MODES; mode++) {
    memset(hart->mmu->sets[mode].code, 0xff, sizeof hart->mmu->sets[mode].code);
  }
}

void tlb_protect_page(struct hart *hart, const uint8_t *host) {
  for (unsigned mode = 0; mode < TLB_MODES; mode++) {
    struct tlb_entry *write = hart->mmu->sets[mode].write;
    for (unsigned i = 0; i < TLB_SIZE; i++) {
      if (write[i].tag + write[i].addend == (uint64_t)(uintptr_t)host) write[i].tag = TLB_NO_TAG;
    }
  }
}

static void flush_everything(struct mmu *mmu) {
  mmu->flushed_all = ++mmu->clock;
  memset(mmu->seen_large, 0, sizeof mmu->seen_large);
  drop_translated_level1(mmu);
}

static void flush_page(struct mmu *mmu, uint64_t va, const uint64_t *asid) {
  for (enum access access = ACCESS_STORE; access <= ACCESS_FETCH; access++) {
    struct l2_entry *entry = l2_slot(mmu, va, access);
    if (entry->vpn != va >> PAGE_SHIFT) continue;
    if (asid && ((entry->pte & PTE_G) || entry->asid != (uint16_t)*asid)) continue;
    entry->pte = 0;
    level1_drop_page(mmu, va, access != ACCESS_FETCH, access == ACCESS_FETCH);
  }
}

void tlb_fence(struct hart *hart, const uint64_t *va, const uint64_t *asid) {
  struct mmu *mmu = hart->mmu;
  if (va && !maybe_large(mmu, *va)) {
    mmu->counters.flush_page++;
    flush_page(mmu, *va, asid);
    return;
  }
  mmu->counters.flush_all++;
  if (va || !asid) {
    flush_everything(mmu);
    return;
  }
  mmu->flushed_asid[(uint16_t)*asid] = ++mmu->clock;
  if ((uint16_t)*asid == current_asid(hart)) drop_translated_level1(mmu);
}

#include "mmu/tlb.h"

#include <string.h>

#include "telemetry/telemetry.h"

enum { LEVEL_NAPOT = 4 };

/* Virtual-address bits a leaf of each level covers. */
static const uint8_t leaf_shift[] = {12, 21, 30, 39, 16};

static uint16_t current_asid(const struct hart *hart) {
  return (uint16_t)(hart->csr.satp >> SATP_ASID_SHIFT);
}

/* Where an entry may be: a place for global pages, and one for each class of ASIDs, so that address spaces
 * that look alike (a parent and its child) do not take each other's places. */
enum { CLASS_GLOBAL = 0, ASID_CLASSES = 4, L2_CLASSES = 1 + ASID_CLASSES };

static unsigned asid_class(uint16_t asid) { return 1u + asid % ASID_CLASSES; }

static struct l2_entry *l2_slot(struct mmu *mmu, uint64_t va, enum access access, unsigned class) {
  uint64_t vpn = va >> PAGE_SHIFT;
  uint64_t hash = vpn ^ vpn >> 12 ^ class * 0x5b5u;
  return access == ACCESS_FETCH ? &mmu->fetch[hash & (L2_FETCH_SIZE - 1)]
                                : &mmu->data[hash & (L2_DATA_SIZE - 1)];
}

static bool l2_alive(const struct mmu *mmu, const struct l2_entry *entry, uint16_t asid) {
  if (!entry->pte || entry->stamp < mmu->flushed_all) return false;
  if (entry->pte & PTE_G) return true;
  return entry->asid == asid && entry->stamp >= mmu->flushed_asid[asid];
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

/* Inclusion: what leaves level 2 leaves level 1. What a fence killed has left it already. */
static void l2_drop(struct mmu *mmu, struct l2_entry *entry, enum access access) {
  if (l2_alive(mmu, entry, entry->asid))
    tlb_drop_page(mmu, entry->vpn << PAGE_SHIFT, entry->pte & PTE_G ? NULL : &entry->asid,
                  access == ACCESS_FETCH);
  entry->pte = 0;
}

static bool untranslated(const struct hart *hart, unsigned priv) {
  return priv == PRIV_M || hart->csr.satp >> 60 == SATP_BARE;
}

/* Also when level 2 had it: after a fault of SC the retry begins with LR, whose load fills level 2. */
static void found(struct hart *hart, uint64_t va, enum access access, const struct l2_entry *entry,
                  struct translation *out) {
  static const uint8_t kind[] = {TELEMETRY_LOAD, TELEMETRY_STORE, TELEMETRY_FETCH};
  telemetry_filled(hart->telemetry, hart->csr.satp, va, kind[access], entry->page | (va & ~PAGE_MASK));
  hart->mmu->global = entry->pte & PTE_G;
  *out = (struct translation){entry->page, entry->pte};
}

/* The entry of va, or NULL when it must be walked for. Kernels have global pages in the upper half: there
 * they are looked for first. */
static struct l2_entry *l2_find(struct hart *hart, uint64_t va, enum access access, unsigned priv) {
  uint16_t asid = current_asid(hart);
  unsigned upper = va >> 63;
  for (unsigned i = 0; i < 2; i++) {
    struct l2_entry *entry =
        l2_slot(hart->mmu, va, access, i == upper ? asid_class(asid) : (unsigned)CLASS_GLOBAL);
    if (entry->vpn == va >> PAGE_SHIFT && l2_alive(hart->mmu, entry, asid) &&
        l2_allows(hart, entry, access, priv))
      return entry;
  }
  return NULL;
}

/* What was known of va gives way to what a walk found. */
static struct l2_entry *l2_insert(struct hart *hart, uint64_t va, enum access access,
                                  const struct walk_result *walk) {
  struct mmu *mmu = hart->mmu;
  uint16_t asid = current_asid(hart);
  struct l2_entry *global = l2_slot(mmu, va, access, CLASS_GLOBAL);
  struct l2_entry *own = l2_slot(mmu, va, access, asid_class(asid));
  bool is_global = walk->pte & PTE_G;
  if (is_global || global->vpn == va >> PAGE_SHIFT) l2_drop(mmu, global, access);
  if (!is_global || (own->vpn == va >> PAGE_SHIFT && own->asid == asid)) l2_drop(mmu, own, access);
  struct l2_entry *entry = is_global ? global : own;
  *entry = (struct l2_entry){
      .vpn = va >> PAGE_SHIFT, .page = walk->page, .stamp = mmu->clock, .asid = asid, .pte = walk->pte};
  return entry;
}

bool mmu_translate_known(struct hart *hart, uint64_t va, enum access access, struct translation *out) {
  unsigned priv = mmu_effective_priv(hart, access);
  *out = (struct translation){va & PAGE_MASK, 0xff};
  if (untranslated(hart, priv)) return true;
  const struct l2_entry *entry = l2_find(hart, va, access, priv);
  if (entry) found(hart, va, access, entry, out);
  return entry;
}

bool mmu_translate(struct hart *hart, uint64_t va, enum access access, struct translation *out) {
  if (mmu_translate_known(hart, va, access, out)) return true;
  struct mmu *mmu = hart->mmu;
  struct walk_result walk;
  mmu->counters.walks++;
  if (!mmu_walk(hart, va, access, mmu_effective_priv(hart, access), &walk)) return false;
  note_large(mmu, va, walk.level);
  found(hart, va, access, l2_insert(hart, va, access, &walk), out);
  return true;
}

void tlb_put(struct mmu *mmu, const struct l2_entry *entry, enum access access) {
  unsigned class = entry->pte & PTE_G ? (unsigned)CLASS_GLOBAL : asid_class(entry->asid);
  *l2_slot(mmu, entry->vpn << PAGE_SHIFT, access, class) = *entry;
}

static void flush_everything(struct hart *hart) {
  struct mmu *mmu = hart->mmu;
  mmu->flushed_all = ++mmu->clock;
  memset(mmu->seen_large, 0, sizeof mmu->seen_large);
  tlb_drop_translated(hart);
}

static void flush_page(struct mmu *mmu, uint64_t va, const uint64_t *asid) {
  for (unsigned i = 0; i < 2 * L2_CLASSES; i++) {
    enum access access = i % 2 ? ACCESS_FETCH : ACCESS_STORE;
    struct l2_entry *entry = l2_slot(mmu, va, access, i / 2);
    if (entry->vpn != va >> PAGE_SHIFT) continue;
    if (asid && ((entry->pte & PTE_G) || entry->asid != (uint16_t)*asid)) continue;
    l2_drop(mmu, entry, access);
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
    flush_everything(hart);
    return;
  }
  mmu->flushed_asid[(uint16_t)*asid] = ++mmu->clock;
  tlb_drop_asid(mmu, (uint16_t)*asid);
}

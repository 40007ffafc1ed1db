/* The guest's cached translations as bytes. Level 2 decides whether a stale translation may still be used, so
 * a restored machine must have what the saved one had; level 1 is made again. Entries are kept by what they
 * answer, not by stamps: an entry that a flush has voided never comes back. */
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "mmu/tlb.h"

enum { PTE_LOW = 0xff };

static bool alive(const struct mmu *mmu, const struct l2_entry *entry) {
  if (!entry->pte || entry->stamp < mmu->flushed_all) return false;
  return entry->pte & PTE_G || entry->stamp >= mmu->flushed_asid[entry->asid];
}

static void save_table(const struct mmu *mmu, const struct l2_entry *table, unsigned size, struct blob *out) {
  size_t part = blob_begin(out);
  for (unsigned i = 0; i < size; i++) {
    if (!alive(mmu, &table[i])) continue;
    blob_u64(out, table[i].vpn);
    blob_u64(out, table[i].page);
    blob_u32(out, table[i].asid);
    blob_u32(out, table[i].pte);
  }
  blob_end(out, part);
}

void mmu_save(const struct hart *hart, struct blob *out) {
  const struct mmu *mmu = hart->mmu;
  save_table(mmu, mmu->data, L2_DATA_SIZE, out);
  save_table(mmu, mmu->fetch, L2_FETCH_SIZE, out);
  blob_put(out, mmu->seen_large, sizeof mmu->seen_large);
}

static bool load_table(struct hart *hart, enum access access, struct blob_reader *in) {
  struct blob_reader part = blob_get_part(in);
  while (part.left) {
    struct l2_entry entry = {.stamp = hart->mmu->clock};
    entry.vpn = blob_get_u64(&part);
    entry.page = blob_get_u64(&part);
    uint32_t asid = blob_get_u32(&part), pte = blob_get_u32(&part);
    if (part.bad || asid > UINT16_MAX || pte > PTE_LOW || !(pte & PTE_V) || entry.vpn >> 52 ||
        entry.page & ~PAGE_MASK)
      return false;
    entry.asid = (uint16_t)asid;
    entry.pte = (uint16_t)pte;
    tlb_put(hart->mmu, &entry, access);
  }
  return true;
}

bool mmu_load(struct hart *hart, struct blob_reader *in) {
  struct mmu *mmu = hart->mmu;
  mmu_flush_all(hart);
  if (!load_table(hart, ACCESS_LOAD, in) || !load_table(hart, ACCESS_FETCH, in)) return false;
  return blob_get(in, mmu->seen_large, sizeof mmu->seen_large);
}

bool mmu_copy(struct hart *to, const struct hart *from) {
  struct blob blob = {0};
  mmu_save(from, &blob);
  struct blob_reader in = {blob.bytes, blob.size, blob.failed};
  bool good = mmu_load(to, &in);
  blob_free(&blob);
  return good;
}

/* Level 1 of the software TLB: filling and dropping entries. */
#include <string.h>

#include "mmu/tlb.h"

enum { WRITERS_MANY = UINT16_MAX };

_Static_assert(TLB_SETS *TLB_SIZE + 1 < WRITERS_MANY, "numbers of writable entries");
_Static_assert(sizeof(struct tlb_entry) == sizeof(struct tlb_code_entry), "parts are emptied alike");
_Static_assert(sizeof(struct tlb_entry) == sizeof(struct tlb_jump), "parts are emptied alike");

static struct tlb_entry *entries_of(struct tlb_set *set, enum tlb_part part, unsigned *count) {
  static const struct {
    size_t offset;
    unsigned count;
  } parts[TLB_PARTS] = {[TLB_READ] = {offsetof(struct tlb_set, read), TLB_SIZE},
                        [TLB_WRITE] = {offsetof(struct tlb_set, write), TLB_SIZE},
                        [TLB_CODE] = {offsetof(struct tlb_set, code), TLB_CODE_SIZE},
                        [TLB_JUMPS] = {offsetof(struct tlb_set, jumps), TLB_JUMPS_SIZE}};
  *count = parts[part].count;
  return (struct tlb_entry *)((uint8_t *)set + parts[part].offset);
}

/* In memory that was never used entries are empty as they are, see create_set. */
static bool is_empty(uint64_t tag, unsigned i) { return tag == TLB_NO_TAG || (!tag && i); }

static void empty(struct tlb_set *set, enum tlb_part part) {
  struct tlb_filled *filled = &set->filled[part];
  unsigned count;
  struct tlb_entry *entries = entries_of(set, part, &count);
  if (filled->count > TLB_FILLED_MAX)
    memset(entries, 0xff, count * sizeof *entries);
  else
    for (unsigned i = 0; i < filled->count; i++) entries[filled->index[i]].tag = TLB_NO_TAG;
  filled->count = 0;
  filled->local = false;
}

static void empty_all(struct mmu *mmu, enum tlb_part part) {
  for (unsigned set = 0; set < TLB_SETS; set++) empty(&mmu->sets[set], part);
}

/* Entry i, which holds `tag`, is about to be filled from what was translated last. */
static void note_filled(struct mmu *mmu, struct tlb_set *set, enum tlb_part part, unsigned i, uint64_t tag) {
  struct tlb_filled *filled = &set->filled[part];
  filled->local |= !mmu->global;
  if (!is_empty(tag, i)) return;
  if (filled->count < TLB_FILLED_MAX) filled->index[filled->count] = (uint16_t)i;
  if (filled->count <= TLB_FILLED_MAX) filled->count++;
}

/* Forget the jumps to the page that code entry i is of. */
static void drop_jumps_to(struct tlb_set *set, unsigned i) {
  enum { JUMPS = 64 }; /* to 128 bytes */
  uint64_t page = set->code[i].tag;
  for (uint32_t pieces = set->jumped[i]; pieces; pieces &= pieces - 1) {
    struct tlb_jump *jump = &set->jumps[tlb_jump_index(page) + JUMPS * (unsigned)__builtin_ctz(pieces)];
    for (unsigned k = 0; k < JUMPS; k++)
      if ((jump[k].tag & PAGE_MASK) == page) jump[k].tag = TLB_NO_TAG;
  }
  set->jumped[i] = 0;
}

static struct tlb_entry *writable_entry(struct mmu *mmu, unsigned number) {
  return &mmu->sets[number / TLB_SIZE].write[number % TLB_SIZE];
}

static bool maps(const struct tlb_entry *entry, const uint8_t *host) {
  return entry->tag + entry->addend == (uint64_t)(uintptr_t)host;
}

/* Entry `number` becomes a writable one of the page at `host`. */
static void remember_writer(struct mmu *mmu, const uint8_t *host, unsigned number) {
  uint64_t page = (uint64_t)(host - mmu->phys->ram) >> PAGE_SHIFT;
  uint16_t *writer = &mmu->writers[page];
  if (*writer == number + 1) return;
  bool other = *writer && (*writer == WRITERS_MANY || maps(writable_entry(mmu, *writer - 1u), host));
  *writer = (uint16_t)(other ? WRITERS_MANY : number + 1);
}

void tlb_fill_read(struct hart *hart, uint64_t va, const uint8_t *host) {
  uint64_t page = va & PAGE_MASK;
  struct tlb_entry *entry = &hart->tlb_data->read[tlb_index(va)];
  hart->mmu->counters.fill_read++;
  note_filled(hart->mmu, hart->tlb_data, TLB_READ, tlb_index(va), entry->tag);
  *entry = (struct tlb_entry){page, (uint64_t)(uintptr_t)host - page};
}

void tlb_fill_write(struct hart *hart, uint64_t va, uint8_t *host) {
  struct mmu *mmu = hart->mmu;
  uint64_t page = va & PAGE_MASK;
  unsigned set = (unsigned)(hart->tlb_data - mmu->sets), i = tlb_index(va);
  struct tlb_entry *entry = &hart->tlb_data->write[i];
  mmu->counters.fill_write++;
  note_filled(mmu, hart->tlb_data, TLB_WRITE, i, entry->tag);
  remember_writer(mmu, host, set * TLB_SIZE + i);
  *entry = (struct tlb_entry){page, (uint64_t)(uintptr_t)host - page};
}

/* A jump goes with the code entry it was found by. */
void tlb_fill_code(struct hart *hart, uint64_t va, struct code_page *page) {
  struct tlb_set *set = hart->tlb_exec;
  unsigned i = tlb_code_index(va);
  struct tlb_code_entry *entry = &set->code[i];
  hart->mmu->counters.fill_fetch++;
  note_filled(hart->mmu, set, TLB_CODE, i, entry->tag);
  if (!is_empty(entry->tag, i) && (entry->tag != (va & PAGE_MASK) || entry->page != page))
    drop_jumps_to(set, i);
  *entry = (struct tlb_code_entry){va & PAGE_MASK, page};
}

void tlb_fill_jump(struct hart *hart, uint64_t va, const void *native) {
  struct tlb_set *set = hart->tlb_exec;
  unsigned i = tlb_jump_index(va);
  struct tlb_jump *jump = &set->jumps[i];
  note_filled(hart->mmu, set, TLB_JUMPS, i, jump->tag);
  set->jumped[tlb_code_index(va)] |= 1u << (va >> 7 & 31);
  *jump = (struct tlb_jump){va, native};
}

static void drop_entry(struct tlb_set *set, uint64_t va, bool code) {
  if (!code) {
    set->read[tlb_index(va)].tag = set->write[tlb_index(va)].tag = TLB_NO_TAG;
    return;
  }
  struct tlb_code_entry *entry = &set->code[tlb_code_index(va)];
  if (entry->tag != (va & PAGE_MASK)) return;
  drop_jumps_to(set, tlb_code_index(va));
  entry->tag = TLB_NO_TAG;
}

void tlb_drop_page(struct mmu *mmu, uint64_t va, const uint16_t *asid, bool code) {
  if (!code) sites_drop(mmu->hart);
  for (unsigned bank = 0; bank < TLB_BANKS; bank++) {
    if (asid && mmu->banks[bank].key != *asid) continue;
    for (unsigned mode = 0; mode < TLB_MODES; mode++)
      drop_entry(&mmu->sets[bank * TLB_MODES + mode], va, code);
  }
}

static void empty_bank(struct mmu *mmu, unsigned bank) {
  sites_drop(mmu->hart);
  for (unsigned mode = 0; mode < TLB_MODES; mode++)
    for (enum tlb_part part = 0; part < TLB_PARTS; part++) empty(&mmu->sets[bank * TLB_MODES + mode], part);
}

void tlb_drop_asid(struct mmu *mmu, uint16_t asid) {
  sites_drop(mmu->hart);
  for (unsigned bank = 0; bank < TLB_BANKS; bank++) {
    if (mmu->banks[bank].key != asid) continue;
    for (unsigned mode = 0; mode < TLB_MODES; mode++) {
      struct tlb_set *set = &mmu->sets[bank * TLB_MODES + mode];
      if (set->filled[TLB_READ].local) empty(set, TLB_READ);
      if (set->filled[TLB_WRITE].local) empty(set, TLB_WRITE);
      if (!set->filled[TLB_CODE].local) continue;
      empty(set, TLB_CODE);
      empty(set, TLB_JUMPS);
    }
  }
}

void tlb_drop_translated(struct hart *hart) {
  for (unsigned bank = 0; bank < TLB_BANKS; bank++) empty_bank(hart->mmu, bank);
}

/* Zeroed memory becomes a set of empty entries. Tag 0 is wrong in two of them: in that of page 0, and in that
 * of the last page, where an access that goes on at address 0 is looked for. */
static void create_set(struct tlb_set *set) {
  set->read[0].tag = set->write[0].tag = set->code[0].tag = set->jumps[0].tag = TLB_NO_TAG;
  set->read[TLB_SIZE - 1].tag = set->write[TLB_SIZE - 1].tag = TLB_NO_TAG;
}

/* The bank of a key, or the one that has not been chosen for longest, emptied. */
static unsigned choose_bank(struct mmu *mmu, uint32_t key) {
  unsigned oldest = 0;
  for (unsigned bank = 0; bank < TLB_BANKS; bank++) {
    if (mmu->banks[bank].key == key) return bank;
    if (mmu->banks[bank].used < mmu->banks[oldest].used) oldest = bank;
  }
  if (mmu->banks[oldest].key == TLB_KEY_NONE)
    for (unsigned mode = 0; mode < TLB_MODES; mode++) create_set(&mmu->sets[oldest * TLB_MODES + mode]);
  else
    empty_bank(mmu, oldest);
  mmu->banks[oldest].key = key;
  return oldest;
}

struct tlb_set *tlb_present_sets(struct hart *hart) {
  struct mmu *mmu = hart->mmu;
  uint64_t satp = hart->csr.satp;
  if (unlikely(mmu->satp != satp)) {
    mmu->satp = satp;
    mmu->bank =
        choose_bank(mmu, satp >> 60 == SATP_BARE ? TLB_KEY_BARE : (uint16_t)(satp >> SATP_ASID_SHIFT));
    mmu->banks[mmu->bank].used = ++mmu->switches;
  }
  return &mmu->sets[mmu->bank * TLB_MODES];
}

void tlb_drop_level1(struct hart *hart) {
  sites_drop(hart);
  for (enum tlb_part part = 0; part < TLB_PARTS; part++) empty_all(hart->mmu, part);
}

/* Banks that are never chosen stay untouched memory. */
void tlb_create_level1(struct hart *hart) {
  struct mmu *mmu = hart->mmu;
  sites_forget(hart);
  for (unsigned bank = 0; bank < TLB_BANKS; bank++) mmu->banks[bank].key = TLB_KEY_NONE;
  mmu->satp = ~hart->csr.satp;
  create_set(&mmu->sets[TLB_MACHINE]);
}

void tlb_drop_writable(struct hart *hart) {
  sites_drop(hart);
  empty_all(hart->mmu, TLB_WRITE);
}

void tlb_drop_code(struct hart *hart) {
  empty_all(hart->mmu, TLB_CODE);
  empty_all(hart->mmu, TLB_JUMPS);
}

void tlb_drop_jumps(struct hart *hart) { empty_all(hart->mmu, TLB_JUMPS); }

/* Entries of a part that may be there: indices in *list, or the first so many when it becomes NULL. */
static unsigned filled_entries(const struct tlb_filled *filled, unsigned all, const uint16_t **list) {
  bool known = filled->count <= TLB_FILLED_MAX;
  *list = known ? filled->index : NULL;
  return known ? filled->count : all;
}

void tlb_drop_jumps_to(struct hart *hart, const struct code_page *page) {
  for (struct tlb_set *set = hart->mmu->sets; set < hart->mmu->sets + TLB_SETS; set++) {
    const uint16_t *list;
    unsigned count = filled_entries(&set->filled[TLB_CODE], TLB_CODE_SIZE, &list);
    for (unsigned k = 0; k < count; k++) {
      unsigned i = list ? list[k] : k;
      if (set->code[i].page == page) drop_jumps_to(set, i);
    }
  }
}

/* Every entry that maps the page. */
static void drop_writers(struct tlb_set *set, const uint8_t *host) {
  const uint16_t *list;
  unsigned count = filled_entries(&set->filled[TLB_WRITE], TLB_SIZE, &list);
  for (unsigned k = 0; k < count; k++) {
    struct tlb_entry *entry = &set->write[list ? list[k] : k];
    if (maps(entry, host)) entry->tag = TLB_NO_TAG;
  }
}

void tlb_protect_page(struct hart *hart, const uint8_t *host) {
  sites_drop(hart);
  struct mmu *mmu = hart->mmu;
  uint16_t *writer = &mmu->writers[(uint64_t)(host - mmu->phys->ram) >> PAGE_SHIFT];
  if (*writer == WRITERS_MANY) {
    for (unsigned set = 0; set < TLB_SETS; set++) drop_writers(&mmu->sets[set], host);
  } else if (*writer) {
    struct tlb_entry *entry = writable_entry(mmu, *writer - 1u);
    if (maps(entry, host)) entry->tag = TLB_NO_TAG;
  }
  *writer = 0;
}

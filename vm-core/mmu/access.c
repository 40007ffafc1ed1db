#include "mmu/access.h"

#include <string.h>

static const uint8_t access_fault[] = {[ACCESS_LOAD] = CAUSE_LOAD_ACCESS,
                                       [ACCESS_STORE] = CAUSE_STORE_ACCESS,
                                       [ACCESS_FETCH] = CAUSE_FETCH_ACCESS};

/* Translate and check PMP for [va, va + size) inside one page. */
static bool resolve(struct hart *hart, uint64_t va, unsigned size, enum access access, uint64_t *gpa) {
  struct translation translation;
  if (!mmu_translate(hart, va, access, &translation)) return false;
  *gpa = translation.page | (va & ~PAGE_MASK);
  if (!pmp_allows(hart, *gpa, size, access, mmu_effective_priv(hart, access))) {
    return hart_raise(hart, access_fault[access], va);
  }
  return true;
}

static unsigned first_part(uint64_t va, unsigned size) {
  unsigned room = PAGE_SIZE - (unsigned)(va & ~PAGE_MASK);
  return size < room ? size : room;
}

static bool load_across(struct hart *hart, uint64_t va, unsigned size, unsigned first) {
  struct phys *phys = hart->mmu->phys;
  uint64_t low, high, next = va + first;
  if (!resolve(hart, va, first, ACCESS_LOAD, &low)) return false;
  if (!resolve(hart, next, size - first, ACCESS_LOAD, &high)) return false;
  if (!phys_in_ram(phys, low, first)) return hart_raise(hart, CAUSE_LOAD_ACCESS, va);
  if (!phys_in_ram(phys, high, size - first)) return hart_raise(hart, CAUSE_LOAD_ACCESS, next);
  hart->load_value = 0;
  memcpy(&hart->load_value, phys_read_ptr(phys, low), first);
  memcpy((uint8_t *)&hart->load_value + first, phys_read_ptr(phys, high), size - first);
  return true;
}

/* Level-1 entries are made only where PMP has one answer for the whole page. */
bool mem_load(struct hart *hart, uint64_t va, unsigned size) {
  struct phys *phys = hart->mmu->phys;
  unsigned first = first_part(va, size);
  if (unlikely(first < size)) return load_across(hart, va, size, first);
  uint64_t gpa;
  if (!resolve(hart, va, size, ACCESS_LOAD, &gpa)) return false;
  if (likely(phys_in_ram(phys, gpa, size))) {
    const uint8_t *host = phys_read_ptr(phys, gpa);
    if (pmp_page_uniform(hart, gpa)) tlb_fill_read(hart, va, host - (va & ~PAGE_MASK));
    hart->load_value = 0;
    memcpy(&hart->load_value, host, size);
    return true;
  }
  hart->mmu->counters.mmio_reads++;
  if ((gpa & (size - 1)) || !phys_mmio_read(phys, gpa, size, &hart->load_value)) {
    return hart_raise(hart, CAUSE_LOAD_ACCESS, va);
  }
  return true;
}

static void store_ram(struct phys *phys, uint64_t gpa, const void *bytes, unsigned size,
                      bool *free_to_write) {
  memcpy(phys_write_ptr(phys, gpa, size, free_to_write), bytes, size);
  phys_stored(phys, gpa, size);
}

static bool store_across(struct hart *hart, uint64_t va, unsigned size, unsigned first, uint64_t value) {
  struct phys *phys = hart->mmu->phys;
  uint64_t low, high, next = va + first;
  bool ignored;
  if (!resolve(hart, va, first, ACCESS_STORE, &low)) return false;
  if (!resolve(hart, next, size - first, ACCESS_STORE, &high)) return false;
  if (!phys_in_ram(phys, low, first)) return hart_raise(hart, CAUSE_STORE_ACCESS, va);
  if (!phys_in_ram(phys, high, size - first)) return hart_raise(hart, CAUSE_STORE_ACCESS, next);
  store_ram(phys, low, &value, first, &ignored);
  store_ram(phys, high, (const uint8_t *)&value + first, size - first, &ignored);
  return true;
}

bool mem_store(struct hart *hart, uint64_t va, unsigned size, uint64_t value) {
  struct phys *phys = hart->mmu->phys;
  unsigned first = first_part(va, size);
  if (unlikely(first < size)) return store_across(hart, va, size, first, value);
  uint64_t gpa;
  if (!resolve(hart, va, size, ACCESS_STORE, &gpa)) return false;
  if (likely(phys_in_ram(phys, gpa, size))) {
    bool free_to_write;
    store_ram(phys, gpa, &value, size, &free_to_write);
    uint8_t *page = phys->ram + ((gpa & PAGE_MASK) - phys->ram_base);
    if (free_to_write && pmp_page_uniform(hart, gpa)) tlb_fill_write(hart, va, page);
    return true;
  }
  hart->mmu->counters.mmio_writes++;
  if (size < 8) value &= BIT(8 * size) - 1;
  if ((gpa & (size - 1)) || !phys_mmio_write(phys, gpa, size, value)) {
    return hart_raise(hart, CAUSE_STORE_ACCESS, va);
  }
  return true;
}

bool mem_refill(struct hart *hart, uint64_t va, unsigned size, bool write) {
  struct phys *phys = hart->mmu->phys;
  enum access access = write ? ACCESS_STORE : ACCESS_LOAD;
  struct translation translation;
  if ((va & (size - 1)) || !mmu_translate_known(hart, va, access, &translation)) return false;
  uint64_t gpa = translation.page;
  if (!phys_in_ram(phys, gpa, PAGE_SIZE) || !pmp_page_uniform(hart, gpa)) return false;
  if (!pmp_allows(hart, gpa, PAGE_SIZE, access, mmu_effective_priv(hart, access))) return false;
  if (!write) {
    tlb_fill_read(hart, va, phys_read_ptr(phys, gpa));
    return true;
  }
  if (phys->page_state[phys_page(phys, gpa)] & (PHYS_CODE | PHYS_WATCHED)) return false;
  bool free_to_write;
  tlb_fill_write(hart, va, phys_write_ptr(phys, gpa, PAGE_SIZE, &free_to_write));
  return true;
}

uint8_t *mem_atomic(struct hart *hart, uint64_t va, unsigned size, enum access access, uint64_t *gpa) {
  struct phys *phys = hart->mmu->phys;
  if (!resolve(hart, va, size, access, gpa)) return NULL;
  if (!phys_in_ram(phys, *gpa, size)) {
    hart_raise(hart, access_fault[access], va);
    return NULL;
  }
  uint8_t *page = phys->ram + ((*gpa & PAGE_MASK) - phys->ram_base);
  if (access == ACCESS_LOAD) {
    const uint8_t *host = phys_read_ptr(phys, *gpa);
    if (pmp_page_uniform(hart, *gpa)) tlb_fill_read(hart, va, page);
    return (uint8_t *)(uintptr_t)host;
  }
  bool free_to_write;
  uint8_t *host = phys_write_ptr(phys, *gpa, size, &free_to_write);
  if (free_to_write && pmp_page_uniform(hart, *gpa)) tlb_fill_write(hart, va, page);
  return host;
}

void mem_stored(struct hart *hart, uint64_t gpa, unsigned size) { phys_stored(hart->mmu->phys, gpa, size); }

bool mem_zero_block(struct hart *hart, uint64_t va) {
  uint64_t gpa, block = va & ~(uint64_t)(CACHE_BLOCK - 1);
  uint8_t *host = mem_atomic(hart, block, CACHE_BLOCK, ACCESS_STORE, &gpa);
  if (!host) return hart_raise(hart, hart->trap.cause, va); /* tval is rs1 itself */
  memset(host, 0, CACHE_BLOCK);
  mem_stored(hart, gpa, CACHE_BLOCK);
  return true;
}

/* Cache-block management needs load or store permission and reports store exceptions ("Zicbom"). W without R
 * is reserved, so load permission is the weaker one. */
bool mem_manage_block(struct hart *hart, uint64_t va) {
  uint64_t gpa;
  if (resolve(hart, va, 1, ACCESS_LOAD, &gpa) && phys_in_ram(hart->mmu->phys, gpa, 1)) return true;
  if (!hart->trap.raised) return hart_raise(hart, CAUSE_STORE_ACCESS, va);
  bool page = hart->trap.cause == CAUSE_LOAD_PAGE;
  return hart_raise(hart, page ? CAUSE_STORE_PAGE : CAUSE_STORE_ACCESS, va);
}

bool mem_fetch_address(struct hart *hart, uint64_t va, uint64_t *gpa) {
  if (!resolve(hart, va, 2, ACCESS_FETCH, gpa)) return false;
  if (!phys_in_ram(hart->mmu->phys, *gpa, 2)) return hart_raise(hart, CAUSE_FETCH_ACCESS, va);
  return true;
}

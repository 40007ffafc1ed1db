#include "mmu/phys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool phys_init(struct phys *phys) {
  memset(phys, 0, sizeof *phys);
  return true;
}

void phys_destroy(struct phys *phys) {
  free(phys->page_state);
  memset(phys, 0, sizeof *phys);
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

static bool range_free(const struct phys *phys, uint64_t base, uint64_t size) {
  if (!size || base + size < base) return false;
  if (phys->ram_size && overlaps(base, size, phys->ram_base, phys->ram_size)) return false;
  for (unsigned i = 0; i < phys->mmio_count; i++) {
    if (overlaps(base, size, phys->mmio[i].base, phys->mmio[i].size)) return false;
  }
  return true;
}

bool phys_add_ram(struct phys *phys, uint64_t base, uint64_t size, void *host) {
  if (phys->ram_size || (base | size) & 0xfff || !range_free(phys, base, size)) return false;
  phys->page_state = calloc(size >> 12, 1);
  if (!phys->page_state) return false;
  phys->ram_base = base;
  phys->ram_size = size;
  phys->ram = host;
  return true;
}

bool phys_add_mmio(struct phys *phys, uint64_t base, uint64_t size, const struct mmio_ops *ops,
                   void *opaque) {
  if (phys->mmio_count == PHYS_MMIO_MAX || !range_free(phys, base, size)) return false;
  phys->mmio[phys->mmio_count++] = (struct phys_mmio){base, size, ops, opaque};
  return true;
}

/* The host hands out memory page by page, each at the price of a fault, unless it is asked for more. */
static void touch_around(const struct phys *phys, uint64_t page) {
  enum { AROUND = 16 };
  uint64_t first = page & ~(uint64_t)(AROUND - 1), all = phys->ram_size >> 12;
  uint64_t end = first + AROUND < all ? first + AROUND : all;
  for (uint64_t i = first; i < end; i++)
    if (phys->page_state[i] & PHYS_PRESENT) return;
  madvise(phys->ram + (first << 12), (end - first) << 12, MADV_POPULATE_WRITE);
}

static void make_present(struct phys *phys, uint64_t page) {
  if (phys->page_state[page] & PHYS_PRESENT) return;
  touch_around(phys, page);
  if (phys->hooks.page_present) phys->hooks.page_present(phys->hooks.opaque, page);
  phys->page_state[page] |= PHYS_PRESENT;
}

const uint8_t *phys_read_ptr(struct phys *phys, uint64_t gpa) {
  make_present(phys, phys_page(phys, gpa));
  return phys->ram + (gpa - phys->ram_base);
}

uint8_t *phys_write_ptr(struct phys *phys, uint64_t gpa, unsigned size, bool *free_to_write) {
  uint64_t page = phys_page(phys, gpa);
  make_present(phys, page);
  if (phys->hooks.before_write) phys->hooks.before_write(phys->hooks.opaque, page);
  uint8_t *state = &phys->page_state[page];
  *state |= PHYS_DIRTY;
  if ((*state & PHYS_CODE) && phys->drop_code(phys->engine, page, gpa & 0xfff, size)) {
    *state &= (uint8_t)~PHYS_CODE;
  }
  *free_to_write = !(*state & (PHYS_CODE | PHYS_WATCHED));
  return phys->ram + (gpa - phys->ram_base);
}

void phys_stored(struct phys *phys, uint64_t gpa, unsigned size) {
  if (!(phys->page_state[phys_page(phys, gpa)] & PHYS_WATCHED)) return;
  if (phys->hooks.watch_store) phys->hooks.watch_store(phys->hooks.opaque, gpa, size);
}

static const struct phys_mmio *find_mmio(const struct phys *phys, uint64_t gpa, unsigned size) {
  for (unsigned i = 0; i < phys->mmio_count; i++) {
    const struct phys_mmio *range = &phys->mmio[i];
    uint64_t offset = gpa - range->base;
    if (offset < range->size && size <= range->size - offset) return range;
  }
  return NULL;
}

bool phys_mmio_read(struct phys *phys, uint64_t gpa, unsigned size, uint64_t *value) {
  const struct phys_mmio *range = find_mmio(phys, gpa, size);
  *value = 0;
  return range && range->ops->read(range->opaque, gpa - range->base, size, value);
}

bool phys_mmio_write(struct phys *phys, uint64_t gpa, unsigned size, uint64_t value) {
  const struct phys_mmio *range = find_mmio(phys, gpa, size);
  return range && range->ops->write(range->opaque, gpa - range->base, size, value);
}

/* Guest-physical address space: one RAM range and memory-mapped devices. Hart thread.
 *
 * RAM pages have a small state byte. A page becomes writable through the software TLB (or DMA) only by
 * phys_write_page, the one choke point: it marks the page dirty, drops decoded blocks that came from it and
 * calls the owner's hook (demand loading, pre-images). Addresses are guest-physical; every one is validated.
 */
#ifndef MMU_PHYS_H
#define MMU_PHYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PHYS_MMIO_MAX = 64 };

/* Device access at an offset inside its range; size 1, 2, 4 or 8, naturally aligned, never past the range's
 * end. false: access fault. Loads return the value zero-extended. */
struct mmio_ops {
  bool (*read)(void *opaque, uint64_t offset, unsigned size, uint64_t *value);
  bool (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
};

struct phys_mmio {
  uint64_t base, size;
  const struct mmio_ops *ops;
  void *opaque;
};

/* Page state bits. */
enum {
  PHYS_DIRTY = 1,   /* written since phys_clear_dirty */
  PHYS_CODE = 2,    /* decoded blocks exist for this page: no writable TLB entry may */
  PHYS_WATCHED = 4, /* every store goes to watch_store afterwards: no writable TLB entry may exist */
  PHYS_PRESENT = 8, /* page_present has been called */
};

struct phys_hooks {
  /* Before the page's bytes are first used (demand loading). NULL: RAM is always present. */
  void (*page_present)(void *opaque, uint64_t page);
  /* Before a page becomes writable (dirty tracking by layers, pre-images). May be NULL. */
  void (*before_write)(void *opaque, uint64_t page);
  /* A store to a watched page was done at [gpa, gpa + size). */
  void (*watch_store)(void *opaque, uint64_t gpa, unsigned size);
  /* A device wrote [gpa, gpa + size) of one page. May be NULL. */
  void (*dma_wrote)(void *opaque, uint64_t gpa, unsigned size);
  void *opaque;
};

struct phys {
  uint64_t ram_base, ram_size; /* multiples of 4096 */
  uint8_t *ram;                /* host address; NULL: no RAM */
  uint8_t *page_state;         /* one byte a page */
  unsigned mmio_count;
  struct phys_mmio mmio[PHYS_MMIO_MAX];
  struct phys_hooks hooks;
  /* Set by the engine: drop decoded blocks overlapping bytes [offset, offset + size) of RAM page number
   * `page`; true when the page carries no decoded code any more. */
  bool (*drop_code)(void *engine, uint64_t page, unsigned offset, unsigned size);
  void *engine;
};

/* false: no memory for the page table of the space, misaligned or overlapping range, or too many ranges. */
bool phys_init(struct phys *phys);
bool phys_add_ram(struct phys *phys, uint64_t base, uint64_t size, void *host);
bool phys_add_mmio(struct phys *phys, uint64_t base, uint64_t size, const struct mmio_ops *ops, void *opaque);
void phys_destroy(struct phys *phys);

/* True when [gpa, gpa + size) lies wholly inside RAM. */
static inline bool phys_in_ram(const struct phys *phys, uint64_t gpa, uint64_t size) {
  uint64_t offset = gpa - phys->ram_base;
  return offset < phys->ram_size && size <= phys->ram_size - offset;
}

/* RAM page number of an address known to be in RAM. */
static inline uint64_t phys_page(const struct phys *phys, uint64_t gpa) {
  return (gpa - phys->ram_base) >> 12;
}

/* Host address for reading, after making the page present; gpa must be in RAM. */
const uint8_t *phys_read_ptr(struct phys *phys, uint64_t gpa);

/* Prepare [gpa, gpa + size), inside one RAM page, for one store and return its host address.
 * *free_to_write tells whether a writable TLB entry may be made for the page. */
uint8_t *phys_write_ptr(struct phys *phys, uint64_t gpa, unsigned size, bool *free_to_write);

/* After a store through phys_write_ptr. */
void phys_stored(struct phys *phys, uint64_t gpa, unsigned size);

/* Device access, [gpa, gpa + size) naturally aligned. false: nothing there, or the device refused. */
bool phys_mmio_read(struct phys *phys, uint64_t gpa, unsigned size, uint64_t *value);
bool phys_mmio_write(struct phys *phys, uint64_t gpa, unsigned size, uint64_t value);

#endif

#include "mmu/dma.h"

#include <string.h>

#include "hart/hart.h"
#include "mmu/access.h"

static size_t room_in_page(uint64_t gpa, size_t size) {
  size_t room = PAGE_SIZE - (size_t)(gpa & ~PAGE_MASK);
  return size < room ? size : room;
}

bool dma_read(struct hart *hart, uint64_t gpa, void *buffer, size_t size) {
  struct phys *phys = hart->mmu->phys;
  if (!phys_in_ram(phys, gpa, size)) return size == 0;
  for (uint8_t *to = buffer; size;) {
    size_t part = room_in_page(gpa, size);
    memcpy(to, phys_read_ptr(phys, gpa), part);
    to += part, gpa += part, size -= part;
  }
  return true;
}

static void break_reservation(struct hart *hart, uint64_t gpa, size_t size) {
  uint64_t line = hart->reservation & ~(uint64_t)(CACHE_BLOCK - 1);
  if (gpa < line + CACHE_BLOCK && line < gpa + size) hart->reservation_valid = false;
}

bool dma_write(struct hart *hart, uint64_t gpa, const void *buffer, size_t size) {
  struct phys *phys = hart->mmu->phys;
  if (!phys_in_ram(phys, gpa, size)) return size == 0;
  break_reservation(hart, gpa, size);
  for (const uint8_t *from = buffer; size;) {
    size_t part = room_in_page(gpa, size);
    bool ignored;
    memcpy(phys_write_ptr(phys, gpa, (unsigned)part, &ignored), from, part);
    if (phys->hooks.dma_wrote) phys->hooks.dma_wrote(phys->hooks.opaque, gpa, (unsigned)part);
    phys_stored(phys, gpa, (unsigned)part);
    from += part, gpa += part, size -= part;
  }
  return true;
}

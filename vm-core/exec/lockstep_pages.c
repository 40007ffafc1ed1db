#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exec/lockstep_side.h"
#include "mmu/tlb.h"

enum { LINE = 64 };

bool lockstep_grow(struct lockstep *lockstep, void **array, size_t *room, size_t need, size_t element) {
  if (need <= *room) return true;
  size_t more = *room ? 2 * *room : 64;
  if (more < need) more = need;
  void *moved = realloc(*array, more * element);
  if (!moved) {
    lockstep->short_of_memory = true;
    return false;
  }
  *array = moved;
  *room = more;
  return true;
}

static void save(struct lockstep *lockstep, const struct side *side, uint64_t page) {
  bool in_stretch = lockstep->recording || lockstep->replaying;
  if (!in_stretch || lockstep->saved_in[page] == lockstep->stretch) return;
  lockstep->saved_in[page] = lockstep->stretch;
  if (!lockstep_grow(lockstep, (void **)&lockstep->saved, &lockstep->saved_room, lockstep->saved_count + 1,
                     sizeof *lockstep->saved))
    return;
  struct saved_page *saved = &lockstep->saved[lockstep->saved_count++];
  saved->page = page;
  memcpy(saved->bytes, side->phys->ram + (page << PAGE_SHIFT), PAGE_SIZE);
}

/* A page is the same on both sides, and only in the fast side's RAM, until one of them is about to touch it.
 */
static void reference_present(void *opaque, uint64_t page) {
  struct lockstep *lockstep = opaque;
  struct phys *from = lockstep->fast.phys;
  memcpy(lockstep->phys.ram + (page << PAGE_SHIFT),
         phys_read_ptr(from, from->ram_base + (page << PAGE_SHIFT)), PAGE_SIZE);
}

static void reference_before_write(void *opaque, uint64_t page) {
  struct lockstep *lockstep = opaque;
  save(lockstep, &lockstep->reference, page);
}

static void reference_watch_store(void *opaque, uint64_t gpa, unsigned size) {
  struct lockstep *lockstep = opaque;
  log_watch_store(&lockstep->reference, gpa, size);
}

static void fast_present(void *opaque, uint64_t page) {
  struct lockstep *lockstep = opaque;
  if (lockstep->hooks.page_present) lockstep->hooks.page_present(lockstep->hooks.opaque, page);
}

static void fast_before_write(void *opaque, uint64_t page) {
  struct lockstep *lockstep = opaque;
  if (lockstep->hooks.before_write) lockstep->hooks.before_write(lockstep->hooks.opaque, page);
  phys_read_ptr(&lockstep->phys, lockstep->phys.ram_base + (page << PAGE_SHIFT));
  save(lockstep, &lockstep->fast, page);
}

static void fast_watch_store(void *opaque, uint64_t gpa, unsigned size) {
  struct lockstep *lockstep = opaque;
  log_watch_store(&lockstep->fast, gpa, size);
}

static void fast_dma_wrote(void *opaque, uint64_t gpa, unsigned size) {
  struct lockstep *lockstep = opaque;
  if (lockstep->hooks.dma_wrote) lockstep->hooks.dma_wrote(lockstep->hooks.opaque, gpa, size);
  log_dma(lockstep, gpa, size);
}

bool pages_create(struct lockstep *lockstep) {
  const struct phys *fast = lockstep->fast.phys;
  uint8_t *ram =
      mmap(NULL, fast->ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram == MAP_FAILED) return false;
  lockstep->saved_in = calloc(fast->ram_size >> PAGE_SHIFT, sizeof *lockstep->saved_in);
  if (lockstep->saved_in && phys_init(&lockstep->phys) &&
      phys_add_ram(&lockstep->phys, fast->ram_base, fast->ram_size, ram))
    return true;
  munmap(ram, fast->ram_size);
  return false;
}

void pages_destroy(struct lockstep *lockstep) {
  if (lockstep->phys.ram) munmap(lockstep->phys.ram, lockstep->phys.ram_size);
  phys_destroy(&lockstep->phys);
  free(lockstep->saved_in);
  free(lockstep->saved);
}

void pages_attach(struct lockstep *lockstep) {
  struct phys *fast = lockstep->fast.phys;
  lockstep->hooks = fast->hooks;
  fast->hooks = (struct phys_hooks){.page_present = fast_present,
                                    .before_write = fast_before_write,
                                    .watch_store = fast_watch_store,
                                    .dma_wrote = fast_dma_wrote,
                                    .opaque = lockstep};
  lockstep->phys.hooks = (struct phys_hooks){.page_present = reference_present,
                                             .before_write = reference_before_write,
                                             .watch_store = reference_watch_store,
                                             .opaque = lockstep};
  for (uint64_t page = 0; page < fast->ram_size >> PAGE_SHIFT; page++)
    lockstep->phys.page_state[page] |= fast->page_state[page] & PHYS_WATCHED;
}

void pages_detach(struct lockstep *lockstep) { lockstep->fast.phys->hooks = lockstep->hooks; }

void pages_forget(struct lockstep *lockstep) {
  memset(lockstep->phys.page_state, 0, lockstep->phys.ram_size >> PAGE_SHIFT);
}

void pages_begin(struct lockstep *lockstep) {
  lockstep->stretch++;
  lockstep->saved_count = 0;
  tlb_drop_writable(lockstep->fast.hart);
  tlb_drop_writable(lockstep->reference.hart);
}

/* Line by line: decoded and translated code of lines that did not change stays. */
static void restore_page(struct side *side, const struct saved_page *saved) {
  struct phys *phys = side->phys;
  uint64_t base = phys->ram_base + (saved->page << PAGE_SHIFT);
  bool ignored;
  for (unsigned at = 0; at < PAGE_SIZE; at += LINE) {
    if (memcmp(phys_read_ptr(phys, base + at), saved->bytes + at, LINE) == 0) continue;
    memcpy(phys_write_ptr(phys, base + at, LINE, &ignored), saved->bytes + at, LINE);
  }
}

void pages_restore(struct lockstep *lockstep, struct side *side) {
  for (size_t i = 0; i < lockstep->saved_count; i++) restore_page(side, &lockstep->saved[i]);
}

int pages_difference(const struct lockstep *lockstep, const struct saved_page *saved) {
  const uint8_t *a = lockstep->fast.phys->ram + (saved->page << PAGE_SHIFT);
  const uint8_t *b = lockstep->phys.ram + (saved->page << PAGE_SHIFT);
  if (memcmp(a, b, PAGE_SIZE) == 0) return -1;
  int at = 0;
  while (a[at] == b[at]) at++;
  return at;
}

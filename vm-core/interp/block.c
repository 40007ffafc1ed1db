#include "interp/block.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "interp/build.h"
#include "interp/ops.h"

/* Address space only: pages become real as they are used. */
enum { ARENA_SIZE = 128 << 20, LAST_PARCEL = PAGE_SIZE - 2 };

static uint64_t line_mask(unsigned offset, unsigned size) {
  return bits(UINT64_MAX, (offset + size - 1) >> 6, offset >> 6) << (offset >> 6);
}

static void unlink_blocks(struct block_store *store, struct code_page *page) {
  for (struct block *block = page->blocks; block; block = block->next_in_page) {
    page->slot[block->offset >> 1] = NULL;
    store->counters.dropped++;
  }
  page->blocks = NULL;
  page->cross = NULL;
  page->lines = 0;
  if (store->translator.drop_page) store->translator.drop_page(store->translator.opaque, page);
}

static bool drop_code(void *engine, uint64_t number, unsigned offset, unsigned size) {
  struct block_store *store = engine;
  struct code_page *page = store->pages[number];
  if (!page || !page->lines) return true;
  if (!(page->lines & line_mask(offset, size))) return false;
  unlink_blocks(store, page);
  store->hart->leave = true;
  return true;
}

void block_flush(struct block_store *store) {
  struct phys *phys = store->hart->mmu->phys;
  if (store->translator.drop_all) store->translator.drop_all(store->translator.opaque);
  for (uint64_t i = 0; i < store->live_count; i++) {
    store->pages[store->live[i]] = NULL;
    phys->page_state[store->live[i]] &= (uint8_t)~PHYS_CODE;
  }
  store->live_count = 0;
  store->used = 0;
  store->counters.flushed++;
  tlb_drop_code(store->hart);
}

bool block_store_init(struct block_store *store, struct hart *hart) {
  struct phys *phys = hart->mmu->phys;
  memset(store, 0, sizeof *store);
  store->hart = hart;
  insn_index_init(&store->index);
  store->page_count = phys->ram_size >> PAGE_SHIFT;
  store->pages = calloc(store->page_count + 1, sizeof *store->pages);
  store->live = calloc(store->page_count + 1, sizeof *store->live);
  store->scratch = malloc(block_size(BLOCK_MAX_OPS));
  store->arena =
      mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (store->arena == MAP_FAILED) store->arena = NULL;
  if (store->arena) madvise(store->arena, ARENA_SIZE, MADV_HUGEPAGE); /* where there are none, good */
  if (!store->pages || !store->live || !store->scratch || !store->arena) {
    block_store_destroy(store);
    return false;
  }
  phys->drop_code = drop_code;
  phys->engine = store;
  return true;
}

void block_store_destroy(struct block_store *store) {
  block_flush(store); /* no page may name this store any more */
  if (store->arena) munmap(store->arena, ARENA_SIZE);
  free(store->pages);
  free(store->live);
  free(store->scratch);
  memset(store, 0, sizeof *store);
}

static bool arena_has(const struct block_store *store, size_t size) {
  return ARENA_SIZE - store->used >= size;
}

static void *arena_take(struct block_store *store, size_t size) {
  void *memory = store->arena + store->used;
  store->used += (size + 15) & ~(size_t)15;
  if (store->used > store->touched) store->touched = store->used;
  return memory;
}

/* Zeroed; untouched memory is left to become real where it is used. */
static void *arena_take_zeroed(struct block_store *store, size_t size) {
  size_t dirty = store->touched - store->used;
  void *memory = arena_take(store, size);
  memset(memory, 0, dirty < size ? dirty : size);
  return memory;
}

/* Room for a page and a block is made before either is handed out: a flush must not free what the caller
 * holds. */
static struct code_page *page_for(struct block_store *store, uint64_t gpa) {
  struct phys *phys = store->hart->mmu->phys;
  uint64_t number = phys_page(phys, gpa);
  if (!arena_has(store, sizeof(struct code_page) + block_size(BLOCK_MAX_OPS) + 64)) block_flush(store);
  struct code_page *page = store->pages[number];
  if (page) return page;
  page = arena_take_zeroed(store, sizeof *page);
  page->number = number;
  page->native = store->translator.no_native;
  store->pages[number] = page;
  store->live[store->live_count++] = number;
  return page;
}

void block_cover(struct code_page *page, unsigned offset, unsigned size) {
  page->lines |= line_mask(offset, size);
}

/* From now on stores to the page take the slow path. */
static void protect(struct block_store *store, const struct code_page *page) {
  struct phys *phys = store->hart->mmu->phys;
  uint8_t *state = &phys->page_state[page->number];
  if (*state & PHYS_CODE) return;
  *state |= PHYS_CODE;
  tlb_protect_page(store->hart, phys->ram + (page->number << PAGE_SHIFT));
}

const uint8_t *block_page_bytes(struct block_store *store, const struct code_page *page) {
  struct phys *phys = store->hart->mmu->phys;
  return phys_read_ptr(phys, phys->ram_base + (page->number << PAGE_SHIFT));
}

static struct block *build_in_page(struct block_store *store, struct code_page *page, unsigned offset) {
  struct block *block = arena_take(store, 0);
  protect(store, page);
  unsigned end = block_build(store, block, block_page_bytes(store, page), offset, BLOCK_MAX_INSNS, true);
  arena_take(store, block_size(block_op_count(block)));
  block->page = page;
  block->next_in_page = page->blocks;
  page->blocks = block;
  page->slot[offset >> 1] = block;
  page->lines |= line_mask(offset, end - offset);
  store->counters.built++;
  return block;
}

/* A 4-byte instruction across the page boundary: its second half belongs to whatever the next virtual page is
 * now. */
static const struct block *find_across(struct block_store *store, struct code_page *page, uint16_t low) {
  struct hart *hart = store->hart;
  struct phys *phys = hart->mmu->phys;
  uint64_t gpa;
  if (!mem_fetch_address(hart, hart->pc + 2, &gpa)) return NULL;
  uint32_t word = low | (uint32_t) * (const uint16_t *)phys_read_ptr(phys, gpa) << 16;
  uint64_t number = phys_page(phys, gpa);
  if (page->cross && page->cross_raw == word && page->cross_number == number) return page->cross;
  protect(store, page);
  struct block *block = arena_take(store, block_size(BLOCK_SINGLE_OPS));
  block_build_single(store, block, word, LAST_PARCEL, true);
  block->page = page;
  block_cover(page, LAST_PARCEL, 2);
  if (page->native != store->translator.no_native)
    page->native[LAST_PARCEL / 2] = store->translator.no_native[LAST_PARCEL / 2]; /* it was of another one */
  page->cross = block;
  page->cross_raw = word;
  page->cross_number = number;
  return block;
}

/* PMP divides the page: every instruction is checked when it runs. */
static const struct block *find_checked(struct block_store *store, uint64_t gpa) {
  struct hart *hart = store->hart;
  struct phys *phys = hart->mmu->phys;
  uint32_t word = *(const uint16_t *)phys_read_ptr(phys, gpa);
  if ((word & 3) == 3) {
    if (!mem_fetch_address(hart, hart->pc + 2, &gpa)) return NULL;
    word |= (uint32_t) * (const uint16_t *)phys_read_ptr(phys, gpa) << 16;
  }
  block_build_single(store, store->scratch, word, (unsigned)(hart->pc & 0xfff), false);
  return store->scratch;
}

struct code_page *block_page(struct block_store *store, uint64_t va) {
  struct hart *hart = store->hart;
  const struct tlb_code_entry *entry = &hart->tlb_exec->code[tlb_code_index(va)];
  if (entry->tag == (va & PAGE_MASK)) return entry->page;
  uint64_t gpa;
  if (!mem_fetch_address(hart, va, &gpa) || !pmp_page_uniform(hart, gpa)) return NULL;
  struct code_page *page = store->pages[phys_page(hart->mmu->phys, gpa)];
  if (page) tlb_fill_code(hart, va, page);
  return page;
}

const struct block *block_find(struct block_store *store) {
  struct hart *hart = store->hart;
  uint64_t pc = hart->pc, gpa;
  const struct block *known = block_at(hart, pc);
  if (known) return known;
  if (!mem_fetch_address(hart, pc, &gpa)) return NULL;
  hart->code_page = pc & PAGE_MASK;
  if (!pmp_page_uniform(hart, gpa)) return find_checked(store, gpa);
  struct code_page *page = page_for(store, gpa);
  tlb_fill_code(hart, pc, page);
  unsigned offset = (unsigned)(pc & 0xfff);
  if (offset == LAST_PARCEL) {
    uint16_t low = *(const uint16_t *)(block_page_bytes(store, page) + offset);
    if ((low & 3) == 3) return find_across(store, page, low);
  }
  known = page->slot[offset >> 1];
  return known ? known : build_in_page(store, page, offset);
}

const struct block *block_cut(struct block_store *store, const struct block *block, unsigned insns) {
  if (!block->page || block->count == 1) return block; /* single instructions cannot be cut */
  block_build(store, store->scratch, block_page_bytes(store, block->page), block->offset, insns, false);
  return store->scratch;
}

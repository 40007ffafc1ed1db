#include "vm/preimage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gen/telemetry.h"
#include "vm/huge_pages.h"

enum { PAGE_BYTES = 4096, GRANULE = 16, SWEEP_BATCH = 256, CHAIN_MAX = 4 * VIEW_SLOTS };

static struct view_area_header *header_of(const struct preimages *preimages) {
  return (struct view_area_header *)preimages->area;
}
static uint64_t *tag_of(const struct preimages *preimages, uint64_t page) {
  return (uint64_t *)(preimages->area + header_of(preimages)->tags_offset) + page;
}
static uint32_t *head_of(const struct preimages *preimages, uint64_t page) {
  return (uint32_t *)(preimages->area + header_of(preimages)->heads_offset) + page;
}
static struct preimage_slot *slot_of(const struct preimages *preimages, uint64_t slot) {
  return (struct preimage_slot *)(preimages->area + header_of(preimages)->slots_offset) + slot;
}
static uint8_t *bytes_of(const struct preimages *preimages, uint64_t slot) {
  return preimages->area + header_of(preimages)->pool_offset + slot * PAGE_BYTES;
}

static uint64_t round_up(uint64_t bytes) { return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1); }

bool preimages_init(struct preimages *preimages, const uint8_t *ram, uint64_t ram_bytes, uint64_t pool,
                    char *error, size_t error_size) {
  uint64_t pages = ram_bytes / PAGE_BYTES, slots = pool / PAGE_BYTES;
  if (slots > UINT32_MAX - 1) slots = UINT32_MAX - 1;
  struct view_area_header layout = {.magic = VIEW_AREA_MAGIC, .ram_pages = pages, .slot_count = slots};
  layout.tags_offset = round_up(sizeof layout);
  layout.heads_offset = layout.tags_offset + round_up(pages * sizeof(uint64_t));
  layout.resident_offset = layout.heads_offset + round_up(pages * sizeof(uint32_t));
  layout.slots_offset = layout.resident_offset + round_up((pages + GRANULE - 1) / GRANULE);
  layout.pool_offset = layout.slots_offset + round_up(slots * sizeof(struct preimage_slot));
  layout.total_size = layout.pool_offset + slots * PAGE_BYTES;
  *preimages = (struct preimages){.ram = ram, .ram_pages = pages, .size = layout.total_size};
  preimages->fd = memfd_create("linuxsql-views", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  void *area = MAP_FAILED;
  if (preimages->fd >= 0 && slots && ftruncate(preimages->fd, (off_t)layout.total_size) == 0)
    area = huge_map(preimages->fd, layout.total_size);
  if (area != MAP_FAILED) preimages->area = area;
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (preimages->area && fcntl(preimages->fd, F_ADD_SEALS, seals) == 0 &&
      pthread_mutex_init(&preimages->lock, NULL) == 0) {
    *header_of(preimages) = layout;
    return true;
  }
  snprintf(error, error_size, "no memory for the view area: %s", slots ? strerror(errno) : "no pool");
  if (preimages->area) munmap(preimages->area, preimages->size);
  if (preimages->fd >= 0) close(preimages->fd);
  *preimages = (struct preimages){.fd = -1};
  return false;
}

void preimages_destroy(struct preimages *preimages) {
  if (!preimages->area) return;
  pthread_mutex_destroy(&preimages->lock);
  munmap(preimages->area, preimages->size);
  close(preimages->fd);
  *preimages = (struct preimages){.fd = -1};
}

/* Lock held from here on where a name ends in _locked. */

static bool needed_locked(const struct preimages *preimages, uint64_t first, uint64_t last) {
  const uint64_t *open = header_of(preimages)->open;
  for (unsigned place = 0; place < VIEW_SLOTS; place++)
    if (open[place] && open[place] >= first && open[place] <= last) return true;
  return false;
}

static void update_newest_locked(struct preimages *preimages) {
  const uint64_t *open = header_of(preimages)->open;
  uint64_t newest = 0;
  for (unsigned place = 0; place < VIEW_SLOTS; place++)
    if (open[place] > newest) newest = open[place];
  for (unsigned use = 0; use < UNDO_USES; use++)
    if (preimages->undo[use].epoch > newest) newest = preimages->undo[use].epoch;
  atomic_store_explicit(&preimages->newest, newest, memory_order_relaxed);
}

struct residency preimages_residency(const struct preimages *preimages) {
  struct view_area_header *header = header_of(preimages);
  return (struct residency){(_Atomic uint8_t *)(preimages->area + header->resident_offset),
                            (_Atomic uint64_t *)&header->loading};
}

void preimages_count_undo(struct preimages *preimages) { update_newest_locked(preimages); }

uint64_t preimages_tag(const struct preimages *preimages, uint64_t page) {
  return __atomic_load_n(tag_of(preimages, page), __ATOMIC_ACQUIRE);
}

static void set_open_locked(struct preimages *preimages, unsigned place, uint64_t epoch) {
  __atomic_store_n(&header_of(preimages)->open[place], epoch, __ATOMIC_SEQ_CST);
  update_newest_locked(preimages);
}

static void unlink_locked(struct preimages *preimages, uint64_t number) {
  struct preimage_slot *slot = slot_of(preimages, number);
  uint32_t *link = head_of(preimages, slot->page);
  while (*link && *link != number + 1) link = &slot_of(preimages, *link - 1)->next;
  if (*link) __atomic_store_n(link, slot->next, __ATOMIC_RELAXED);
  slot->last = 0;
  slot->next = (uint32_t)preimages->free_head;
  preimages->free_head = number + 1;
}

/* Free what no open view needs among the slots [from, to). */
static void sweep_locked(struct preimages *preimages, uint64_t from, uint64_t to) {
  uint64_t *change = &header_of(preimages)->change;
  __atomic_store_n(change, *change + 1, __ATOMIC_RELAXED);
  atomic_thread_fence(memory_order_release);
  for (uint64_t number = from; number < to; number++) {
    const struct preimage_slot *slot = slot_of(preimages, number);
    if (slot->last && !needed_locked(preimages, slot->first, slot->last)) unlink_locked(preimages, number);
  }
  __atomic_store_n(change, *change + 1, __ATOMIC_RELEASE);
}

/* In batches: the hart may want the lock meanwhile. */
static void sweep(struct preimages *preimages) {
  bool more = true;
  for (uint64_t from = 0; more; from += SWEEP_BATCH) {
    pthread_mutex_lock(&preimages->lock);
    uint64_t to = from + SWEEP_BATCH < preimages->fresh ? from + SWEEP_BATCH : preimages->fresh;
    more = to == from + SWEEP_BATCH;
    if (from < to) sweep_locked(preimages, from, to);
    pthread_mutex_unlock(&preimages->lock);
  }
}

static void lose_oldest_locked(struct preimages *preimages) {
  const uint64_t *open = header_of(preimages)->open;
  unsigned oldest = VIEW_SLOTS;
  for (unsigned place = 0; place < VIEW_SLOTS; place++)
    if (open[place] && (oldest == VIEW_SLOTS || open[place] < open[oldest])) oldest = place;
  if (oldest == VIEW_SLOTS) return;
  set_open_locked(preimages, oldest, 0);
  atomic_fetch_add_explicit(&preimages->lost, 1, memory_order_relaxed);
  sweep_locked(preimages, 0, preimages->fresh);
}

/* A free slot number, or slot_count when there is none. */
static uint64_t take_slot_locked(struct preimages *preimages) {
  uint64_t number = preimages->fresh;
  if (preimages->free_head) {
    number = preimages->free_head - 1;
    preimages->free_head = slot_of(preimages, number)->next;
  } else if (number < header_of(preimages)->slot_count) {
    preimages->fresh++;
  }
  return number;
}

static void save_locked(struct preimages *preimages, uint64_t page, uint64_t first) {
  uint64_t full = header_of(preimages)->slot_count, number = full;
  while (number == full) {
    if (!needed_locked(preimages, first, preimages->epoch)) return;
    number = take_slot_locked(preimages);
    if (number == full) lose_oldest_locked(preimages);
  }
  memcpy(bytes_of(preimages, number), preimages->ram + page * PAGE_BYTES, PAGE_BYTES);
  uint32_t *head = head_of(preimages, page);
  *slot_of(preimages, number) =
      (struct preimage_slot){.page = page, .first = first, .last = preimages->epoch, .next = *head};
  __atomic_store_n(head, (uint32_t)number + 1, __ATOMIC_RELEASE);
  atomic_fetch_add_explicit(&preimages->saved, 1, memory_order_relaxed);
}

void preimages_before_write(void *opaque, uint64_t page) {
  struct preimages *preimages = opaque;
  uint64_t *tag = tag_of(preimages, page), before = *tag;
  if (before == preimages->epoch) return;
  if (atomic_load_explicit(&preimages->newest, memory_order_relaxed) > before) {
    pthread_mutex_lock(&preimages->lock);
    save_locked(preimages, page, before + 1);
    for (unsigned use = 0; use < UNDO_USES; use++) undo_save(preimages, &preimages->undo[use], page, before);
    pthread_mutex_unlock(&preimages->lock);
  }
  /* The tag is seen by whoever sees one of the writes to come. */
  __atomic_store_n(tag, preimages->epoch, __ATOMIC_RELEASE);
  atomic_thread_fence(memory_order_seq_cst);
}

uint64_t preimages_open(struct preimages *preimages, unsigned place) {
  pthread_mutex_lock(&preimages->lock);
  uint64_t epoch = ++preimages->epoch;
  set_open_locked(preimages, place, epoch);
  pthread_mutex_unlock(&preimages->lock);
  return epoch;
}

bool preimages_close(struct preimages *preimages, unsigned place, uint64_t epoch) {
  pthread_mutex_lock(&preimages->lock);
  bool open = header_of(preimages)->open[place] == epoch;
  if (open) set_open_locked(preimages, place, 0);
  pthread_mutex_unlock(&preimages->lock);
  if (open) sweep(preimages);
  return open;
}

bool preimages_is_open(const struct preimages *preimages, unsigned place, uint64_t epoch) {
  return __atomic_load_n(&header_of(preimages)->open[place], __ATOMIC_ACQUIRE) == epoch;
}

uint64_t preimages_reset(struct preimages *preimages) {
  pthread_mutex_lock(&preimages->lock);
  for (unsigned use = 0; use < UNDO_USES; use++)
    for (uint64_t page = 0; preimages->undo[use].epoch && page < preimages->ram_pages; page++)
      undo_save(preimages, &preimages->undo[use], page, preimages_tag(preimages, page));
  preimages->epoch++;
  for (unsigned place = 0; place < VIEW_SLOTS; place++) {
    if (!header_of(preimages)->open[place]) continue;
    set_open_locked(preimages, place, 0);
    atomic_fetch_add_explicit(&preimages->lost, 1, memory_order_relaxed);
  }
  if (preimages->fresh) sweep_locked(preimages, 0, preimages->fresh);
  for (uint64_t page = 0; page < preimages->ram_pages; page++)
    __atomic_store_n(tag_of(preimages, page), preimages->epoch, __ATOMIC_RELAXED);
  atomic_thread_fence(memory_order_seq_cst);
  uint64_t since = ++preimages->epoch;
  pthread_mutex_unlock(&preimages->lock);
  return since;
}

/* *out: the pre-image that serves `epoch`, slot number + 1, or 0. false: the chains were being changed. */
static bool find_preimage(const struct preimages *preimages, uint64_t epoch, uint64_t page, uint64_t *out) {
  const struct view_area_header *header = header_of(preimages);
  uint64_t before = __atomic_load_n(&header->change, __ATOMIC_ACQUIRE);
  uint32_t at = __atomic_load_n(head_of(preimages, page), __ATOMIC_ACQUIRE);
  uint64_t found = 0;
  for (unsigned steps = 0; at && at <= header->slot_count && steps < CHAIN_MAX; steps++) {
    const struct preimage_slot *slot = slot_of(preimages, at - 1);
    uint64_t of = __atomic_load_n(&slot->page, __ATOMIC_RELAXED);
    uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_RELAXED);
    uint64_t last = __atomic_load_n(&slot->last, __ATOMIC_RELAXED);
    if (of == page && first <= epoch && epoch <= last) {
      found = at;
      break;
    }
    at = __atomic_load_n(&slot->next, __ATOMIC_RELAXED);
  }
  atomic_thread_fence(memory_order_acquire);
  *out = found;
  return !(before & 1) && __atomic_load_n(&header->change, __ATOMIC_RELAXED) == before;
}

bool preimages_read(const struct preimages *preimages, unsigned place, uint64_t epoch, uint64_t page,
                    uint8_t *out) {
  memcpy(out, preimages->ram + page * PAGE_BYTES, PAGE_BYTES);
  atomic_thread_fence(memory_order_acquire);
  if (__atomic_load_n(tag_of(preimages, page), __ATOMIC_ACQUIRE) >= epoch) {
    uint64_t found = 0;
    while (!find_preimage(preimages, epoch, page, &found))
      if (!preimages_is_open(preimages, place, epoch)) return false;
    if (!found) return false;
    memcpy(out, bytes_of(preimages, found - 1), PAGE_BYTES);
    atomic_thread_fence(memory_order_acquire);
  }
  return preimages_is_open(preimages, place, epoch);
}

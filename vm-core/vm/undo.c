#include "vm/undo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vm/preimage.h"

enum { PAGE_BYTES = 4096, WORD_PAGES = 64 };

static bool is_saved(const struct undo *undo, uint64_t page) {
  return __atomic_load_n(&undo->saved[page / WORD_PAGES], __ATOMIC_ACQUIRE) >> page % WORD_PAGES & 1;
}

bool undo_open(struct preimages *preimages, struct undo *undo) {
  uint64_t size = preimages->ram_pages * PAGE_BYTES;
  void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  uint64_t *saved = calloc(preimages->ram_pages / WORD_PAGES + 1, sizeof *saved);
  if (bytes == MAP_FAILED || !saved) {
    if (bytes != MAP_FAILED) munmap(bytes, size);
    free(saved);
    return false;
  }
  pthread_mutex_lock(&preimages->lock);
  *undo = (struct undo){++preimages->epoch, bytes, saved};
  preimages_count_undo(preimages);
  pthread_mutex_unlock(&preimages->lock);
  return true;
}

void undo_close(struct preimages *preimages, struct undo *undo) {
  pthread_mutex_lock(&preimages->lock);
  struct undo gone = *undo;
  *undo = (struct undo){0};
  preimages_count_undo(preimages);
  pthread_mutex_unlock(&preimages->lock);
  if (!gone.epoch) return;
  munmap(gone.bytes, preimages->ram_pages * PAGE_BYTES);
  free(gone.saved);
}

void undo_save(const struct preimages *preimages, struct undo *undo, uint64_t page, uint64_t tag) {
  if (undo->epoch <= tag || is_saved(undo, page)) return;
  memcpy(undo->bytes + page * PAGE_BYTES, preimages->ram + page * PAGE_BYTES, PAGE_BYTES);
  __atomic_fetch_or(&undo->saved[page / WORD_PAGES], UINT64_C(1) << page % WORD_PAGES, __ATOMIC_RELEASE);
}

/* As any reader of a view does: the copy made from RAM counts if the page had not become writable by then. */
void undo_read(const struct preimages *preimages, const struct undo *undo, uint64_t page, uint8_t *out) {
  memcpy(out, preimages->ram + page * PAGE_BYTES, PAGE_BYTES);
  atomic_thread_fence(memory_order_acquire);
  if (preimages_tag(preimages, page) < undo->epoch) return;
  if (is_saved(undo, page)) memcpy(out, undo->bytes + page * PAGE_BYTES, PAGE_BYTES);
}

void undo_restore(struct preimages *preimages, struct undo *undo, uint8_t *ram) {
  for (uint64_t page = 0; page < preimages->ram_pages; page++) {
    if (!undo->saved[page / WORD_PAGES]) {
      page |= WORD_PAGES - 1;
    } else if (is_saved(undo, page)) {
      preimages_before_write(preimages, page);
      memcpy(ram + page * PAGE_BYTES, undo->bytes + page * PAGE_BYTES, PAGE_BYTES);
    }
  }
}

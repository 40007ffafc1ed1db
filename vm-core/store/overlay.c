#include "store/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, PAGE_SECTORS = PAGE / BLOCK_SECTOR };

/* A page some sectors of which were written. */
struct overlay_page {
  uint8_t written; /* one bit a sector */
  uint8_t bytes[PAGE];
};

struct overlay {
  struct block_device block; /* first: a block_device is its overlay */
  struct block_device *below;
  struct overlay_page **pages;
  struct overlay_page zeros; /* stands for every page that was discarded whole */
  uint64_t used, limit;
};

static struct overlay_page *page_for_writing(struct overlay *overlay, uint64_t number) {
  struct overlay_page **slot = &overlay->pages[number];
  bool zeros = *slot == &overlay->zeros;
  if (*slot && !zeros) return *slot;
  if (overlay->used + sizeof **slot > overlay->limit) return NULL;
  struct overlay_page *page = calloc(1, sizeof *page);
  if (!page) return NULL;
  overlay->used += sizeof *page;
  if (zeros) page->written = overlay->zeros.written;
  return *slot = page;
}

static void forget(struct overlay *overlay, uint64_t number) {
  struct overlay_page **slot = &overlay->pages[number];
  if (*slot && *slot != &overlay->zeros) {
    free(*slot);
    overlay->used -= sizeof **slot;
  }
  *slot = NULL;
}

/* Bytes, or zeros if NULL. */
static int write_sectors(struct overlay *overlay, uint64_t offset, uint64_t length, const uint8_t *bytes) {
  for (uint64_t done = 0; done < length; done += BLOCK_SECTOR) {
    uint64_t at = offset + done;
    struct overlay_page *page = page_for_writing(overlay, at / PAGE);
    if (!page) return -ESHUTDOWN;
    page->written |= (uint8_t)(1u << at % PAGE / BLOCK_SECTOR);
    if (bytes)
      memcpy(page->bytes + at % PAGE, bytes + done, BLOCK_SECTOR);
    else
      memset(page->bytes + at % PAGE, 0, BLOCK_SECTOR);
  }
  return 0;
}

/* Whole pages take no memory. */
static int discard_sectors(struct overlay *overlay, uint64_t offset, uint64_t length) {
  int error = 0;
  for (uint64_t at = offset, end = offset + length; at < end && !error;) {
    uint64_t step = PAGE - at % PAGE;
    if (step > end - at) step = end - at;
    if (step == PAGE) {
      forget(overlay, at / PAGE);
      overlay->pages[at / PAGE] = &overlay->zeros;
    } else {
      error = write_sectors(overlay, at, step, NULL);
    }
    at += step;
  }
  return error;
}

static bool all_written(const struct overlay *overlay, uint64_t offset, uint64_t length) {
  for (uint64_t at = offset; at < offset + length; at += BLOCK_SECTOR) {
    const struct overlay_page *page = overlay->pages[at / PAGE];
    if (!page || !(page->written >> at % PAGE / BLOCK_SECTOR & 1)) return false;
  }
  return true;
}

static int read_sectors(struct overlay *overlay, uint64_t offset, uint64_t length, uint8_t *bytes) {
  if (!all_written(overlay, offset, length)) {
    struct block_request request = {0};
    block_submit_read(overlay->below, offset, length, bytes, &request);
    int error = block_wait(&request);
    if (error) return error;
  }
  for (uint64_t at = offset; at < offset + length; at += BLOCK_SECTOR) {
    const struct overlay_page *page = overlay->pages[at / PAGE];
    if (page && page->written >> at % PAGE / BLOCK_SECTOR & 1)
      memcpy(bytes + (at - offset), page->bytes + at % PAGE, BLOCK_SECTOR);
  }
  return 0;
}

/* Done when it returns: a replay has nobody to keep waiting. */
static void overlay_submit(struct block_device *block, struct block_request *request) {
  struct overlay *overlay = (struct overlay *)block;
  switch (request->op) {
  case BLOCK_READ:
    request->error = read_sectors(overlay, request->offset, request->length, request->buffer);
    break;
  case BLOCK_WRITE:
    request->error = write_sectors(overlay, request->offset, request->length, request->buffer);
    break;
  case BLOCK_DISCARD: request->error = discard_sectors(overlay, request->offset, request->length); break;
  case BLOCK_FLUSH: request->error = 0; break;
  case BLOCK_CONTROL: request->error = -EINVAL; break; /* its layers are not its own */
  }
  atomic_store_explicit(&request->done, true, memory_order_release);
}

static void overlay_wait(struct block_device *block, struct block_request *request) {
  (void)block, (void)request; /* it was done when it was submitted */
}

static void overlay_close(struct block_device *block) {
  struct overlay *overlay = (struct overlay *)block;
  for (uint64_t i = 0; i < (overlay->block.size + PAGE - 1) / PAGE; i++) forget(overlay, i);
  free(overlay->pages);
  free(overlay);
}

struct block_device *block_overlay_open(struct block_device *below, uint64_t limit) {
  static const struct block_ops ops = {overlay_submit, overlay_wait, overlay_close};
  struct overlay *overlay = calloc(1, sizeof *overlay);
  if (overlay) overlay->pages = calloc((below->size + PAGE - 1) / PAGE, sizeof *overlay->pages);
  if (!overlay || !overlay->pages) {
    free(overlay);
    return NULL;
  }
  overlay->block = (struct block_device){.ops = &ops, .size = below->size};
  overlay->below = below;
  overlay->zeros.written = 0xff;
  overlay->limit = limit;
  return &overlay->block;
}

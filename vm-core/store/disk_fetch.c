#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/disk.h"

/* A fetch names its line and pages in one word, so that it needs no memory of its own. */
static void *fetch_item(const struct disk *disk, const struct line *line, unsigned first, unsigned count) {
  uintptr_t index = (uintptr_t)(line - disk->cache.lines);
  return (void *)(index << 16 | (uintptr_t)first << 8 | count);
}

static bool fetched(void *opaque, void *item, const PGresult *result) {
  struct disk *disk = opaque;
  uintptr_t word = (uintptr_t)item;
  struct line *line = &disk->cache.lines[word >> 16];
  unsigned first = word >> 8 & 0xff, count = word & 0xff;
  line->fetches--;
  disk->fetching--;
  session_progress(disk->session);
  if (PQntuples(result) != 1 || PQnfields(result) != 1 || PQgetisnull(result, 0, 0)) return false;
  size_t size = (size_t)PQgetlength(result, 0, 0);
  const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, 0, 0);
  if (size > (size_t)count * PAGE_BYTES) return false;
  for (unsigned i = 0; i < count; i++) {
    page_mask page = page_range(first + i, 1);
    if (!(line->loading & page)) continue; /* overwritten meanwhile */
    uint8_t *target = line->data + (size_t)(first + i) * PAGE_BYTES;
    size_t start = (size_t)i * PAGE_BYTES;
    size_t have = size <= start ? 0 : size - start < PAGE_BYTES ? size - start : PAGE_BYTES;
    memcpy(target, bytes + start, have);
    memset(target + have, 0, PAGE_BYTES - have); /* past the end of the Large Object */
    line->loading &= (page_mask)~page;
    line->valid |= page;
  }
  return true;
}

/* Bytes of a Large Object, asked for; `offset` is that of the line's page `first` in it. */
static bool send_fetch(struct disk *disk, struct line *line, unsigned first, unsigned count, uint32_t lo,
                       uint64_t offset) {
  struct link_values values = {0};
  link_add_int4(&values, lo);
  link_add_int8(&values, offset);
  link_add_int4(&values, count * PAGE_BYTES);
  line->loading |= page_range(first, count);
  line->fetches++;
  disk->fetching++;
  disk->fetch_sent = true;
  return link_send(&disk->session->read, "get", &values, fetched, disk, fetch_item(disk, line, first, count));
}

/* Pages of an image in a file or device, read at once. What cannot be read is an error of the whole machine,
 * as a damaged Large Object would be: the session's links are told to fail. */
static bool read_source(struct disk *disk, struct line *line, unsigned first, unsigned count,
                        uint64_t offset) {
  uint8_t *target = line->data + (size_t)first * PAGE_BYTES;
  size_t size = (size_t)count * PAGE_BYTES;
  for (size_t done = 0; done < size;) {
    off_t at = (off_t)(disk->chain.source_offset + offset + done);
    ssize_t got = pread(disk->chain.source, target + done, size - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      struct link *link = &disk->session->read;
      snprintf(link->error, sizeof link->error, "cannot read the image %s: %s", disk->session->source_path,
               got < 0 ? strerror(errno) : "it was cut short");
      return false;
    }
    done += (size_t)got;
  }
  line->valid |= page_range(first, count);
  return true;
}

/* The image's own pages stand behind the layers' when it is shown. */
static bool fetch_run(struct disk *disk, struct line *line, unsigned first, unsigned count, uint8_t owner) {
  const struct disk_chain *chain = &disk->chain;
  uint64_t page = line->number * LINE_PAGES + first;
  bool image = owner == OWNER_SHOWN || (owner == 0 && chain->source >= 0);
  if (owner == OWNER_SHOWN) page -= chain->map.pages;
  if (image && chain->source >= 0) return read_source(disk, line, first, count, page * PAGE_BYTES);
  return send_fetch(disk, line, first, count, chain->lo[image ? 0 : owner], page * PAGE_BYTES);
}

static uint8_t owner_of(const struct disk_chain *chain, uint64_t page) {
  return page < chain->map.pages ? chain->map.owner[page] : OWNER_SHOWN;
}

static uint64_t all_pages(const struct disk *disk) { return disk->chain.size / PAGE_BYTES; }

bool disk_fetch(struct disk *disk, struct line *line, page_mask wanted) {
  uint64_t base = line->number * LINE_PAGES;
  bool sent = false;
  wanted &= (page_mask) ~(line->valid | line->loading);
  for (unsigned page = 0; page < LINE_PAGES && base + page < all_pages(disk);) {
    uint8_t owner = owner_of(&disk->chain, base + page);
    unsigned first = page++;
    if (!(wanted >> first & 1)) continue;
    if (owner >= OWNER_ZERO_SEALING) {
      memset(line->data + (size_t)first * PAGE_BYTES, 0, PAGE_BYTES);
      line->valid |= page_range(first, 1);
      continue;
    }
    while (page < LINE_PAGES && base + page < all_pages(disk) && (wanted >> page & 1) &&
           owner_of(&disk->chain, base + page) == owner)
      page++;
    if (!fetch_run(disk, line, first, page - first, owner)) return false;
    sent = true;
  }
  if (sent) atomic_fetch_add_explicit(&disk->block.counters.line_misses, 1, memory_order_relaxed);
  return true;
}

/* Start fetching lines first..last that are not there, as far as the limits allow. */
static bool fetch_lines(struct disk *disk, uint64_t first, uint64_t last) {
  for (uint64_t number = first; number <= last && number * LINE_PAGES < all_pages(disk); number++) {
    if (disk->fetching >= FETCH_LINES_MAX) return true;
    struct line *line = cache_take(&disk->cache, number);
    if (!line) return true;
    if (!disk_fetch(disk, line, page_range(0, LINE_PAGES))) return false;
  }
  return true;
}

bool disk_look_ahead(struct disk *disk) {
  for (struct block_request *request = disk->first; request; request = request->next) {
    if (disk->fetching >= FETCH_LINES_MAX) return true;
    if (request->op != BLOCK_READ || request->length == 0) continue;
    uint64_t start = request->offset + (request == disk->first ? disk->position : 0);
    uint64_t end = request->offset + request->length;
    if (!fetch_lines(disk, start / LINE_BYTES, (end - 1) / LINE_BYTES)) return false;
  }
  if (!disk->ahead_window) return true;
  /* Again only when half of it is used up, so that requests go out in bursts. */
  uint64_t middle = disk->ahead_next + disk->ahead_window / 2;
  if (middle * LINE_PAGES >= all_pages(disk)) middle = (all_pages(disk) - 1) / LINE_PAGES;
  struct line *line = cache_find(&disk->cache, middle);
  if (line && (line->valid | line->loading)) return true;
  return fetch_lines(disk, disk->ahead_next, disk->ahead_next + disk->ahead_window - 1);
}

#include <string.h>

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

static bool send_fetch(struct disk *disk, struct line *line, unsigned first, unsigned count, uint8_t owner) {
  struct link_values values = {0};
  link_add_int4(&values, disk->chain.lo[owner]);
  link_add_int8(&values, line->number * LINE_BYTES + (uint64_t)first * PAGE_BYTES);
  link_add_int4(&values, count * PAGE_BYTES);
  line->loading |= page_range(first, count);
  line->fetches++;
  disk->fetching++;
  disk->fetch_sent = true;
  return link_send(&disk->session->read, "get", &values, fetched, disk, fetch_item(disk, line, first, count));
}

bool disk_fetch(struct disk *disk, struct line *line, page_mask wanted) {
  uint64_t base = line->number * LINE_PAGES;
  bool sent = false;
  wanted &= (page_mask) ~(line->valid | line->loading);
  for (unsigned page = 0; page < LINE_PAGES && base + page < disk->chain.map.pages;) {
    uint8_t owner = disk->chain.map.owner[base + page];
    unsigned first = page++;
    if (!(wanted >> first & 1)) continue;
    if (owner >= OWNER_ZERO_SEALING) {
      memset(line->data + (size_t)first * PAGE_BYTES, 0, PAGE_BYTES);
      line->valid |= page_range(first, 1);
      continue;
    }
    while (page < LINE_PAGES && base + page < disk->chain.map.pages && (wanted >> page & 1) &&
           disk->chain.map.owner[base + page] == owner)
      page++;
    if (!send_fetch(disk, line, first, page - first, owner)) return false;
    sent = true;
  }
  if (sent) atomic_fetch_add_explicit(&disk->block.counters.line_misses, 1, memory_order_relaxed);
  return true;
}

/* Start fetching lines first..last that are not there, as far as the limits allow. */
static bool fetch_lines(struct disk *disk, uint64_t first, uint64_t last) {
  for (uint64_t number = first; number <= last && number * LINE_PAGES < disk->chain.map.pages; number++) {
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
  if (middle * LINE_PAGES >= disk->chain.map.pages) middle = (disk->chain.map.pages - 1) / LINE_PAGES;
  struct line *line = cache_find(&disk->cache, middle);
  if (line && (line->valid | line->loading)) return true;
  return fetch_lines(disk, disk->ahead_next, disk->ahead_next + disk->ahead_window - 1);
}

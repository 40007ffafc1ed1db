#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/disk.h"

/* What one statement asks for is worth a page of answer for each page of memory the server has to find: much
 * longer ones save nothing more. */
enum { FETCH_PAGES_MAX = 64 };

/* Pages one after the other in one Large Object, in any number of lines; asked for when it ends. */
struct run {
  uint64_t page;
  unsigned count; /* 0: none yet */
  uint8_t owner;
};

/* A fetch names its pages in one word, so that it needs no memory of its own. */
_Static_assert(sizeof(uintptr_t) >= 8 && FETCH_PAGES_MAX < 256, "a run fits into a word");
static void *run_item(const struct run *run) { return (void *)(uintptr_t)(run->page << 8 | run->count); }

static void take_page(struct line *line, uint64_t page, const uint8_t *bytes, size_t size) {
  page_mask bit = page_range((unsigned)(page % LINE_PAGES), 1);
  if (!(line->loading & bit)) return; /* overwritten meanwhile */
  uint8_t *target = line->data + page % LINE_PAGES * PAGE_BYTES;
  memcpy(target, bytes, size);
  memset(target + size, 0, PAGE_BYTES - size); /* past the end of the Large Object */
  line->loading &= (page_mask)~bit;
  line->valid |= bit;
}

static bool fetched(void *opaque, void *item, const PGresult *result) {
  struct disk *disk = opaque;
  struct run run = {.page = (uintptr_t)item >> 8, .count = (uintptr_t)item & 0xff};
  session_progress(disk->session);
  bool good = PQntuples(result) == 1 && PQnfields(result) == 1 && !PQgetisnull(result, 0, 0);
  size_t left = good ? (size_t)PQgetlength(result, 0, 0) : 0;
  const uint8_t *bytes = good ? (const uint8_t *)PQgetvalue(result, 0, 0) : NULL;
  if (left > (size_t)run.count * PAGE_BYTES) good = false;
  struct line *line = NULL;
  for (uint64_t page = run.page; page < run.page + run.count; page++) {
    if (page == run.page || page % LINE_PAGES == 0) { /* it has stayed: fetches is not 0 */
      line = cache_find(&disk->cache, page / LINE_PAGES);
      line->fetches--;
      disk->fetching--;
    }
    if (!good) continue;
    size_t have = left < PAGE_BYTES ? left : PAGE_BYTES;
    take_page(line, page, bytes, have);
    bytes += have;
    left -= have;
  }
  return good;
}

static uint8_t owner_of(const struct disk_chain *chain, uint64_t page) {
  return page < chain->map.pages ? chain->map.owner[page] : OWNER_SHOWN;
}

static uint64_t all_pages(const struct disk *disk) { return disk->chain.size / PAGE_BYTES; }

/* Where a page lies in what its owner stores. The image's own pages stand behind the layers' when it is
 * shown. */
static uint64_t stored_at(const struct disk_chain *chain, uint8_t owner, uint64_t page) {
  return (owner == OWNER_SHOWN ? page - chain->map.pages : page) * PAGE_BYTES;
}

static bool send_run(struct disk *disk, struct run *run) {
  struct link_values values = {0};
  if (!run->count) return true;
  link_add_int4(&values, disk->chain.lo[run->owner == OWNER_SHOWN ? 0 : run->owner]);
  link_add_int8(&values, stored_at(&disk->chain, run->owner, run->page));
  link_add_int4(&values, run->count * PAGE_BYTES);
  disk->fetch_sent = true;
  void *item = run_item(run);
  run->count = 0;
  return link_send(&disk->session->read, "get", &values, fetched, disk, item);
}

static bool add_page(struct disk *disk, struct line *line, struct run *run, uint64_t page) {
  uint8_t owner = owner_of(&disk->chain, page);
  bool follows = run->count && run->owner == owner && run->page + run->count == page;
  if ((!follows || run->count == FETCH_PAGES_MAX) && !send_run(disk, run)) return false;
  if (!run->count) *run = (struct run){.page = page, .owner = owner};
  if (!run->count || page % LINE_PAGES == 0) {
    line->fetches++;
    disk->fetching++;
  }
  run->count++;
  line->loading |= page_range((unsigned)(page % LINE_PAGES), 1);
  return true;
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

/* Pages of a line that have one owner. */
static bool add_pages(struct disk *disk, struct line *line, struct run *run, unsigned first, unsigned count) {
  const struct disk_chain *chain = &disk->chain;
  uint64_t page = line->number * LINE_PAGES + first;
  uint8_t owner = owner_of(chain, page);
  if (chain->source >= 0 && (owner == OWNER_SHOWN || owner == 0))
    return read_source(disk, line, first, count, stored_at(chain, owner, page));
  for (unsigned i = 0; i < count; i++)
    if (!add_page(disk, line, run, page + i)) return false;
  return true;
}

/* The missing pages of a line join the run; pages known to be zeros are filled at once. */
static bool add_line(struct disk *disk, struct line *line, page_mask wanted, struct run *run) {
  uint64_t base = line->number * LINE_PAGES;
  bool missed = false;
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
    if (!add_pages(disk, line, run, first, page - first)) return false;
    missed = true;
  }
  if (missed) atomic_fetch_add_explicit(&disk->block.counters.line_misses, 1, memory_order_relaxed);
  return true;
}

bool disk_fetch(struct disk *disk, struct line *line, page_mask wanted) {
  struct run run = {0};
  return add_line(disk, line, wanted, &run) && send_run(disk, &run);
}

page_mask disk_around(const struct disk *disk, page_mask wanted) {
  if (disk->ahead_window) return page_range(0, LINE_PAGES);
  page_mask around = 0;
  for (unsigned first = 0; first < LINE_PAGES; first += AROUND_PAGES)
    if (wanted & page_range(first, AROUND_PAGES)) around |= page_range(first, AROUND_PAGES);
  return around;
}

/* Those of the pages first..last that are in the line. */
static page_mask pages_in_line(uint64_t number, uint64_t first, uint64_t last) {
  uint64_t base = number * LINE_PAGES, end = base + LINE_PAGES - 1;
  unsigned from = first > base ? (unsigned)(first - base) : 0;
  unsigned to = last < end ? (unsigned)(last - base) : LINE_PAGES - 1;
  return page_range(from, to - from + 1);
}

/* Start fetching the pages first..last, and those around them, that are not there, as far as the limits
 * allow. */
static bool fetch_pages(struct disk *disk, uint64_t first, uint64_t last) {
  struct run run = {0};
  if (last >= all_pages(disk)) last = all_pages(disk) - 1;
  for (uint64_t number = first / LINE_PAGES; number <= last / LINE_PAGES; number++) {
    struct line *line = disk->fetching < FETCH_LINES_MAX ? cache_take(&disk->cache, number) : NULL;
    if (!line) break;
    if (!add_line(disk, line, disk_around(disk, pages_in_line(number, first, last)), &run)) return false;
  }
  return send_run(disk, &run);
}

bool disk_look_ahead(struct disk *disk) {
  for (struct block_request *request = disk->first; request; request = request->next) {
    if (disk->fetching >= FETCH_LINES_MAX) return true;
    if (request->op != BLOCK_READ || request->length == 0) continue;
    uint64_t start = request->offset + (request == disk->first ? disk->position : 0);
    uint64_t end = request->offset + request->length;
    if (!fetch_pages(disk, start / PAGE_BYTES, (end - 1) / PAGE_BYTES)) return false;
  }
  if (!disk->ahead_window) return true;
  /* Again only when half of it is used up, so that requests go out in bursts. */
  uint64_t middle = disk->ahead_next + disk->ahead_window / 2;
  if (middle * LINE_PAGES >= all_pages(disk)) middle = (all_pages(disk) - 1) / LINE_PAGES;
  struct line *line = cache_find(&disk->cache, middle);
  if (line && (line->valid | line->loading)) return true;
  if (disk->ahead_next * LINE_PAGES >= all_pages(disk)) return true;
  return fetch_pages(disk, disk->ahead_next * LINE_PAGES,
                     (disk->ahead_next + disk->ahead_window) * LINE_PAGES - 1);
}

#include <errno.h>
#include <string.h>

#include "store/disk.h"

/* The part of a request that lies in one line. */
struct part {
  uint64_t line;
  unsigned start, end;      /* bytes within the line */
  page_mask whole, partial; /* pages covered, pages touched at an edge */
};

static struct part part_at(const struct block_request *request, uint64_t position) {
  uint64_t offset = request->offset + position, left = request->length - position;
  struct part part = {.line = offset / LINE_BYTES, .start = (unsigned)(offset % LINE_BYTES)};
  part.end = left < LINE_BYTES - part.start ? part.start + (unsigned)left : LINE_BYTES;
  unsigned first = part.start / PAGE_BYTES, last = (part.end - 1) / PAGE_BYTES;
  page_mask touched = page_range(first, last - first + 1);
  if (part.start % PAGE_BYTES) part.partial |= page_range(first, 1);
  if (part.end % PAGE_BYTES) part.partial |= page_range(last, 1);
  part.whole = touched & (page_mask)~part.partial;
  return part;
}

static enum disk_outcome read_part(struct disk *disk, struct block_request *request,
                                   const struct part *part) {
  struct line *line = cache_take(&disk->cache, part->line);
  page_mask wanted = part->whole | part->partial;
  if (!line) return DISK_WAITS;
  if ((line->valid & wanted) != wanted) {
    if (!disk_fetch(disk, line, disk_around(disk, wanted))) return DISK_FAILED;
    if ((line->valid & wanted) != wanted) return DISK_WAITS;
  } else {
    atomic_fetch_add_explicit(&disk->block.counters.line_hits, 1, memory_order_relaxed);
  }
  memcpy((uint8_t *)request->buffer + disk->position, line->data + part->start, part->end - part->start);
  return DISK_ENDED;
}

/* Bytes (NULL: zeros) into one line; edges need the rest of their pages first. */
static enum disk_outcome write_part(struct disk *disk, const uint8_t *bytes, const struct part *part) {
  struct line *line = cache_find(&disk->cache, part->line);
  if (disk_pressed(disk) && !(line && line->next_dirty)) return DISK_WAITS;
  if (!line) line = cache_take(&disk->cache, part->line);
  if (!line) return DISK_WAITS;
  if (part->partial & ~line->valid) {
    if (!disk_fetch(disk, line, part->partial)) return DISK_FAILED;
    if (part->partial & ~line->valid) return DISK_WAITS;
  }
  page_mask touched = part->whole | part->partial;
  if (bytes)
    memcpy(line->data + part->start, bytes, part->end - part->start);
  else
    memset(line->data + part->start, 0, part->end - part->start);
  line->valid |= touched;
  line->loading &= (page_mask)~touched;
  cache_mark_dirty(&disk->cache, line, touched);
  session_dirty(disk->session);
  return DISK_ENDED;
}

/* Whole pages become known zeros without taking up cache; edges are written as zeros. */
static enum disk_outcome discard_part(struct disk *disk, struct part *part) {
  if (part->partial) {
    struct part all = *part;
    enum disk_outcome outcome = write_part(disk, NULL, &all);
    if (outcome != DISK_ENDED) return outcome;
  }
  struct line *line = cache_find(&disk->cache, part->line);
  disk_seal_note(disk, part->line * LINE_PAGES, part->whole);
  for (unsigned page = 0; page < LINE_PAGES; page++) {
    if (!(part->whole >> page & 1)) continue;
    if (line) memset(line->data + (size_t)page * PAGE_BYTES, 0, PAGE_BYTES);
    page_map_set(&disk->chain.map, part->line * LINE_PAGES + page, true);
  }
  if (line) {
    line->valid |= part->whole;
    line->loading &= (page_mask)~part->whole;
    cache_unmark_dirty(line, part->whole);
  }
  if (disk->chain.map.dirty) session_dirty(disk->session);
  return DISK_ENDED;
}

static enum disk_outcome transfer(struct disk *disk, struct block_request *request) {
  while (disk->position < request->length) {
    struct part part = part_at(request, disk->position);
    enum disk_outcome outcome =
        request->op == BLOCK_READ ? read_part(disk, request, &part)
        : request->op == BLOCK_WRITE
            ? write_part(disk, (const uint8_t *)request->buffer + disk->position, &part)
            : discard_part(disk, &part);
    if (outcome != DISK_ENDED) return outcome;
    disk->position += part.end - part.start;
  }
  return DISK_ENDED;
}

/* A reader that continues where the last one ended gets a window that doubles; any other gets none. */
static void note_reader(struct disk *disk, const struct block_request *request) {
  uint64_t first = request->offset / LINE_BYTES;
  uint64_t last = (request->offset + request->length - 1) / LINE_BYTES;
  bool follows = first == disk->ahead_next || first + 1 == disk->ahead_next;
  unsigned window = disk->ahead_window ? disk->ahead_window * 2 : AHEAD_LINES_MIN;
  unsigned most = disk->cache.capacity / 4 < AHEAD_LINES_MAX ? disk->cache.capacity / 4 : AHEAD_LINES_MAX;
  disk->ahead_window = !follows ? 0 : window < most ? window : most;
  disk->ahead_next = last + 1;
  disk->noted = true;
}

bool disk_flush_waits(struct disk *disk, struct block_request *request) {
  struct session *session = disk->session;
  if (disk->held_owner || (!disk_dirty(disk) && !session->committing)) return false;
  request->commit = session->commits_begun + (disk_dirty(disk) ? 1 : 0);
  request->next = disk->flushes;
  disk->flushes = request;
  return true;
}

static void take_submitted(struct disk *disk) {
  struct block_request *request;
  while ((request = block_queue_take(&disk->session->queue))) {
    if (request->op == BLOCK_CONTROL && disk_seal_serve(disk, request)) continue;
    if (disk->last)
      disk->last->next = request;
    else
      disk->first = request;
    disk->last = request;
  }
}

struct block_request *disk_pop(struct disk *disk) {
  struct block_request *request = disk->first;
  disk->first = request->next;
  if (!disk->first) disk->last = NULL;
  disk->position = 0;
  disk->noted = false;
  request->next = NULL;
  return request;
}

/* A held disk cannot be written back, so what finds no room never will. */
static bool overflows(struct disk *disk) {
  if (!disk->held_owner || disk->fetching) return false;
  atomic_store_explicit(&disk->block.overflowed, true, memory_order_release);
  return true;
}

/* What is shown of the image can be read only. */
static bool beyond_layers(const struct disk *disk, const struct block_request *request) {
  return (request->op == BLOCK_WRITE || request->op == BLOCK_DISCARD) &&
         request->offset + request->length > disk->chain.map.pages * PAGE_BYTES;
}

static enum disk_outcome serve_first(struct disk *disk) {
  struct block_request *request = disk->first;
  int error = 0;
  if (request->op == BLOCK_CONTROL) return disk_control(disk, request);
  if (request->op == BLOCK_READ && !disk->noted && request->length > 0) note_reader(disk, request);
  if (beyond_layers(disk, request)) {
    error = -EROFS;
  } else if (request->op != BLOCK_FLUSH) {
    enum disk_outcome outcome = transfer(disk, request);
    if (outcome == DISK_WAITS && overflows(disk))
      error = -ENOSPC;
    else if (outcome != DISK_ENDED)
      return outcome;
  }
  disk_pop(disk);
  if (request->op != BLOCK_FLUSH || !disk_flush_waits(disk, request))
    block_queue_end(&disk->session->queue, request, error);
  return DISK_ENDED;
}

bool disk_step(struct disk *disk) {
  take_submitted(disk);
  while (disk->first) {
    enum disk_outcome outcome = serve_first(disk);
    if (outcome == DISK_FAILED) return false;
    if (outcome == DISK_WAITS) break;
  }
  bool ahead = !disk->first || disk->first->op != BLOCK_CONTROL;
  if (ahead && !disk_look_ahead(disk)) return false;
  if (!disk->fetch_sent) return true;
  disk->fetch_sent = false;
  return link_sync(&disk->session->read);
}

void disk_commit_ended(struct disk *disk, bool kept) {
  cache_end_flush(&disk->cache, kept);
  page_map_end_flush(&disk->chain.map, kept);
  struct block_request *waiting = disk->flushes;
  disk->flushes = NULL;
  while (waiting) {
    struct block_request *request = waiting;
    waiting = request->next;
    /* Sent again, a commit takes along everything that has come since. */
    if (!kept) request->commit = disk->session->commits_begun + 1;
    if (request->commit <= disk->session->commits_ended) {
      block_queue_end(&disk->session->queue, request, 0);
    } else {
      request->next = disk->flushes;
      disk->flushes = request;
    }
  }
}

void disk_links_lost(struct disk *disk) {
  cache_forget_fetches(&disk->cache);
  disk->fetching = 0;
  disk->fetch_sent = false;
}

void disk_fail(struct disk *disk, int error) {
  take_submitted(disk);
  while (disk->first) block_queue_end(&disk->session->queue, disk_pop(disk), error);
  disk_seal_fail(disk, error);
  if (disk->rebasing) block_queue_end(&disk->session->queue, disk->rebasing, error);
  disk->rebasing = NULL;
  while (disk->flushes) {
    struct block_request *request = disk->flushes;
    disk->flushes = request->next;
    block_queue_end(&disk->session->queue, request, error);
  }
}

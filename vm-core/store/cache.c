#include "store/cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINES_MIN = 64, LINES_MAX = 1 << 18 };

bool cache_init(struct cache *cache, uint64_t bytes) {
  uint64_t lines = bytes / LINE_BYTES;
  if (lines < LINES_MIN) lines = LINES_MIN;
  if (lines > LINES_MAX) lines = LINES_MAX;
  uint32_t buckets = LINES_MIN;
  while (buckets < lines) buckets *= 2;
  memset(cache, 0, sizeof *cache);
  cache->capacity = (uint32_t)lines;
  cache->bucket_mask = buckets - 1;
  cache->lines = calloc(lines, sizeof *cache->lines);
  cache->buckets = calloc(buckets, sizeof(struct line *));
  /* Mapped, so that lines never used take no memory. */
  void *data = mmap(NULL, lines * LINE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  cache->data = data == MAP_FAILED ? NULL : data;
  if (cache->lines && cache->buckets && cache->data) return true;
  cache_free(cache);
  return false;
}

void cache_free(struct cache *cache) {
  if (cache->data) munmap(cache->data, (uint64_t)cache->capacity * LINE_BYTES);
  free(cache->lines);
  free(cache->buckets);
  memset(cache, 0, sizeof *cache);
}

static struct line **bucket_of(struct cache *cache, uint64_t number) {
  return &cache->buckets[(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & cache->bucket_mask];
}

static void unlink_line(struct cache *cache, struct line *line) {
  if (line->newer)
    line->newer->older = line->older;
  else
    cache->newest = line->older;
  if (line->older)
    line->older->newer = line->newer;
  else
    cache->oldest = line->newer;
}

static void link_newest(struct cache *cache, struct line *line) {
  line->newer = NULL;
  line->older = cache->newest;
  if (cache->newest)
    cache->newest->newer = line;
  else
    cache->oldest = line;
  cache->newest = line;
}

struct line *cache_find(struct cache *cache, uint64_t number) {
  struct line *line = *bucket_of(cache, number);
  while (line && line->number != number) line = line->chain;
  if (line && line != cache->newest) {
    unlink_line(cache, line);
    link_newest(cache, line);
  }
  return line;
}

static bool must_stay(const struct line *line) {
  return line->dirty || line->flushing || line->fetches || line->next_dirty || line->next_flushing;
}

static struct line *evict(struct cache *cache) {
  struct line *line = cache->oldest;
  while (line && must_stay(line)) line = line->newer;
  if (!line) return NULL;
  struct line **link = bucket_of(cache, line->number);
  while (*link != line) link = &(*link)->chain;
  *link = line->chain;
  unlink_line(cache, line);
  return line;
}

struct line *cache_take(struct cache *cache, uint64_t number) {
  struct line *line = cache_find(cache, number);
  if (line) return line;
  if (cache->used < cache->capacity) {
    line = &cache->lines[cache->used];
    line->data = cache->data + (uint64_t)cache->used * LINE_BYTES;
    cache->used++;
  } else {
    line = evict(cache);
    if (!line) return NULL;
  }
  line->number = number;
  line->valid = line->dirty = line->flushing = line->loading = 0;
  struct line **bucket = bucket_of(cache, number);
  line->chain = *bucket;
  *bucket = line;
  link_newest(cache, line);
  return line;
}

void cache_mark_dirty(struct cache *cache, struct line *line, page_mask pages) {
  line->dirty |= pages;
  if (!pages || line->next_dirty) return;
  line->next_dirty = cache->dirty ? cache->dirty : line;
  cache->dirty = line;
  cache->dirty_count++;
}

void cache_unmark_dirty(struct line *line, page_mask pages) { line->dirty &= (page_mask)~pages; }

/* The line after this one on a list whose last line names itself. */
static struct line *after(struct line *line, struct line *next) { return next == line ? NULL : next; }

struct line *cache_begin_flush(struct cache *cache) {
  struct line *line = cache->dirty;
  cache->dirty = NULL;
  cache->dirty_count = 0;
  while (line) {
    struct line *next = after(line, line->next_dirty);
    line->next_dirty = NULL;
    line->flushing = line->dirty;
    line->dirty = 0;
    if (line->flushing) {
      line->next_flushing = cache->flushing ? cache->flushing : line;
      cache->flushing = line;
    }
    line = next;
  }
  return cache->flushing;
}

void cache_end_flush(struct cache *cache, bool kept) {
  struct line *line = cache->flushing;
  cache->flushing = NULL;
  while (line) {
    struct line *next = after(line, line->next_flushing);
    page_mask pages = line->flushing;
    line->next_flushing = NULL;
    line->flushing = 0;
    if (!kept) cache_mark_dirty(cache, line, pages);
    line = next;
  }
}

void cache_forget_fetches(struct cache *cache) {
  for (uint32_t i = 0; i < cache->used; i++) {
    cache->lines[i].fetches = 0;
    cache->lines[i].loading = 0;
  }
}

static void drop(struct cache *cache, bool all) {
  for (uint32_t i = 0; i < cache->used; i++) {
    struct line *line = &cache->lines[i];
    line->valid &= (page_mask) ~(all ? page_range(0, LINE_PAGES) : line->dirty);
    line->dirty = 0;
    line->next_dirty = NULL;
  }
  cache->dirty = NULL;
  cache->dirty_count = 0;
}

void cache_drop_dirty(struct cache *cache) { drop(cache, false); }
void cache_drop_all(struct cache *cache) { drop(cache, true); }

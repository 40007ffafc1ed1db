/* A bounded cache of 64 KB lines of a disk, tracked by 4 KB page. I/O thread only.
 *
 * A page is valid (its bytes are the disk's), dirty (valid, newer than the database), flushing (its bytes
 * were sent in a commit whose outcome is not known yet) or loading (a fetch is under way that may fill it). A
 * line that is dirty, flushing or has fetches outstanding stays; others leave in the order of their last use.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_BYTES = 4096, LINE_PAGES = 16, LINE_BYTES = LINE_PAGES * PAGE_BYTES };

typedef uint16_t page_mask; /* bit n: page n of the line */

struct line {
  uint64_t number; /* of the disk, in lines */
  page_mask valid, dirty, flushing, loading;
  unsigned fetches; /* outstanding */
  uint8_t *data;    /* LINE_BYTES */
  struct line *chain;
  struct line *newer, *older;
  struct line *next_dirty, *next_flushing; /* NULL: not on the list; the last line names itself */
};

struct cache {
  struct line *lines;
  uint8_t *data;
  uint32_t capacity, used;
  struct line **buckets;
  uint32_t bucket_mask;
  struct line *newest, *oldest;
  struct line *dirty, *flushing; /* lists through next_dirty, next_flushing */
  uint32_t dirty_count;          /* lines on the dirty list */
};

/* False when memory is short. `bytes` is rounded to lines, at least 64 of them. */
bool cache_init(struct cache *cache, uint64_t bytes);
void cache_free(struct cache *cache);

/* The line if it is there, made the newest; NULL otherwise. */
struct line *cache_find(struct cache *cache, uint64_t number);
/* The line, taken in empty if it is not there; NULL while every line must stay. */
struct line *cache_take(struct cache *cache, uint64_t number);

/* The pages hold newer bytes than the database. */
void cache_mark_dirty(struct cache *cache, struct line *line, page_mask pages);
/* The pages need not be written any more (they were discarded). */
void cache_unmark_dirty(struct line *line, page_mask pages);

/* A commit begins: dirty pages become flushing, and the first of their lines is returned; line_next_flushing
 * gives the others. Its end: flushing pages are clean, or (not kept) dirty again. */
struct line *cache_begin_flush(struct cache *cache);
void cache_end_flush(struct cache *cache, bool kept);

/* Forget the dirty pages' bytes, or every byte: what they were is to be fetched. Nothing is flushing, and no
 * fetch is under way. */
void cache_drop_dirty(struct cache *cache);
void cache_drop_all(struct cache *cache);

/* Fetches under way will never be answered. */
void cache_forget_fetches(struct cache *cache);

static inline struct line *line_next_flushing(struct line *line) {
  return line->next_flushing == line ? NULL : line->next_flushing;
}

static inline page_mask page_range(unsigned first, unsigned count) {
  return (page_mask)(((UINT32_C(1) << count) - 1) << first);
}

#endif

/* Memory for machine code: one memfd, mapped once writable and once executable
 * (never both), cut into segments that are filled and emptied in turn. Hart
 * thread, and only while no machine code runs. */
#ifndef JIT_CODE_CACHE_H
#define JIT_CODE_CACHE_H

#include "interp/op.h"

enum { CODE_SEGMENTS = 8 };

/* Ops that a region's machine code names. */
enum { SIDE_OPS = 16 };
struct side_ops {
  struct side_ops *next;
  unsigned used;
  struct op ops[SIDE_OPS];
};

void side_ops_free(struct side_ops *sides);

/* A translated region: what must be undone when it goes, and the ops. */
struct code_region {
  struct code_region *next; /* of the segment */
  struct code_page *page;
  struct side_ops *sides;
  unsigned entry_count;
  uint16_t entry[]; /* page offsets */
};

struct code_segment {
  uint8_t *start; /* writable address */
  size_t used, touched;
  struct code_region *regions;
};

struct code_cache {
  uint8_t *base; /* writable */
  int fd;
  size_t size, segment_size; /* a segment is whole host pages */
  int64_t to_exec;           /* executable address - writable address */
  struct code_segment segments[CODE_SEGMENTS];
  unsigned current;
  bool sparing; /* a segment for every region, for tests: each compile evicts */
};

/* false: no memory. `fixed` bytes at the start are the caller's and stay. */
bool code_cache_init(struct code_cache *cache, size_t size, size_t fixed);
void code_cache_destroy(struct code_cache *cache);

/* Room for at least `bytes` in the current segment. When that is full the next
 * one is made empty by `evict(opaque, region, segment)` for each of its
 * regions. NULL: more than a segment, or no memory. */
typedef void code_evict(void *opaque, const struct code_region *region, const struct code_segment *segment);
struct code_segment *code_cache_room(struct code_cache *cache, size_t bytes, code_evict *evict, void *opaque);

/* Free every region's memory without telling anyone. */
void code_cache_clear(struct code_cache *cache);

/* True when an executable address lies in the segment. */
bool code_in_segment(const struct code_cache *cache, const struct code_segment *segment, const void *native);

#endif

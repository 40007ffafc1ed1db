#include "jit/code_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool code_cache_init(struct code_cache *cache, size_t size, size_t fixed) {
  memset(cache, 0, sizeof *cache);
  int fd = memfd_create("linuxsql-jit", MFD_CLOEXEC);
  if (fd < 0) return false;
  bool sized = ftruncate(fd, (off_t)size) == 0;
  uint8_t *write = sized ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  uint8_t *exec = sized ? mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (write == MAP_FAILED || exec == MAP_FAILED) {
    close(fd);
    if (write != MAP_FAILED) munmap(write, size);
    if (exec != MAP_FAILED) munmap(exec, size);
    return false;
  }
  cache->fd = fd;
  cache->base = write;
  cache->size = size;
  cache->to_exec = exec - write;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  fixed = (fixed + page - 1) & -page;
  cache->segment_size = size > fixed ? (size - fixed) / CODE_SEGMENTS & -page : 0;
  for (unsigned i = 0; i < CODE_SEGMENTS; i++)
    cache->segments[i].start = write + fixed + i * cache->segment_size;
  return true;
}

/* Emulators that run programs of other hosts (qemu-user) follow writes to code by virtual address, so they do
 * not see the writable mapping change what they know of the executable one; a new mapping makes them forget.
 * Processors need no more than the flush of the instruction cache that ends every compile. */
static bool forget_old_code(const struct code_cache *cache, const struct code_segment *segment) {
#ifdef __x86_64__
  (void)cache, (void)segment;
  return true;
#else
  off_t offset = segment->start - cache->base;
  return mmap(segment->start + cache->to_exec, cache->segment_size, PROT_READ | PROT_EXEC,
              MAP_SHARED | MAP_FIXED, cache->fd, offset) != MAP_FAILED;
#endif
}

void side_ops_free(struct side_ops *sides) {
  for (struct side_ops *next; sides; sides = next) {
    next = sides->next;
    free(sides);
  }
}

static void free_regions(const struct code_cache *cache, struct code_segment *segment) {
  if (!segment->used) return;
  for (struct code_region *region = segment->regions, *next; region; region = next) {
    next = region->next;
    side_ops_free(region->sides);
    free(region);
  }
  segment->regions = NULL;
  segment->used = forget_old_code(cache, segment) ? 0 : cache->segment_size;
}

void code_cache_clear(struct code_cache *cache) {
  for (unsigned i = 0; i < CODE_SEGMENTS; i++) free_regions(cache, &cache->segments[i]);
}

void code_cache_destroy(struct code_cache *cache) {
  if (!cache->base) return;
  code_cache_clear(cache);
  close(cache->fd);
  munmap(cache->base, cache->size);
  munmap(cache->base + cache->to_exec, cache->size);
  memset(cache, 0, sizeof *cache);
}

/* Asks the host for what the next `bytes` of code need, and more: the first write to a page costs a fault. */
static void touch_ahead(const struct code_cache *cache, struct code_segment *segment, size_t bytes) {
  enum { AHEAD = 64 << 10 };
  size_t end = segment->used + bytes;
  if (end <= segment->touched) return;
  size_t until = (end + AHEAD - 1) & ~(size_t)(AHEAD - 1);
  if (until > cache->segment_size) until = cache->segment_size;
  madvise(segment->start + segment->touched, until - segment->touched, MADV_POPULATE_WRITE);
  segment->touched = until;
}

struct code_segment *code_cache_room(struct code_cache *cache, size_t bytes, code_evict *evict,
                                     void *opaque) {
  struct code_segment *segment = &cache->segments[cache->current];
  if (bytes > cache->segment_size) return NULL;
  bool full = cache->sparing ? segment->used > 0 : cache->segment_size - segment->used < bytes;
  if (full) {
    cache->current = (cache->current + 1) % CODE_SEGMENTS;
    segment = &cache->segments[cache->current];
    for (struct code_region *region = segment->regions; region; region = region->next)
      evict(opaque, region, segment);
    free_regions(cache, segment);
    if (segment->used) return NULL;
  }
  touch_ahead(cache, segment, bytes);
  return segment;
}

bool code_in_segment(const struct code_cache *cache, const struct code_segment *segment, const void *native) {
  const uint8_t *start = segment->start + cache->to_exec;
  return (const uint8_t *)native >= start && (const uint8_t *)native < start + cache->segment_size;
}

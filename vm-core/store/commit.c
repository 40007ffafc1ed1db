/* One commit: the fence check, the input log, every dirty page, the changed presence. */
#include <string.h>

#include "store/disk.h"

enum { WRITE_BEHIND_NS = 1000 * 1000 * 1000 };
/* A commit is copied into libpq's buffer, which moves what is left after every partial send: keep it small.
 */
enum { WRITE_BEHIND_LINES = 32, PRESSED_LINES = 128 };
/* Lines that reads can still use while a held disk fills the cache. */
enum { HELD_RESERVE = 32 };

static bool ignored(void *opaque, void *item, const PGresult *result) {
  (void)opaque, (void)item, (void)result;
  return true;
}

static bool put(struct disk *disk, uint32_t lo, uint64_t offset, const void *bytes, size_t size) {
  struct link_values values = {0};
  link_add_int4(&values, lo);
  link_add_int8(&values, offset);
  link_add_bytes(&values, bytes, size);
  return link_send(&disk->session->write, "put", &values, ignored, NULL, NULL);
}

static bool is_zero(const uint8_t *page) {
  return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* Runs of pages of one line; pages of zeros need only their presence. */
static bool send_line(struct disk *disk, const struct line *line) {
  uint64_t base = line->number * LINE_PAGES;
  unsigned first = 0;
  page_mask data = 0;
  disk_seal_note(disk, base, line->flushing);
  for (unsigned page = 0; page < LINE_PAGES; page++) {
    if (!(line->flushing >> page & 1)) continue;
    bool zero = is_zero(line->data + (size_t)page * PAGE_BYTES);
    page_map_set(&disk->chain.map, base + page, zero);
    if (!zero) data |= page_range(page, 1);
  }
  while (first < LINE_PAGES) {
    unsigned count = 0;
    while (first + count < LINE_PAGES && (data >> (first + count) & 1)) count++;
    if (count && !put(disk, disk->chain.lo[disk->chain.map.leaf], (base + first) * PAGE_BYTES,
                      line->data + (size_t)first * PAGE_BYTES, (size_t)count * PAGE_BYTES))
      return false;
    first += count + 1;
  }
  return true;
}

bool disk_dirty(const struct disk *disk) { return disk->cache.dirty || disk->chain.map.dirty; }

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

bool disk_write_behind(const struct disk *disk) {
  return disk->cache.dirty_count >= smaller(disk->cache.capacity / 8, WRITE_BEHIND_LINES);
}

bool disk_pressed(const struct disk *disk) {
  if (disk->held_owner) return disk->cache.dirty_count + HELD_RESERVE >= disk->cache.capacity;
  return disk->cache.dirty_count >= smaller(disk->cache.capacity / 3, PRESSED_LINES);
}

bool disk_send_dirty(struct disk *disk) {
  for (struct line *line = cache_begin_flush(&disk->cache); line; line = line_next_flushing(line))
    if (!send_line(disk, line)) return false;
  page_map_begin_flush(&disk->chain.map);
  for (uint32_t chunk = 0; chunk < disk->chain.map.chunks; chunk++) {
    uint8_t bytes[CHUNK_BYTES];
    if (!disk->chain.map.chunk_flushing[chunk]) continue;
    size_t size = page_map_chunk(&disk->chain.map, chunk, bytes);
    if (!put(disk, disk->chain.presence_lo, (uint64_t)chunk * CHUNK_BYTES, bytes, size)) return false;
  }
  return true;
}

static bool committed(void *opaque, void *item, const PGresult *result) {
  struct session *session = opaque;
  (void)item;
  if (strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") != 0) return false;
  session->committing = false;
  session_progress(session);
  session->commits_ended = session->commits_begun;
  input_log_end(&session->log, true);
  if (session->disk) {
    struct block_counters *counters = &session->disk->block.counters;
    uint64_t took = (uint64_t)(session_now_ns() - session->commit_began_ns);
    atomic_fetch_add_explicit(&counters->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->commit_ns, took, memory_order_relaxed);
    disk_commit_ended(session->disk, true);
    disk_seal_committed(session->disk, true);
    if (session->disk->rebasing) disk_rebase_ended(session->disk, true);
  }
  return true;
}

bool session_begin_commit(struct session *session) {
  struct link_values none = {0}, fence = {0};
  struct link *link = &session->write;
  link_add_int8(&fence, session->machine);
  link_add_int8(&fence, session->fence);
  session->committing = true;
  session->commits_begun++;
  session->commit_began_ns = session_now_ns();
  session->dirty_since_ns = 0;
  atomic_store_explicit(&session->log_wanted, false, memory_order_relaxed);
  bool sent = link_send(link, "begin", &none, ignored, NULL, NULL) &&
              link_send(link, "fence", &fence, ignored, NULL, NULL) &&
              input_log_send(&session->log, link, session->machine) &&
              (!session->disk || disk_send_dirty(session->disk));
  if (session->disk) disk_seal_sent(session->disk);
  return sent && (!session->disk || !session->disk->rebasing || disk_send_rebase(session->disk)) &&
         link_send(link, "commit", &none, committed, session, NULL) && link_sync(link);
}

static bool flush_waits(const struct session *session) {
  if (!session->disk) return false;
  const struct block_request *flush = session->disk->flushes;
  while (flush && flush->commit <= session->commits_begun) flush = flush->next;
  return flush != NULL;
}

bool session_wants_commit(const struct session *session) {
  if (session->committing || (session->disk && session->disk->held_owner)) return false;
  if (session->disk && disk_seal_stands(session->disk)) return false;
  if (session->disk && disk_seal_wants_commit(session->disk)) return true;
  if (flush_waits(session)) return true;
  if (session->dirty_since_ns == 0) return false;
  return atomic_load_explicit(&session->closing, memory_order_relaxed) ||
         atomic_load_explicit(&session->log_wanted, memory_order_relaxed) ||
         (session->disk && disk_write_behind(session->disk)) ||
         session_now_ns() - session->dirty_since_ns >= WRITE_BEHIND_NS;
}

void session_dirty(struct session *session) {
  if (session->dirty_since_ns == 0) session->dirty_since_ns = session_now_ns();
}

void session_commit_lost(struct session *session) {
  if (!session->committing) return;
  session->committing = false;
  session->commits_begun--;
  input_log_end(&session->log, false);
  if (session->disk) disk_commit_ended(session->disk, false);
  if (session->disk) disk_seal_committed(session->disk, false);
  session_dirty(session);
}

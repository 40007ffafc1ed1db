#include "store/disk_control.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"

static struct disk_control *control_of(const struct block_request *request) { return request->buffer; }

static enum disk_outcome end(struct disk *disk, struct block_request *request, int error) {
  disk_pop(disk);
  block_queue_end(&disk->session->queue, request, error);
  return DISK_ENDED;
}

static enum disk_outcome hold(struct disk *disk, struct block_request *request) {
  struct session *session = disk->session;
  if (disk->held_owner || disk->seal.phase) return end(disk, request, -EBUSY);
  if (session->committing) return DISK_WAITS;
  if (disk_dirty(disk) || input_log_waiting(&session->log))
    return session_begin_commit(session) ? DISK_WAITS : DISK_FAILED;
  disk->held_owner = malloc(disk->chain.map.pages);
  if (!disk->held_owner) return end(disk, request, -ENOMEM);
  memcpy(disk->held_owner, disk->chain.map.owner, disk->chain.map.pages);
  atomic_store_explicit(&disk->block.overflowed, false, memory_order_relaxed);
  return end(disk, request, 0);
}

static void let_go(struct disk *disk) {
  free(disk->held_owner);
  disk->held_owner = NULL;
}

/* From here on like a flush. */
static enum disk_outcome release(struct disk *disk, struct block_request *request) {
  if (!disk->held_owner) return end(disk, request, -EBUSY);
  let_go(disk);
  disk_pop(disk);
  if (disk_dirty(disk)) session_dirty(disk->session);
  if (!disk_flush_waits(disk, request)) block_queue_end(&disk->session->queue, request, 0);
  return DISK_ENDED;
}

static enum disk_outcome revert(struct disk *disk, struct block_request *request) {
  if (!disk->held_owner) return end(disk, request, -EBUSY);
  if (disk->fetching) return DISK_WAITS;
  memcpy(disk->chain.map.owner, disk->held_owner, disk->chain.map.pages);
  cache_drop_all(&disk->cache);
  let_go(disk);
  return end(disk, request, 0);
}

static enum disk_outcome replace(struct disk *disk, struct block_request *request) {
  struct disk_chain *chain = control_of(request)->chain;
  if (!disk->held_owner || chain->size != disk->chain.size) return end(disk, request, -EBUSY);
  if (disk->fetching) return DISK_WAITS;
  let_go(disk);
  cache_drop_all(&disk->cache);
  disk_chain_free(&disk->chain);
  disk->chain = *chain;
  *chain = (struct disk_chain){0};
  return end(disk, request, 0);
}

static enum disk_outcome copy_map(struct disk *disk, struct block_request *request) {
  if (disk->held_owner) return end(disk, request, -EBUSY); /* it may be reverted */
  return end(disk, request, disk_chain_copy(control_of(request)->chain, &disk->chain) ? 0 : -ENOMEM);
}

static enum disk_outcome rebase(struct disk *disk, struct block_request *request) {
  if (disk->held_owner || disk->seal.phase || disk->rebasing) return end(disk, request, -EBUSY);
  if (disk->session->committing) return DISK_WAITS;
  disk_pop(disk);
  disk->rebasing = request;
  return session_begin_commit(disk->session) ? DISK_ENDED : DISK_FAILED;
}

enum disk_outcome disk_control(struct disk *disk, struct block_request *request) {
  switch (control_of(request)->kind) {
  case DISK_SEAL: return disk_seal(disk, request);
  case DISK_HOLD: return hold(disk, request);
  case DISK_RELEASE: return release(disk, request);
  case DISK_REVERT: return revert(disk, request);
  case DISK_REPLACE: return replace(disk, request);
  case DISK_MAP: return copy_map(disk, request);
  case DISK_REBASE: return rebase(disk, request);
  case DISK_DRAIN: return disk->fetching ? DISK_WAITS : end(disk, request, 0);
  default: break; /* disk_seal_serve has them */
  }
  return end(disk, request, -EINVAL);
}

static uint64_t int8_at(const PGresult *result, int column) {
  uint64_t value = 0;
  if (PQgetlength(result, 0, column) == 8) memcpy(&value, PQgetvalue(result, 0, column), 8);
  return be64toh(value);
}

static bool rebased(void *opaque, void *item, const PGresult *result) {
  struct disk *disk = opaque;
  (void)item;
  if (PQntuples(result) != 1) return false;
  control_of(disk->rebasing)->former_layer = int8_at(result, 0);
  return true;
}

bool disk_send_rebase(struct disk *disk) {
  struct link_values values = {0};
  link_add_int8(&values, disk->session->machine);
  link_add_int8(&values, disk->session->fence);
  link_add_int8(&values, disk->chain.leaf_layer);
  link_add_int8(&values, control_of(disk->rebasing)->base_layer);
  return link_send(&disk->session->write, "rebase", &values, rebased, disk, NULL);
}

void disk_rebase_ended(struct disk *disk, bool kept) {
  struct block_request *request = disk->rebasing;
  struct disk_chain *chain = &disk->chain;
  disk->rebasing = NULL;
  if (kept) {
    uint32_t leaf_lo = chain->lo[chain->map.leaf];
    page_map_flatten(&chain->map);
    chain->lo[1] = control_of(request)->base_lo;
    chain->lo[2] = leaf_lo;
  }
  block_queue_end(&disk->session->queue, request, kept ? 0 : -EIO);
}

/* The commit was lost: whether the server has done it decides what the disk is now. */
bool disk_rebase_settle(struct disk *disk) {
  static const char *const query =
      "select coalesce(l.parent, 0) from linuxsql.machine m join linuxsql.layer l on l.id = m.disk_layer"
      " where m.id = $1";
  struct link *link = &disk->session->write;
  char id[24];
  const char *const values[] = {id};
  if (!disk->rebasing) return true;
  snprintf(id, sizeof id, "%llu", (unsigned long long)disk->session->machine);
  PGresult *row = link_query(link, query, 1, values, false, SESSION_CALL_MS);
  bool known = row && PQntuples(row) == 1;
  if (known)
    disk_rebase_ended(disk,
                      strtoull(PQgetvalue(row, 0, 0), NULL, 10) == control_of(disk->rebasing)->base_layer);
  PQclear(row);
  return known;
}

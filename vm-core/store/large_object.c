/* Opening a disk: the chain of layers, and which of them holds each page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"

/* Bottom first: the image of the chain, if any, then its layers. */
static const char *const chain_query =
    "with recursive chain as ("
    "  select l.*, 1 as n from linuxsql.layer l where l.id = $1 and l.kind = 'disk'"
    "  union all select p.*, c.n + 1 from linuxsql.layer p join chain c on p.id = c.parent where c.n < 65)"
    " select 0 as depth, i.lo, i.presence_lo, i.size, i.sealed from chain c join linuxsql.image i on i.id = "
    "c.image"
    " union all select depth, lo, presence_lo, size, sealed from chain order by 1";

enum { PRESENCE_PIECE = 1 << 20 };

static void disk_submit(struct block_device *block, struct block_request *request) {
  block_queue_put(&((struct disk *)block)->session->queue, request);
}

static void disk_wait(struct block_device *block, struct block_request *request) {
  block_queue_wait(&((struct disk *)block)->session->queue, request);
}

static void disk_close(struct block_device *block) { (void)block; /* session_close does */ }

static const struct block_ops disk_ops = {.submit = disk_submit, .wait = disk_wait, .close = disk_close};

static bool load_presence(struct disk *disk, uint8_t layer, uint32_t presence_lo, uint64_t size) {
  struct link *link = &disk->session->write;
  uint64_t pages = (size + PAGE_BYTES - 1) / PAGE_BYTES, bytes = (pages + 3) / 4;
  uint8_t *piece = malloc(PRESENCE_PIECE);
  bool good = piece != NULL;
  for (uint64_t offset = 0; good && offset < bytes; offset += PRESENCE_PIECE) {
    size_t wanted = bytes - offset < PRESENCE_PIECE ? (size_t)(bytes - offset) : PRESENCE_PIECE;
    int64_t got = link_large_object(link, presence_lo, offset, piece, wanted, SESSION_CALL_MS);
    good = got >= 0 && page_map_overlay(&disk->map, layer, pages, piece, offset, (size_t)got);
    if (got < (int64_t)wanted) break; /* the rest is "below" */
  }
  if (!good && !link->error[0]) snprintf(link->error, sizeof link->error, "its presence map is damaged");
  free(piece);
  return good;
}

static uint64_t number(const PGresult *rows, int row, int column) {
  return strtoull(PQgetvalue(rows, row, column), NULL, 10);
}

/* Depths must count up to the leaf without a gap; an image has depth 0. */
static bool load_chain(struct disk *disk, const PGresult *rows) {
  int count = PQntuples(rows);
  uint8_t leaf = disk->map.leaf;
  for (int row = 0; row < count; row++) {
    uint64_t depth = number(rows, row, 0), size = number(rows, row, 3);
    bool sealed = PQgetvalue(rows, row, 4)[0] == 't';
    if (depth + (uint64_t)(count - 1 - row) != leaf || sealed == (depth == leaf)) {
      snprintf(disk->session->write.error, sizeof disk->session->write.error,
               "its layers do not form a chain");
      return false;
    }
    disk->layer_lo[depth] = (uint32_t)number(rows, row, 1);
    if (depth == leaf) disk->presence_lo = (uint32_t)number(rows, row, 2);
    if (!load_presence(disk, (uint8_t)depth, (uint32_t)number(rows, row, 2), size)) return false;
  }
  return true;
}

static struct disk *make_disk(struct session *session, const PGresult *rows) {
  int count = PQntuples(rows);
  uint64_t leaf = count ? number(rows, count - 1, 0) : 0;
  uint64_t size = count ? number(rows, count - 1, 3) : 0;
  if (leaf < 1 || leaf >= LAYERS_MAX || size < PAGE_BYTES || size > UINT64_C(1) << 40 || size % PAGE_BYTES) {
    snprintf(session->write.error, sizeof session->write.error, "there is no such layer");
    return NULL;
  }
  struct disk *disk = calloc(1, sizeof *disk);
  if (!disk) return NULL;
  disk->session = session;
  disk->block.ops = &disk_ops;
  disk->block.size = size;
  uint64_t cache = session->options.cache_bytes ? session->options.cache_bytes : SESSION_CACHE_DEFAULT;
  if (cache_init(&disk->cache, cache) && page_map_init(&disk->map, size / PAGE_BYTES, (uint8_t)leaf) &&
      load_chain(disk, rows))
    return disk;
  disk_free(disk);
  return NULL;
}

struct block_device *session_open_disk(struct session *session, uint64_t layer, char *reason,
                                       size_t reason_size) {
  char id[24];
  const char *const values[] = {id};
  snprintf(id, sizeof id, "%llu", (unsigned long long)layer);
  session->write.error[0] = '\0';
  PGresult *rows = link_query(&session->write, chain_query, 1, values, false, SESSION_CALL_MS);
  session->disk = rows ? make_disk(session, rows) : NULL;
  PQclear(rows);
  if (session->disk) return &session->disk->block;
  snprintf(reason, reason_size, "cannot open the disk of machine %s (layer %s): %s", session->options.machine,
           id, session->write.error[0] ? session->write.error : "out of memory");
  return NULL;
}

void disk_free(struct disk *disk) {
  if (!disk) return;
  cache_free(&disk->cache);
  page_map_free(&disk->map);
  free(disk);
}

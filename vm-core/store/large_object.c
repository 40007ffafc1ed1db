/* Opening a disk: the chain of layers, and which of them holds each page. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"

enum {
  COLUMN_DEPTH,
  COLUMN_LO,
  COLUMN_PRESENCE,
  COLUMN_SIZE,
  COLUMN_SEALED,
  COLUMN_SHOWN,
  COLUMN_SOURCE,
  COLUMN_OFFSET
};

/* Bottom first: the image of the chain, if any, then its layers. */
static const char *const chain_query =
    "with recursive chain as ("
    "  select l.*, 1 as n from linuxsql.layer l where l.id = $1 and l.kind = 'disk'"
    "  union all select p.*, c.n + 1 from linuxsql.layer p join chain c on p.id = c.parent where c.n < 65)"
    " select 0 as depth, i.lo, i.presence_lo, i.size, i.sealed, i.shown, s.path, s.byte_offset"
    " from chain c join linuxsql.image i on i.id = c.image left join linuxsql.image_source s on s.image = "
    "i.id"
    " union all select depth, lo, presence_lo, size, sealed, false, null, null from chain order by 1";

enum { PRESENCE_PIECE = 1 << 20 };

static void disk_submit(struct block_device *block, struct block_request *request) {
  block_queue_put(&((struct disk *)block)->session->queue, request);
}

static void disk_wait(struct block_device *block, struct block_request *request) {
  block_queue_wait(&((struct disk *)block)->session->queue, request);
}

static void disk_close(struct block_device *block) { (void)block; /* session_close does */ }

static const struct block_ops disk_ops = {.submit = disk_submit, .wait = disk_wait, .close = disk_close};

static bool load_presence(struct disk_chain *chain, struct link *link, uint8_t layer, uint32_t presence_lo,
                          uint64_t size) {
  uint64_t pages = (size + PAGE_BYTES - 1) / PAGE_BYTES, bytes = (pages + 3) / 4;
  uint8_t *piece = malloc(PRESENCE_PIECE);
  bool good = piece != NULL;
  for (uint64_t offset = 0; good && offset < bytes; offset += PRESENCE_PIECE) {
    size_t wanted = bytes - offset < PRESENCE_PIECE ? (size_t)(bytes - offset) : PRESENCE_PIECE;
    int64_t got = link_large_object(link, presence_lo, offset, piece, wanted, SESSION_CALL_MS);
    good = got >= 0 && page_map_overlay(&chain->map, layer, pages, piece, offset, (size_t)got);
    if (got < (int64_t)wanted) break; /* the rest is "below" */
  }
  if (!good && !link->error[0]) snprintf(link->error, sizeof link->error, "its presence map is damaged");
  free(piece);
  return good;
}

static uint64_t number(const PGresult *rows, int row, int column) {
  return strtoull(PQgetvalue(rows, row, column), NULL, 10);
}

/* An image that lies in a file or device has no presence map: all of it is data. The file is opened once, by
 * the first to ask; a chain loaded later must be over the same one. */
static bool open_source(struct disk_chain *chain, struct session *session, struct link *link,
                        const PGresult *rows) {
  const char *path = PQgetvalue(rows, 0, COLUMN_SOURCE);
  uint64_t pages = number(rows, 0, COLUMN_SIZE) / PAGE_BYTES;
  if (!session->source_path) {
    session->source = open(path, O_RDONLY | O_CLOEXEC);
    if (session->source < 0) {
      snprintf(link->error, sizeof link->error, "cannot open its image %s: %s", path, strerror(errno));
      return false;
    }
    session->source_path = strdup(path);
  }
  if (!session->source_path || strcmp(session->source_path, path) != 0) {
    snprintf(link->error, sizeof link->error,
             "its image lies in another file than before: start the machine anew");
    return false;
  }
  chain->source = session->source;
  chain->source_offset = number(rows, 0, COLUMN_OFFSET);
  memset(chain->map.owner, 0, pages < chain->map.pages ? pages : chain->map.pages);
  return true;
}

/* Depths must count up to the leaf without a gap; an image has depth 0. */
static bool load_layers(struct disk_chain *chain, struct session *session, struct link *link,
                        const PGresult *rows, enum disk_part part) {
  int count = PQntuples(rows);
  uint8_t leaf = chain->map.leaf;
  bool written = part == DISK_WRITTEN;
  for (int row = 0; row < count; row++) {
    uint64_t depth = number(rows, row, COLUMN_DEPTH), size = number(rows, row, COLUMN_SIZE);
    bool sealed = PQgetvalue(rows, row, COLUMN_SEALED)[0] == 't';
    if (depth + (uint64_t)(count - 1 - row) != leaf || (sealed == (depth == leaf) && written)) {
      snprintf(link->error, sizeof link->error, "its layers do not form a chain");
      return false;
    }
    if (part == DISK_BELOW_LEAF && depth == leaf) break; /* written since: a replay has nothing in it yet */
    uint32_t presence_lo = (uint32_t)number(rows, row, COLUMN_PRESENCE);
    chain->lo[depth] = (uint32_t)number(rows, row, COLUMN_LO);
    if (depth == leaf) chain->presence_lo = presence_lo;
    bool outside = !PQgetisnull(rows, row, COLUMN_SOURCE);
    if (!(outside ? open_source(chain, session, link, rows)
                  : load_presence(chain, link, (uint8_t)depth, presence_lo, size)))
      return false;
  }
  return true;
}

bool disk_chain_load(struct disk_chain *chain, struct session *session, struct link *link, uint64_t layer,
                     enum disk_part part) {
  char id[24];
  const char *const values[] = {id};
  snprintf(id, sizeof id, "%llu", (unsigned long long)layer);
  *chain = (struct disk_chain){.leaf_layer = layer, .source = -1};
  link->error[0] = '\0';
  PGresult *rows = link_query(link, chain_query, 1, values, false, SESSION_CALL_MS);
  int count = rows ? PQntuples(rows) : 0;
  uint64_t leaf = count ? number(rows, count - 1, COLUMN_DEPTH) : 0;
  chain->size = count ? number(rows, count - 1, COLUMN_SIZE) : 0;
  bool good = leaf >= 1 && leaf < LAYERS_MAX && chain->size >= PAGE_BYTES &&
              chain->size <= UINT64_C(1) << 40 && chain->size % PAGE_BYTES == 0;
  if (rows && !good) snprintf(link->error, sizeof link->error, "there is no such layer");
  good = good && page_map_init(&chain->map, chain->size / PAGE_BYTES, (uint8_t)leaf) &&
         load_layers(chain, session, link, rows, part);
  if (good && PQgetvalue(rows, 0, COLUMN_SHOWN)[0] == 't')
    chain->size += number(rows, 0, COLUMN_SIZE) / PAGE_BYTES * PAGE_BYTES;
  PQclear(rows);
  if (!good) disk_chain_free(chain);
  return good;
}

void disk_chain_free(struct disk_chain *chain) {
  page_map_free(&chain->map);
  *chain = (struct disk_chain){0};
}

struct block_device *session_open_disk(struct session *session, uint64_t layer, char *reason,
                                       size_t reason_size) {
  uint64_t cache = session->options.cache_bytes ? session->options.cache_bytes : SESSION_CACHE_DEFAULT;
  struct disk *disk = calloc(1, sizeof *disk);
  session->write.error[0] = '\0';
  enum disk_part part = !session->options.past.wanted ? DISK_WRITTEN
                        : session->past.checkpoint    ? DISK_SEALED
                                                      : DISK_BELOW_LEAF;
  if (disk && cache_init(&disk->cache, cache) &&
      disk_chain_load(&disk->chain, session, &session->write, layer, part)) {
    disk->session = session;
    disk->block.ops = &disk_ops;
    disk->block.size = disk->chain.size;
    session->disk = disk;
    return &disk->block;
  }
  disk_free(disk);
  snprintf(reason, reason_size, "cannot open the disk of machine %s (layer %llu): %s",
           session->options.machine, (unsigned long long)layer,
           session->write.error[0] ? session->write.error : "out of memory");
  return NULL;
}

void disk_free(struct disk *disk) {
  if (!disk) return;
  cache_free(&disk->cache);
  disk_chain_free(&disk->chain);
  free(disk->held_owner);
  free(disk->seal.changed);
  free(disk);
}

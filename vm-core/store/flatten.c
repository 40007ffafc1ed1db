/* A long chain of disk layers made short: everything its sealed layers hold is copied inside the server into
 * one layer over the image, in small transactions, and the leaf is put over that. State thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/state_io.h"

enum { RUN_PAGES = 64, BATCH_RUNS = 16, PRESENCE_PIECE = 16 << 10 };

struct flatten {
  struct state_store *store;
  struct block_device *disk;
  struct disk_chain from; /* as it was when this began */
  uint64_t layer;
  uint32_t lo, presence_lo;
  uint8_t *presence;
  struct state_error error;
};

static int control_disk(struct flatten *flatten, struct disk_control *control) {
  struct block_request request = {.op = BLOCK_CONTROL, .buffer = control};
  block_submit(flatten->disk, &request);
  return block_wait(&request);
}

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

static PGresult *query(struct flatten *flatten, const char *sql, int count, const uint64_t *words) {
  char numbers[4][24];
  const char *values[4];
  for (int i = 0; i < count; i++) {
    snprintf(numbers[i], sizeof numbers[i], "%llu", (unsigned long long)words[i]);
    values[i] = numbers[i];
  }
  return state_query(flatten->store, sql, count, values, &flatten->error);
}

static bool execute(struct flatten *flatten, const char *sql, int count, const uint64_t *words) {
  PGresult *result = query(flatten, sql, count, words);
  PQclear(result);
  return result != NULL;
}

static bool begin(struct flatten *flatten) {
  const uint64_t words[] = {flatten->store->session->machine, flatten->store->session->fence};
  PGresult *row =
      query(flatten, "select layer, lo, presence_lo from linuxsql.begin_flatten($1, $2)", 2, words);
  if (row) {
    flatten->layer = number(row, 0);
    flatten->lo = (uint32_t)number(row, 1);
    flatten->presence_lo = (uint32_t)number(row, 2);
  }
  PQclear(row);
  return row != NULL;
}

static bool begin_batch(struct flatten *flatten) {
  const uint64_t words[] = {flatten->store->session->machine, flatten->store->session->fence};
  return execute(flatten, "begin isolation level read committed read write", 0, NULL) &&
         execute(flatten, "select linuxsql.check_fence($1, $2)", 2, words);
}

/* Whether the page's bytes lie in a sealed layer. */
static bool in_layer(const struct page_map *map, uint64_t page) {
  return map->owner[page] >= 1 && map->owner[page] < map->leaf;
}

static void note_presence(struct flatten *flatten, uint64_t page, unsigned presence) {
  flatten->presence[page / 4] |= (uint8_t)(presence << page % 4 * 2);
}

/* Pages from `first` on in one layer, one after the other. */
static uint64_t run_length(const struct page_map *map, uint64_t first) {
  uint64_t count = 1;
  while (count < RUN_PAGES && first + count < map->pages && map->owner[first + count] == map->owner[first])
    count++;
  return count;
}

static bool copy_run(struct flatten *flatten, uint64_t first, uint64_t count) {
  const struct disk_chain *from = &flatten->from;
  const uint64_t words[] = {flatten->lo, first * PAGE_BYTES, from->lo[from->map.owner[first]],
                            count * PAGE_BYTES};
  for (uint64_t page = first; page < first + count; page++) note_presence(flatten, page, PRESENCE_DATA);
  return execute(flatten, "select lo_put($1, $2, lo_get($3, $2, $4))", 4, words);
}

/* Zeros over an image hide what it has there; over nothing they need not be told. */
static bool copy_pages(struct flatten *flatten) {
  const struct page_map *map = &flatten->from.map;
  bool image = flatten->from.lo[0] != 0;
  unsigned runs = 0;
  for (uint64_t page = 0; page < map->pages;) {
    uint64_t count = 1;
    if (image && (map->owner[page] == OWNER_ZERO_BELOW || map->owner[page] == OWNER_ZERO_SEALING))
      note_presence(flatten, page, PRESENCE_ZERO);
    if (in_layer(map, page)) {
      count = run_length(map, page);
      if (runs++ % BATCH_RUNS == 0 &&
          ((runs > 1 && !execute(flatten, "commit", 0, NULL)) || !begin_batch(flatten)))
        return false;
      if (!copy_run(flatten, page, count)) return false;
    }
    page += count;
  }
  return runs == 0 || execute(flatten, "commit", 0, NULL);
}

static bool put_presence(struct flatten *flatten, uint64_t offset, size_t size) {
  char numbers[2][24];
  size_t length;
  unsigned char *bytes =
      PQescapeByteaConn(flatten->store->link.conn, flatten->presence + offset, size, &length);
  const char *const values[] = {numbers[0], numbers[1], (const char *)bytes};
  snprintf(numbers[0], sizeof numbers[0], "%u", flatten->presence_lo);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)offset);
  PGresult *row =
      bytes ? state_query(flatten->store, "select lo_put($1, $2, $3)", 3, values, &flatten->error) : NULL;
  PQclear(row);
  PQfreemem(bytes);
  return row != NULL;
}

static bool put_all_presence(struct flatten *flatten) {
  uint64_t bytes = (flatten->from.map.pages + 3) / 4;
  for (uint64_t offset = 0; offset < bytes; offset += PRESENCE_PIECE) {
    size_t size = bytes - offset < PRESENCE_PIECE ? (size_t)(bytes - offset) : PRESENCE_PIECE;
    const uint8_t *piece = flatten->presence + offset;
    if (piece[0] == 0 && memcmp(piece, piece + 1, size - 1) == 0) continue;
    if (!put_presence(flatten, offset, size)) return false;
  }
  return true;
}

/* The former chain is dropped as far as no checkpoint needs it, once no read is on its way to it. */
static bool rebase(struct flatten *flatten) {
  struct disk_control control = {.kind = DISK_REBASE, .base_layer = flatten->layer, .base_lo = flatten->lo};
  struct disk_control drain = {.kind = DISK_DRAIN};
  if (control_disk(flatten, &control) || control_disk(flatten, &drain)) return false;
  const uint64_t words[] = {control.former_layer};
  return execute(flatten, "select linuxsql.drop_layer_chain($1)", 1, words);
}

bool state_flatten(struct state_store *store) {
  struct flatten flatten = {.store = store, .disk = &store->session->disk->block};
  struct disk_control map = {.kind = DISK_MAP, .chain = &flatten.from};
  bool good = control_disk(&flatten, &map) == 0;
  if (good) flatten.presence = calloc(1, (flatten.from.map.pages + 3) / 4);
  good = good && flatten.presence && state_link(store, &flatten.error) && begin(&flatten) &&
         copy_pages(&flatten) && put_all_presence(&flatten) && rebase(&flatten);
  if (!good && link_up(&store->link) && PQtransactionStatus(store->link.conn) != PQTRANS_IDLE)
    execute(&flatten, "rollback", 0, NULL);
  free(flatten.presence);
  disk_chain_free(&flatten.from);
  return good;
}

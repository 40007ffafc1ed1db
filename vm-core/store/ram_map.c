/* Reading the indexes of a chain of RAM layers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/state_io.h"

enum { INDEX_ZERO = 1, INDEX_DATA = 2, INDEX_PIECE = 1 << 20 };

static const char *const chain_query =
    "with recursive chain as ("
    "  select l.*, 1 as n from linuxsql.layer l where l.id = $1 and l.kind = 'ram'"
    "  union all select p.*, c.n + 1 from linuxsql.layer p join chain c on p.id = c.parent where c.n < 65)"
    " select depth, lo, index_lo, size, sealed and granule = 65536 from chain order by 1";

static bool damaged(struct state_error *error, const char *what) {
  state_fail(error, "XX001", what);
  return false;
}

/* Lay part of a layer's index over what is below it. */
static bool overlay(struct ram_map *map, uint8_t layer, const uint32_t *index, uint64_t first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (index[i] == 0) continue;
    if (first + i >= map->granules) return false;
    map->layer[first + i] = index[i] == INDEX_ZERO ? 0 : layer;
    map->position[first + i] = index[i] == INDEX_ZERO ? 0 : index[i] - INDEX_DATA;
  }
  return true;
}

static bool load_index(struct ram_map *map, struct state_store *store, uint8_t layer, uint32_t lo,
                       struct state_error *error) {
  uint64_t bytes = map->granules * sizeof(uint32_t);
  uint32_t *piece = malloc(INDEX_PIECE);
  bool good = piece != NULL;
  for (uint64_t offset = 0; good && offset < bytes; offset += INDEX_PIECE) {
    size_t wanted = bytes - offset < INDEX_PIECE ? (size_t)(bytes - offset) : INDEX_PIECE;
    int64_t got = link_large_object(&store->link, lo, offset, piece, wanted, SESSION_CALL_MS);
    if (got < 0)
      state_fail(error, store->link.sqlstate[0] ? store->link.sqlstate : "08006", store->link.error);
    good = got >= 0;
    if (good && (got % 4 || !overlay(map, layer, piece, offset / sizeof *piece, (size_t)got / sizeof *piece)))
      good = damaged(error, "the index of a RAM layer is damaged");
    if (got < (int64_t)wanted) break; /* the rest is as below */
  }
  if (!piece) state_fail(error, "53200", "out of memory");
  free(piece);
  return good;
}

static uint64_t number(const PGresult *rows, int row, int column) {
  return strtoull(PQgetvalue(rows, row, column), NULL, 10);
}

static bool load_layers(struct ram_map *map, struct state_store *store, const PGresult *rows, uint64_t bytes,
                        struct state_error *error) {
  int count = PQntuples(rows);
  if (count < 1 || count >= LAYERS_MAX) return damaged(error, "the RAM layers do not form a chain");
  for (int row = 0; row < count; row++) {
    if (number(rows, row, 0) != (uint64_t)row + 1 || PQgetvalue(rows, row, 4)[0] != 't')
      return damaged(error, "the RAM layers do not form a chain");
    if (number(rows, row, 3) != bytes) {
      state_fail(error, "55000", "the checkpoint is of a machine with another size of memory");
      return false;
    }
    map->lo[row + 1] = (uint32_t)number(rows, row, 1);
    if (!load_index(map, store, (uint8_t)(row + 1), (uint32_t)number(rows, row, 2), error)) return false;
  }
  return true;
}

bool ram_map_load(struct ram_map *map, struct state_store *store, uint64_t layer, uint64_t bytes,
                  struct state_error *error) {
  char id[24];
  const char *const values[] = {id};
  snprintf(id, sizeof id, "%llu", (unsigned long long)layer);
  *map = (struct ram_map){.granules = bytes / GRANULE_BYTES};
  map->layer = calloc(map->granules, sizeof *map->layer);
  map->position = calloc(map->granules, sizeof *map->position);
  if (!map->layer || !map->position) {
    state_fail(error, "53200", "out of memory");
    return false;
  }
  PGresult *rows = state_query(store, chain_query, 1, values, error);
  bool good = rows && load_layers(map, store, rows, bytes, error);
  PQclear(rows);
  return good;
}

void ram_map_free(struct ram_map *map) {
  free(map->layer);
  free(map->position);
  *map = (struct ram_map){0};
}

/* Writing a checkpoint: one transaction on the state store's own link, so that the guest's flushes are not
 * held up. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/state_io.h"

enum { INDEX_ZERO = 1, INDEX_DATA = 2, INDEX_PIECE = 2048, SYNC_PUTS = 8, PUTS_MAX = 24 };
enum { FLATTEN_LAYERS = 32 }; /* of 64 that a disk can have */

/* A RAM layer being written. */
struct layer {
  uint64_t id, parent;
  uint32_t lo, index_lo;
  uint32_t *index;
  uint32_t stored; /* granules */
  unsigned unsynced;
};

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

static bool execute(struct state_store *store, const char *sql, struct state_error *error) {
  PGresult *result = state_query(store, sql, 0, NULL, error);
  PQclear(result);
  return result != NULL;
}

static bool begin(struct state_store *store, const struct state_save *save, struct layer *layer,
                  struct state_error *error) {
  static const char *const query =
      "select layer, lo, index_lo, parent from linuxsql.begin_checkpoint($1, $2, $3, $4, $5)";
  char numbers[4][24];
  const char *const values[] = {numbers[0], numbers[1], save->name, save->below ? numbers[2] : NULL,
                                numbers[3]};
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)store->session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)store->session->fence);
  snprintf(numbers[2], sizeof numbers[2], "%llu", (unsigned long long)save->below);
  snprintf(numbers[3], sizeof numbers[3], "%llu", (unsigned long long)save->ram_bytes);
  if (!state_link(store, error) || !execute(store, "begin isolation level read committed read write", error))
    return false;
  PGresult *row = state_query(store, query, 5, values, error);
  if (row)
    *layer = (struct layer){.id = number(row, 0),
                            .lo = (uint32_t)number(row, 1),
                            .index_lo = (uint32_t)number(row, 2),
                            .parent = number(row, 3)};
  PQclear(row);
  return row != NULL;
}

static bool ignored(void *opaque, void *item, const PGresult *result) {
  (void)opaque, (void)item, (void)result;
  return true;
}

/* Send and receive until at most `most` statements are under way. */
static bool drain(struct link *link, uint32_t most) {
  int64_t since = session_now_ns();
  uint32_t before = link->count;
  while (link_pump(link)) {
    if (link->count <= most) return true;
    struct pollfd fd = {.fd = link_socket(link), .events = link_events(link)};
    if (link->count != before) since = session_now_ns();
    before = link->count;
    if (session_now_ns() - since > SESSION_CALL_MS * INT64_C(1000000)) {
      snprintf(link->error, sizeof link->error, "PostgreSQL does not answer");
      return false;
    }
    poll(&fd, 1, 250);
  }
  return false;
}

static bool put(struct state_store *store, struct layer *layer, uint32_t lo, uint64_t offset,
                const void *bytes, size_t size) {
  struct link_values values = {0};
  link_add_int4(&values, lo);
  link_add_int8(&values, offset);
  link_add_bytes(&values, bytes, size);
  if (!link_send(&store->link, "put", &values, ignored, NULL, NULL)) return false;
  if (++layer->unsynced >= SYNC_PUTS) {
    layer->unsynced = 0;
    if (!link_sync(&store->link)) return false;
  }
  return drain(&store->link, PUTS_MAX);
}

static bool all_zero(const uint8_t *bytes) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, GRANULE_BYTES - 1) == 0;
}

static bool put_granules(struct state_store *store, const struct state_save *save, struct layer *layer) {
  uint8_t *bytes = malloc(GRANULE_BYTES);
  bool good = bytes != NULL, full = !layer->parent;
  uint64_t granules = save->ram_bytes / GRANULE_BYTES;
  for (uint64_t granule = 0; good && (granule = save->next(save->opaque, granule, full)) < granules;
       granule++) {
    save->read(save->opaque, granule, bytes);
    layer->index[granule] = full ? 0 : INDEX_ZERO;
    if (all_zero(bytes)) continue;
    layer->index[granule] = layer->stored + INDEX_DATA;
    good = put(store, layer, layer->lo, (uint64_t)layer->stored * GRANULE_BYTES, bytes, GRANULE_BYTES);
    layer->stored++;
  }
  free(bytes);
  return good;
}

static bool put_index(struct state_store *store, const struct state_save *save, struct layer *layer) {
  enum { ENTRIES = INDEX_PIECE / sizeof(uint32_t) };
  uint64_t granules = save->ram_bytes / GRANULE_BYTES;
  for (uint64_t first = 0; first < granules; first += ENTRIES) {
    uint64_t count = granules - first < ENTRIES ? granules - first : ENTRIES, used = 0;
    for (uint64_t i = 0; i < count; i++)
      if (layer->index[first + i]) used = i + 1;
    if (used && !put(store, layer, layer->index_lo, first * sizeof(uint32_t), layer->index + first,
                     used * sizeof(uint32_t)))
      return false;
  }
  return true;
}

static bool stream(struct state_store *store, struct state_save *save, struct layer *layer) {
  struct link *link = &store->link;
  layer->index = calloc(save->ram_bytes / GRANULE_BYTES, sizeof *layer->index);
  link->error[0] = link->sqlstate[0] = '\0';
  bool good = layer->index && link_start_pipeline(link) && put_granules(store, save, layer) &&
              put_index(store, save, layer) && link_sync(link) && drain(link, 0) &&
              PQexitPipelineMode(link->conn);
  if (!good)
    state_fail(&save->error, link->sqlstate[0] ? link->sqlstate : "08006",
               link->error[0] ? link->error : "the checkpoint could not be written");
  if (!good) link_close(link); /* which ends the transaction */
  free(layer->index);
  return good;
}

static bool end(struct state_store *store, struct state_save *save, const struct layer *layer) {
  static const char *const query =
      "select linuxsql.end_checkpoint($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
  const uint64_t words[] = {store->session->machine,
                            store->session->fence,
                            0,
                            layer->id,
                            save->control.sealed_layer,
                            0,
                            save->instret,
                            save->time_ns,
                            save->boot,
                            save->input_seq,
                            0,
                            (uint64_t)layer->stored * GRANULE_BYTES};
  enum { COUNT = sizeof words / sizeof *words };
  char numbers[COUNT][24];
  const char *values[COUNT];
  size_t ignored_length;
  unsigned char *state =
      PQescapeByteaConn(store->link.conn, save->state.bytes, save->state.size, &ignored_length);
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(numbers[i], sizeof numbers[i], "%llu", (unsigned long long)words[i]);
    values[i] = numbers[i];
  }
  values[2] = save->name;
  if (!save->has_disk) values[4] = NULL;
  values[5] = (const char *)state;
  values[10] = save->automatic ? "t" : "f";
  PGresult *row = state ? state_query(store, query, COUNT, values, &save->error) : NULL;
  if (!state) state_fail(&save->error, "53200", "out of memory");
  if (row) save->id = number(row, 0);
  PQclear(row);
  PQfreemem(state);
  return row && execute(store, "commit", &save->error);
}

static bool sealed(struct state_save *save) {
  int error = save->has_disk ? block_wait(&save->seal) : 0;
  if (error == -EMLINK)
    state_fail(&save->error, "54000", "the disk has 64 layers: delete checkpoints that are not needed");
  else if (error)
    state_fail(&save->error, "58030", "the disk could not be sealed for the checkpoint");
  return error == 0;
}

void state_write(struct state_store *store, struct state_save *save) {
  struct layer layer = {0};
  pthread_mutex_lock(&store->use);
  bool prepared = save->prepare(save->opaque);
  if (!prepared) state_fail(&save->error, "53200", "out of memory");
  bool good = sealed(save) && prepared && begin(store, save, &layer, &save->error) &&
              stream(store, save, &layer) && end(store, save, &layer);
  if (!good && link_up(&store->link)) {
    struct state_error ignored_error;
    execute(store, "rollback", &ignored_error);
  }
  if (good && save->has_disk && save->control.layers >= FLATTEN_LAYERS) state_flatten(store);
  save->good = good;
  save->ram_layer = layer.id;
  save->stored_bytes = (uint64_t)layer.stored * GRANULE_BYTES;
  pthread_mutex_unlock(&store->use);
}

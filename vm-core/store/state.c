#include "store/state_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void state_fail(struct state_error *error, const char *sqlstate, const char *message) {
  snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate);
  snprintf(error->message, sizeof error->message, "%s", message);
}

static void link_error(struct state_store *store, struct state_error *error) {
  state_fail(error, store->link.sqlstate[0] ? store->link.sqlstate : "08006", store->link.error);
}

/* copy: bytes of a Large Object to the same place of another; copy_leaf: as a descriptor sees them. */
static bool prepare(struct link *link) {
  static const char *const statements[][2] = {
      {"put", "select lo_put($1, $2, $3)"},
      {"copy", "select lo_put($1, $2, lo_get($3, $2, $4))"},
      {"copy_leaf", "select lo_put($1, $2, loread($3::int4, case when lo_lseek64($3::int4, $2, 0) >= 0 then "
                    "$4::int4 end))"},
  };
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
    if (!link_prepare(link, statements[i][0], statements[i][1], SESSION_CALL_MS)) return false;
  return true;
}

bool state_link(struct state_store *store, struct state_error *error) {
  struct session *session = store->session;
  char application[96];
  if (link_up(&store->link) && PQstatus(store->link.conn) == CONNECTION_OK) return true;
  link_close(&store->link);
  snprintf(application, sizeof application, "linuxsql-vm %s state", session->options.machine);
  if (link_open(&store->link, session->options.conninfo, application, SESSION_CALL_MS) &&
      prepare(&store->link)) {
    link_keep_memory(&store->link, SESSION_CALL_MS);
    return true;
  }
  link_error(store, error);
  link_close(&store->link);
  return false;
}

PGresult *state_query(struct state_store *store, const char *sql, int count, const char *const *values,
                      struct state_error *error) {
  PGresult *result = link_query(&store->link, sql, count, values, false, 10 * SESSION_CALL_MS);
  if (!result) link_error(store, error);
  if (!result && PQtransactionStatus(store->link.conn) != PQTRANS_INERROR) link_close(&store->link);
  return result;
}

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

/* A bytea as text results bring it. */
static bool take_bytea(const char *text, struct blob *out) {
  size_t size;
  unsigned char *bytes = PQunescapeBytea((const unsigned char *)text, &size);
  if (bytes) blob_put(out, bytes, size);
  PQfreemem(bytes);
  return bytes && !out->failed;
}

bool state_find(struct state_store *store, const char *name, struct state_saved *saved,
                struct state_error *error) {
  static const char *const by_name =
      "select id, ram_layer, disk_layer, instret, time_ns, cpu from linuxsql.checkpoint"
      " where id = linuxsql.checkpoint_named($1, $2)";
  static const char *const by_row =
      "select c.id, c.ram_layer, c.disk_layer, c.instret, c.time_ns, c.cpu from linuxsql.machine m"
      " join linuxsql.checkpoint c on c.id = m.restore_from where m.id = $1";
  static const char *const by_id =
      "select id, ram_layer, disk_layer, instret, time_ns, cpu from linuxsql.checkpoint where id = $1";
  const struct session *session = store->session;
  bool past = session->options.past.wanted;
  char machine[24];
  const char *const values[] = {machine, name};
  *saved = (struct state_saved){0};
  snprintf(machine, sizeof machine, "%llu",
           (unsigned long long)(past ? session->past.checkpoint : session->machine));
  pthread_mutex_lock(&store->use);
  PGresult *row = NULL;
  if (state_link(store, error))
    row = state_query(store, past ? by_id : name ? by_name : by_row, !past && name ? 2 : 1, values, error);
  bool good = row != NULL;
  if (good && PQntuples(row) == 1) {
    saved->id = number(row, 0);
    saved->ram_layer = number(row, 1);
    saved->disk_layer = number(row, 2);
    saved->instret = number(row, 3);
    saved->time_ns = number(row, 4);
    good = take_bytea(PQgetvalue(row, 0, 5), &saved->state);
    if (!good) state_fail(error, "XX001", "the checkpoint cannot be read");
  }
  PQclear(row);
  pthread_mutex_unlock(&store->use);
  return good;
}

static int control_disk(struct block_device *disk, struct disk_control *control) {
  struct block_request request = {.op = BLOCK_CONTROL, .buffer = control};
  block_submit(disk, &request);
  return block_wait(&request);
}

/* begin_restore, in a transaction; whether a lost commit was one is asked. */
static bool begin_restore(struct state_store *store, const struct state_saved *saved, uint64_t *disk_layer,
                          struct state_error *error) {
  char numbers[3][24];
  const char *const values[] = {numbers[0], numbers[1], numbers[2]};
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)store->session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)store->session->fence);
  snprintf(numbers[2], sizeof numbers[2], "%llu", (unsigned long long)saved->id);
  /* One statement is one transaction, and doing it twice does no harm: a broken connection is tried again. */
  for (int attempt = 0; attempt < 3; attempt++) {
    if (!state_link(store, error)) continue;
    PGresult *row = state_query(store, "select linuxsql.begin_restore($1, $2, $3)", 3, values, error);
    if (row) *disk_layer = number(row, 0);
    PQclear(row);
    if (row) return true;
    if (link_up(&store->link)) return false; /* refused */
  }
  return false;
}

/* Zeros that are zeros already need nothing. */
static void start_loading(struct state_store *store, struct ram_map *map, uint8_t *ram, uint8_t *stale,
                          struct residency residency) {
  uint64_t left = 0;
  for (uint64_t granule = 0; granule < map->granules; granule++) {
    bool ready = map->layer[granule] == 0 && !(stale && stale[granule]);
    atomic_store_explicit(&residency.states[granule], ready ? GRANULE_READY : GRANULE_ABSENT,
                          memory_order_relaxed);
    left += !ready;
  }
  atomic_store(residency.loading, 1);
  pthread_mutex_lock(&store->mutex);
  store->load = (struct ram_load){.ram = ram,
                                  .map = *map,
                                  .stale = stale,
                                  .states = residency.states,
                                  .loading = residency.loading,
                                  .left = left};
  *map = (struct ram_map){0};
  atomic_store(&store->active, true);
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
}

static bool take(struct state_store *store, const struct state_saved *saved, struct disk_chain *chain,
                 struct ram_map *map, uint64_t ram_bytes, struct state_error *error) {
  uint64_t disk_layer = 0;
  if (!state_link(store, error)) return false;
  if (!ram_map_load(map, store, saved->ram_layer, ram_bytes, error)) return false;
  if (store->session->options.past.wanted) return true; /* its disk lies over the checkpoint's already */
  if (!begin_restore(store, saved, &disk_layer, error)) return false;
  if (!disk_layer || disk_chain_load(chain, store->session, &store->link, disk_layer, DISK_WRITTEN))
    return true;
  link_error(store, error);
  return false;
}

bool state_take(struct state_store *store, const struct state_saved *saved, struct block_device *disk,
                uint8_t *ram, uint64_t ram_bytes, uint8_t *stale, struct residency residency,
                struct state_error *error) {
  struct disk_chain chain = {0};
  struct ram_map map = {0};
  pthread_mutex_lock(&store->use);
  bool good = (saved->disk_layer != 0) == (disk != NULL);
  if (!good) state_fail(error, "55000", "the checkpoint is of a machine with another disk");
  good = good && take(store, saved, &chain, &map, ram_bytes, error);
  struct disk_control control = {.kind = good ? DISK_REPLACE : DISK_RELEASE, .chain = &chain};
  bool past = store->session->options.past.wanted;
  int failed = disk && !past ? control_disk(disk, &control) : 0;
  if (good && failed) state_fail(error, "58000", "the disk of the checkpoint cannot be used");
  good = good && !failed;
  if (good) start_loading(store, &map, ram, stale, residency);
  disk_chain_free(&chain);
  ram_map_free(&map);
  pthread_mutex_unlock(&store->use);
  if (!good) free(stale);
  return good;
}

bool state_save(struct state_store *store, struct state_save *save) {
  pthread_mutex_lock(&store->mutex);
  bool taken = !store->save && !store->dead;
  if (taken) store->save = save;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
  return taken;
}

static void *work(void *opaque) {
  struct state_store *store = opaque;
  pthread_mutex_lock(&store->mutex);
  while (!store->closing) {
    struct state_save *save = store->save;
    bool load = atomic_load(&store->active);
    if (!load && !save) {
      pthread_cond_wait(&store->changed, &store->mutex);
      continue;
    }
    pthread_mutex_unlock(&store->mutex);
    if (load) {
      if (!state_load_step(store)) state_stop_loading(store);
    } else {
      state_write(store, save);
    }
    pthread_mutex_lock(&store->mutex);
    if (load) continue;
    store->save = NULL;
    save->done(save->opaque);
  }
  if (store->save) {
    state_fail(&store->save->error, "57P01", "the machine is ending");
    store->save->done(store->save->opaque);
  }
  pthread_mutex_unlock(&store->mutex);
  return NULL;
}

struct state_store *state_open(struct session *session) {
  struct state_store *store = calloc(1, sizeof *store);
  if (!store) return NULL;
  store->session = session;
  pthread_mutex_init(&store->use, NULL);
  pthread_mutex_init(&store->mutex, NULL);
  pthread_cond_init(&store->changed, NULL);
  store->started = pthread_create(&store->thread, NULL, work, store) == 0;
  if (store->started) return store;
  state_close(store);
  return NULL;
}

void state_close(struct state_store *store) {
  if (!store) return;
  pthread_mutex_lock(&store->mutex);
  store->closing = true;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
  if (store->started) pthread_join(store->thread, NULL);
  state_stop_loading(store);
  link_close(&store->link);
  pthread_cond_destroy(&store->changed);
  pthread_mutex_destroy(&store->mutex);
  pthread_mutex_destroy(&store->use);
  free(store);
}

/* Writing a checkpoint: RAM, disk, state and row in one transaction on the state store's own link, so that
 * the guest's flushes are not held up. */
#include "store/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FLATTEN_LAYERS = 32 };                 /* of 64 that a disk can have */
enum { ASK_AGAIN_MS = 100, LATE_LOOKS = 30 }; /* once the machine ends */

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

static bool execute(struct state_store *store, const char *sql, struct state_error *error) {
  PGresult *result = state_query(store, sql, 0, NULL, error);
  PQclear(result);
  return result != NULL;
}

/* Somebody's open transaction may hold what is needed here for as long as it likes, but not the guest's
 * flushes. */
static bool begin(struct state_store *store, struct state_save *save) {
  return state_link(store, &save->error) &&
         execute(store, "begin isolation level read committed read write", &save->error) &&
         execute(store, "set local lock_timeout = '10s'", &save->error);
}

static bool make_layer(struct state_store *store, struct state_save *save, struct ram_layer *layer) {
  static const char *const query =
      "select layer, lo, index_lo, parent from linuxsql.begin_checkpoint($1, $2, $3, $4, $5)";
  char numbers[4][24];
  const char *const values[] = {numbers[0], numbers[1], save->name, save->below ? numbers[2] : NULL,
                                numbers[3]};
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)store->session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)store->session->fence);
  snprintf(numbers[2], sizeof numbers[2], "%llu", (unsigned long long)save->below);
  snprintf(numbers[3], sizeof numbers[3], "%llu", (unsigned long long)save->ram_bytes);
  PGresult *row = state_query(store, query, 5, values, &save->error);
  if (row)
    *layer = (struct ram_layer){.id = number(row, 0),
                                .lo = (uint32_t)number(row, 1),
                                .index_lo = (uint32_t)number(row, 2),
                                .parent = number(row, 3)};
  PQclear(row);
  return row != NULL;
}

static bool add_row(struct state_store *store, struct state_save *save, const struct ram_layer *layer,
                    uint64_t disk_layer) {
  static const char *const query =
      "select linuxsql.end_checkpoint($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
  const uint64_t words[] = {store->session->machine,
                            store->session->fence,
                            0,
                            layer->id,
                            disk_layer,
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
  if (!disk_layer) values[4] = NULL;
  values[5] = (const char *)state;
  values[10] = save->automatic ? "t" : "f";
  PGresult *row = state ? state_query(store, query, COUNT, values, &save->error) : NULL;
  if (!state) state_fail(&save->error, "53200", "out of memory");
  if (row) save->id = number(row, 0);
  PQclear(row);
  PQfreemem(state);
  return row != NULL;
}

/* The seal was submitted with the checkpoint's instant; whatever happens, it is waited for. */
static bool sealed(struct state_save *save, struct disk_save *disk) {
  if (!save->has_disk) return true;
  int error = block_wait(&save->seal);
  if (!error) {
    disk->at = save->control.chain;
    return true;
  }
  if (save->control.chain) disk_chain_free(save->control.chain);
  free(save->control.chain);
  if (error == -EMLINK)
    state_fail(&save->error, "54000", "the disk has too many layers: delete checkpoints that are not needed");
  else
    state_fail(&save->error, "58030", "the disk could not be sealed for the checkpoint");
  return false;
}

/* Before the disk stands, because it may take some time. */
static bool lock_machine(struct state_store *store, struct state_save *save) {
  char id[24];
  const char *const values[] = {id};
  snprintf(id, sizeof id, "%llu", (unsigned long long)store->session->machine);
  PGresult *row = state_query(store, "select from linuxsql.machine where id = $1 for no key update", 1,
                              values, &save->error);
  PQclear(row);
  return row != NULL;
}

/* The lock that every transaction holds on its own number; "" when it cannot be told. */
static bool take_number(struct state_store *store, char xid[24], struct state_error *error) {
  PGresult *row = state_query(store, "select pg_current_xact_id()::xid", 0, NULL, error);
  if (row) snprintf(xid, 24, "%s", PQgetvalue(row, 0, 0));
  PQclear(row);
  return row != NULL;
}

static bool ending(struct state_store *store) {
  pthread_mutex_lock(&store->mutex);
  bool ending = store->closing;
  pthread_mutex_unlock(&store->mutex);
  return ending || atomic_load(&store->dead);
}

/* One look, on a link of its own: false: nothing could be learned yet. */
static bool look(struct state_store *store, const struct state_save *save, uint64_t layer, const char *xid,
                 enum disk_kept *kept) {
  static const char *const running =
      "select exists (select from pg_locks where locktype = 'transactionid' and transactionid = $1::xid)";
  static const char *const there =
      "select id from linuxsql.checkpoint where machine = $1 and name = $2 and ram_layer = $3";
  char numbers[2][24];
  const char *const first[] = {xid};
  const char *const second[] = {numbers[0], save->name, numbers[1]};
  struct state_error ignored;
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)store->session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)layer);
  if (!state_link(store, &ignored)) return false;
  PGresult *row = state_query(store, running, 1, first, &ignored);
  bool over = row && PQgetvalue(row, 0, 0)[0] == 'f';
  PQclear(row);
  if (!over) return false;
  row = state_query(store, there, 3, second, &ignored);
  if (row) *kept = PQntuples(row) == 1 ? DISK_KEPT : DISK_NOT_KEPT;
  PQclear(row);
  return row != NULL;
}

/* The answer to COMMIT was lost. Whether it was one is looked up, once the server no longer works on it; the
 * disk stands until then, because which layer is the machine's hangs on it. */
static enum disk_kept find_out(struct state_store *store, const struct state_save *save, uint64_t layer,
                               const char *xid) {
  enum disk_kept kept = DISK_UNKNOWN;
  const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};
  for (int late = 0; !look(store, save, layer, xid, &kept);) {
    if (ending(store) && ++late > LATE_LOOKS) return DISK_UNKNOWN;
    nanosleep(&pause, NULL);
  }
  return kept;
}

static enum disk_kept commit(struct state_store *store, struct state_save *save, uint64_t layer) {
  char xid[24];
  if (!take_number(store, xid, &save->error)) return DISK_NOT_KEPT;
  PGresult *done = state_query(store, "commit", 0, NULL, &save->error);
  if (!done) return find_out(store, save, layer, xid);
  bool committed = strcmp(PQcmdStatus(done), "COMMIT") == 0;
  if (!committed) state_fail(&save->error, "40000", "the checkpoint was rolled back");
  PQclear(done);
  return committed ? DISK_KEPT : DISK_NOT_KEPT;
}

void state_write(struct state_store *store, struct state_save *save) {
  struct ram_layer layer = {0};
  struct disk_save disk = {.store = store, .save = save};
  enum disk_kept kept = DISK_NOT_KEPT;
  pthread_mutex_lock(&store->use);
  bool good = save->prepare(save->opaque);
  if (!good) state_fail(&save->error, "53200", "out of memory");
  good = good && begin(store, save);
  struct state_error first = save->error;
  bool stands = sealed(save, &disk);
  if (!good) save->error = first;
  if (good && stands && disk_save_begin(&disk) && make_layer(store, save, &layer) &&
      ram_save(store, save, &layer) && lock_machine(store, save) && disk_save_finish(&disk) &&
      add_row(store, save, &layer, disk_save_layer(&disk)))
    kept = commit(store, save, layer.id);
  if (kept == DISK_NOT_KEPT && link_up(&store->link)) {
    struct state_error ignored_error;
    execute(store, "rollback", &ignored_error);
  }
  disk_save_end(&disk, kept);
  if (kept == DISK_KEPT && save->has_disk && disk.end.layers >= FLATTEN_LAYERS) state_flatten(store);
  save->good = kept == DISK_KEPT;
  save->ram_layer = layer.id;
  save->stored_bytes = (uint64_t)layer.stored * GRANULE_BYTES;
  pthread_mutex_unlock(&store->use);
}

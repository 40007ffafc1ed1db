/* The database side of a build without libpq: there is none. */
#include "vm/db.h"

#include <stdio.h>

struct db *db_open(const struct db_options *options, char *reason, size_t reason_size) {
  (void)options;
  snprintf(reason, reason_size, "this build has no PostgreSQL support");
  return NULL;
}

/* Unreachable without a struct db. */
const struct db_machine *db_machine(const struct db *db) { return (void)db, NULL; }
uint64_t db_checkpoint_every(const struct db *db) { return (void)db, 0; }
bool db_uses_internet(const struct db *db) { return (void)db, false; }
bool db_reads_files(const struct db *db) { return (void)db, false; }
void db_drop_blobs(struct db *db) { (void)db; }
bool db_log_input(struct db *db, uint64_t instret, uint64_t time_ns, const char *kind, const void *payload,
                  uint32_t payload_size) {
  (void)db, (void)instret, (void)time_ns, (void)kind, (void)payload, (void)payload_size;
  return false;
}
uint64_t db_inputs(struct db *db) { return (void)db, 0; }
bool db_inputs_kept(struct db *db, uint64_t count) { return (void)db, (void)count, true; }
bool db_next_input(struct db *db, struct db_input *input) { return (void)db, (void)input, false; }
bool db_past(const struct db *db, uint64_t *boot, uint64_t *end) {
  return (void)db, (void)boot, (void)end, false;
}
uint64_t db_next_boot(struct db *db) { return (void)db, 0; }
void db_close(struct db *db, const char *ended, bool stay_stopped) {
  (void)db, (void)ended, (void)stay_stopped;
}
void db_log_position(struct db *db, uint64_t *boot, uint64_t *seq) { (void)db, *boot = 0, *seq = 0; }
bool db_find(struct db *db, const char *name, struct state_saved *saved, struct state_error *error) {
  return (void)db, (void)name, (void)saved, (void)error, false;
}
bool db_take(struct db *db, const struct state_saved *saved, uint8_t *ram, uint64_t ram_bytes, uint8_t *stale,
             struct residency residency, struct state_error *error) {
  return (void)db, (void)saved, (void)ram, (void)ram_bytes, (void)stale, (void)residency, (void)error, false;
}
bool db_need(struct db *db, uint64_t granule) { return (void)db, (void)granule, true; }
void db_ask(struct db *db, uint64_t granule, uint64_t count) { (void)db, (void)granule, (void)count; }
uint64_t db_bytes_left(const struct db *db) { return (void)db, 0; }
bool db_loading(const struct db *db) { return (void)db, false; }
bool db_load_all(struct db *db) { return (void)db, true; }
void db_stop_loading(struct db *db) { (void)db; }
bool db_save(struct db *db, struct state_save *save) { return (void)db, (void)save, false; }
bool db_log_is_held(struct db *db) { return (void)db, false; }
void db_log_hold(struct db *db) { (void)db; }
void db_log_release(struct db *db, bool keep) { (void)db, (void)keep; }

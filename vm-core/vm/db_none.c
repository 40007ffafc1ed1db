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
void db_drop_blobs(struct db *db) { (void)db; }
bool db_log_input(struct db *db, uint64_t instret, uint64_t time_ns, const char *kind, const void *payload,
                  uint32_t payload_size) {
  (void)db, (void)instret, (void)time_ns, (void)kind, (void)payload, (void)payload_size;
  return false;
}
uint64_t db_next_boot(struct db *db) { return (void)db, 0; }
void db_close(struct db *db, const char *ended, bool stay_stopped) {
  (void)db, (void)ended, (void)stay_stopped;
}

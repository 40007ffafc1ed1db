#include "vm/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/overlay.h"
#include "store/past.h"
#include "store/session.h"

/* What a replay may write to its disk at most is kept in memory. */
enum { BLOB_PIECE = 4 << 20, CLOSE_LIMIT_MS = 10000, PAST_DISK_MAX = 1 << 30 };
/* The largest image that is loaded whole; RAM limits it further. */
#define BLOB_MAX (UINT64_C(1) << 30)

struct db {
  struct session *session;
  struct state_store *state;
  struct db_machine machine;
  struct block_device *below; /* of a replay's disk; NULL: none */
};

/* Columns up to COLUMN_IMAGES: the machine, its network as for --net; then lo, size of each image in the
 * order of struct db_machine. */
static const char *const machine_query =
    "select m.memory_bytes, m.bootargs, m.desired, encode(m.seed, 'hex'), m.rtc_epoch_ns, m.disk_layer,"
    " m.restore_from is not null, coalesce(m.checkpoint_every, 0),"
    " 'user,access=' || m.network || coalesce((select string_agg(format(',hostfwd=tcp:%s:%s-:%s',"
    "   host(p.host_address), p.host_port, p.guest_port), '' order by p.host_address, p.host_port)"
    "   from linuxsql.machine_forward p where p.machine = m.id), ''),"
    " f.lo, f.size, k.lo, k.size, d.lo, d.size, i.lo, i.size"
    " from linuxsql.machine m"
    " join linuxsql.image f on f.id = m.firmware_image and f.sealed"
    " join linuxsql.image k on k.id = m.kernel_image and k.sealed"
    " left join linuxsql.image d on d.id = m.dtb_image left join linuxsql.image i on i.id = m.initrd_image"
    " where m.id = $1";
enum {
  COLUMN_MEMORY,
  COLUMN_BOOTARGS,
  COLUMN_DESIRED,
  COLUMN_SEED,
  COLUMN_RTC,
  COLUMN_DISK,
  COLUMN_RESTORE,
  COLUMN_EVERY,
  COLUMN_NETWORK,
  COLUMN_IMAGES,
};

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

static bool load_blob(struct link *link, const PGresult *row, int column, struct db_blob *blob) {
  if (PQgetisnull(row, 0, column)) return true;
  uint32_t lo = (uint32_t)number(row, column);
  uint64_t size = number(row, column + 1);
  snprintf(link->error, sizeof link->error, "an image of %llu bytes is too large", (unsigned long long)size);
  if (size == 0 || size > BLOB_MAX) return false;
  blob->size = size;
  blob->data = calloc(1, size); /* holes at the end of a Large Object are zeros too */
  if (!blob->data) return false;
  for (uint64_t offset = 0; offset < size;) {
    size_t wanted = size - offset < BLOB_PIECE ? (size_t)(size - offset) : BLOB_PIECE;
    int64_t got = link_large_object(link, lo, offset, blob->data + offset, wanted, SESSION_CALL_MS);
    if (got < 0) return false;
    offset += wanted;
  }
  return true;
}

static bool parse_seed(const char *hex, uint8_t seed[32]) {
  for (int i = 0; i < 32; i++) {
    unsigned byte;
    if (sscanf(hex + i * 2, "%2x", &byte) != 1) return false;
    seed[i] = (uint8_t)byte;
  }
  return true;
}

static bool load_row(struct db *db, const PGresult *row) {
  struct db_machine *machine = &db->machine;
  struct link *link = &db->session->write;
  struct db_blob *const blobs[] = {&machine->firmware, &machine->kernel, &machine->dtb, &machine->initrd};
  machine->id = db->session->machine;
  machine->boot = db->session->boot;
  machine->memory_bytes = number(row, COLUMN_MEMORY);
  machine->bootargs = strdup(PQgetvalue(row, 0, COLUMN_BOOTARGS));
  machine->start_paused = strcmp(PQgetvalue(row, 0, COLUMN_DESIRED), "paused") == 0;
  machine->rtc_fixed = !PQgetisnull(row, 0, COLUMN_RTC);
  machine->rtc_epoch_ns = machine->rtc_fixed ? number(row, COLUMN_RTC) : 0;
  const struct session *session = db->session;
  machine->restore =
      session->options.past.wanted ? session->past.checkpoint : PQgetvalue(row, 0, COLUMN_RESTORE)[0] == 't';
  db->session->checkpoint_every = db->session->options.past.wanted ? 0 : number(row, COLUMN_EVERY);
  snprintf(link->error, sizeof link->error, "its row is damaged");
  bool network = !PQgetisnull(row, 0, COLUMN_NETWORK);
  if (network) machine->network = strdup(PQgetvalue(row, 0, COLUMN_NETWORK));
  if (!machine->bootargs || (network && !machine->network) ||
      !parse_seed(PQgetvalue(row, 0, COLUMN_SEED), machine->seed))
    return false;
  for (int i = 0; i < 4; i++)
    if (!load_blob(link, row, COLUMN_IMAGES + 2 * i, blobs[i])) return false;
  return true;
}

/* The boot's number is in the catalogue, with what a replay of it will start from. */
static bool begin_boot(struct db *db, bool restored, char *reason, size_t reason_size) {
  const struct session *session = db->session;
  char numbers[3][24];
  const char *const values[] = {numbers[0], numbers[1], numbers[2], restored ? "t" : "f"};
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)session->fence);
  snprintf(numbers[2], sizeof numbers[2], "%llu", (unsigned long long)session->boot);
  PGresult *done = link_query(&db->session->write, "select linuxsql.begin_boot($1, $2, $3, $4)", 4, values,
                              false, SESSION_CALL_MS);
  if (!done) snprintf(reason, reason_size, "cannot begin a boot: %s", session->write.error);
  PQclear(done);
  return done != NULL;
}

/* Writes of a replay stay in memory. */
static bool open_past_disk(struct db *db, char *reason, size_t reason_size) {
  if (!db->session->past.disk) return true;
  db->below = session_open_disk(db->session, db->session->past.disk, reason, reason_size);
  if (!db->below) return false;
  db->machine.disk = block_overlay_open(db->below, PAST_DISK_MAX);
  if (!db->machine.disk) snprintf(reason, reason_size, "out of memory");
  return db->machine.disk != NULL;
}

static bool open_disk(struct db *db, const PGresult *row, char *reason, size_t reason_size) {
  if (db->session->options.past.wanted) return open_past_disk(db, reason, reason_size);
  if (PQgetisnull(row, 0, COLUMN_DISK)) return true;
  db->machine.disk = session_open_disk(db->session, number(row, COLUMN_DISK), reason, reason_size);
  return db->machine.disk != NULL;
}

static bool load(struct db *db, char *reason, size_t reason_size) {
  char id[24];
  const char *const values[] = {id};
  struct link *link = &db->session->write;
  snprintf(id, sizeof id, "%llu", (unsigned long long)db->session->machine);
  PGresult *row = link_query(link, machine_query, 1, values, false, SESSION_CALL_MS);
  if (row && PQntuples(row) != 1) snprintf(link->error, sizeof link->error, "its images are not complete");
  bool good = row && PQntuples(row) == 1 && load_row(db, row);
  if (!good)
    snprintf(reason, reason_size, "cannot load machine %s: %s", db->session->options.machine, link->error);
  good = good && open_disk(db, row, reason, reason_size);
  PQclear(row);
  return good && session_start(db->session, reason, reason_size);
}

struct db *db_open(const struct db_options *options, char *reason, size_t reason_size) {
  struct session_options session_options = {.conninfo = options->conninfo,
                                            .machine = options->machine,
                                            .orphan_timeout_s = options->orphan_timeout_s,
                                            .cache_bytes = options->cache_bytes,
                                            .past = options->past,
                                            .lost = options->lost,
                                            .changed = options->changed,
                                            .opaque = options->opaque};
  struct db *db = calloc(1, sizeof *db);
  if (!db) {
    snprintf(reason, reason_size, "out of memory");
    return NULL;
  }
  db->session = session_open(&session_options, reason, reason_size);
  bool past = options->past.wanted;
  bool good = db->session && (past || begin_boot(db, options->restored, reason, reason_size)) &&
              load(db, reason, reason_size);
  if (good) db->state = state_open(db->session);
  if (db->state) return db;
  if (good) snprintf(reason, reason_size, "out of memory");
  if (db->session)
    db_close(db, reason, false);
  else
    free(db);
  return NULL;
}

const struct db_machine *db_machine(const struct db *db) { return &db->machine; }

uint64_t db_checkpoint_every(const struct db *db) { return atomic_load(&db->session->checkpoint_every); }

bool db_uses_internet(const struct db *db) { return db->session->needs.internet; }
bool db_reads_files(const struct db *db) { return db->session->needs.files; }

void db_drop_blobs(struct db *db) {
  struct db_machine *machine = &db->machine;
  struct db_blob *const blobs[] = {&machine->firmware, &machine->kernel, &machine->dtb, &machine->initrd};
  for (int i = 0; i < 4; i++) {
    free(blobs[i]->data);
    *blobs[i] = (struct db_blob){0};
  }
}

bool db_log_input(struct db *db, uint64_t instret, uint64_t time_ns, const char *kind, const void *payload,
                  uint32_t payload_size) {
  bool logged = input_log_append(&db->session->log, instret, time_ns, kind, payload, payload_size);
  if (logged) block_queue_wake(&db->session->queue);
  return logged;
}

uint64_t db_inputs(struct db *db) { return input_log_appended(&db->session->log); }

bool db_inputs_kept(struct db *db, uint64_t count) {
  struct session *session = db->session;
  bool kept = input_log_committed(&session->log) >= count;
  atomic_store_explicit(&session->log_wanted, !kept, memory_order_release);
  if (!kept) block_queue_wake(&session->queue);
  return kept;
}

bool db_next_input(struct db *db, struct db_input *input) {
  struct past_input past;
  if (!past_next(&db->session->past, &past)) return false;
  *input = (struct db_input){past.boot, past.instret, past.time_ns, past.kind, past.payload, past.size};
  return true;
}

bool db_past(const struct db *db, uint64_t *boot, uint64_t *end) {
  *boot = db->session->past.boot;
  *end = db->session->past.end;
  return db->session->options.past.wanted;
}

uint64_t db_next_boot(struct db *db) { return input_log_next_boot(&db->session->log); }

void db_log_position(struct db *db, uint64_t *boot, uint64_t *seq) {
  input_log_position(&db->session->log, boot, seq);
}

bool db_find(struct db *db, const char *name, struct state_saved *saved, struct state_error *error) {
  return state_find(db->state, name, saved, error);
}

bool db_take(struct db *db, const struct state_saved *saved, uint8_t *ram, uint64_t ram_bytes, uint8_t *stale,
             struct residency residency, struct state_error *error) {
  return state_take(db->state, saved, db->machine.disk, ram, ram_bytes, stale, residency, error);
}

bool db_need(struct db *db, uint64_t granule) { return state_need(db->state, granule); }
void db_ask(struct db *db, uint64_t granule, uint64_t count) { state_ask(db->state, granule, count); }
uint64_t db_bytes_left(const struct db *db) { return state_bytes_left(db->state); }
bool db_loading(const struct db *db) { return state_loading(db->state); }
bool db_load_all(struct db *db) { return state_load_all(db->state); }
void db_stop_loading(struct db *db) { state_stop_loading(db->state); }
bool db_save(struct db *db, struct state_save *save) { return state_save(db->state, save); }

bool db_log_is_held(struct db *db) { return input_log_is_held(&db->session->log); }
void db_log_hold(struct db *db) { input_log_hold(&db->session->log); }

void db_log_release(struct db *db, bool keep) {
  input_log_release(&db->session->log, keep);
  block_queue_wake(&db->session->queue);
}

void db_close(struct db *db, const char *ended, bool stay_stopped) {
  if (!db) return;
  state_close(db->state);
  if (db->below) block_close(db->machine.disk);
  session_close(db->session, ended, stay_stopped, CLOSE_LIMIT_MS);
  db_drop_blobs(db);
  free(db->machine.bootargs);
  free(db->machine.network);
  free(db);
}

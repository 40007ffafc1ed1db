/* A machine of the database: what its catalogue row says, its images, its disk, its input log.
 *
 * db_open takes the machine (session advisory lock, fencing number) and reads everything needed to boot; it
 * blocks and belongs to start-up. From then on an I/O thread owns the connections: it serves the disk and
 * writes the input log, reconnects when PostgreSQL restarts, and gives up after orphan_timeout_s. */
#ifndef VM_DB_H
#define VM_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/past_wanted.h"
#include "store/state.h"

struct block_device;
struct db;

struct db_options {
  const char *conninfo;
  const char *machine;
  unsigned orphan_timeout_s; /* without PostgreSQL for longer: lost() */
  uint64_t cache_bytes;      /* of disk cache; 0 = 64 MiB */
  bool restored;             /* it will go on from a checkpoint, whatever its row says */
  struct past_wanted past;   /* a replay */
  /* I/O thread, at most once: the machine must stop now, without a word to the guest. `reason` is one line
   * for the log and lives until db_close. Every block request ends with -ESHUTDOWN from here on. */
  void (*lost)(void *opaque, const char *reason);
  /* I/O thread: db_checkpoint_every is another one. */
  void (*changed)(void *opaque);
  void *opaque;
};

struct db_blob {
  uint8_t *data; /* NULL: the machine has no such image */
  uint64_t size;
};

/* Read once by db_open; freed by db_close, the blobs also by db_drop_blobs. */
struct db_machine {
  uint64_t id;
  uint64_t boot; /* this boot's number, from 1; the telemetry generation */
  uint64_t memory_bytes;
  char *bootargs;
  char *network;     /* as for --net, NULL: none */
  bool start_paused; /* machine.desired = 'paused' */
  uint8_t seed[32];
  bool rtc_fixed; /* false: take the wall clock and log it as kind "clock" */
  uint64_t rtc_epoch_ns;
  struct db_blob firmware, kernel, dtb, initrd;
  struct block_device *disk; /* NULL: none. Closed by db_close, not by block_close */
  bool restore;              /* it shall begin at a checkpoint: db_find with a NULL name */
};

/* NULL with one line in `reason` (at least 256 bytes). */
struct db *db_open(const struct db_options *options, char *reason, size_t reason_size);
const struct db_machine *db_machine(const struct db *db);
/* Instructions between automatic checkpoints, as its row says now; 0: none. Any thread. */
uint64_t db_checkpoint_every(const struct db *db);
/* What its connections need of the host when they are made again: TCP, files to read. */
bool db_uses_internet(const struct db *db);
bool db_reads_files(const struct db *db);
/* The images are in guest RAM: give their memory back. */
void db_drop_blobs(struct db *db);

/* Append one input to the log, in order; copies the payload, never waits. False when 16 MiB are already
 * waiting for the database: leave the input where it is and come back. Hart thread. `kind` matches
 * [a-z][a-z0-9_]* and is a string constant. */
bool db_log_input(struct db *db, uint64_t instret, uint64_t time_ns, const char *kind, const void *payload,
                  uint32_t payload_size);

/* How many inputs were appended so far; have so many been committed? The second asks for it. Any thread. */
uint64_t db_inputs(struct db *db);
bool db_inputs_kept(struct db *db, uint64_t count);

/* Of a replay: the boot that was asked for, as it is counted where the replay lives it, and the first instant
 * of it that belongs to another history (UINT64_MAX: none). false: the machine is no replay. */
bool db_past(const struct db *db, uint64_t *boot, uint64_t *end);

/* The next logged input of a past boot, in order; `kind` and `payload` live until db_close. Hart thread. */
struct db_input {
  uint64_t boot, instret, time_ns;
  const char *kind;
  const uint8_t *payload;
  uint32_t size;
};
bool db_next_input(struct db *db, struct db_input *input);

/* The guest was reset: the next boot number. Later inputs belong to it. Hart thread. */
uint64_t db_next_boot(struct db *db);

/* The present boot, and the number of its next logged input. Hart thread. */
void db_log_position(struct db *db, uint64_t *boot, uint64_t *seq);

/* Checkpoints: state_find, state_take, state_need, state_ask, state_bytes_left, state_loading,
 * state_load_all, state_stop_loading and state_save of store/state.h, with its contracts. */
bool db_find(struct db *db, const char *name, struct state_saved *saved, struct state_error *error);
bool db_take(struct db *db, const struct state_saved *saved, uint8_t *ram, uint64_t ram_bytes, uint8_t *stale,
             struct residency residency, struct state_error *error);
bool db_need(struct db *db, uint64_t granule);
void db_ask(struct db *db, uint64_t granule, uint64_t count);
uint64_t db_bytes_left(const struct db *db);
bool db_loading(const struct db *db);
bool db_load_all(struct db *db);
void db_stop_loading(struct db *db);
bool db_save(struct db *db, struct state_save *save);

/* From now on inputs are logged for the time being: they are not written until kept, or forgotten. Hart
 * thread. */
void db_log_hold(struct db *db);
bool db_log_is_held(struct db *db); /* any thread */
void db_log_release(struct db *db, bool keep);

/* Flush and commit what is outstanding (bounded in time), record why the machine ended (`ended`, one line)
 * and, with `stay_stopped` (the guest powered off, or was told to stop), tell the supervisor not to start it
 * again. */
void db_close(struct db *db, const char *ended, bool stay_stopped);

#endif

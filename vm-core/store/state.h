/* Checkpoints in the database: writing one beside the running machine, finding one, and guest RAM that is
 * loaded from one as it is needed.
 *
 * A state store has a link of its own and a thread, beside the session's I/O thread. RAM layers hold granules
 * of 64 KB: an index of u32 for each (0: as in the layer below, or zeros; 1: zeros; n + 2: the bytes at n *
 * 64 KB of the data), zeros are not stored. Loading goes before saving. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "store/disk_control.h"
#include "store/residency.h"
#include "store/store.h"

enum { GRANULE_BYTES = 64 << 10, GRANULE_PAGES = GRANULE_BYTES / 4096 };

struct session;
struct state_store;

struct state_error {
  char sqlstate[6];
  char message[256]; /* one line */
};

/* NULL: no memory. The session must have been started; close it after this. */
struct state_store *state_open(struct session *session);
void state_close(struct state_store *store);

/* A checkpoint read back. */
struct state_saved {
  uint64_t id, ram_layer, disk_layer; /* disk_layer 0: none */
  uint64_t instret, time_ns;
  struct blob state;
};
/* By the machine's name for it; NULL: the one its row says to begin with, id 0 when there is none. For a
 * replay always the one it begins at. Blocks. */
bool state_find(struct state_store *store, const char *name, struct state_saved *saved,
                struct state_error *error);
static inline void state_free(struct state_saved *saved) { blob_free(&saved->state); }

/* Make the checkpoint the machine's present, in one transaction: the disk becomes a new layer over the saved
 * one (but for a replay, which writes nothing). RAM at `ram` is loaded from now on; `stale[granule]` nonzero:
 * it holds other bytes now (freed here). `residency` is kept up to date. The disk must be held (DISK_HOLD)
 * and is free again afterwards, whatever the result. Hart thread. Blocks.
 */
bool state_take(struct state_store *store, const struct state_saved *saved, struct block_device *disk,
                uint8_t *ram, uint64_t ram_bytes, uint8_t *stale, struct residency residency,
                struct state_error *error);

/* Hart thread, before the first use of a granule: have it loaded. false: it cannot be, the machine is lost.
 */
bool state_need(struct state_store *store, uint64_t granule);
/* Any thread: have granules loaded soon, before what nobody waits for. As many as are remembered: ask again.
 */
void state_ask(struct state_store *store, uint64_t granule, uint64_t count);
/* Bytes that are not loaded yet, about. */
uint64_t state_bytes_left(const struct state_store *store);
/* Whether something is not loaded yet; wait until it is; forget about it. */
bool state_loading(const struct state_store *store);
bool state_load_all(struct state_store *store);
void state_stop_loading(struct state_store *store);

/* A checkpoint being written. The caller fills in the first part, and leaves it alone until `done` is called
 * by the store's thread. */
struct state_save {
  char name[128];
  bool automatic;
  struct blob state;
  uint64_t ram_bytes, instret, time_ns, boot, input_seq;
  uint64_t below; /* RAM layer that `next` tells the changes since; 0: none */
  struct block_request seal;
  struct disk_control control; /* of seal (DISK_SEAL); unused without a disk */
  bool has_disk;
  /* Before anything is written; false: no memory. */
  bool (*prepare)(void *opaque);
  /* The first granule at or after this one that may differ from `below`, or (full) may not be zeros;
   * UINT64_MAX: no more. And its bytes at the checkpoint's instant. */
  uint64_t (*next)(void *opaque, uint64_t granule, bool full);
  void (*read)(void *opaque, uint64_t granule, uint8_t *bytes);
  void (*done)(void *opaque);
  void *opaque;
  /* Results. */
  bool good;
  struct state_error error;
  uint64_t id, ram_layer, stored_bytes;
};
/* false: another one is being written. */
bool state_save(struct state_store *store, struct state_save *save);

#endif

/* What the state_*.c files share. Private to store/. */
#ifndef STORE_STATE_IO_H
#define STORE_STATE_IO_H

#include <pthread.h>

#include "store/disk.h"
#include "store/session.h"
#include "store/state.h"

/* Where each granule's bytes are. */
struct ram_map {
  uint64_t granules;
  uint32_t lo[LAYERS_MAX]; /* data of each layer, from 1 */
  uint8_t *layer;          /* 0: zeros */
  uint32_t *position;
};

enum { ASKED_MAX = 64 };

struct ram_load {
  uint8_t *ram;
  struct ram_map map;
  uint8_t *stale;
  _Atomic uint8_t *states;   /* shared, as `loading` */
  _Atomic uint64_t *loading; /* 1: some are not ready */
  _Atomic uint64_t left;     /* granules that are not ready, about */
  uint64_t next;             /* where to load ahead */
  uint64_t wanted;           /* granule + 1 the hart sleeps for; under the mutex, as are the next two */
  uint64_t asked[ASKED_MAX]; /* what readers wait for: a ring */
  unsigned asked_first, asked_count;
};

struct state_store {
  struct session *session;
  pthread_t thread;
  bool started;
  pthread_mutex_t use; /* of `link` and the map: whoever works with the database */
  struct link link;
  pthread_mutex_t mutex; /* of what follows */
  pthread_cond_t changed;
  bool closing;
  atomic_bool dead;
  atomic_bool active; /* there is something to load */
  struct ram_load load;
  struct state_save *save;
};

/* An open link in plain mode; `use` held. */
bool state_link(struct state_store *store, struct state_error *error);
/* One plain statement; on failure the error is filled in, and a broken link is closed. */
PGresult *state_query(struct state_store *store, const char *sql, int count, const char *const *values,
                      struct state_error *error);
void state_fail(struct state_error *error, const char *sqlstate, const char *message);

bool ram_map_load(struct ram_map *map, struct state_store *store, uint64_t layer, uint64_t bytes,
                  struct state_error *error);
void ram_map_free(struct ram_map *map);

/* The store's thread. One piece of loading; false: nothing more can be loaded. */
bool state_load_step(struct state_store *store);
void state_write(struct state_store *store, struct state_save *save);
/* Make the disk's chain of layers short. false: it stays as it is. */
bool state_flatten(struct state_store *store);

#endif

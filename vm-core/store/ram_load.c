/* Guest RAM filled from its layers: what the hart waits for first, then everything else in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/state_io.h"

enum { AHEAD_GRANULES = 4, RETRY_MS = 50 };

static bool claim(struct ram_load *load, uint64_t granule) {
  uint8_t absent = GRANULE_ABSENT;
  return atomic_compare_exchange_strong(&load->states[granule], &absent, GRANULE_LOADING);
}

static void give(struct ram_load *load, uint64_t granule, enum granule_state state) {
  if (state == GRANULE_READY) atomic_fetch_sub_explicit(&load->left, 1, memory_order_relaxed);
  atomic_store_explicit(&load->states[granule], (uint8_t)state, memory_order_release);
}

/* Zeros need no database. */
static void fill_zeros(struct ram_load *load, uint64_t granule) {
  if (load->stale && load->stale[granule]) memset(load->ram + granule * GRANULE_BYTES, 0, GRANULE_BYTES);
  give(load, granule, GRANULE_READY);
}

static bool zeros(const struct ram_load *load, uint64_t granule) { return load->map.layer[granule] == 0; }

/* The first granule from `from` on that is absent; zeros on the way are filled. */
static uint64_t next_absent(struct ram_load *load, uint64_t from) {
  for (uint64_t granule = from; granule < load->map.granules; granule++) {
    if (atomic_load_explicit(&load->states[granule], memory_order_relaxed) != GRANULE_ABSENT) continue;
    if (!zeros(load, granule)) return granule;
    if (claim(load, granule)) fill_zeros(load, granule);
  }
  return UINT64_MAX;
}

/* Claimed granules from `first` on that lie one after the other in one Large Object. */
static uint64_t claim_run(struct ram_load *load, uint64_t first, uint64_t most) {
  const struct ram_map *map = &load->map;
  uint64_t count = 0;
  while (count < most && first + count < map->granules && map->layer[first + count] == map->layer[first] &&
         map->position[first + count] == map->position[first] + count && claim(load, first + count))
    count++;
  return count;
}

/* A Large Object ends after its last byte that is not zero at the earliest. */
static bool fetch(struct state_store *store, uint64_t first, uint64_t count) {
  struct ram_load *load = &store->load;
  struct state_error error;
  uint8_t *target = load->ram + first * GRANULE_BYTES;
  uint64_t offset = (uint64_t)load->map.position[first] * GRANULE_BYTES, size = count * GRANULE_BYTES;
  int64_t got = -1;
  if (state_link(store, &error))
    got = link_large_object(&store->link, load->map.lo[load->map.layer[first]], offset, target, size,
                            SESSION_CALL_MS);
  if (got < 0) link_close(&store->link);
  if (got >= 0) memset(target + got, 0, size - (uint64_t)got);
  for (uint64_t i = 0; i < count; i++) give(load, first + i, got < 0 ? GRANULE_ABSENT : GRANULE_READY);
  return got >= 0;
}

/* The hart may still be filling one with zeros. */
static bool all_ready(const struct ram_load *load) {
  for (uint64_t granule = 0; granule < load->map.granules; granule++)
    if (atomic_load_explicit(&load->states[granule], memory_order_acquire) != GRANULE_READY) return false;
  return true;
}

static void finish(struct state_store *store) {
  pthread_mutex_lock(&store->mutex);
  atomic_store(&store->active, false);
  atomic_store(store->load.loading, 0);
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
}

/* PostgreSQL may be restarting: keep trying as long as the session does. */
static bool patience(struct state_store *store, int64_t *since_ms) {
  struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
  int64_t now_ms = session_now_ns() / 1000000;
  if (!*since_ms) *since_ms = now_ms;
  nanosleep(&pause, NULL);
  pthread_mutex_lock(&store->mutex);
  bool closing = store->closing;
  pthread_mutex_unlock(&store->mutex);
  return !closing && now_ms - *since_ms < store->session->options.orphan_timeout_s * INT64_C(1000);
}

static void give_up(struct state_store *store) {
  pthread_mutex_lock(&store->mutex);
  store->dead = true;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
  if (store->session->options.lost)
    store->session->options.lost(store->session->options.opaque,
                                 "guest memory cannot be loaded from PostgreSQL");
}

/* The hart goes first, then readers. Granule + 1, 0: nobody waits. */
static uint64_t take_wanted(struct state_store *store) {
  struct ram_load *load = &store->load;
  pthread_mutex_lock(&store->mutex);
  uint64_t wanted = load->wanted;
  load->wanted = 0;
  while (!wanted && load->asked_count) {
    uint64_t granule = load->asked[load->asked_first++ % ASKED_MAX];
    load->asked_count--;
    if (granule >= load->map.granules ||
        atomic_load_explicit(&load->states[granule], memory_order_relaxed) != GRANULE_ABSENT)
      continue;
    if (!zeros(load, granule))
      wanted = granule + 1;
    else if (claim(load, granule))
      fill_zeros(load, granule);
  }
  pthread_mutex_unlock(&store->mutex);
  return wanted;
}

void state_ask(struct state_store *store, uint64_t granule, uint64_t count) {
  struct ram_load *load = &store->load;
  pthread_mutex_lock(&store->mutex);
  for (; atomic_load(&store->active) && count && load->asked_count < ASKED_MAX; count--)
    load->asked[(load->asked_first + load->asked_count++) % ASKED_MAX] = granule++;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
}

uint64_t state_bytes_left(const struct state_store *store) {
  if (!atomic_load(&store->active)) return 0;
  return atomic_load_explicit(&store->load.left, memory_order_relaxed) * GRANULE_BYTES;
}

bool state_load_step(struct state_store *store) {
  struct ram_load *load = &store->load;
  int64_t since_ms = 0;
  bool good = true;
  pthread_mutex_lock(&store->use);
  uint64_t wanted = take_wanted(store);
  if (!atomic_load(&store->active)) { /* stopped meanwhile */
    pthread_mutex_unlock(&store->use);
    return true;
  }
  uint64_t first = wanted ? wanted - 1 : next_absent(load, load->next);
  if (first == UINT64_MAX) first = next_absent(load, 0);
  if (first == UINT64_MAX) {
    if (all_ready(load)) finish(store);
    pthread_mutex_unlock(&store->use);
    return true;
  }
  uint64_t count = claim_run(load, first, AHEAD_GRANULES);
  while (good && count && !fetch(store, first, count)) {
    good = patience(store, &since_ms);
    if (good) count = claim_run(load, first, AHEAD_GRANULES);
  }
  load->next = first + 1; /* what lies behind it may well be next */
  pthread_mutex_unlock(&store->use);
  pthread_mutex_lock(&store->mutex);
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
  if (!good) give_up(store);
  return good;
}

bool state_need(struct state_store *store, uint64_t granule) {
  struct ram_load *load = &store->load;
  if (!atomic_load_explicit(&store->active, memory_order_acquire)) return !store->dead;
  if (atomic_load_explicit(&load->states[granule], memory_order_acquire) == GRANULE_READY) return true;
  if (zeros(load, granule) && claim(load, granule)) {
    fill_zeros(load, granule);
    return true;
  }
  pthread_mutex_lock(&store->mutex);
  while (atomic_load_explicit(&load->states[granule], memory_order_acquire) != GRANULE_READY &&
         !store->dead) {
    load->wanted = granule + 1;
    pthread_cond_broadcast(&store->changed);
    pthread_cond_wait(&store->changed, &store->mutex);
  }
  bool good = !store->dead;
  pthread_mutex_unlock(&store->mutex);
  return good;
}

bool state_loading(const struct state_store *store) { return atomic_load(&store->active); }

bool state_load_all(struct state_store *store) {
  pthread_mutex_lock(&store->mutex);
  while (atomic_load(&store->active) && !store->dead) pthread_cond_wait(&store->changed, &store->mutex);
  bool good = !store->dead;
  pthread_mutex_unlock(&store->mutex);
  return good;
}

void state_stop_loading(struct state_store *store) {
  atomic_store(&store->active, false);
  pthread_mutex_lock(&store->use); /* a step under way ends first */
  ram_map_free(&store->load.map);
  free(store->load.stale);
  pthread_mutex_lock(&store->mutex);
  store->load = (struct ram_load){0};
  pthread_mutex_unlock(&store->mutex);
  pthread_mutex_unlock(&store->use);
}

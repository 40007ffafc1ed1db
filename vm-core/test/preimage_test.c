/* Views of RAM against a model: every short sequence of writes, opened, closed and half-done reads; long
 * random ones over a small pool; and readers beside a writer that never rests. */
#include "vm/preimage.h"

#include <pthread.h>
#include <sched.h>

#include "gen/telemetry.h"
#include "test/rig.h"

enum { PAGE = 4096, PAGES = 16, PLACES = 8, DEPTH = 6, THREADS = 3, ROUNDS = 300, SPREAD = 64 };

struct model {
  struct rig *t;
  struct preimages views;
  uint8_t *ram;
  unsigned pages, places;
  uint64_t epoch[PLACES]; /* 0: closed */
  uint8_t now[PAGES], seen[PLACES][PAGES];
  uint8_t value;
  bool lossy, reading; /* a read of page 0 by place 0 has copied RAM already */
  uint8_t copied[PAGE];
};

static void model_init(struct model *model, struct rig *t, unsigned pages, unsigned places, unsigned slots) {
  char error[200] = "no memory";
  memset(model, 0, sizeof *model);
  model->t = t, model->pages = pages, model->places = places, model->lossy = slots < pages * places;
  model->ram = calloc(pages, PAGE);
  if (model->ram && preimages_init(&model->views, model->ram, (uint64_t)pages * PAGE, (uint64_t)slots * PAGE,
                                   error, sizeof error))
    return;
  printf("%s\n", error);
  exit(1);
}

static void model_destroy(struct model *model) {
  preimages_destroy(&model->views);
  free(model->ram);
}

static bool filled(const uint8_t *bytes, uint8_t value) {
  return bytes[0] == value && memcmp(bytes, bytes + 1, PAGE - 1) == 0;
}

static void do_write(struct model *model, unsigned page) {
  preimages_before_write(&model->views, page);
  model->now[page] = ++model->value;
  memset(model->ram + page * PAGE, model->value, PAGE);
}

static void do_toggle(struct model *model, unsigned place) {
  if (place == 0) model->reading = false;
  if (model->epoch[place]) {
    bool open = preimages_is_open(&model->views, place, model->epoch[place]);
    CHECK(model->t, preimages_close(&model->views, place, model->epoch[place]) == open, "close");
    model->epoch[place] = 0;
  } else {
    model->epoch[place] = preimages_open(&model->views, place);
    memcpy(model->seen[place], model->now, sizeof model->now);
  }
}

static uint64_t tag(const struct model *model, unsigned page) {
  const struct view_area_header *header = (const struct view_area_header *)model->views.area;
  return ((const uint64_t *)(model->views.area + header->tags_offset))[page];
}

/* Steps of one read, with whatever happens in between. */
static void do_read_step(struct model *model) {
  if (!model->epoch[0]) return;
  model->reading = !model->reading;
  if (model->reading) {
    memcpy(model->copied, model->ram, PAGE);
    return;
  }
  uint8_t out[PAGE];
  bool good = preimages_read(&model->views, 0, model->epoch[0], 0, out);
  if (tag(model, 0) < model->epoch[0]) memcpy(out, model->copied, PAGE);
  if (good) CHECK(model->t, filled(out, model->seen[0][0]), "a read in two steps");
}

static void check_views(struct model *model) {
  uint64_t oldest_open = UINT64_MAX, newest_lost = 0;
  for (unsigned place = 0; place < model->places; place++) {
    uint64_t epoch = model->epoch[place];
    if (!epoch) continue;
    bool open = preimages_is_open(&model->views, place, epoch);
    if (open && epoch < oldest_open) oldest_open = epoch;
    if (!open && epoch > newest_lost) newest_lost = epoch;
    for (unsigned page = 0; page < model->pages; page++) {
      uint8_t out[PAGE];
      bool good = preimages_read(&model->views, place, epoch, page, out);
      CHECK(model->t, good == open, "a view is lost as a whole or not at all");
      if (good) CHECK(model->t, filled(out, model->seen[place][page]), "place %u page %u", place, page);
    }
  }
  CHECK(model->t, newest_lost < oldest_open, "the oldest view is lost first");
  CHECK(model->t, model->lossy || !newest_lost, "no view is lost while the pool has room");
}

static void do_op(struct model *model, unsigned op) {
  if (op < model->pages)
    do_write(model, op);
  else if (op < model->pages + model->places)
    do_toggle(model, op - model->pages);
  else
    do_read_step(model);
}

static void close_all(struct model *model) {
  for (unsigned place = 0; place < model->places; place++)
    if (model->epoch[place]) do_toggle(model, place);
  uint64_t free_slots = 0;
  const struct view_area_header *header = (const struct view_area_header *)model->views.area;
  const struct preimage_slot *slots =
      (const struct preimage_slot *)(model->views.area + header->slots_offset);
  for (uint64_t slot = model->views.free_head; slot; slot = slots[slot - 1].next) free_slots++;
  CHECK(model->t, free_slots == model->views.fresh, "closed views leave slots behind");
}

static void test_every_sequence(struct rig *t, unsigned slots) {
  struct model model;
  model_init(&model, t, 2, 2, slots);
  unsigned ops = model.pages + model.places + 1, total = 1;
  for (unsigned i = 0; i < DEPTH; i++) total *= ops;
  for (unsigned sequence = 0; sequence < total; sequence++) {
    unsigned rest = sequence;
    for (unsigned i = 0; i < DEPTH; i++, rest /= ops) {
      do_op(&model, rest % ops);
      check_views(&model);
    }
    close_all(&model);
  }
  model_destroy(&model);
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return *state >> 33;
}

static void test_random(struct rig *t, unsigned slots) {
  struct model model;
  model_init(&model, t, PAGES, PLACES, slots);
  uint64_t random = slots;
  for (unsigned i = 0; i < 20000; i++) {
    do_op(&model, (unsigned)(next_random(&random) % (PAGES + PLACES + 1)));
    check_views(&model);
  }
  preimages_reset(&model.views);
  for (unsigned place = 0; place < PLACES; place++)
    CHECK(t, !model.epoch[place] || !preimages_is_open(&model.views, place, model.epoch[place]), "reset");
  close_all(&model);
  model_destroy(&model);
}

/* A writer that raises every page's count in turn, and opens views when asked, between two rounds: each view
 * must see the same count everywhere. */
struct busy {
  struct preimages views;
  uint64_t *ram;
  _Atomic uint64_t wanted[THREADS], opened[THREADS]; /* rounds asked for; epochs answered */
  _Atomic unsigned running;
  long good, wrong, lost;
};
struct reader {
  struct busy *busy;
  unsigned place;
  long good, wrong, lost;
};

static void *read_busy(void *opaque) {
  struct reader *reader = opaque;
  struct busy *busy = reader->busy;
  uint64_t page[PAGE / 8];
  for (unsigned round = 1; round <= ROUNDS; round++) {
    atomic_store(&busy->wanted[reader->place], round);
    uint64_t epoch;
    while (!(epoch = atomic_exchange(&busy->opened[reader->place], 0))) sched_yield();
    uint64_t expected = 0;
    bool lost = false;
    for (unsigned i = 0; i < SPREAD && !lost; i++) {
      lost = !preimages_read(&busy->views, reader->place, epoch, (i * 37) % SPREAD, (uint8_t *)page);
      if (lost) break;
      if (i == 0) expected = page[0];
      bool same = page[0] == expected && memcmp(page, page + 1, sizeof page - 8) == 0;
      *(same ? &reader->good : &reader->wrong) += 1;
    }
    reader->lost += lost;
    preimages_close(&busy->views, reader->place, epoch);
  }
  atomic_fetch_sub(&busy->running, 1);
  return NULL;
}

static void write_busy(struct busy *busy) {
  uint64_t answered[THREADS] = {0};
  for (uint64_t count = 1; atomic_load(&busy->running); count++) {
    for (unsigned page = 0; page < SPREAD; page++) {
      preimages_before_write(&busy->views, page);
      volatile uint64_t *words = busy->ram + page * (PAGE / 8);
      for (unsigned i = 0; i < PAGE / 8; i++) words[i] = count;
    }
    for (unsigned place = 0; place < THREADS; place++) {
      uint64_t wanted = atomic_load(&busy->wanted[place]);
      if (wanted == answered[place]) continue;
      answered[place] = wanted;
      atomic_store(&busy->opened[place], preimages_open(&busy->views, place));
    }
  }
}

static void test_busy(struct rig *t, unsigned slots, bool may_lose) {
  struct busy *busy = calloc(1, sizeof *busy);
  struct reader readers[THREADS];
  pthread_t threads[THREADS];
  char error[200];
  busy->ram = calloc(SPREAD, PAGE);
  CHECK(t,
        preimages_init(&busy->views, (uint8_t *)busy->ram, SPREAD * PAGE, (uint64_t)slots * PAGE, error,
                       sizeof error),
        "%s", error);
  atomic_store(&busy->running, THREADS);
  for (unsigned i = 0; i < THREADS; i++) {
    readers[i] = (struct reader){.busy = busy, .place = i};
    pthread_create(&threads[i], NULL, read_busy, &readers[i]);
  }
  write_busy(busy);
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(t, readers[i].wrong == 0, "%ld pages of another instant", readers[i].wrong);
    CHECK(t, may_lose || readers[i].lost == 0, "%ld views lost", readers[i].lost);
    CHECK(t, readers[i].good > 0, "no page read");
  }
  preimages_destroy(&busy->views);
  free(busy->ram);
  free(busy);
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  test_every_sequence(t, 1);
  test_every_sequence(t, 4);
  test_random(t, 10);
  test_random(t, PAGES * PLACES);
  test_busy(t, SPREAD * THREADS, false);
  test_busy(t, SPREAD, true);
  printf("%ld passed, %ld failed\n", t->passed, t->failed);
  int failed = t->failed != 0;
  free(t);
  return failed;
}

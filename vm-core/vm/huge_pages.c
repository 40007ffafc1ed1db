#include "vm/huge_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vm/pace.h"

/* The guest waits for a huge page that is being made where it uses it: a few at a time. */
enum { PAGE = 4096, PAGES = HUGE_BYTES / PAGE, ENOUGH = PAGES / 2 };
enum { BUSY_MS = 250, QUIET_MS = 1000, MOST_LOOKS = 256, MOST_MADE = 8, TRIES = 3, REFUSALS = 8 };

void *huge_map(int fd, size_t size) {
  uint8_t *room =
      mmap(NULL, size + HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return MAP_FAILED;
  size_t before = -(uintptr_t)room % HUGE_BYTES, used = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
  void *at = mmap(room + before, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
  int error = errno;
  if (at == MAP_FAILED) {
    munmap(room, size + HUGE_BYTES);
    errno = error;
    return MAP_FAILED;
  }
  if (before) munmap(room, before);
  munmap(room + before + used, size + HUGE_BYTES - before - used);
  return at;
}

static bool in_use(uint8_t *at) {
  unsigned char there[PAGES] = {0}; /* a host of larger pages fills less of it */
  unsigned count = 0;
  if (mincore(at, HUGE_BYTES, there) != 0) return false;
  for (unsigned page = 0; page < PAGES; page++) count += there[page] & 1;
  return count >= ENOUGH;
}

/* Whether it took the time of making one. */
static bool look(struct huge_pages *huge, struct huge_part *part, uint64_t number) {
  uint8_t *at = part->at + number * HUGE_BYTES;
  if (part->tries[number] >= TRIES || !in_use(at)) return false;
  if (madvise(at, HUGE_BYTES, MADV_COLLAPSE) == 0) {
    part->tries[number] = HUGE_SETTLED;
    huge->refused = 0;
  } else {
    part->tries[number]++;
    huge->refused++;
  }
  return true;
}

static bool look_around(struct huge_pages *huge) {
  uint64_t all = huge->parts[0].count + huge->parts[1].count, looks = all < MOST_LOOKS ? all : MOST_LOOKS;
  unsigned made = 0;
  for (; looks && made < MOST_MADE && huge->refused < REFUSALS; looks--) {
    uint64_t number = huge->next++ % all;
    struct huge_part *part = &huge->parts[number >= huge->parts[0].count];
    if (part == &huge->parts[1]) number -= huge->parts[0].count;
    made += look(huge, part, number);
  }
  return made > 0;
}

static void *settle(void *opaque) {
  struct huge_pages *huge = opaque;
  pthread_mutex_lock(&huge->lock);
  while (!huge->ends && huge->refused < REFUSALS) {
    pthread_mutex_unlock(&huge->lock);
    uint64_t pause_ms = look_around(huge) ? BUSY_MS : QUIET_MS;
    struct timespec next = host_timespec(host_now_ns() + pause_ms * 1000000);
    pthread_mutex_lock(&huge->lock);
    while (!huge->ends && pthread_cond_timedwait(&huge->wake, &huge->lock, &next) != ETIMEDOUT) {}
  }
  pthread_mutex_unlock(&huge->lock);
  return NULL;
}

void huge_pages_start(struct huge_pages *huge, const struct huge_part parts[HUGE_PARTS]) {
  *huge = (struct huge_pages){0};
  bool good = true;
  for (unsigned i = 0; i < HUGE_PARTS; i++) {
    huge->parts[i] = parts[i];
    huge->parts[i].tries = calloc(parts[i].count + 1, 1);
    good = good && huge->parts[i].tries;
  }
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&huge->lock, NULL);
  pthread_cond_init(&huge->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  good = good && huge->parts[0].count + huge->parts[1].count > 0;
  huge->started = good && pthread_create(&huge->thread, NULL, settle, huge) == 0;
}

void huge_pages_stop(struct huge_pages *huge) {
  if (huge->started) {
    pthread_mutex_lock(&huge->lock);
    huge->ends = true;
    pthread_cond_signal(&huge->wake);
    pthread_mutex_unlock(&huge->lock);
    pthread_join(huge->thread, NULL);
    huge->started = false;
  }
  for (unsigned i = 0; i < HUGE_PARTS; i++) {
    free(huge->parts[i].tries);
    huge->parts[i].tries = NULL;
  }
}

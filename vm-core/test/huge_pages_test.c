/* Shared memory that is made of huge pages beside a thread that writes it keeps what is written. */
#include <stdatomic.h>
#include <unistd.h>

#include "test/rig.h"
#include "vm/huge_pages.h"

enum { COUNT = 6, USED = 4, WORDS = HUGE_BYTES / 8, WAIT_MS = 20000 };

struct writer {
  uint64_t *words;
  _Atomic bool ends;
  uint64_t rounds;
};

/* Word i of a used huge page holds rounds + i. */
static void *write_on(void *opaque) {
  struct writer *writer = opaque;
  while (!atomic_load(&writer->ends)) {
    writer->rounds++;
    for (uint64_t i = 0; i < USED * WORDS; i += 64) writer->words[i] = writer->rounds + i;
  }
  return NULL;
}

static bool host_can(void) {
  int fd = memfd_create("probe", MFD_CLOEXEC);
  uint8_t *at = ftruncate(fd, HUGE_BYTES) == 0 ? huge_map(fd, HUGE_BYTES) : MAP_FAILED;
  if (at == MAP_FAILED) return false;
  memset(at, 1, HUGE_BYTES);
  bool can = madvise(at, HUGE_BYTES, MADV_COLLAPSE) == 0;
  munmap(at, HUGE_BYTES);
  close(fd);
  return can;
}

static bool all_settled(const struct huge_pages *huge) {
  for (unsigned i = 0; i < USED; i++)
    if (__atomic_load_n(&huge->parts[1].tries[i], __ATOMIC_RELAXED) != HUGE_SETTLED) return false;
  return true;
}

int main(void) {
  struct rig t = {0};
  struct huge_pages huge;
  int fd = memfd_create("test", MFD_CLOEXEC);
  size_t size = (size_t)COUNT * HUGE_BYTES;
  void *at = ftruncate(fd, (off_t)size) == 0 ? huge_map(fd, size) : MAP_FAILED;
  CHECK(&t, at != MAP_FAILED && (uintptr_t)at % HUGE_BYTES == 0, "mapped at %p", at);
  if (at == MAP_FAILED) return rig_finish(&t);
  struct writer writer = {.words = at};
  for (uint64_t i = 0; i < USED * WORDS; i++) writer.words[i] = i;
  ((uint8_t *)at)[USED * (size_t)HUGE_BYTES] = 1; /* too little of it is in use */
  pthread_t thread;
  CHECK(&t, pthread_create(&thread, NULL, write_on, &writer) == 0, "no thread");
  huge_pages_start(&huge, (struct huge_part[]){{0}, {.at = at, .count = COUNT}});
  bool can = host_can();
  for (unsigned ms = 0; can && ms < WAIT_MS && !all_settled(&huge); ms++) usleep(1000);
  CHECK(&t, all_settled(&huge) == can, "not all of it is in huge pages");
  CHECK(&t, huge.parts[1].tries[USED] == 0 && huge.parts[1].tries[USED + 1] == 0,
        "what is not in use was touched");
  atomic_store(&writer.ends, true);
  pthread_join(thread, NULL);
  huge_pages_stop(&huge);
  for (uint64_t i = 0; i < USED * WORDS; i++)
    CHECK(&t, writer.words[i] == i + (i % 64 ? 0 : writer.rounds), "word %" PRIu64 " is %" PRIu64, i,
          writer.words[i]);
  munmap(at, size);
  close(fd);
  printf("%s\n", can ? "this host gives huge pages" : "this host gives none");
  return rig_finish(&t);
}

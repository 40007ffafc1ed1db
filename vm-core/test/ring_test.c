/* The telemetry area: header, rings read by the rules while they are written, the fault table, the hart
 * snapshot. */
#include <pthread.h>
#include <sys/mman.h>

#include "telemetry/ring.h"
#include "test/rig.h"

enum { FAULTS = 600000, SNAPSHOTS = 200000 };

struct reader {
  const struct telemetry *telemetry;
  _Atomic bool stop;
  long good, lost, torn;
};

static const struct ring_descriptor *ring_of(const struct telemetry *telemetry, unsigned ring) {
  const struct telemetry_header *header = (const struct telemetry_header *)telemetry->area;
  return (const struct ring_descriptor *)(header->ring + 8 * ring);
}

static struct telemetry_trap fault(uint64_t n) {
  return (struct telemetry_trap){
      .instret = n, .cause = 13, .tval = n * 4096, .pc = ~n, .satp = n ^ 5, .context = n};
}

static bool whole(const struct page_fault_record *record, uint64_t n) {
  return record->seq == n && record->instret == n && record->tval == n * 4096 && record->pc == ~n &&
         record->satp == (n ^ 5) && record->context == n && record->cause == 13;
}

/* docs/protocol.md, "Telemetry area". */
static void *read_ring(void *opaque) {
  struct reader *reader = opaque;
  const struct ring_descriptor *ring = ring_of(reader->telemetry, RING_PAGE_FAULTS);
  uint64_t next = 0;
  while (!reader->stop || next < __atomic_load_n(&ring->committed, __ATOMIC_ACQUIRE)) {
    uint64_t committed = __atomic_load_n(&ring->committed, __ATOMIC_ACQUIRE);
    if (next + ring->capacity < committed) {
      reader->lost += (long)(committed - ring->capacity - next);
      next = committed - ring->capacity;
    }
    for (; next < committed; next++) {
      struct page_fault_record record;
      memcpy(&record,
             reader->telemetry->area + ring->offset + (next & (ring->capacity - 1)) * ring->record_size,
             sizeof record);
      atomic_thread_fence(memory_order_acquire);
      if (next + ring->capacity < __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED))
        reader->lost++;
      else if (whole(&record, next))
        reader->good++;
      else
        reader->torn++;
    }
  }
  return NULL;
}

static void test_concurrent(struct rig *t, struct telemetry *telemetry) {
  struct reader reader = {.telemetry = telemetry};
  pthread_t thread;
  pthread_create(&thread, NULL, read_ring, &reader);
  for (uint64_t n = 0; n < FAULTS; n++) {
    struct telemetry_trap trap = fault(n);
    telemetry_trap(telemetry, &trap);
  }
  reader.stop = true;
  pthread_join(thread, NULL);
  CHECK(t, reader.torn == 0, "%ld torn records", reader.torn);
  CHECK(t, reader.good + reader.lost == FAULTS, "%ld read, %ld lost", reader.good, reader.lost);
  CHECK(t, reader.good >= (long)ring_of(telemetry, RING_PAGE_FAULTS)->capacity, "%ld read", reader.good);
  CHECK(t, atomic_load(&telemetry->counters[COUNTER_EXC_13_LOAD_PAGE]) == FAULTS, "faults not counted");
}

static void test_header(struct rig *t, const struct telemetry *telemetry) {
  const struct telemetry_header *header = (const struct telemetry_header *)telemetry->area;
  CHECK(t, header->magic == TELEMETRY_MAGIC && header->layout_hash == TELEMETRY_LAYOUT_HASH,
        "identification");
  CHECK(t, header->total_size == telemetry->size, "size");
  uint64_t end = TELEMETRY_OFFSET_RINGS;
  for (unsigned i = 0; i < RING_COUNT; i++) {
    const struct ring_descriptor *ring = ring_of(telemetry, i);
    CHECK(t, ring->offset == end && (ring->capacity & (ring->capacity - 1)) == 0, "ring %u", i);
    end = ring->offset + ring->capacity * ring->record_size;
  }
  CHECK(t, end == telemetry->size, "rings fill the area");
  CHECK(t, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, telemetry->fd, 0) == MAP_FAILED,
        "writable elsewhere");
  void *map = mmap(NULL, telemetry->size, PROT_READ, MAP_SHARED, telemetry->fd, 0);
  CHECK(t, map != MAP_FAILED && memcmp(map, telemetry->area, 64) == 0, "not readable elsewhere");
  munmap(map, telemetry->size);
}

static void test_resolution(struct rig *t, struct telemetry *telemetry) {
  uint64_t n = ring_next(telemetry, RING_PAGE_FAULTS);
  struct telemetry_trap trap = {.cause = 15, .tval = 0x7000123, .satp = 9};
  telemetry_set_generation(telemetry, 2);
  CHECK(t, telemetry->open_faults == 0 && telemetry_generation(telemetry) == 2,
        "a reset forgets open faults");
  telemetry_trap(telemetry, &trap);
  const struct page_fault_record *record = ring_record(telemetry, RING_PAGE_FAULTS, n);
  telemetry_filled(telemetry, 9, 0x7000fff, TELEMETRY_LOAD, 0x80001000);
  telemetry_filled(telemetry, 8, 0x7000fff, TELEMETRY_STORE, 0x80001000);
  telemetry_filled(telemetry, 9, 0x7001000, TELEMETRY_STORE, 0x80001000);
  CHECK(t, record->physical_page == TELEMETRY_NO_PAGE, "another access resolved the fault");
  telemetry_filled(telemetry, 9, 0x7000fff, TELEMETRY_STORE, 0x80002abc);
  CHECK(t, record->physical_page == 0x80002000, "physical page %" PRIx64, record->physical_page);
  telemetry_filled(telemetry, 9, 0x7000fff, TELEMETRY_STORE, 0x80003000);
  CHECK(t, record->physical_page == 0x80002000, "resolved twice");
  CHECK(t, telemetry->open_faults == 0, "%u faults open", telemetry->open_faults);
}

static void *read_snapshots(void *opaque) {
  struct reader *reader = opaque;
  struct hart_snapshot snapshot;
  while (!reader->stop) {
    telemetry_snapshot(reader->telemetry, &snapshot);
    bool same = true;
    for (unsigned i = 0; i < 32; i++) same = same && snapshot.x[i] == snapshot.instret;
    if (same && snapshot.hz == snapshot.instret)
      reader->good++;
    else
      reader->torn++;
  }
  return NULL;
}

static void test_snapshot(struct rig *t, struct telemetry *telemetry) {
  struct reader reader = {.telemetry = telemetry};
  struct hart_snapshot snapshot = {0};
  pthread_t thread;
  telemetry_publish(telemetry, &snapshot);
  pthread_create(&thread, NULL, read_snapshots, &reader);
  for (uint64_t n = 1; n <= SNAPSHOTS; n++) {
    snapshot.instret = snapshot.hz = n;
    for (unsigned i = 0; i < 32; i++) snapshot.x[i] = n;
    telemetry_publish(telemetry, &snapshot);
  }
  reader.stop = true;
  pthread_join(thread, NULL);
  CHECK(t, reader.torn == 0, "%ld torn snapshots of %ld", reader.torn, reader.good);
}

static void test_console(struct rig *t, struct telemetry *telemetry) {
  struct console_record record;
  uint64_t capacity = ring_of(telemetry, RING_CONSOLE)->capacity;
  CHECK(t, telemetry_console_committed(telemetry) == 0 && !telemetry_console_read(telemetry, 0, &record),
        "empty");
  for (uint64_t n = 0; n < capacity + 10; n++) telemetry_console(telemetry, n, 1, "text", 4);
  CHECK(t, telemetry_console_oldest(telemetry) == 10, "oldest");
  CHECK(t, !telemetry_console_read(telemetry, 9, &record), "an overwritten record was read");
  CHECK(t,
        telemetry_console_read(telemetry, 10, &record) && record.instret == 10 && record.length == 4 &&
            memcmp(record.bytes, "text", 4) == 0,
        "record 10");
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  const char *error = "";
  struct telemetry *telemetry = telemetry_create(RIG_BASE, RIG_SIZE, &error);
  if (!telemetry) return printf("%s\n", error), 1;
  test_header(t, telemetry);
  test_concurrent(t, telemetry);
  test_resolution(t, telemetry);
  test_snapshot(t, telemetry);
  test_console(t, telemetry);
  telemetry_trap(NULL, &(struct telemetry_trap){0});
  telemetry_filled(NULL, 0, 0, TELEMETRY_LOAD, 0);
  telemetry_destroy(telemetry);
  int status = rig_finish(t);
  free(t);
  return status;
}

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gen/telemetry.h"
#include "telemetry/faults.h"

#define RING_BYTES(name, record, capacity) +(uint64_t)(capacity) * sizeof(struct record)
enum { AREA_BYTES = TELEMETRY_OFFSET_RINGS RING_LIST(RING_BYTES) };

static const struct {
  uint64_t capacity, record_size;
} ring_shapes[] = {
#define RING_SHAPE(name, record, capacity) {capacity, sizeof(struct record)},
    RING_LIST(RING_SHAPE)};
_Static_assert(sizeof ring_shapes / sizeof *ring_shapes == RING_COUNT, "ring shapes");

static void fill_header(struct telemetry_header *header, uint64_t ram_base, uint64_t ram_size) {
  uint64_t offset = TELEMETRY_OFFSET_RINGS;
  for (unsigned i = 0; i < RING_COUNT; i++) {
    struct ring_descriptor *ring =
        (struct ring_descriptor *)(header->ring + i * (sizeof(struct ring_descriptor) / 8));
    ring->offset = offset;
    ring->capacity = ring_shapes[i].capacity;
    ring->record_size = ring_shapes[i].record_size;
    offset += ring->capacity * ring->record_size;
  }
  header->layout_hash = TELEMETRY_LAYOUT_HASH;
  header->total_size = offset;
  header->ram_base = ram_base;
  header->ram_size = ram_size;
  header->daemon_pid = (uint64_t)getpid();
  header->magic = TELEMETRY_MAGIC;
}

static bool map_area(struct telemetry *telemetry) {
  telemetry->size = AREA_BYTES;
  telemetry->fd = memfd_create("linuxsql-telemetry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (telemetry->fd < 0 || ftruncate(telemetry->fd, AREA_BYTES) != 0) return false;
  void *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, telemetry->fd, 0);
  if (area == MAP_FAILED) return false;
  telemetry->area = area;
  telemetry->counters = (_Atomic uint64_t *)(telemetry->area + TELEMETRY_OFFSET_COUNTERS);
  return fcntl(telemetry->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) ==
         0;
}

struct telemetry *telemetry_create(uint64_t ram_base, uint64_t ram_size, const char **error) {
  struct telemetry *telemetry = calloc(1, sizeof *telemetry);
  if (telemetry) telemetry->fd = -1;
  if (telemetry) telemetry->faults = calloc(1, sizeof *telemetry->faults);
  if (!telemetry || !telemetry->faults || !map_area(telemetry)) {
    *error = "no memory for the telemetry area";
    telemetry_destroy(telemetry);
    return NULL;
  }
  fill_header((struct telemetry_header *)telemetry->area, ram_base, ram_size);
  return telemetry;
}

void telemetry_destroy(struct telemetry *telemetry) {
  if (!telemetry) return;
  if (telemetry->area) munmap(telemetry->area, telemetry->size);
  if (telemetry->fd >= 0) close(telemetry->fd);
  free(telemetry->faults);
  free(telemetry);
}

void telemetry_publish(struct telemetry *telemetry, const struct hart_snapshot *snapshot) {
  if (!telemetry) return;
  struct hart_snapshot *shared = (struct hart_snapshot *)(telemetry->area + TELEMETRY_OFFSET_HART);
  uint64_t sequence = shared->sequence;
  __atomic_store_n(&shared->sequence, sequence + 1, __ATOMIC_RELAXED);
  atomic_thread_fence(memory_order_release);
  memcpy((uint8_t *)shared + sizeof sequence, (const uint8_t *)snapshot + sizeof sequence,
         sizeof *shared - sizeof sequence);
  __atomic_store_n(&shared->sequence, sequence + 2, __ATOMIC_RELEASE);
}

void telemetry_snapshot(const struct telemetry *telemetry, struct hart_snapshot *snapshot) {
  const struct hart_snapshot *shared =
      (const struct hart_snapshot *)(telemetry->area + TELEMETRY_OFFSET_HART);
  for (;;) {
    uint64_t before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
    memcpy(snapshot, shared, sizeof *snapshot);
    atomic_thread_fence(memory_order_acquire);
    if (!(before & 1) && __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) == before) return;
  }
}

uint64_t telemetry_generation(const struct telemetry *telemetry) {
  return __atomic_load_n(&((const struct telemetry_header *)telemetry->area)->generation, __ATOMIC_ACQUIRE);
}

void telemetry_set_generation(struct telemetry *telemetry, uint64_t generation) {
  if (!telemetry) return;
  __atomic_store_n(&((struct telemetry_header *)telemetry->area)->generation, generation, __ATOMIC_RELEASE);
  struct telemetry_header *header = (struct telemetry_header *)telemetry->area;
  for (unsigned number = 0; number < RING_COUNT; number++) {
    struct ring_descriptor *ring =
        (struct ring_descriptor *)(header->ring + number * (sizeof(struct ring_descriptor) / 8));
    __atomic_store_n(&ring->grows, ring->committed, __ATOMIC_RELEASE);
  }
  faults_clear(telemetry);
}

#include "telemetry/ring.h"

#include <string.h>

#include "telemetry/faults.h"

static struct ring_descriptor *descriptor(const struct telemetry *telemetry, unsigned ring) {
  struct telemetry_header *header = (struct telemetry_header *)telemetry->area;
  return (struct ring_descriptor *)(header->ring + ring * (sizeof(struct ring_descriptor) / 8));
}

static uint8_t *place(const struct telemetry *telemetry, const struct ring_descriptor *ring, uint64_t n) {
  return telemetry->area + ring->offset + (n & (ring->capacity - 1)) * ring->record_size;
}

uint64_t ring_next(const struct telemetry *telemetry, unsigned ring) {
  return descriptor(telemetry, ring)->committed;
}

void ring_append(struct telemetry *telemetry, unsigned number, const void *record) {
  struct ring_descriptor *ring = descriptor(telemetry, number);
  uint64_t n = ring->committed;
  __atomic_store_n(&ring->reserved, n + 1, __ATOMIC_RELEASE);
  atomic_thread_fence(memory_order_release);
  memcpy(place(telemetry, ring, n), record, ring->record_size);
  __atomic_store_n(&ring->committed, n + 1, __ATOMIC_RELEASE);
}

void *ring_record(struct telemetry *telemetry, unsigned number, uint64_t n) {
  const struct ring_descriptor *ring = descriptor(telemetry, number);
  if (n >= ring->committed || n + ring->capacity < ring->reserved || n < ring->first) return NULL;
  return place(telemetry, ring, n);
}

static bool fault_access(uint64_t cause, enum telemetry_access *access) {
  switch (cause) {
  case 1:
  case 12: *access = TELEMETRY_FETCH; return true;
  case 5:
  case 13: *access = TELEMETRY_LOAD; return true;
  case 7:
  case 15: *access = TELEMETRY_STORE; return true;
  default: return false;
  }
}

static void record_fault(struct telemetry *telemetry, const struct telemetry_trap *trap,
                         enum telemetry_access access) {
  struct page_fault_record record = {
      .seq = ring_next(telemetry, RING_PAGE_FAULTS),
      .instret = trap->instret,
      .tval = trap->tval,
      .pc = trap->pc,
      .satp = trap->satp,
      .physical_page = TELEMETRY_NO_PAGE,
      .context = trap->context,
      .cause = (uint16_t)trap->cause,
      .priv = trap->priv_from,
  };
  ring_append(telemetry, RING_PAGE_FAULTS, &record);
  faults_open(telemetry,
              &(struct open_fault){
                  .satp = trap->satp, .page = trap->tval >> 12, .seq = record.seq, .access = access});
}

void telemetry_trap(struct telemetry *telemetry, const struct telemetry_trap *trap) {
  if (!telemetry) return;
  struct trap_record record = {
      .seq = ring_next(telemetry, RING_TRAPS),
      .instret = trap->instret,
      .cause = trap->cause,
      .tval = trap->tval,
      .pc = trap->pc,
      .priv_from = trap->priv_from,
      .priv_to = trap->priv_to,
  };
  ring_append(telemetry, RING_TRAPS, &record);
  bool interrupt = trap->cause >> 63;
  uint64_t code = trap->cause & ~(UINT64_C(1) << 63);
  if (code < 16)
    telemetry_count(
        telemetry, (interrupt ? COUNTER_INT_0_RESERVED0 : COUNTER_EXC_0_INSN_MISALIGNED) + (unsigned)code, 1);
  enum telemetry_access access;
  if (!interrupt && fault_access(code, &access)) record_fault(telemetry, trap, access);
}

void telemetry_extents(const struct telemetry *telemetry, uint64_t *rings, uint64_t *counters) {
  for (unsigned ring = 0; ring < RING_COUNT; ring++)
    rings[ring] = __atomic_load_n(&descriptor(telemetry, ring)->committed, __ATOMIC_ACQUIRE);
  for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
    counters[counter] = atomic_load_explicit(&telemetry->counters[counter], memory_order_relaxed);
}

void telemetry_go_on(struct telemetry *telemetry, const uint64_t *rings, const uint64_t *counters) {
  for (unsigned number = 0; number < RING_COUNT; number++) {
    struct ring_descriptor *ring = descriptor(telemetry, number);
    ring->first = rings[number];
    __atomic_store_n(&ring->reserved, rings[number], __ATOMIC_RELEASE);
    __atomic_store_n(&ring->committed, rings[number], __ATOMIC_RELEASE);
  }
  for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
    telemetry_set(telemetry, counter, counters[counter]);
}

void telemetry_console(struct telemetry *telemetry, uint64_t instret, unsigned device, const void *bytes,
                       unsigned length) {
  if (!telemetry || length == 0) return;
  struct console_record record = {
      .seq = ring_next(telemetry, RING_CONSOLE), .instret = instret, .device = device};
  record.length = length < sizeof record.bytes ? length : sizeof record.bytes;
  memcpy(record.bytes, bytes, record.length);
  ring_append(telemetry, RING_CONSOLE, &record);
}

uint64_t telemetry_console_committed(const struct telemetry *telemetry) {
  return __atomic_load_n(&descriptor(telemetry, RING_CONSOLE)->committed, __ATOMIC_ACQUIRE);
}

uint64_t telemetry_console_oldest(const struct telemetry *telemetry) {
  const struct ring_descriptor *ring = descriptor(telemetry, RING_CONSOLE);
  uint64_t reserved = __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
  uint64_t oldest = reserved > ring->capacity ? reserved - ring->capacity : 0;
  return oldest > ring->first ? oldest : ring->first;
}

bool telemetry_console_read(const struct telemetry *telemetry, uint64_t n, struct console_record *record) {
  const struct ring_descriptor *ring = descriptor(telemetry, RING_CONSOLE);
  uint64_t committed = telemetry_console_committed(telemetry);
  if (n >= committed || n + ring->capacity < committed || n < ring->first) return false;
  memcpy(record, place(telemetry, ring, n), sizeof *record);
  atomic_thread_fence(memory_order_acquire);
  return n + ring->capacity >= __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
}

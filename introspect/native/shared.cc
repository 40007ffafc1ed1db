#include "shared.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace {

// Offsets in struct ring_descriptor (schema/layout/telemetry.ts).
constexpr size_t ring_offset = 0, ring_capacity = 8, ring_record_size = 16, ring_reserved = 24,
                 ring_committed = 32;
constexpr size_t descriptor_bytes = 64;
constexpr int sequence_tries = 1000;

uint64_t load(const uint8_t *at, int order) {
  return __atomic_load_n(reinterpret_cast<const uint64_t *>(at), order);
}

void copy_words(const uint8_t *from, uint8_t *out, size_t size) {
  for (size_t i = 0; i + 8 <= size; i += 8) {
    uint64_t word = load(from + i, __ATOMIC_RELAXED);
    memcpy(out + i, &word, sizeof word);
  }
}

} // namespace

bool shared_inside(size_t area, size_t offset, size_t size) {
  return offset % 8 == 0 && offset <= area && size <= area - offset;
}

bool shared_read_sequenced(const uint8_t *from, uint8_t *out, size_t size) {
  for (int i = 0; i < sequence_tries; i++) {
    uint64_t before = load(from, __ATOMIC_ACQUIRE);
    copy_words(from, out, size);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && load(from, __ATOMIC_RELAXED) == before) return true;
  }
  return false;
}

void shared_load_words(const uint8_t *from, uint64_t *out, size_t words) {
  for (size_t i = 0; i < words; i++) out[i] = load(from + i * 8, __ATOMIC_RELAXED);
}

bool shared_read_ring(const shared_ring &ring, uint64_t from, uint8_t *out, size_t size,
                      shared_ring_result *result) {
  if (!shared_inside(ring.area_size, ring.descriptor, descriptor_bytes)) return false;
  const uint8_t *descriptor = ring.area + ring.descriptor;
  uint64_t offset = load(descriptor + ring_offset, __ATOMIC_RELAXED);
  uint64_t capacity = load(descriptor + ring_capacity, __ATOMIC_RELAXED);
  uint64_t record = ring.record_size;
  if (load(descriptor + ring_record_size, __ATOMIC_RELAXED) != record || record == 0 || record % 8 != 0)
    return false;
  if (capacity == 0 || (capacity & (capacity - 1)) != 0 || capacity > ring.area_size / record) return false;
  if (!shared_inside(ring.area_size, offset, capacity * record)) return false;

  uint64_t committed = load(descriptor + ring_committed, __ATOMIC_ACQUIRE);
  uint64_t oldest = committed > capacity ? committed - capacity : 0;
  uint64_t first = std::max(from, oldest);
  uint64_t count = first < committed ? std::min<uint64_t>(committed - first, size / record) : 0;
  for (uint64_t i = 0; i < count; i++)
    copy_words(ring.area + offset + (first + i) % capacity * record, out + i * record, record);
  std::atomic_thread_fence(std::memory_order_acquire);
  uint64_t reserved = load(descriptor + ring_reserved, __ATOMIC_RELAXED);
  // Record n is intact while n + capacity >= reserved.
  uint64_t intact = reserved > capacity ? reserved - capacity : 0;
  uint64_t torn = intact > first ? std::min(intact - first, count) : 0;
  if (torn > 0 && torn < count) memmove(out, out + torn * record, (count - torn) * record);
  *result = {first + torn, count - torn, first + torn > from ? first + torn - from : 0, committed};
  return true;
}

#include "shared.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace {

// Offsets in struct ring_descriptor (schema/layout/telemetry.ts).
constexpr size_t ring_offset = 0, ring_capacity = 8, ring_record_size = 16, ring_reserved = 24,
                 ring_committed = 32, ring_first = 40, ring_grows = 48;
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
  oldest = std::max(oldest, load(descriptor + ring_first, __ATOMIC_RELAXED));
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
  *result = {first + torn, count - torn, first + torn > from ? first + torn - from : 0, committed,
             load(descriptor + ring_grows, __ATOMIC_RELAXED)};
  return true;
}

namespace {

// Offsets in struct view_area_header and struct preimage_slot (schema/layout/telemetry.ts).
constexpr size_t view_ram_pages = 16, view_slot_count = 24, view_tags = 32, view_heads = 40, view_slots = 48,
                 view_pool = 56, view_change = 64, view_resident = 72, view_loading = 80, view_open = 128,
                 view_header_bytes = 640;
constexpr size_t slot_page = 0, slot_first = 8, slot_last = 16, slot_next = 24, slot_bytes = 32;
constexpr size_t page_bytes = 4096, granule_pages = 16;
constexpr uint8_t granule_ready = 2;
constexpr unsigned view_places = 64, longest_chain = 4 * view_places, find_tries = 1000000;

struct view_layout {
  const uint8_t *tag, *head, *slots, *pool;
  uint64_t slot_count;
};

bool read_layout(const shared_view &view, uint64_t page, view_layout *out) {
  if (view.area_size < view_header_bytes || view.place >= view_places) return false;
  auto field = [&](size_t at) { return load(view.area + at, __ATOMIC_RELAXED); };
  uint64_t pages = field(view_ram_pages), count = field(view_slot_count);
  if (page >= pages || pages > view.ram_size / page_bytes || count > view.area_size / page_bytes)
    return false;
  uint64_t tags = field(view_tags), heads = field(view_heads), slots = field(view_slots),
           pool = field(view_pool);
  bool inside = shared_inside(view.area_size, tags, pages * 8) &&
                shared_inside(view.area_size, heads, pages * 4) &&
                shared_inside(view.area_size, slots, count * slot_bytes) &&
                shared_inside(view.area_size, pool, count * page_bytes);
  *out = {view.area + tags + page * 8, view.area + heads + page * 4, view.area + slots, view.area + pool,
          count};
  return inside;
}

// Whether the page holds its bytes: it does unless RAM is being loaded and this piece is not there yet.
bool is_resident(const shared_view &view, uint64_t page) {
  if (load(view.area + view_loading, __ATOMIC_ACQUIRE) == 0) return true;
  uint64_t states = load(view.area + view_resident, __ATOMIC_RELAXED), granule = page / granule_pages;
  if (states >= view.area_size || granule >= view.area_size - states) return false;
  return __atomic_load_n(view.area + states + granule, __ATOMIC_ACQUIRE) == granule_ready;
}

bool view_is_open(const shared_view &view) {
  return load(view.area + view_open + view.place * 8, __ATOMIC_ACQUIRE) == view.epoch;
}

uint32_t load32(const uint8_t *at, int order) {
  return __atomic_load_n(reinterpret_cast<const uint32_t *>(at), order);
}

// Finds the slot number + 1 of the pre-image that serves the view, 0: none. false: the chains were being
// changed.
bool find_preimage(const shared_view &view, const view_layout &layout, uint64_t page, uint64_t *out) {
  uint64_t before = load(view.area + view_change, __ATOMIC_ACQUIRE), found = 0;
  uint32_t at = load32(layout.head, __ATOMIC_ACQUIRE);
  for (unsigned steps = 0; at != 0 && at <= layout.slot_count && steps < longest_chain; steps++) {
    const uint8_t *slot = layout.slots + (at - 1) * slot_bytes;
    uint64_t first = load(slot + slot_first, __ATOMIC_RELAXED),
             last = load(slot + slot_last, __ATOMIC_RELAXED);
    if (load(slot + slot_page, __ATOMIC_RELAXED) == page && first <= view.epoch && view.epoch <= last) {
      found = at;
      break;
    }
    at = load32(slot + slot_next, __ATOMIC_RELAXED);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  *out = found;
  return before % 2 == 0 && load(view.area + view_change, __ATOMIC_RELAXED) == before;
}

} // namespace

view_page shared_read_view_page(const shared_view &view, uint64_t page, uint64_t stamp, uint8_t *out) {
  view_layout layout;
  if (!read_layout(view, page, &layout)) return view_page::bad;
  if (!is_resident(view, page)) return view_is_open(view) ? view_page::absent : view_page::lost;
  uint64_t tag = load(layout.tag, __ATOMIC_ACQUIRE);
  if (stamp != 0 && tag < std::min(stamp, view.epoch)) return view_page::current;
  copy_words(view.ram + page * page_bytes, out, page_bytes);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (load(layout.tag, __ATOMIC_ACQUIRE) >= view.epoch) {
    uint64_t found = 0;
    unsigned tries = 0;
    while (!find_preimage(view, layout, page, &found))
      if (++tries == find_tries || !view_is_open(view)) return view_page::lost;
    if (found == 0) return view_page::lost;
    copy_words(layout.pool + (found - 1) * page_bytes, out, page_bytes);
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  return view_is_open(view) ? view_page::copied : view_page::lost;
}

// Reads of memory that another process writes at the same time: seqlocks, counters, single-writer rings.
// Everything found there is checked against the area's real size before it is used.
#ifndef INTROSPECT_NATIVE_SHARED_H
#define INTROSPECT_NATIVE_SHARED_H

#include <cstddef>
#include <cstdint>

// Whether [offset, offset + size) lies in the area and offset is a multiple of 8.
bool shared_inside(size_t area, size_t offset, size_t size);

// Copies a struct whose first word is its sequence; false when a writer kept changing it.
bool shared_read_sequenced(const uint8_t *from, uint8_t *out, size_t size);

void shared_load_words(const uint8_t *from, uint64_t *out, size_t words);

struct shared_ring {
  const uint8_t *area;
  size_t area_size;
  size_t descriptor; // offset of the struct ring_descriptor
  uint64_t record_size;
};

struct shared_ring_result {
  uint64_t first, count, lost, committed, grows;
};

// Copies whole records from number `from` on, as many as out holds. Records that the writer overtakes while
// they are copied are dropped and counted lost. False: the descriptor does not describe a ring inside the
// area.
bool shared_read_ring(const shared_ring &ring, uint64_t from, uint8_t *out, size_t size,
                      shared_ring_result *result);

// One page of guest RAM as a view sees it (docs/protocol.md, "View area").
struct shared_view {
  const uint8_t *ram, *area;
  size_t ram_size, area_size;
  uint64_t place, epoch;
};
enum class view_page { bad, lost, absent, current, copied };

// Copies the page into out, unless out holds what a view of epoch `stamp` saw (0: nothing) and the page has
// not been written since either. absent: its bytes are still in the database, and out is as it was. bad: the
// area is no view area, or the page lies outside RAM.
view_page shared_read_view_page(const shared_view &view, uint64_t page, uint64_t stamp, uint8_t *out);

#endif

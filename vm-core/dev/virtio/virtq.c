#include "dev/virtio/virtq.h"

#include "dev/bus.h"
#include "mmu/dma.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_KNOWN = 7 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { RING_INDEX = 2, RING_ENTRIES = 4 };

struct desc {
  uint64_t addr;
  uint32_t len;
  uint16_t flags, next;
};

/* A descriptor table being walked: the queue's own, or an indirect one. */
struct table {
  uint64_t gpa;
  unsigned count;
};

static bool read16(struct bus *bus, uint64_t gpa, uint16_t *value) {
  return dma_read(bus->hart, gpa, value, sizeof *value);
}

bool virtq_valid(const struct virtq *virtq) {
  const struct virtq_state *q = virtq->state;
  const struct phys *phys = virtq->bus->phys;
  uint64_t size = q->size;
  if (size == 0 || size > VIRTQ_SIZE_MAX || (size & (size - 1)) != 0) return false;
  if (q->desc % 16 || q->avail % 2 || q->used % 4) return false;
  return phys_in_ram(phys, q->desc, size * 16) && phys_in_ram(phys, q->avail, RING_ENTRIES + size * 2 + 2) &&
         phys_in_ram(phys, q->used, RING_ENTRIES + size * 8 + 2);
}

static bool add_segment(const struct virtq *virtq, struct virtq_chain *chain, const struct desc *desc) {
  bool writable = desc->flags & DESC_WRITE;
  if (chain->count == VIRTQ_SEGMENTS_MAX || desc->len == 0) return false;
  if (!phys_in_ram(virtq->bus->phys, desc->addr, desc->len)) return false;
  if (!writable && chain->readable_count != chain->count) return false;
  chain->segments[chain->count++] = (struct virtq_segment){desc->addr, desc->len, writable};
  if (writable) {
    chain->writable_bytes += desc->len;
  } else {
    chain->readable_count++;
    chain->readable_bytes += desc->len;
  }
  return true;
}

static bool read_desc(const struct virtq *virtq, const struct table *table, unsigned index,
                      struct desc *desc) {
  return index < table->count &&
         dma_read(virtq->bus->hart, table->gpa + (uint64_t)index * sizeof *desc, desc, sizeof *desc) &&
         (desc->flags & ~DESC_KNOWN) == 0;
}

/* An indirect descriptor stands alone: it has no NEXT and is not nested (2.7.5.3.1). */
static bool indirect_table(const struct virtq *virtq, const struct desc *desc, struct table *table) {
  if (!virtq->indirect || desc->flags & (DESC_NEXT | DESC_WRITE)) return false;
  unsigned count = desc->len / sizeof(struct desc);
  if (count == 0 || count > VIRTQ_SEGMENTS_MAX || desc->len % sizeof(struct desc)) return false;
  *table = (struct table){desc->addr, count};
  return phys_in_ram(virtq->bus->phys, desc->addr, desc->len);
}

/* Every descriptor visited adds a segment, so VIRTQ_SEGMENTS_MAX bounds loops too. */
static bool walk(const struct virtq *virtq, struct virtq_chain *chain) {
  struct table table = {virtq->state->desc, virtq->state->size};
  struct desc desc;
  if (!read_desc(virtq, &table, chain->head, &desc)) return false;
  bool nested = desc.flags & DESC_INDIRECT;
  if (nested && (!indirect_table(virtq, &desc, &table) || !read_desc(virtq, &table, 0, &desc))) return false;
  for (unsigned visited = 1;; visited++) {
    if (desc.flags & DESC_INDIRECT || visited > table.count || !add_segment(virtq, chain, &desc))
      return false;
    if (!(desc.flags & DESC_NEXT)) return true;
    if (!read_desc(virtq, &table, desc.next, &desc)) return false;
  }
}

enum virtq_result virtq_pop(struct virtq *virtq, struct virtq_chain *chain) {
  struct virtq_state *q = virtq->state;
  uint16_t index;
  if (!q->ready || !virtq_valid(virtq) || !read16(virtq->bus, q->avail + RING_INDEX, &index))
    return VIRTQ_BROKEN;
  uint16_t waiting = (uint16_t)(index - q->last_avail);
  if (waiting == 0) return VIRTQ_EMPTY;
  if (waiting > q->size) return VIRTQ_BROKEN;
  uint64_t entry = q->avail + RING_ENTRIES + (uint64_t)(q->last_avail & (q->size - 1)) * 2;
  chain->count = chain->readable_count = 0;
  chain->readable_bytes = chain->writable_bytes = 0;
  if (!read16(virtq->bus, entry, &chain->head) || !walk(virtq, chain)) return VIRTQ_BROKEN;
  q->last_avail++;
  return VIRTQ_CHAIN;
}

bool virtq_waiting(const struct virtq *virtq) {
  const struct virtq_state *q = virtq->state;
  uint16_t index;
  return q->ready && virtq_valid(virtq) && read16(virtq->bus, q->avail + RING_INDEX, &index) &&
         index != q->last_avail;
}

void virtq_unpop(struct virtq *virtq) { virtq->state->last_avail--; }

bool virtq_want_kick(struct virtq *virtq) {
  const struct virtq_state *q = virtq->state;
  if (!virtq->event_idx) return true;
  uint64_t avail_event = q->used + RING_ENTRIES + (uint64_t)q->size * 8;
  return dma_write(virtq->bus->hart, avail_event, &q->last_avail, sizeof q->last_avail);
}

static bool wants_interrupt(const struct virtq *virtq, bool *notify) {
  const struct virtq_state *q = virtq->state;
  uint16_t value;
  uint64_t used_event = q->avail + RING_ENTRIES + (uint64_t)q->size * 2;
  if (!read16(virtq->bus, virtq->event_idx ? used_event : q->avail, &value)) return false;
  /* One entry at a time: the index just passed `value` exactly when it was the entry given back. */
  *notify = virtq->event_idx ? (uint16_t)(q->used_index - 1) == value : !(value & AVAIL_NO_INTERRUPT);
  return true;
}

bool virtq_push(struct virtq *virtq, uint16_t head, uint32_t written, bool *notify) {
  struct virtq_state *q = virtq->state;
  uint32_t element[2] = {head, written};
  uint64_t entry = q->used + RING_ENTRIES + (uint64_t)(q->used_index & (q->size - 1)) * 8;
  if (!q->ready || !virtq_valid(virtq) || !dma_write(virtq->bus->hart, entry, element, sizeof element))
    return false;
  q->used_index++;
  return dma_write(virtq->bus->hart, q->used + RING_INDEX, &q->used_index, sizeof q->used_index) &&
         wants_interrupt(virtq, notify);
}

/* Bytes of segment i that overlap [offset, offset + size), as a start within the segment and a length. */
static uint64_t overlap(const struct virtq_segment *segment, uint64_t *offset, size_t size, uint64_t *start) {
  if (*offset >= segment->length) {
    *offset -= segment->length;
    return 0;
  }
  *start = *offset;
  *offset = 0;
  uint64_t left = segment->length - *start;
  return left < size ? left : size;
}

bool virtq_gather(struct bus *bus, const struct virtq_chain *chain, uint64_t offset, void *buffer,
                  size_t size) {
  if (offset > chain->readable_bytes || size > chain->readable_bytes - offset) return false;
  uint8_t *to = buffer;
  for (unsigned i = 0; i < chain->readable_count && size; i++) {
    uint64_t start = 0, n = overlap(&chain->segments[i], &offset, size, &start);
    if (n && !dma_read(bus->hart, chain->segments[i].gpa + start, to, n)) return false;
    to += n;
    size -= n;
  }
  return true;
}

bool virtq_scatter(struct bus *bus, const struct virtq_chain *chain, uint64_t offset, const void *buffer,
                   size_t size) {
  if (offset > chain->writable_bytes || size > chain->writable_bytes - offset) return false;
  const uint8_t *from = buffer;
  for (unsigned i = chain->readable_count; i < chain->count && size; i++) {
    uint64_t start = 0, n = overlap(&chain->segments[i], &offset, size, &start);
    if (n && !dma_write(bus->hart, chain->segments[i].gpa + start, from, n)) return false;
    from += n;
    size -= n;
  }
  return true;
}

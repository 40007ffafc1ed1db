/* A split virtqueue seen from the device: a bounded, validated iterator over descriptor chains
 * (virtio 1.2, 2.7).
 *
 * The guest owns every byte of the rings. A chain that loops, points outside RAM, is longer than its bounds,
 * has an empty or a readable-after-writable descriptor, or misuses INDIRECT is never handed out: virtq_pop
 * answers VIRTQ_BROKEN and the device must ask for a reset. Hart thread. */
#ifndef DEV_VIRTIO_VIRTQ_H
#define DEV_VIRTIO_VIRTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;

enum { VIRTQ_SIZE_MAX = 256, VIRTQ_SEGMENTS_MAX = 256 };

/* Guest-visible words of one queue. */
struct virtq_state {
  uint64_t desc, avail, used; /* guest-physical addresses */
  uint32_t size, ready;
  uint16_t last_avail; /* index of the next chain to take */
  uint16_t used_index; /* chains given back */
  uint32_t padding;
};

struct virtq {
  struct bus *bus;
  struct virtq_state *state;
  bool event_idx, indirect; /* negotiated */
};

struct virtq_segment {
  uint64_t gpa;
  uint32_t length;
  uint32_t writable;
};

/* Readable segments come first. */
struct virtq_chain {
  uint16_t head;
  unsigned count, readable_count;
  uint64_t readable_bytes, writable_bytes;
  struct virtq_segment segments[VIRTQ_SEGMENTS_MAX];
};

enum virtq_result { VIRTQ_EMPTY, VIRTQ_CHAIN, VIRTQ_BROKEN };

/* True when size and the three addresses are acceptable, so that the queue may become ready. */
bool virtq_valid(const struct virtq *virtq);

/* Take the next chain. */
enum virtq_result virtq_pop(struct virtq *virtq, struct virtq_chain *chain);

/* Whether the driver has made a chain available, well-formed or not, that was not taken yet. */
bool virtq_waiting(const struct virtq *virtq);

/* Put back the chain popped last; it comes again at the next pop. */
void virtq_unpop(struct virtq *virtq);

/* With EVENT_IDX: ask for a kick at the next chain. Called when the device has no more to pop. false: broken.
 */
bool virtq_want_kick(struct virtq *virtq);

/* Give a chain back with `written` bytes; *notify tells whether the driver wants an interrupt. false: broken.
 */
bool virtq_push(struct virtq *virtq, uint16_t head, uint32_t written, bool *notify);

/* Copy between a buffer and the readable (writable) bytes of a chain from `offset`; false when the chain is
 * shorter than offset + size. The segments were inside RAM when popped and RAM does not move. */
bool virtq_gather(struct bus *bus, const struct virtq_chain *chain, uint64_t offset, void *buffer,
                  size_t size);
bool virtq_scatter(struct bus *bus, const struct virtq_chain *chain, uint64_t offset, const void *buffer,
                   size_t size);

#endif

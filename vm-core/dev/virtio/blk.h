/* virtio block device (virtio 1.2, 5.2) over the block interface of store/store.h. Hart thread.
 *
 * A request is submitted to the store at its kick and completed at a fixed guest time after it, whatever the
 * store takes: the hart waits on the host when the store is late. Data enters guest RAM at the instant of
 * completion. */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "dev/virtio/blk_config.h"
#include "dev/virtio/mmio.h"
#include "store/store.h"

/* Guest time from kick to completion: BLK_FIXED_NS, and one ns for each BLK_BYTES_PER_NS bytes. */
enum { BLK_FIXED_NS = 20000, BLK_BYTES_PER_NS = 8 };
enum {
  BLK_REQUEST_BYTES = 8 << 20, /* data of one request, at most */
  BLK_FLIGHT_BYTES = 32 << 20, /* data of all requests in flight; more waits in the queue */
  BLK_SLOTS = VIRTQ_SIZE_MAX,
};

struct blk_owner {
  /* The hart is about to sleep for the store between two instructions, and has woken up. */
  void (*waiting)(void *opaque, bool waiting);
  /* The disk is gone for good (-ESHUTDOWN): the machine must stop, the request stays unanswered. */
  void (*lost)(void *opaque);
  void *opaque;
};

struct blk_slot;

struct blk {
  struct virtio_mmio virtio;
  struct block_device *device;
  struct blk_owner owner;
  struct blk_slot *slots;
  uint64_t flight_bytes;
  bool lost;
  struct virtio_blk_config config;
  struct {
    uint64_t due_ns[BLK_SLOTS];  /* 0: slot free */
    uint64_t request[BLK_SLOTS]; /* head | type << 16 of the request in the slot */
  } state;
};

/* false: no memory or no room on the bus. The device stays the caller's and must outlive blk. */
bool blk_init(struct blk *blk, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *slot, struct block_device *device, const struct blk_owner *owner);
/* Waits for requests in flight. */
void blk_destroy(struct blk *blk);

#endif

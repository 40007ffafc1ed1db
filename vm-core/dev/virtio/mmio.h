/* The virtio-mmio transport, version 2 (virtio 1.2, 4.2): registers, feature negotiation, status, interrupts.
 * Device files (blk, console, rng) handle requests and nothing else. Hart thread. */
#ifndef DEV_VIRTIO_MMIO_H
#define DEV_VIRTIO_MMIO_H

#include "dev/bus.h"
#include "dev/plic.h"
#include "dev/virtio/virtq.h"
#include "telemetry/telemetry.h"

enum virtio_id {
  VIRTIO_ID_NONE = 0,
  VIRTIO_ID_NET = 1,
  VIRTIO_ID_BLOCK = 2,
  VIRTIO_ID_CONSOLE = 3,
  VIRTIO_ID_RNG = 4,
};
enum { VIRTIO_QUEUES_MAX = 2 };

#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_VERSION_1     BIT(32)

/* What a device adds to the transport. An empty slot has id VIRTIO_ID_NONE and no callbacks. */
struct virtio_class {
  const char *name;
  enum virtio_id id;
  uint64_t features; /* the device's own; the transport adds the three above */
  unsigned queue_count;
  void (*kick)(void *opaque, unsigned queue); /* the queue is ready and the driver is ok */
  void (*stop)(void *opaque); /* reset or a queue taken back: forget requests in flight, touch no ring */
};

struct virtio_mmio {
  struct bus *bus;
  struct plic *plic;
  struct telemetry *telemetry;
  unsigned irq;
  struct virtio_class class;
  void *opaque;
  const uint8_t *config; /* device configuration space, read-only */
  size_t config_size;
  struct virtq queues[VIRTIO_QUEUES_MAX];
  struct {
    uint64_t driver_features;
    uint32_t status, interrupt, device_features_sel, driver_features_sel, queue_sel, padding;
    struct virtq_state queues[VIRTIO_QUEUES_MAX];
  } state;
};

struct virtio_slot {
  uint64_t base, size;
  unsigned irq;
};

bool virtio_init(struct virtio_mmio *virtio, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
                 const struct virtio_slot *slot, const struct virtio_class *class, void *opaque);

/* Configuration space the guest may read; fixed after start. */
void virtio_set_config(struct virtio_mmio *virtio, const void *config, size_t size);

/* Next chain of a queue; false when there is none, or the queue broke (the device then waits for its reset).
 */
bool virtio_pop(struct virtio_mmio *virtio, unsigned queue, struct virtq_chain *chain);

/* Give a chain back, with an interrupt if the driver wants one. */
void virtio_push(struct virtio_mmio *virtio, unsigned queue, uint16_t head, uint32_t written);

/* The driver broke the rules: count it, set DEVICE_NEEDS_RESET, stop serving. */
void virtio_broken(struct virtio_mmio *virtio);

/* The driver is ready and the queue is live. */
bool virtio_ready(const struct virtio_mmio *virtio, unsigned queue);

#endif

/* virtio network device (virtio 1.2, 5.1) without offloads: queue 0 receives, queue 1 transmits, one frame a
 * chain. Hart thread.
 *
 * What the guest sends leaves at once through the port and is completed whatever becomes of it. Frames for
 * the guest are outside input: net_receive is called where the input log says so, and puts one straight into
 * guest RAM, so the device has no state beyond its queues. */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include "dev/virtio/mmio.h"
#include "net/message.h"

/* Who carries the guest's frames away; must not block for long. */
struct net_port {
  void (*transmit)(void *opaque, const uint8_t *frame, size_t size);
  void *opaque;
};

/* struct virtio_net_config as far as the features offered reach (5.1.4). */
struct virtio_net_config {
  uint8_t mac[6];
  uint16_t status;
};
_Static_assert(sizeof(struct virtio_net_config) == 8, "virtio_net_config");

struct net {
  struct virtio_mmio virtio;
  struct net_port port;
  struct virtq_chain chain; /* scratch */
  struct virtio_net_config config;
};

bool net_init(struct net *net, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *slot, const struct net_port *port);

/* A driver is listening; until then frames for the guest have no effect and need no log. */
bool net_listening(const struct net *net);

/* The driver has a buffer for a frame. */
bool net_has_room(const struct net *net);

/* Give the guest one frame of NET_FRAME_MIN to NET_FRAME_MAX bytes; lost when the driver's buffer is
 * malformed. */
void net_receive(struct net *net, const uint8_t *frame, size_t size);

#endif

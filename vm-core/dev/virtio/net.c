#include "dev/virtio/net.h"

#include <string.h>

#include "gen/telemetry.h"

#define VIRTIO_NET_F_MAC    BIT(5)
#define VIRTIO_NET_F_STATUS BIT(16)

enum { RECEIVE = 0, TRANSMIT = 1 };
enum { LINK_UP = 1 };

/* struct virtio_net_hdr of a device of version 1 (5.1.6): all zero but num_buffers. */
struct net_header {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
enum { HEADER_BYTES = sizeof(struct net_header) };
_Static_assert(HEADER_BYTES == 12, "virtio_net_hdr");

bool net_listening(const struct net *net) { return virtio_ready(&net->virtio, RECEIVE); }

bool net_has_room(const struct net *net) {
  return net_listening(net) && virtq_waiting(&net->virtio.queues[RECEIVE]);
}

void net_receive(struct net *net, const uint8_t *frame, size_t size) {
  struct virtq_chain *chain = &net->chain;
  struct bus *bus = net->virtio.bus;
  if (!virtio_pop(&net->virtio, RECEIVE, chain)) return;
  if (chain->readable_bytes || chain->writable_bytes < HEADER_BYTES + size) {
    virtio_broken(&net->virtio);
    return;
  }
  struct net_header header = {.num_buffers = 1};
  virtq_scatter(bus, chain, 0, &header, HEADER_BYTES);
  virtq_scatter(bus, chain, HEADER_BYTES, frame, size);
  telemetry_count(net->virtio.telemetry, COUNTER_NET_RECEIVED_FRAMES, 1);
  telemetry_count(net->virtio.telemetry, COUNTER_NET_RECEIVED_BYTES, size);
  virtio_push(&net->virtio, RECEIVE, chain->head, (uint32_t)(HEADER_BYTES + size));
}

/* The header asks for nothing, because no offload was offered. A frame of an impossible size is dropped. */
static void send_frame(struct net *net) {
  const struct virtq_chain *chain = &net->chain;
  struct telemetry *telemetry = net->virtio.telemetry;
  uint64_t size = chain->readable_bytes - HEADER_BYTES;
  if (size < NET_FRAME_MIN || size > NET_FRAME_MAX) {
    telemetry_count(telemetry, COUNTER_NET_DROPPED_FRAMES, 1);
    return;
  }
  uint8_t frame[NET_FRAME_MAX];
  virtq_gather(net->virtio.bus, chain, HEADER_BYTES, frame, size);
  telemetry_count(telemetry, COUNTER_NET_SENT_FRAMES, 1);
  telemetry_count(telemetry, COUNTER_NET_SENT_BYTES, size);
  net->port.transmit(net->port.opaque, frame, size);
}

static void transmit(struct net *net) {
  while (virtio_pop(&net->virtio, TRANSMIT, &net->chain)) {
    if (net->chain.writable_bytes || net->chain.readable_bytes < HEADER_BYTES) {
      virtio_broken(&net->virtio);
      return;
    }
    send_frame(net);
    virtio_push(&net->virtio, TRANSMIT, net->chain.head, 0);
  }
}

static void kick(void *opaque, unsigned queue) {
  if (queue == TRANSMIT) transmit(opaque);
}

static void stop(void *opaque) { (void)opaque; }

bool net_init(struct net *net, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *slot, const struct net_port *port) {
  static const struct virtio_class class = {.name = "virtio-net",
                                            .id = VIRTIO_ID_NET,
                                            .features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS,
                                            .queue_count = 2,
                                            .kick = kick,
                                            .stop = stop};
  static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}; /* its network has no other guest */
  memset(net, 0, sizeof *net);
  net->port = *port;
  memcpy(net->config.mac, mac, sizeof mac);
  net->config.status = LINK_UP;
  if (!virtio_init(&net->virtio, bus, plic, telemetry, slot, &class, net)) return false;
  virtio_set_config(&net->virtio, &net->config, sizeof net->config);
  return true;
}

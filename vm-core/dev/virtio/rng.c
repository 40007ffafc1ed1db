#include "dev/virtio/rng.h"

#include <string.h>

/* Bytes given for one request; a device may return fewer than asked for. */
enum { RNG_CHUNK = 4096 };

static void kick(void *opaque, unsigned queue) {
  struct rng *rng = opaque;
  while (virtio_pop(&rng->virtio, queue, &rng->chain)) {
    if (rng->chain.readable_bytes || !rng->chain.writable_bytes) {
      virtio_broken(&rng->virtio);
      return;
    }
    uint8_t bytes[RNG_CHUNK];
    size_t n = rng->chain.writable_bytes < sizeof bytes ? rng->chain.writable_bytes : sizeof bytes;
    random_fill(&rng->random, bytes, n);
    virtq_scatter(rng->virtio.bus, &rng->chain, 0, bytes, n);
    virtio_push(&rng->virtio, queue, rng->chain.head, (uint32_t)n);
  }
}

static void stop(void *opaque) { (void)opaque; }

static bool load(void *opaque, struct blob_reader *in) {
  const struct rng *rng = opaque;
  (void)in;
  return rng->random.used <= sizeof rng->random.block;
}

bool rng_init(struct rng *rng, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *slot) {
  static const struct virtio_class class = {
      .name = "virtio-rng", .id = VIRTIO_ID_RNG, .queue_count = 1, .kick = kick, .stop = stop};
  memset(rng, 0, sizeof *rng);
  if (!virtio_init(&rng->virtio, bus, plic, telemetry, slot, &class, rng)) return false;
  return bus_add(bus, &(struct device){.name = "rng-stream",
                                       .opaque = rng,
                                       .state = &rng->random,
                                       .state_size = sizeof rng->random,
                                       .load = load});
}

void rng_seed(struct rng *rng, const uint8_t seed[SEED_BYTES], uint32_t generation) {
  random_init(&rng->random, seed, RANDOM_VIRTIO_RNG, generation);
}

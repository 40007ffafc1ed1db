/* virtio entropy device (virtio 1.2, 5.4): the machine's deterministic random stream. Hart thread. */
#ifndef DEV_VIRTIO_RNG_H
#define DEV_VIRTIO_RNG_H

#include "dev/chacha20.h"
#include "dev/virtio/mmio.h"

struct rng {
  struct virtio_mmio virtio;
  struct virtq_chain chain; /* scratch */
  struct random random;
};

bool rng_init(struct rng *rng, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *slot);

/* Start the stream of this boot. Call after each reset, before the guest runs. */
void rng_seed(struct rng *rng, const uint8_t seed[SEED_BYTES], uint32_t generation);

#endif

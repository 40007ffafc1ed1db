/* A deterministic random stream: the ChaCha20 block function (RFC 8439, 2.3) keyed with the machine's seed.
 * Streams with different numbers are independent. Same seed, same bytes, on every host. */
#ifndef DEV_CHACHA20_H
#define DEV_CHACHA20_H

#include <stddef.h>
#include <stdint.h>

enum { SEED_BYTES = 32 };

/* Stream numbers, the first word of the nonce. */
enum random_stream { RANDOM_VIRTIO_RNG = 1, RANDOM_DEVICE_TREE = 2 };

struct random {
  uint32_t key[8];
  uint32_t stream;
  uint32_t used;   /* bytes of block already given out; 64: none left */
  uint64_t blocks; /* block counter of the next block */
  uint8_t block[64];
};

/* `generation` is the machine's boot counter: every boot has its own stream. */
void random_init(struct random *random, const uint8_t seed[SEED_BYTES], enum random_stream stream,
                 uint32_t generation);
void random_fill(struct random *random, void *buffer, size_t size);

/* The bare block function, for its test vectors. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64]);

#endif

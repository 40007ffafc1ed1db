#include "dev/chacha20.h"

#include <string.h>

static uint32_t rotate(uint32_t value, unsigned n) { return value << n | value >> (32 - n); }

static void quarter(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d) {
  s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
  s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
  s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
  s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64]) {
  uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  memcpy(start + 4, key, 32);
  start[12] = counter;
  memcpy(start + 13, nonce, 12);
  uint32_t s[16];
  memcpy(s, start, sizeof s);
  for (unsigned round = 0; round < 10; round++) {
    for (unsigned i = 0; i < 4; i++) quarter(s, i, i + 4, i + 8, i + 12);
    for (unsigned i = 0; i < 4; i++) quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
  }
  for (unsigned i = 0; i < 16; i++) s[i] += start[i];
  memcpy(out, s, sizeof s); /* little-endian hosts only: base/bits.h */
}

void random_init(struct random *random, const uint8_t seed[SEED_BYTES], enum random_stream stream,
                 uint32_t generation) {
  memset(random, 0, sizeof *random);
  memcpy(random->key, seed, SEED_BYTES);
  random->stream = (uint32_t)stream << 24 ^ generation;
  random->used = sizeof random->block;
}

void random_fill(struct random *random, void *buffer, size_t size) {
  uint8_t *to = buffer;
  while (size) {
    if (random->used == sizeof random->block) {
      uint32_t nonce[3] = {random->stream, (uint32_t)(random->blocks >> 32), 0};
      chacha20_block(random->key, (uint32_t)random->blocks, nonce, random->block);
      random->blocks++;
      random->used = 0;
    }
    size_t left = sizeof random->block - random->used, n = size < left ? size : left;
    memcpy(to, random->block + random->used, n);
    random->used += (uint32_t)n;
    to += n;
    size -= n;
  }
}

/* SHA-256 (FIPS 180-4). Any thread; a context belongs to one caller. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_final(struct sha256 *hash, uint8_t digest[32]);

/* Finish and write 64 lower-case hexadecimal digits and a NUL. */
void sha256_final_hex(struct sha256 *hash, char text[65]);

#endif

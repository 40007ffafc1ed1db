/* Bytes of a saved state: a growing writer, and a reader that cannot run past its input. Integers are
 * little-endian. Any thread, one at a time. */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty. A failed allocation sets `failed` (so may a device that cannot be saved); later writes do
 * nothing. */
struct blob {
  uint8_t *bytes;
  size_t size, capacity;
  bool failed;
};

void blob_free(struct blob *blob);
void blob_put(struct blob *blob, const void *bytes, size_t size);
void blob_u8(struct blob *blob, uint8_t value);
void blob_u32(struct blob *blob, uint32_t value);
void blob_u64(struct blob *blob, uint64_t value);
/* A length-prefixed part: what is written between the two calls. The value of blob_begin goes to blob_end. */
size_t blob_begin(struct blob *blob);
void blob_end(struct blob *blob, size_t part);

/* After a read past the end `bad` is set, and every value is zero. */
struct blob_reader {
  const uint8_t *at;
  size_t left;
  bool bad;
};
uint8_t blob_get_u8(struct blob_reader *reader);
uint32_t blob_get_u32(struct blob_reader *reader);
uint64_t blob_get_u64(struct blob_reader *reader);
bool blob_get(struct blob_reader *reader, void *bytes, size_t size);
/* A length-prefixed part as a reader of its own. */
struct blob_reader blob_get_part(struct blob_reader *reader);
/* Whether everything was read and nothing was missing. */
static inline bool blob_done(const struct blob_reader *reader) { return !reader->bad && reader->left == 0; }

#endif

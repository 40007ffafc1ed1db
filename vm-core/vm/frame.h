/* Frames of docs/protocol.md as bytes: a growing output buffer, and a reader that cannot run past its input.
 */
#ifndef VM_FRAME_H
#define VM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes [start, end) are in use. A failed allocation sets `failed`; later writes do nothing. */
struct buffer {
  uint8_t *bytes;
  size_t start, end, capacity;
  bool failed;
};

void buffer_free(struct buffer *buffer);
/* Room for `size` more bytes at the end, or NULL. */
uint8_t *buffer_room(struct buffer *buffer, size_t size);
void buffer_put(struct buffer *buffer, const void *bytes, size_t size);
void buffer_drop(struct buffer *buffer, size_t size); /* from the start */
static inline size_t buffer_size(const struct buffer *buffer) { return buffer->end - buffer->start; }

/* A frame is begun, filled with the put functions and ended; nothing else is written in between. The value of
 * frame_begin goes to frame_end. */
size_t frame_begin(struct buffer *buffer, unsigned type, uint64_t request);
void frame_end(struct buffer *buffer, size_t frame);
void put_u8(struct buffer *buffer, uint8_t value);
void put_u16(struct buffer *buffer, uint16_t value);
void put_u32(struct buffer *buffer, uint32_t value);
void put_u64(struct buffer *buffer, uint64_t value);
void put_f64(struct buffer *buffer, double value);
void put_str(struct buffer *buffer, const void *bytes, size_t size);

/* Reads a payload field by field. After a read past the end `bad` is set and every value is zero. */
struct reader {
  const uint8_t *at;
  size_t left;
  bool bad;
};
uint16_t get_u16(struct reader *reader);
uint32_t get_u32(struct reader *reader);
uint64_t get_u64(struct reader *reader);
/* Points into the payload. */
const char *get_str(struct reader *reader, uint32_t *size);
/* True when everything was read and nothing was missing. */
bool reader_done(const struct reader *reader);

#endif

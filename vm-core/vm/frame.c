#include "vm/frame.h"

#include <stdlib.h>
#include <string.h>

#include "gen/wire.h"

void buffer_free(struct buffer *buffer) {
  free(buffer->bytes);
  *buffer = (struct buffer){0};
}

uint8_t *buffer_room(struct buffer *buffer, size_t size) {
  if (buffer->failed) return NULL;
  if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
  if (size <= buffer->capacity - buffer->end) return buffer->bytes + buffer->end;
  size_t used = buffer_size(buffer), capacity = buffer->capacity ? buffer->capacity : 1024;
  while (capacity - used < size) capacity *= 2;
  uint8_t *bytes = malloc(capacity);
  if (!bytes) {
    buffer->failed = true;
    return NULL;
  }
  if (used) memcpy(bytes, buffer->bytes + buffer->start, used);
  free(buffer->bytes);
  buffer->bytes = bytes;
  buffer->start = 0;
  buffer->end = used;
  buffer->capacity = capacity;
  return bytes + used;
}

void buffer_put(struct buffer *buffer, const void *bytes, size_t size) {
  uint8_t *to = buffer_room(buffer, size);
  if (!to || size == 0) return;
  memcpy(to, bytes, size);
  buffer->end += size;
}

void buffer_drop(struct buffer *buffer, size_t size) { buffer->start += size; }

/* Sizes are kept relative to `start`: growing moves the bytes. */
size_t frame_begin(struct buffer *buffer, unsigned type, uint64_t request) {
  size_t frame = buffer_size(buffer);
  struct frame_header header = {.type = (uint8_t)type, .request = request};
  buffer_put(buffer, &header, sizeof header);
  return frame;
}

void frame_end(struct buffer *buffer, size_t frame) {
  if (buffer->failed) return;
  uint32_t length = (uint32_t)(buffer_size(buffer) - frame - sizeof(struct frame_header));
  memcpy(buffer->bytes + buffer->start + frame, &length, sizeof length);
}

void put_u8(struct buffer *buffer, uint8_t value) { buffer_put(buffer, &value, sizeof value); }
void put_u16(struct buffer *buffer, uint16_t value) { buffer_put(buffer, &value, sizeof value); }
void put_u32(struct buffer *buffer, uint32_t value) { buffer_put(buffer, &value, sizeof value); }
void put_u64(struct buffer *buffer, uint64_t value) { buffer_put(buffer, &value, sizeof value); }
void put_f64(struct buffer *buffer, double value) { buffer_put(buffer, &value, sizeof value); }

void put_str(struct buffer *buffer, const void *bytes, size_t size) {
  put_u32(buffer, (uint32_t)size);
  buffer_put(buffer, bytes, size);
}

static void get(struct reader *reader, void *value, size_t size) {
  memset(value, 0, size);
  if (reader->bad || size > reader->left) {
    reader->bad = true;
    return;
  }
  memcpy(value, reader->at, size);
  reader->at += size;
  reader->left -= size;
}

uint16_t get_u16(struct reader *reader) {
  uint16_t value;
  get(reader, &value, sizeof value);
  return value;
}

uint32_t get_u32(struct reader *reader) {
  uint32_t value;
  get(reader, &value, sizeof value);
  return value;
}

uint64_t get_u64(struct reader *reader) {
  uint64_t value;
  get(reader, &value, sizeof value);
  return value;
}

const char *get_str(struct reader *reader, uint32_t *size) {
  *size = get_u32(reader);
  const char *text = (const char *)reader->at;
  if (reader->bad || *size > reader->left) {
    reader->bad = true;
    *size = 0;
    return "";
  }
  reader->at += *size;
  reader->left -= *size;
  return text;
}

bool reader_done(const struct reader *reader) { return !reader->bad && reader->left == 0; }

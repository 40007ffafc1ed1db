#include "base/blob.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

void blob_free(struct blob *blob) {
  free(blob->bytes);
  *blob = (struct blob){0};
}

static bool reserve(struct blob *blob, size_t size) {
  if (blob->failed) return false;
  if (size <= blob->capacity - blob->size) return true;
  size_t capacity = blob->capacity ? blob->capacity : FIRST_CAPACITY;
  while (capacity - blob->size < size) capacity *= 2;
  uint8_t *bytes = realloc(blob->bytes, capacity);
  blob->failed = !bytes;
  if (!bytes) return false;
  blob->bytes = bytes;
  blob->capacity = capacity;
  return true;
}

void blob_put(struct blob *blob, const void *bytes, size_t size) {
  if (size == 0 || !reserve(blob, size)) return;
  memcpy(blob->bytes + blob->size, bytes, size);
  blob->size += size;
}

/* Hosts are little-endian: base/bits.h. */
void blob_u8(struct blob *blob, uint8_t value) { blob_put(blob, &value, sizeof value); }
void blob_u32(struct blob *blob, uint32_t value) { blob_put(blob, &value, sizeof value); }
void blob_u64(struct blob *blob, uint64_t value) { blob_put(blob, &value, sizeof value); }

size_t blob_begin(struct blob *blob) {
  blob_u32(blob, 0);
  return blob->size;
}

void blob_end(struct blob *blob, size_t part) {
  if (blob->failed) return;
  uint32_t length = (uint32_t)(blob->size - part);
  memcpy(blob->bytes + part - sizeof length, &length, sizeof length);
}

bool blob_get(struct blob_reader *reader, void *bytes, size_t size) {
  if (size > reader->left) {
    reader->bad = true;
    reader->left = 0;
    memset(bytes, 0, size);
    return false;
  }
  if (size) memcpy(bytes, reader->at, size);
  reader->at += size;
  reader->left -= size;
  return true;
}

uint8_t blob_get_u8(struct blob_reader *reader) {
  uint8_t value;
  blob_get(reader, &value, sizeof value);
  return value;
}

uint32_t blob_get_u32(struct blob_reader *reader) {
  uint32_t value;
  blob_get(reader, &value, sizeof value);
  return value;
}

uint64_t blob_get_u64(struct blob_reader *reader) {
  uint64_t value;
  blob_get(reader, &value, sizeof value);
  return value;
}

struct blob_reader blob_get_part(struct blob_reader *reader) {
  uint32_t length = blob_get_u32(reader);
  if (length > reader->left) {
    reader->bad = true;
    reader->left = 0;
    return (struct blob_reader){.bad = true};
  }
  struct blob_reader part = {reader->at, length, false};
  reader->at += length;
  reader->left -= length;
  return part;
}

#include "vm/fdt.h"

#include <string.h>

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };
enum { FDT_DEPTH_MAX = 16 };
#define FDT_MAGIC UINT32_C(0xd00dfeed)

enum { OFF_MAGIC = 0, OFF_TOTAL = 4, OFF_STRUCT = 8, OFF_STRINGS = 12, SIZE_STRINGS = 32, SIZE_STRUCT = 36 };

static uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool inside(uint32_t offset, uint32_t size, uint32_t total) {
  return offset <= total && size <= total - offset;
}

uint32_t fdt_size(const uint8_t *blob, size_t size) {
  if (size < FDT_MIN_BYTES || be32(blob + OFF_MAGIC) != FDT_MAGIC) return 0;
  uint32_t total = be32(blob + OFF_TOTAL);
  if (total < FDT_MIN_BYTES || total > size) return 0;
  bool good = inside(be32(blob + OFF_STRUCT), be32(blob + SIZE_STRUCT), total) &&
              inside(be32(blob + OFF_STRINGS), be32(blob + SIZE_STRINGS), total) &&
              be32(blob + OFF_STRUCT) % 4 == 0;
  return good ? total : 0;
}

/* A walk over the structure block, one token at a time. */
struct walk {
  uint8_t *structure;
  const char *strings;
  uint32_t size, strings_size, at;
  uint32_t token, start; /* current token and where it begins */
  const char *name;      /* of the node or property */
  uint8_t *value;
  uint32_t length;
};

static bool next_property(struct walk *walk) {
  if (!inside(walk->at, 8, walk->size)) return false;
  walk->length = be32(walk->structure + walk->at);
  uint32_t name = be32(walk->structure + walk->at + 4);
  walk->at += 8;
  if (!inside(walk->at, walk->length, walk->size) || name >= walk->strings_size) return false;
  if (!memchr(walk->strings + name, 0, walk->strings_size - name)) return false;
  walk->name = walk->strings + name;
  walk->value = walk->structure + walk->at;
  walk->at += (walk->length + 3) & ~UINT32_C(3);
  return true;
}

static bool next_token(struct walk *walk) {
  do {
    if (walk->at > walk->size || walk->size - walk->at < 4) return false;
    walk->start = walk->at;
    walk->token = be32(walk->structure + walk->at);
    walk->at += 4;
  } while (walk->token == FDT_NOP);
  if (walk->token == FDT_PROP) return next_property(walk);
  if (walk->token != FDT_BEGIN_NODE) return walk->token == FDT_END_NODE;
  const uint8_t *end = memchr(walk->structure + walk->at, 0, walk->size - walk->at);
  if (!end) return false;
  walk->name = (const char *)walk->structure + walk->at;
  walk->at = ((uint32_t)(end - walk->structure) + 4) & ~UINT32_C(3);
  return true;
}

/* Whether a node name is the next component of *path; moves *path past it. */
static bool matches(const char *name, const char **path) {
  const char *rest = *path;
  if (*rest != '/') return false;
  size_t n = strcspn(++rest, "/");
  if (strncmp(name, rest, n) != 0) return false;
  bool whole = name[n] == 0 || (name[n] == '@' && !memchr(rest, '@', n));
  if (whole) *path = rest + n;
  return whole;
}

static bool find(uint8_t *blob, const char *path, const char *property, struct walk *walk) {
  *walk = (struct walk){.structure = blob + be32(blob + OFF_STRUCT),
                        .strings = (const char *)blob + be32(blob + OFF_STRINGS),
                        .size = be32(blob + SIZE_STRUCT),
                        .strings_size = be32(blob + SIZE_STRINGS)};
  unsigned depth = 0, matched = 0; /* nodes entered, and how many of them lie on the path */
  while (next_token(walk)) {
    if (walk->token == FDT_BEGIN_NODE) {
      if (++depth > FDT_DEPTH_MAX) return false;
      bool here = matched == depth - 1 && (depth == 1 ? walk->name[0] == 0 : matches(walk->name, &path));
      if (here) matched = depth;
    } else if (walk->token == FDT_END_NODE) {
      if (depth-- == matched) return false; /* the path's node, or an ancestor of it, is over */
    } else if (matched == depth && *path == 0 && strcmp(walk->name, property) == 0) {
      return true;
    }
  }
  return false;
}

uint8_t *fdt_property(uint8_t *blob, const char *path, const char *property, uint32_t *length) {
  struct walk walk;
  if (!find(blob, path, property, &walk)) return NULL;
  *length = walk.length;
  return walk.value;
}

bool fdt_remove(uint8_t *blob, const char *path, const char *property) {
  struct walk walk;
  if (!find(blob, path, property, &walk)) return false;
  for (uint32_t at = walk.start; at < walk.at && at + 4 <= walk.size; at += 4)
    put32(walk.structure + at, FDT_NOP);
  return true;
}

bool fdt_set_u64(uint8_t *blob, const char *path, const char *property, const uint64_t *values,
                 unsigned count) {
  uint32_t length;
  uint8_t *value = fdt_property(blob, path, property, &length);
  if (!value || length != count * 8) return false;
  for (unsigned i = 0; i < count; i++) {
    put32(value + 8 * i, (uint32_t)(values[i] >> 32));
    put32(value + 8 * i + 4, (uint32_t)values[i]);
  }
  return true;
}

bool fdt_set_bytes(uint8_t *blob, const char *path, const char *property, const void *bytes, size_t size) {
  uint32_t length;
  uint8_t *value = fdt_property(blob, path, property, &length);
  if (!value || size > length) return false;
  memcpy(value, bytes, size);
  memset(value + size, 0, length - size);
  return true;
}

/* Bytes of the protocol (docs/protocol.md, "Framing"): a bounded reader and append-only writers.
 * Reading past the end, or a string that is not UTF-8, sets `bad` and yields zeroes; callers look once. */
#ifndef LINUXSQL_WIRE_H
#define LINUXSQL_WIRE_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "gen/wire.h"

struct wire_reader {
  const char *at;
  const char *end;
  bool bad;
};

static inline void wire_take(struct wire_reader *reader, void *into, size_t size) {
  if (reader->bad || (size_t)(reader->end - reader->at) < size) {
    reader->bad = true;
    memset(into, 0, size);
    return;
  }
  memcpy(into, reader->at, size);
  reader->at += size;
}

#define WIRE_TAKE(type)                                                                                      \
  static inline type wire_take_##type(struct wire_reader *reader) {                                          \
    type value;                                                                                              \
    wire_take(reader, &value, sizeof value);                                                                 \
    return value;                                                                                            \
  }
WIRE_TAKE(uint8_t)
WIRE_TAKE(uint16_t)
WIRE_TAKE(uint32_t)
WIRE_TAKE(uint64_t)
#undef WIRE_TAKE

static inline double wire_take_f64(struct wire_reader *reader) {
  double value;
  wire_take(reader, &value, sizeof value);
  return value;
}

/* A str as a palloc'd string of the database encoding; "" when bad. */
extern char *wire_take_text(struct wire_reader *reader);

/* A str as it lies in the payload: UTF-8, `*length` bytes, valid as long as the payload. Converts nothing. */
extern const char *wire_take_bytes(struct wire_reader *reader, uint32_t *length);

static inline void wire_put_u8(StringInfo out, uint8_t value) { appendStringInfoChar(out, (char)value); }
static inline void wire_put_u16(StringInfo out, uint16_t value) {
  appendBinaryStringInfo(out, (char *)&value, 2);
}
static inline void wire_put_u32(StringInfo out, uint32_t value) {
  appendBinaryStringInfo(out, (char *)&value, 4);
}
static inline void wire_put_u64(StringInfo out, uint64_t value) {
  appendBinaryStringInfo(out, (char *)&value, 8);
}
static inline void wire_put_f64(StringInfo out, double value) {
  appendBinaryStringInfo(out, (char *)&value, 8);
}

/* `length` bytes of the database encoding, as a UTF-8 str. */
extern void wire_put_text(StringInfo out, const char *text, size_t length);
static inline void wire_put_cstring(StringInfo out, const char *text) {
  wire_put_text(out, text, strlen(text));
}

#endif /* LINUXSQL_WIRE_H */

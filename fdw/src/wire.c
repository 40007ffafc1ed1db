#include "src/wire.h"

#include "mb/pg_wchar.h"

const char *wire_take_bytes(struct wire_reader *reader, uint32_t *length) {
  const char *bytes;

  *length = wire_take_uint32_t(reader);
  bytes = reader->at;
  if (reader->bad || (size_t)(reader->end - bytes) < *length ||
      !pg_verify_mbstr(PG_UTF8, bytes, (int)*length, true)) {
    reader->bad = true;
    *length = 0;
    return "";
  }
  reader->at += *length;
  return bytes;
}

char *wire_take_text(struct wire_reader *reader) {
  uint32_t length;
  const char *bytes = wire_take_bytes(reader, &length);
  char *utf8 = pnstrdup(bytes, length);
  char *text = pg_any_to_server(utf8, (int)length, PG_UTF8);

  if (text != utf8) pfree(utf8);
  return text;
}

void wire_put_text(StringInfo out, const char *text, size_t length) {
  char *utf8 = pg_server_to_any(text, (int)length, PG_UTF8);
  size_t converted = utf8 == text ? length : strlen(utf8);

  wire_put_u32(out, (uint32_t)converted);
  appendBinaryStringInfo(out, utf8, (int)converted);
  if (utf8 != text) pfree(utf8);
}

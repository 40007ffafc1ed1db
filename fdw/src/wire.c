#include "src/wire.h"

#include "mb/pg_wchar.h"

char *wire_take_text(struct wire_reader *reader) {
  uint32_t length = wire_take_uint32_t(reader);
  char *utf8, *text;

  if (reader->bad || (size_t)(reader->end - reader->at) < length ||
      !pg_verify_mbstr(PG_UTF8, reader->at, (int)length, true)) {
    reader->bad = true;
    return pstrdup("");
  }
  utf8 = pnstrdup(reader->at, length);
  reader->at += length;
  text = pg_any_to_server(utf8, (int)length, PG_UTF8);
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

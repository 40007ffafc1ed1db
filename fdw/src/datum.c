/* Rows of DATA frames as Datums, in place (docs/protocol.md, "DATA"); declared in scan.h. */
#include "src/scan.h"

#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "src/compat.h"
#include "src/error.h"

static void bad_row(struct scan *scan, const char *what) {
  client_close(scan->client);
  error_protocol(scan->path, "a row of relation \"%s\" %s", scan->relation->name, what);
}

static void bad_value(struct scan *scan, int index, const char *what) {
  client_close(scan->client);
  error_protocol(scan->path, "%s.%s %s", scan->relation->name,
                 scan->relation->columns[scan->columns[index]].name, what);
}

/* Text of the database encoding other than UTF-8: a converted copy. */
static Datum convert_text(const char *utf8, uint32_t length) {
  char *copy = pnstrdup(utf8, length);
  char *converted = pg_any_to_server(copy, (int)length, PG_UTF8);

  return PointerGetDatum(cstring_to_text(converted));
}

/* Texts lie one after another, in the order of their slots: so no header overwrites another text. */
static Datum take_text(struct scan *scan, int index, uint64_t slot, uint32_t *free_from,
                       uint32_t row_length) {
  uint32_t offset = (uint32_t)slot, length = (uint32_t)(slot >> 32);
  char *header;

  if (offset % 4 != 0 || offset < *free_from || offset > row_length - 4 || length > row_length - 4 - offset)
    bad_value(scan, index, "lies outside its row or overlaps another value");
  *free_from = offset + 4 + length;
  header = scan->row + offset;
  if (!pg_verify_mbstr(PG_UTF8, header + 4, (int)length, true)) bad_value(scan, index, "is not UTF-8");
  if (unlikely(GetDatabaseEncoding() != PG_UTF8)) return convert_text(header + 4, length);
  SET_VARSIZE(header, length + VARHDRSZ);
  return PointerGetDatum(header);
}

static Datum take_value(struct scan *scan, int index, uint64_t slot, uint32_t *free_from,
                        uint32_t row_length) {
  switch (scan->relation->columns[scan->columns[index]].type) {
  case COLUMN_TYPE_INT8: return Int64GetDatum((int64_t)slot);
  case COLUMN_TYPE_FLOAT8: return (Datum)slot;
  case COLUMN_TYPE_TEXT: return take_text(scan, index, slot, free_from, row_length);
  case COLUMN_TYPE_INT4:
    if ((int64_t)slot != (int32_t)slot) bad_value(scan, index, "is out of range");
    return Int32GetDatum((int32_t)slot);
  case COLUMN_TYPE_BOOL:
    if (slot > 1) bad_value(scan, index, "is neither 0 nor 1");
    return BoolGetDatum(slot != 0);
  case COLUMN_TYPE_TIMESTAMPTZ:
    if (!IS_VALID_TIMESTAMP((int64_t)slot) && !TIMESTAMP_NOT_FINITE((int64_t)slot))
      bad_value(scan, index, "is out of range");
    return Int64GetDatum((int64_t)slot);
  }
  bad_value(scan, index, "is of an unknown type");
  return (Datum)0;
}

void scan_decode_row(struct scan *scan, Datum *values, bool *isnull) {
  size_t available = (size_t)(scan->batch_end - scan->row);
  uint32_t words = ((uint32_t)scan->ncolumns + 63) / 64;
  uint32_t fixed = 8 + (words + (uint32_t)scan->ncolumns) * 8, row_length, free_from = fixed;
  const uint64_t *nulls = (const uint64_t *)(scan->row + 8), *slots = nulls + words;

  if (available < fixed) bad_row(scan, "is cut short");
  row_length = *(const uint32_t *)scan->row;
  if (row_length % 8 != 0 || row_length < fixed || row_length > available)
    bad_row(scan, "has a wrong length");
  for (int i = 0; i < scan->ncolumns; i++) {
    int place = scan->places[i];

    if (nulls[i / 64] >> (i % 64) & 1) {
      if (unlikely(scan->never_null[i / 64] >> (i % 64) & 1)) bad_value(scan, i, "is null");
      values[place] = (Datum)0;
      isnull[place] = true;
    } else {
      values[place] = take_value(scan, i, slots[i], &free_from, row_length);
      isnull[place] = false;
    }
  }
  scan->row += row_length;
}

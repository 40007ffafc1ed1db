/* Values of quals, and the encoding of whole trees; declared in quals.h. */
#include "src/quals.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Nodes and IN values of one tree. */
struct encoder {
  StringInfo out;
  ExprContext *context;
  int nodes;
  bool too_big;
};

void qual_put_value(StringInfo out, Oid type, Datum value, bool isnull) {
  if (isnull) {
    wire_put_u8(out, VALUE_TAG_NULL);
    return;
  }
  switch (type) {
  case TEXTOID:
  case VARCHAROID: {
    text *string = DatumGetTextPP(value);

    wire_put_u8(out, VALUE_TAG_TEXT);
    wire_put_text(out, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
    return;
  }
  case FLOAT8OID:
    wire_put_u8(out, VALUE_TAG_FLOAT);
    wire_put_f64(out, DatumGetFloat8(value));
    return;
  case FLOAT4OID:
    wire_put_u8(out, VALUE_TAG_FLOAT);
    wire_put_f64(out, DatumGetFloat4(value));
    return;
  default: break;
  }
  wire_put_u8(out, VALUE_TAG_INT);
  switch (type) {
  case BOOLOID: wire_put_u64(out, DatumGetBool(value)); break;
  case INT2OID: wire_put_u64(out, (uint64_t)(int64_t)DatumGetInt16(value)); break;
  case INT4OID: wire_put_u64(out, (uint64_t)(int64_t)DatumGetInt32(value)); break;
  case INT8OID: wire_put_u64(out, (uint64_t)DatumGetInt64(value)); break;
  case TIMESTAMPTZOID: wire_put_u64(out, (uint64_t)DatumGetTimestampTz(value)); break;
  default: elog(ERROR, "unexpected type %u in a qual", type);
  }
}

char *qual_like_prefix(const char *pattern, size_t length, size_t *prefix_length, enum pattern_kind *kind) {
  char *prefix = palloc(length + 1);
  size_t used = 0, at = 0;

  *kind = PATTERN_EXACT;
  for (; at < length; at++) {
    char byte = pattern[at];

    if (byte == '%' || byte == '_') {
      *kind = byte == '%' && at + 1 == length ? PATTERN_PREFIX : PATTERN_OTHER;
      break;
    }
    if (byte == '\\') {
      if (++at == length) { /* the local check raises the error this is */
        *kind = PATTERN_OTHER;
        break;
      }
      byte = pattern[at];
    }
    prefix[used++] = byte;
  }
  prefix[used] = '\0';
  *prefix_length = used;
  return prefix;
}

static void put_node(struct encoder *to, enum qual_tag tag) {
  if (++to->nodes > WIRE_MAX_QUAL_NODES) to->too_big = true;
  wire_put_u8(to->out, (uint8_t)tag);
}

static void put_compare(struct encoder *to, const struct qual *qual, Datum value, bool isnull) {
  put_node(to, QUAL_TAG_COMPARE);
  wire_put_u8(to->out, (uint8_t)qual->operator);
  wire_put_u16(to->out, qual->column);
  qual_put_value(to->out, qual->value_type, value, isnull);
}

/* = ANY becomes IN; other operators one comparison per element. A null array or element is never true, so for
 * ALL it makes the whole never true, and for ANY it can be left out. */
static void put_array(struct encoder *to, const struct qual *qual, Datum array, bool isnull) {
  Datum *values;
  bool *nulls, byval, never = isnull, as_in = !qual->all && qual->operator== QUAL_OPERATOR_EQ;
  int count = 0, kept = 0;
  int16 width;
  char align;

  if (!isnull) {
    get_typlenbyvalalign(qual->value_type, &width, &byval, &align);
    deconstruct_array(DatumGetArrayTypeP(array), qual->value_type, width, byval, align, &values, &nulls,
                      &count);
  }
  for (int i = 0; i < count; i++) {
    if (nulls[i] && qual->all) never = true;
    if (!nulls[i]) kept++;
  }
  if (never) kept = 0;
  if (kept > WIRE_MAX_QUAL_NODES) {
    to->too_big = true;
    return;
  }
  if (kept == 0) {
    if (qual->all && !never)
      put_node(to, QUAL_TAG_TRUE);
    else
      put_compare(to, qual, (Datum)0, true);
    return;
  }
  if (as_in) {
    put_node(to, QUAL_TAG_IN);
    wire_put_u16(to->out, qual->column);
    to->nodes += kept;
  } else {
    put_node(to, qual->all ? QUAL_TAG_AND : QUAL_TAG_OR);
  }
  wire_put_u16(to->out, (uint16_t)kept);
  for (int i = 0; i < count; i++) {
    if (nulls[i]) continue;
    if (as_in)
      qual_put_value(to->out, qual->value_type, values[i], false);
    else
      put_compare(to, qual, values[i], false);
  }
}

static void put_prefix(struct encoder *to, const struct qual *qual, Datum value, bool isnull) {
  text *pattern = isnull ? NULL : DatumGetTextPP(value);
  enum pattern_kind kind = PATTERN_PREFIX;
  const char *prefix = isnull ? NULL : VARDATA_ANY(pattern);
  size_t length = isnull ? 0 : VARSIZE_ANY_EXHDR(pattern);

  if (isnull) {
    put_compare(to, qual, (Datum)0, true);
    return;
  }
  if (qual->pattern) prefix = qual_like_prefix(prefix, length, &length, &kind);
  put_node(to, kind == PATTERN_EXACT ? QUAL_TAG_COMPARE : QUAL_TAG_PREFIX);
  if (kind == PATTERN_EXACT) wire_put_u8(to->out, QUAL_OPERATOR_EQ);
  wire_put_u16(to->out, qual->column);
  wire_put_u8(to->out, VALUE_TAG_TEXT);
  wire_put_text(to->out, prefix, length);
}

static void encode(struct encoder *to, const struct qual *qual) {
  Datum value = (Datum)0;
  bool isnull = true;
  ListCell *cell;

  if (to->too_big) return;
  if (qual->state != NULL) value = ExecEvalExpr(qual->state, to->context, &isnull);
  switch (qual->tag) {
  case QUAL_TAG_TRUE: put_node(to, QUAL_TAG_TRUE); break;
  case QUAL_TAG_AND:
  case QUAL_TAG_OR:
    put_node(to, qual->tag);
    wire_put_u16(to->out, (uint16_t)list_length(qual->children));
    foreach (cell, qual->children) encode(to, lfirst(cell));
    break;
  case QUAL_TAG_COMPARE: put_compare(to, qual, value, isnull); break;
  case QUAL_TAG_IN: put_array(to, qual, value, isnull); break;
  case QUAL_TAG_PREFIX: put_prefix(to, qual, value, isnull); break;
  case QUAL_TAG_IS_NULL:
  case QUAL_TAG_IS_NOT_NULL:
    put_node(to, qual->tag);
    wire_put_u16(to->out, qual->column);
    break;
  }
}

void qual_prepare(struct qual *qual, PlanState *parent) {
  ListCell *cell;

  if (qual->value != NULL) qual->state = ExecInitExpr(qual->value, parent);
  foreach (cell, qual->children) qual_prepare(lfirst(cell), parent);
}

bool qual_encode(List *quals, ExprContext *context, StringInfo out) {
  struct encoder to = {out, context, 0, false};
  struct qual all = {.tag = list_length(quals) == 0 ? QUAL_TAG_TRUE : QUAL_TAG_AND, .children = quals};
  MemoryContext caller = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
  int start = out->len;

  encode(&to, list_length(quals) == 1 ? linitial(quals) : &all);
  MemoryContextSwitchTo(caller);
  if (!to.too_big && out->len - start <= WIRE_MAX_FRAME_BYTES - 65536) return true;
  out->len = start;
  wire_put_u8(out, QUAL_TAG_TRUE);
  return false;
}

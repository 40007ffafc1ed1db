/*
 * A recursive-descent JSON parser that builds a tree of values, over a document of nested records (about 200
 * KB); the tree is then folded into a checksum. scale: times the document is parsed.
 */
#include "text.h"
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENT = 256 << 10, RECORDS = 900, POOL = 64 << 10, STRINGS = 256 << 10, MAX_DEPTH = 64 };

enum value_kind { NOTHING, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

struct value {
  enum value_kind kind;
  double number;
  const char *key, *string;
  struct value *child, *next;
};

struct parser {
  const char *at;
  struct value *pool;
  uint32_t used;
  char *strings;
  size_t string_used;
  int depth;
};

static struct value *parse_value(struct parser *p);

static struct value *new_value(struct parser *p, enum value_kind kind) {
  struct value *value;
  if (p->used == POOL) workload_fail("too many values");
  value = &p->pool[p->used++];
  *value = (struct value){.kind = kind};
  return value;
}

static void skip_space(struct parser *p) {
  while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r') p->at++;
}

static void expect(struct parser *p, char c) {
  if (*p->at++ != c) workload_fail("JSON syntax");
}

static char unescape(struct parser *p) {
  unsigned code = 0;
  switch (*p->at++) {
  case 'n': return '\n';
  case 't': return '\t';
  case '"': return '"';
  case '\\': return '\\';
  case 'u':
    for (int i = 0; i < 4; i++, p->at++) {
      char c = *p->at;
      code = code << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return (char)code;
  default: workload_fail("JSON escape");
  }
}

static const char *parse_string(struct parser *p) {
  char *start = p->strings + p->string_used, *out = start;
  expect(p, '"');
  while (*p->at != '"') {
    char c = *p->at++;
    if (c == '\0' || p->string_used + 2 > STRINGS) workload_fail("JSON string");
    *out++ = c == '\\' ? unescape(p) : c;
    p->string_used++;
  }
  p->at++;
  *out = '\0';
  p->string_used++;
  return start;
}

static double parse_number(struct parser *p) {
  static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  bool negative = *p->at == '-';
  int64_t digits = 0;
  int places = 0;
  if (negative) p->at++;
  for (; *p->at >= '0' && *p->at <= '9'; p->at++) digits = digits * 10 + (*p->at - '0');
  if (*p->at == '.') {
    for (p->at++; *p->at >= '0' && *p->at <= '9' && places < 9; p->at++, places++)
      digits = digits * 10 + (*p->at - '0');
  }
  return (double)(negative ? -digits : digits) / powers[places];
}

static struct value *parse_members(struct parser *p, enum value_kind kind) {
  struct value *list = new_value(p, kind), **tail = &list->child;
  char end = kind == ARRAY ? ']' : '}';
  p->at++;
  if (++p->depth > MAX_DEPTH) workload_fail("JSON too deep");
  for (skip_space(p); *p->at != end; skip_space(p)) {
    const char *key = NULL;
    if (list->child != NULL) {
      expect(p, ',');
      skip_space(p);
    }
    if (kind == OBJECT) {
      key = parse_string(p);
      skip_space(p);
      expect(p, ':');
    }
    *tail = parse_value(p);
    (*tail)->key = key;
    tail = &(*tail)->next;
  }
  p->at++;
  p->depth--;
  return list;
}

static struct value *parse_word(struct parser *p, const char *word, enum value_kind kind) {
  size_t length = strlen(word);
  if (strncmp(p->at, word, length) != 0) workload_fail("JSON word");
  p->at += length;
  return new_value(p, kind);
}

static struct value *parse_value(struct parser *p) {
  struct value *value;
  skip_space(p);
  switch (*p->at) {
  case '{': return parse_members(p, OBJECT);
  case '[': return parse_members(p, ARRAY);
  case 't': return parse_word(p, "true", TRUE);
  case 'f': return parse_word(p, "false", FALSE);
  case 'n': return parse_word(p, "null", NOTHING);
  case '"':
    value = new_value(p, STRING);
    value->string = parse_string(p);
    return value;
  default:
    value = new_value(p, NUMBER);
    value->number = parse_number(p);
    return value;
  }
}

static uint64_t fold(uint64_t sum, const struct value *value) {
  sum = mix(sum, value->kind);
  for (const char *c = value->key; c != NULL && *c != '\0'; c++) sum = mix(sum, (uint8_t)*c);
  for (const char *c = value->string; c != NULL && *c != '\0'; c++) sum = mix(sum, (uint8_t)*c);
  if (value->kind == NUMBER) sum = mix(sum, (uint64_t)(int64_t)(value->number * 8));
  for (const struct value *child = value->child; child != NULL; child = child->next) sum = fold(sum, child);
  return sum;
}

static void write_document(char *out, size_t size) {
  uint64_t seed = 2026;
  size_t at = (size_t)snprintf(out, size, "{\"version\": 3, \"records\": [");
  for (int i = 0; i < RECORDS; i++) {
    uint64_t r = next_random(&seed);
    at += (size_t)snprintf(out + at, size - at,
                           "%s\n  {\"id\": %d, \"name\": \"%s %s\", \"active\": %s, \"load\": %d.%02d, "
                           "\"note\": \"line\\n\\\"%s\\\" "
                           "\\u0041\", \"tags\": [\"%s\", \"%s\", null], \"at\": {\"x\": -%u, \"y\": %u, "
                           "\"path\": [[1, 2], [3]]}}",
                           i == 0 ? "" : ",", i, text_word(r), text_word(r >> 8), r & 1 ? "true" : "false",
                           (int)(r >> 16 & 63), (int)(r >> 24 & 63), text_word(r >> 32), text_word(r >> 40),
                           text_word(r >> 48), (unsigned)(r >> 20 & 0xFFFF), (unsigned)(r >> 36 & 0xFFFFF));
    if (at + 400 > size) workload_fail("document too large");
  }
  snprintf(out + at, size - at, "\n]}\n");
}

uint64_t workload_json(uint32_t scale) {
  char *document = workload_alloc(DOCUMENT);
  struct value *pool = workload_alloc(POOL * sizeof *pool);
  char *strings = workload_alloc(STRINGS);
  uint64_t sum = MIX_START;
  write_document(document, DOCUMENT);
  for (uint32_t i = 0; i < scale; i++) {
    struct parser p = {.at = document, .pool = pool, .strings = strings};
    sum = mix(sum, fold(MIX_START, parse_value(&p)));
  }
  return sum;
}

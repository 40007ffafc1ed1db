/* Row estimates from SCHEMA answers; declared in catalog.h. */
#include "src/catalog.h"

#include <math.h>

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "src/client.h"
#include "src/option.h"

#define REFRESH_AFTER_MS 30000
#define MAX_RELATIONS    1024

struct estimates {
  struct estimates *next;
  char *path, *machine;
  TimestampTz asked;
  bool known;
  double rows[CATALOGUE_RELATION_COUNT];
};

static struct estimates *all_estimates;

static struct estimates *find(const char *path, const char *machine) {
  for (struct estimates *entry = all_estimates; entry != NULL; entry = entry->next)
    if (strcmp(entry->path, path) == 0 && strcmp(entry->machine, machine) == 0) return entry;
  return NULL;
}

double catalog_estimated_rows(const struct table_definition *table) {
  const char *machine = table->machine != NULL ? table->machine : option_machine;
  const char *path = table->socket != NULL ? table->socket : option_service_socket();

  for (struct estimates *entry = all_estimates; entry != NULL; entry = entry->next)
    if (entry->known && strcmp(entry->path, path) == 0 &&
        (machine[0] == '\0' || strcmp(entry->machine, machine) == 0))
      return entry->rows[table->relation_number];
  return table->relation->estimated_rows;
}

static void skip_columns(struct wire_reader *reader) {
  for (int left = wire_take_uint16_t(reader); left > 0 && !reader->bad; left--) {
    uint32_t length;

    (void)wire_take_bytes(reader, &length);
    (void)wire_take_uint8_t(reader);
    (void)wire_take_uint8_t(reader);
    (void)wire_take_bytes(reader, &length);
  }
}

static void skip_keys_and_orders(struct wire_reader *reader) {
  for (int left = wire_take_uint16_t(reader); left > 0 && !reader->bad; left--)
    for (int columns = wire_take_uint16_t(reader); columns > 0 && !reader->bad; columns--)
      (void)wire_take_uint16_t(reader);
  for (int left = wire_take_uint16_t(reader); left > 0 && !reader->bad; left--) {
    (void)wire_take_uint16_t(reader);
    (void)wire_take_uint8_t(reader);
  }
}

/* Number of the relation of these bytes, or -1. */
static int relation_number(const char *name, uint32_t length) {
  const struct catalogue_relation *relation;

  for (int i = 0; (relation = catalog_relation(i)) != NULL; i++)
    if (strlen(relation->name) == length && memcmp(relation->name, name, length) == 0) return i;
  return -1;
}

/* Takes a SCHEMA answer; an ERROR leaves the estimates as they are. */
static void schema_arrived(struct client *client, struct request *request, const struct frame *frame) {
  struct wire_reader reader = {frame->payload, frame->payload + frame->header.length, false};
  struct estimates *entry = request->opaque;
  int count;

  if (frame->header.type == FRAME_TYPE_ERROR) return;
  count = wire_take_uint16_t(&reader);
  if (count > MAX_RELATIONS) reader.bad = true;
  for (; count > 0 && !reader.bad; count--) {
    uint32_t length, skipped;
    const char *name = wire_take_bytes(&reader, &length);
    int number;
    double rows;

    (void)wire_take_bytes(&reader, &skipped);
    rows = wire_take_f64(&reader);
    skip_columns(&reader);
    skip_keys_and_orders(&reader);
    number = relation_number(name, length);
    if (!reader.bad && isfinite(rows) && number >= 0) entry->rows[number] = Min(Max(rows, 1), 1e12);
  }
  if (reader.bad || reader.at != reader.end || frame->header.type != FRAME_TYPE_SCHEMA)
    client_protocol_error(client, "a SCHEMA answer is malformed");
  entry->known = true;
}

void catalog_refresh_estimates(struct client *client, const char *machine) {
  struct estimates *entry = find(client->path, machine);
  TimestampTz now = GetCurrentTransactionStartTimestamp();
  struct request *request;
  StringInfoData payload;

  if (entry != NULL && !TimestampDifferenceExceeds(entry->asked, now, REFRESH_AFTER_MS)) return;
  if (entry == NULL) {
    entry = MemoryContextAllocZero(TopMemoryContext, sizeof *entry);
    entry->path = MemoryContextStrdup(TopMemoryContext, client->path);
    entry->machine = MemoryContextStrdup(TopMemoryContext, machine);
    for (int i = 0; i < CATALOGUE_RELATION_COUNT; i++) entry->rows[i] = catalog_relation(i)->estimated_rows;
    entry->next = all_estimates;
    all_estimates = entry;
  }
  entry->asked = now;
  initStringInfo(&payload);
  wire_put_cstring(&payload, machine);
  request = client_begin(client, REQUEST_BACKGROUND, FRAME_TYPE_SCHEMA, payload.data, (size_t)payload.len, 0);
  request->deliver = schema_arrived;
  request->opaque = entry;
  if (request->lost) client_end(request);
  pfree(payload.data);
}

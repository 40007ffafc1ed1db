#include "store/stream.h"

#include <poll.h>
#include <stdio.h>

enum { SYNC_EVERY = 8, WAITING_MAX = 24 };

static bool ignored(void *opaque, void *item, const PGresult *result) {
  (void)opaque, (void)item, (void)result;
  return true;
}

/* Send and receive until at most `most` statements are under way. */
static bool drain(struct link *link, uint32_t most) {
  int64_t since = session_now_ns();
  uint32_t before = link->count;
  while (link_pump(link)) {
    if (link->count <= most) return true;
    struct pollfd fd = {.fd = link_socket(link), .events = link_events(link)};
    if (link->count != before) since = session_now_ns();
    before = link->count;
    if (session_now_ns() - since > SESSION_CALL_MS * INT64_C(1000000)) {
      snprintf(link->error, sizeof link->error, "PostgreSQL does not answer");
      return false;
    }
    poll(&fd, 1, 250);
  }
  return false;
}

bool stream_begin(struct stream *stream, struct link *link) {
  *stream = (struct stream){.link = link};
  link->error[0] = link->sqlstate[0] = '\0';
  return link_start_pipeline(link);
}

bool stream_send(struct stream *stream, const char *statement, const struct link_values *values) {
  if (!link_send(stream->link, statement, values, ignored, NULL, NULL)) return false;
  if (++stream->unsynced >= SYNC_EVERY) {
    stream->unsynced = 0;
    if (!link_sync(stream->link)) return false;
  }
  return drain(stream->link, WAITING_MAX);
}

bool stream_put(struct stream *stream, uint32_t lo, uint64_t offset, const void *bytes, size_t size) {
  struct link_values values = {0};
  link_add_int4(&values, lo);
  link_add_int8(&values, offset);
  link_add_bytes(&values, bytes, size);
  return stream_send(stream, "put", &values);
}

bool stream_end(struct stream *stream, bool good, struct state_error *error) {
  struct link *link = stream->link;
  good = good && link_sync(link) && drain(link, 0) && PQexitPipelineMode(link->conn);
  if (good) return true;
  state_fail(error, link->sqlstate[0] ? link->sqlstate : "08006",
             link->error[0] ? link->error : "the checkpoint could not be written");
  link_close(link);
  return false;
}

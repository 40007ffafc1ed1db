#include "src/scan.h"

#include "src/error.h"
#include "src/option.h"

static const char service[] = "introspect";
static const char start_hint[] =
    "Start it with `linuxsql up`, or set linuxsql.introspect_command for the supervisor.";

static void send_open(struct scan *scan) {
  StringInfoData payload;
  uint64_t view = scan->view != NULL ? scan->view->id : 0;

  initStringInfo(&payload);
  wire_put_cstring(&payload, scan->machine);
  wire_put_cstring(&payload, scan->relation->name);
  wire_put_u64(&payload, view);
  wire_put_u32(&payload, WIRE_INITIAL_CREDIT);
  appendBinaryStringInfo(&payload, scan->request.data, scan->request.len);
  if (payload.len > WIRE_MAX_FRAME_BYTES)
    ereport(ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a scan's request is longer than 1 MiB")));
  scan->open = client_begin(scan->client, REQUEST_SCAN, FRAME_TYPE_OPEN, payload.data, (size_t)payload.len,
                            WIRE_INITIAL_CREDIT);
  pfree(payload.data);
  catalog_refresh_estimates(scan->client, scan->machine);
}

/* One attempt. False: the connection was lost before the view was there. */
static bool try_open(struct scan *scan) {
  if (scan->view != NULL && scan->view->incarnation != scan->client->incarnation) {
    if (scan->view->seen) error_lost(scan->path, service);
    view_release(scan->view);
    scan->view = NULL;
  }
  if (scan->view == NULL &&
      !(scan->private_view && !view_is_shared(scan->client, scan->machine, scan->statement))) {
    scan->view = view_acquire(scan->client, scan->machine, scan->statement);
    if (scan->view == NULL) return false;
  }
  send_open(scan);
  return true;
}

void scan_open(struct scan *scan) {
  for (int attempt = 0; scan->open == NULL; attempt++) {
    if (attempt == 3) error_lost(scan->path, service);
    scan->client = client_get(scan->path, service, start_hint, option_introspect_command[0] != '\0');
    (void)try_open(scan);
  }
}

static void drop_batch(struct scan *scan) {
  if (scan->batch != NULL) client_release(scan->client, scan->batch);
  scan->batch = NULL;
  scan->rows_left = 0;
}

void scan_stop(struct scan *scan, bool keep_view) {
  drop_batch(scan);
  if (scan->open != NULL) client_end(scan->open);
  scan->open = NULL;
  if (scan->view != NULL && !keep_view) {
    view_release(scan->view);
    scan->view = NULL;
  }
  scan->finished = false;
  scan->consumed = 0;
}

static void take_done(struct scan *scan, const struct frame *frame) {
  struct wire_reader reader = {frame->payload, frame->payload + frame->header.length, false};
  uint32_t flags;

  scan->statistics.rows_sent += wire_take_uint64_t(&reader);
  scan->statistics.rows_examined += wire_take_uint64_t(&reader);
  scan->statistics.elapsed_ns += wire_take_uint64_t(&reader);
  flags = wire_take_uint32_t(&reader);
  if (reader.bad || reader.at != reader.end) client_protocol_error(scan->client, "a DONE frame is malformed");
  scan->finished = true;
  if (scan->view != NULL) scan->view->seen = true;
  if (flags & 1)
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("relation \"%s\" is incomplete", scan->relation->name),
                      errdetail("A walk of the guest's memory met its bound.")));
}

static void take_batch(struct scan *scan, struct frame *frame) {
  struct wire_reader reader = {frame->payload, frame->payload + frame->header.length, false};

  scan->batch = frame;
  scan->rows_left = wire_take_uint32_t(&reader);
  if (wire_take_uint32_t(&reader) != 0 || reader.bad)
    client_protocol_error(scan->client, "a DATA frame's head is malformed");
  scan->row = frame->payload + 8;
  scan->batch_end = frame->payload + frame->header.length;
  if (scan->rows_left == 0 && scan->row != scan->batch_end)
    client_protocol_error(scan->client, "a DATA frame has bytes after its rows");
  if (++scan->consumed >= WIRE_INITIAL_CREDIT / 2) {
    client_grant(scan->open, scan->consumed);
    scan->consumed = 0;
  }
}

/* The connection was lost. A scan that returned no row yet may begin anew, if nothing else of the view was
 * seen. */
static void begin_anew(struct scan *scan, bool *retried) {
  if (*retried || scan->statistics.rows > 0 || (scan->view != NULL && scan->view->seen))
    error_lost(scan->path, service);
  *retried = true;
  scan_stop(scan, true);
  scan_open(scan);
}

static bool next_batch(struct scan *scan) {
  bool retried = false;

  drop_batch(scan);
  while (!scan->finished) {
    struct frame *frame = client_next(scan->open);

    if (frame == NULL) {
      begin_anew(scan, &retried);
      continue;
    }
    switch (frame->header.type) {
    case FRAME_TYPE_DATA: take_batch(scan, frame); return true;
    case FRAME_TYPE_DONE:
      scan->batch = frame; /* given back whatever happens */
      take_done(scan, frame);
      drop_batch(scan);
      break;
    case FRAME_TYPE_ERROR: client_raise(scan->client, frame);
    default:
      scan->batch = frame;
      client_protocol_error(scan->client, "a scan's answer is neither DATA nor DONE");
    }
  }
  return false;
}

void scan_settle(struct scan *scan) {
  struct frame *frame;

  if (scan->open == NULL || scan->finished || scan->rows_left > 0 || !client_poll(scan->open)) return;
  frame = scan->open->first;
  if (frame == NULL || frame->header.type != FRAME_TYPE_DONE) return;
  drop_batch(scan);
  scan->batch = client_next(scan->open);
  take_done(scan, scan->batch);
  drop_batch(scan);
}

bool scan_next(struct scan *scan, Datum *values, bool *isnull) {
  if (scan->open == NULL && !scan->finished) scan_open(scan);
  while (scan->rows_left == 0)
    if (!next_batch(scan)) return false;
  scan_decode_row(scan, values, isnull);
  if (--scan->rows_left == 0 && scan->row != scan->batch_end)
    client_protocol_error(scan->client, "a DATA frame has bytes after its rows");
  if (scan->statistics.rows++ == 0 && scan->view != NULL) scan->view->seen = true;
  return true;
}

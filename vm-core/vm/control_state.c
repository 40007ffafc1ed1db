/* Requests about the machine's whole state; one at a time for all clients, the others wait. */
#include <string.h>

#include "gen/wire.h"
#include "vm/control.h"
#include "vm/db.h"

bool work_begin(struct control *control, struct client *client, const struct pending *pending) {
  if (control->work_client >= 0 || !work_want(control->runner, (enum work_kind)pending->work, pending->name))
    return false;
  control->work_client = (int)(client - control->clients);
  control->work_request = pending->request;
  return true;
}

static void want(struct control *control, struct client *client, const struct request *request,
                 enum work_kind kind, const char *name) {
  if (config_past(control->config) && kind != WORK_HASH) {
    answer_error(client, request->id, "55000", "a replay of the past is neither saved nor restored", "");
    return;
  }
  struct pending *pending = wait_for(client, request, PENDING_WORK);
  if (!pending) return;
  pending->work = kind;
  memcpy(pending->name, name, strlen(name) + 1);
  if (work_begin(control, client, pending)) pending->kind = PENDING_NONE;
}

static void want_named(struct control *control, struct client *client, struct request *request,
                       enum work_kind kind) {
  char name[sizeof control->runner->work.name];
  uint32_t length;
  const char *text = get_str(&request->payload, &length);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed name of a checkpoint");
  } else if (length == 0 || length >= sizeof name || memchr(text, 0, length)) {
    answer_error(client, request->id, "22023", "a checkpoint's name has 1 to 127 bytes", "");
  } else {
    memcpy(name, text, length);
    name[length] = 0;
    want(control, client, request, kind, name);
  }
}

void request_checkpoint(struct control *control, struct client *client, struct request *request) {
  want_named(control, client, request, WORK_CHECKPOINT);
}

void request_restore(struct control *control, struct client *client, struct request *request) {
  want_named(control, client, request, WORK_RESTORE);
}

void request_hash(struct control *control, struct client *client, struct request *request) {
  want(control, client, request, WORK_HASH, "");
}

static void answer_checkpointed(struct client *client, uint64_t request, const struct work *work) {
  size_t frame = frame_begin(&client->out, FRAME_TYPE_VM_CHECKPOINTED, request);
  put_u64(&client->out, work->save.id);
  put_u64(&client->out, work->instret);
  put_u64(&client->out, work->time_ns);
  put_u64(&client->out, work->pause_ns);
  put_u64(&client->out, work->save.stored_bytes);
  put_f64(&client->out, (double)work->host_ns / 1e9);
  frame_end(&client->out, frame);
}

static void answer_hashed(struct client *client, uint64_t request, const struct work *work) {
  size_t frame = frame_begin(&client->out, FRAME_TYPE_VM_HASHED, request);
  put_u64(&client->out, work->boot);
  put_u64(&client->out, work->instret);
  put_u64(&client->out, work->time_ns);
  put_u64(&client->out, work->pc);
  put_str(&client->out, work->hash, strlen(work->hash));
  frame_end(&client->out, frame);
}

void answer_work(struct control *control) {
  struct work work;
  if (control->work_client < 0 || !work_done(control->runner, &work)) return;
  struct client *client = &control->clients[control->work_client];
  uint64_t request = control->work_request;
  control->work_client = -1;
  if (!work.good)
    answer_error(client, request, work.error.sqlstate, work.error.message, "");
  else if (work.kind == WORK_CHECKPOINT)
    answer_checkpointed(client, request, &work);
  else if (work.kind == WORK_RESTORE)
    answer_state(control, client, request);
  else
    answer_hashed(client, request, &work);
}

bool request_cancel_work(struct control *control, struct client *client, uint64_t request) {
  if (control->work_client != client - control->clients || control->work_request != request) return false;
  control->work_client = -1;
  work_abandon(control->runner);
  answer_error(client, request, "57014", "cancelled", "What had begun goes on by itself.");
  return true;
}

/* Readers look themselves whether it is there (docs/protocol.md, "View area"). */
void request_load(struct control *control, struct client *client, struct request *request) {
  uint64_t page = get_u64(&request->payload), count = get_u64(&request->payload);
  uint64_t pages = control->machine->ram.size / PAGE_SIZE;
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed range of pages");
  } else if (page >= pages || count == 0 || count > pages - page) {
    answer_error(client, request->id, "22023", "there are no such pages", "");
  } else {
    uint64_t first = page / GRANULE_PAGES, last = (page + count - 1) / GRANULE_PAGES;
    if (control->machine->db) db_ask(control->machine->db, first, last - first + 1);
    answer_done(client, request->id);
  }
}

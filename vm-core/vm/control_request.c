#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gen/telemetry.h"
#include "gen/wire.h"
#include "vm/control.h"
#include "vm/db.h"

static void put_text(struct buffer *buffer, const char *text) { put_str(buffer, text, strlen(text)); }

void answer_error(struct client *client, uint64_t request, const char *sqlstate, const char *message,
                  const char *hint) {
  size_t frame = frame_begin(&client->out, FRAME_TYPE_ERROR, request);
  buffer_put(&client->out, sqlstate, 5);
  put_text(&client->out, message);
  put_text(&client->out, "");
  put_text(&client->out, hint);
  frame_end(&client->out, frame);
}

void answer_protocol_error(struct client *client, uint64_t request, const char *message) {
  answer_error(client, request, "08P01", message, "");
  client->closing = true;
}

void answer_done(struct client *client, uint64_t request) {
  size_t frame = frame_begin(&client->out, FRAME_TYPE_DONE, request);
  for (unsigned i = 0; i < 3; i++) put_u64(&client->out, 0);
  put_u32(&client->out, 0);
  frame_end(&client->out, frame);
}

static enum machine_state machine_state(struct control *control) {
  static const enum machine_state states[] = {[MODE_PAUSED] = MACHINE_STATE_PAUSED,
                                              [MODE_RUNNING] = MACHINE_STATE_RUNNING,
                                              [MODE_STEPPING] = MACHINE_STATE_STEPPING,
                                              [MODE_POWEROFF] = MACHINE_STATE_POWEROFF};
  if (atomic_load(&control->runner->store_waiting)) return MACHINE_STATE_WAITING;
  return states[runner_mode(control->runner)];
}

void answer_state(struct control *control, struct client *client, uint64_t request) {
  struct hart_snapshot snapshot;
  telemetry_snapshot(control->machine->telemetry, &snapshot);
  struct buffer *out = &client->out;
  size_t frame = frame_begin(out, FRAME_TYPE_VM_STATE, request);
  put_u32(out, machine_state(control));
  put_u32(out, (uint32_t)snapshot.stop_reason);
  put_u64(out, snapshot.instret);
  put_u64(out, snapshot.pc);
  put_u64(out, snapshot.time_ns);
  put_u64(out, snapshot.host_run_ns);
  put_u64(out, control->machine->ram.size);
  put_u64(out, snapshot.hz);
  put_u64(out, telemetry_generation(control->machine->telemetry));
  put_text(out, control->machine->name);
  frame_end(out, frame);
}

void answer_step(struct control *control, struct client *client, const struct pending *step) {
  struct step_result result;
  runner_steps_done(control->runner, &result);
  struct buffer *out = &client->out;
  size_t frame = frame_begin(out, FRAME_TYPE_VM_STEPPED, step->request);
  put_text(out, result.stopped_by);
  put_u8(out, result.met);
  put_u64(out, result.instret);
  put_u64(out, result.executed);
  put_u64(out, result.pc);
  put_u64(out, result.time_ns);
  put_f64(out, result.host_seconds);
  frame_end(out, frame);
}

void answer_views(struct control *control) {
  struct view *view;
  while ((view = view_ready(&control->views))) {
    const struct view_cut *cut = view_cut(&control->views, view);
    struct buffer *out = &control->clients[view->client].out;
    size_t frame = frame_begin(out, FRAME_TYPE_VM_VIEW, view->request);
    put_u64(out, view->id);
    put_u64(out, cut->hart.instret);
    put_u64(out, cut->hart.time_ns);
    put_u64(out, cut->generation);
    buffer_put(out, &cut->hart, sizeof cut->hart);
    put_u64(out, cut->epoch);
    put_u32(out, view_place(&control->views, view));
    put_u32(out, RING_COUNT);
    buffer_put(out, cut->rings, sizeof cut->rings);
    put_u32(out, COUNTER_COUNT);
    buffer_put(out, cut->counters, sizeof cut->counters);
    frame_end(out, frame);
  }
}

void request_hello(struct control *control, struct client *client, struct request *request) {
  (void)control;
  struct reader *payload = &request->payload;
  uint32_t magic = get_u32(payload), size;
  uint16_t oldest = get_u16(payload), newest = get_u16(payload);
  get_str(payload, &size);
  if (request->type != FRAME_TYPE_HELLO || magic != WIRE_HELLO_MAGIC || !reader_done(payload)) {
    answer_protocol_error(client, request->id, "the first frame must be HELLO");
    return;
  }
  if (oldest > WIRE_VERSION || newest < WIRE_VERSION) {
    answer_protocol_error(client, request->id, "this daemon speaks protocol version 1 only");
    return;
  }
  client->greeted = true;
  size_t frame = frame_begin(&client->out, FRAME_TYPE_WELCOME, request->id);
  put_u16(&client->out, WIRE_VERSION);
  put_text(&client->out, WIRE_SCHEMA_HASH);
  put_text(&client->out, "linuxsql-vm");
  put_u32(&client->out, (uint32_t)getpid());
  frame_end(&client->out, frame);
}

struct pending *wait_for(struct client *client, const struct request *request, enum pending_kind kind) {
  for (unsigned i = 0; i < PENDING_MAX; i++) {
    struct pending *pending = &client->pending[i];
    if (pending->kind != PENDING_NONE) continue;
    *pending = (struct pending){.kind = kind, .request = request->id};
    return pending;
  }
  answer_error(client, request->id, "54000", "too many requests wait on this connection", "");
  return NULL;
}

static void on_pause(struct control *control, struct client *client, struct request *request) {
  if (wait_for(client, request, PENDING_PAUSE)) runner_pause(control->runner);
}

static void on_run(struct control *control, struct client *client, struct request *request) {
  runner_run(control->runner);
  answer_state(control, client, request->id);
}

static void on_stop(struct control *control, struct client *client, struct request *request) {
  uint32_t mode = get_u32(&request->payload);
  if (!reader_done(&request->payload) || mode > 1) {
    answer_protocol_error(client, request->id, "malformed VM_STOP");
  } else if (mode == 1) {
    answer_state(control, client, request->id);
    client_send(control, client);
    control_abandon(control);
  } else if (wait_for(client, request, PENDING_STOP)) {
    runner_quit(control->runner, "stopped on request", true);
  }
}

void step_begin(struct control *control, struct client *client, struct pending *pending) {
  struct step_result ignored;
  pending->serial = runner_steps_done(control->runner, &ignored);
  switch (runner_step(control->runner, &pending->step, pending->max_insns)) {
  case STEP_STARTED: pending->kind = PENDING_STEP; break;
  case STEP_ENDING: break;
  case STEP_BUSY:
    pending->kind = PENDING_NONE;
    answer_error(client, pending->request, "55006", "another step is running on this machine", "");
    break;
  }
}

/* past: means the boot that is replayed. */
static bool place_in_past(struct control *control, struct client *client, const struct request *request,
                          struct step *step) {
  uint64_t end;
  if (!step->past) return true;
  if (!control->machine->db || !db_past(control->machine->db, &step->boot, &end)) {
    answer_error(client, request->id, "22023", "only a replay goes to an instant of the past", "");
    return false;
  }
  if (step->number < end) return true;
  answer_error(client, request->id, "55000", "the instant is not one of the history that is replayed", "");
  return false;
}

static void on_step(struct control *control, struct client *client, struct request *request) {
  struct step step;
  char error[320];
  uint32_t length;
  const char *word = get_str(&request->payload, &length);
  uint64_t max_insns = get_u64(&request->payload);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed VM_STEP");
    return;
  }
  if (!step_parse(&step, word, length, error, sizeof error)) {
    answer_error(client, request->id, "22023", error,
                 "Conditions are init:proc, pc:0x…, ecall:N, fault:load|store|instruction, console:TEXT, "
                 "instret:N, idle; from SQL also sym:NAME, proc:NAME, syscall:NAME.");
    return;
  }
  if (!place_in_past(control, client, request, &step)) return;
  struct pending *pending = wait_for(client, request, PENDING_STEP_START);
  if (!pending) return;
  pending->step = step;
  pending->max_insns = max_insns;
  step_begin(control, client, pending);
}

static void on_console_write(struct control *control, struct client *client, struct request *request) {
  uint32_t size;
  const char *bytes = get_str(&request->payload, &size);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed VM_CONSOLE_WRITE");
  } else if (size > input_room(control->input)) {
    telemetry_count(control->machine->telemetry, COUNTER_CONSOLE_LOST_INPUT_BYTES, size);
    answer_error(client, request->id, "54000", "the console input queue is full",
                 "The guest is not reading its console; let it run.");
  } else {
    input_put(control->input, bytes, size);
    runner_wake(control->runner);
    answer_done(client, request->id);
  }
}

static void on_console_attach(struct control *control, struct client *client, struct request *request) {
  uint64_t from = get_u64(&request->payload);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed VM_CONSOLE_ATTACH");
    return;
  }
  if (client->attached) {
    answer_error(client, request->id, "55006", "this connection is attached to the console already", "");
    return;
  }
  const struct telemetry *telemetry = control->machine->telemetry;
  client->attached = true;
  client->attach_request = request->id;
  client->attach_from = from == UINT64_MAX ? 0 : from;
  client->attach_next =
      from == UINT64_MAX ? telemetry_console_committed(telemetry) : telemetry_console_oldest(telemetry);
  atomic_store(&control->console->wanted, true);
}

static void on_map(struct control *control, struct client *client, struct request *request) {
  if (client->pass_at >= 0) {
    answer_error(client, request->id, "55006", "the answer to an earlier VM_MAP is still on its way", "");
    return;
  }
  client->pass_at = (int64_t)buffer_size(&client->out);
  size_t frame = frame_begin(&client->out, FRAME_TYPE_VM_MAPPED, request->id);
  put_u64(&client->out, control->machine->phys.ram_base);
  put_u64(&client->out, control->machine->ram.size);
  put_u64(&client->out, control->machine->telemetry->size);
  put_u64(&client->out, control->machine->preimages.size);
  frame_end(&client->out, frame);
}

static void on_view_open(struct control *control, struct client *client, struct request *request) {
  if (!view_want(&control->views, (unsigned)(client - control->clients), request->id))
    answer_error(client, request->id, "54000", "too many views of this machine are open", "");
  else
    answer_views(control);
}

static void on_view_close(struct control *control, struct client *client, struct request *request) {
  uint64_t id = get_u64(&request->payload);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed VM_VIEW_CLOSE");
    return;
  }
  struct view *view = view_find(&control->views, (unsigned)(client - control->clients), id);
  if (!view) {
    answer_error(client, request->id, "42704", "there is no such view", "");
    return;
  }
  switch (view_close(&control->views, view)) {
  case VIEW_ENDED: answer_done(client, request->id); break;
  case VIEW_TOO_OLD:
    answer_error(client, request->id, "55000", "the view was closed because it was open for too long",
                 "Raise --view-timeout of linuxsql-vm.");
    break;
  case VIEW_LOST:
    answer_error(client, request->id, "55000",
                 "the view was lost: the guest changed more memory than is kept",
                 "Raise --view-pool of linuxsql-vm, or end statements sooner.");
    break;
  }
}

static void on_log_sync(struct control *control, struct client *client, struct request *request) {
  struct db *db = control->machine->db;
  if (db && db_log_is_held(db)) {
    answer_error(client, request->id, "55006", "an open transaction holds the machine's input log back",
                 "Look at the past when it has ended.");
    return;
  }
  struct pending *pending = wait_for(client, request, PENDING_LOG);
  if (pending) pending->serial = db ? db_inputs(db) : 0;
}

static void on_cancel(struct control *control, struct client *client, struct request *request) {
  if (client->attached && client->attach_request == request->id) {
    client->attached = false;
    answer_done(client, request->id);
    return;
  }
  if (request_cancel_work(control, client, request->id)) return;
  struct view *view = view_wanted(&control->views, (unsigned)(client - control->clients), request->id);
  if (view) {
    view_close(&control->views, view);
    answer_error(client, request->id, "57014", "cancelled", "");
    return;
  }
  for (unsigned i = 0; i < PENDING_MAX; i++) {
    struct pending *pending = &client->pending[i];
    if (pending->kind == PENDING_NONE || pending->request != request->id) continue;
    if (pending->kind == PENDING_STEP) {
      runner_cancel_step(control->runner);
    } else {
      pending->kind = PENDING_NONE;
      answer_error(client, request->id, "57014", "cancelled", "");
    }
    return;
  }
}

static void on_forward(struct control *control, struct client *client, struct request *request) {
  request_forward(control, client, request, request->type == FRAME_TYPE_VM_FORWARD_REMOVE);
}

static void on_ping(struct control *control, struct client *client, struct request *request) {
  (void)control;
  frame_end(&client->out, frame_begin(&client->out, FRAME_TYPE_PONG, request->id));
}

static void on_status(struct control *control, struct client *client, struct request *request) {
  answer_state(control, client, request->id);
}

void request_handle(struct control *control, struct client *client, struct request *request) {
  static const struct {
    void (*handle)(struct control *, struct client *, struct request *);
    bool empty; /* the payload must be */
  } handlers[] = {
      [FRAME_TYPE_PING] = {on_ping, true},
      [FRAME_TYPE_CANCEL] = {on_cancel, true},
      [FRAME_TYPE_VM_STATUS] = {on_status, true},
      [FRAME_TYPE_VM_RUN] = {on_run, true},
      [FRAME_TYPE_VM_PAUSE] = {on_pause, true},
      [FRAME_TYPE_VM_STEP] = {on_step, false},
      [FRAME_TYPE_VM_STOP] = {on_stop, false},
      [FRAME_TYPE_VM_CONSOLE_WRITE] = {on_console_write, false},
      [FRAME_TYPE_VM_CONSOLE_ATTACH] = {on_console_attach, false},
      [FRAME_TYPE_VM_MAP] = {on_map, true},
      [FRAME_TYPE_VM_VIEW_OPEN] = {on_view_open, true},
      [FRAME_TYPE_VM_VIEW_CLOSE] = {on_view_close, false},
      [FRAME_TYPE_VM_CHECKPOINT] = {request_checkpoint, false},
      [FRAME_TYPE_VM_RESTORE] = {request_restore, false},
      [FRAME_TYPE_VM_HASH] = {request_hash, true},
      [FRAME_TYPE_VM_BEGIN] = {request_begin, true},
      [FRAME_TYPE_VM_COMMIT] = {request_commit, true},
      [FRAME_TYPE_VM_ROLLBACK] = {request_rollback, true},
      [FRAME_TYPE_VM_FORWARD] = {on_forward, false},
      [FRAME_TYPE_VM_FORWARD_REMOVE] = {on_forward, false},
      [FRAME_TYPE_VM_LOAD] = {request_load, false},
      [FRAME_TYPE_VM_LOG_SYNC] = {on_log_sync, true},
  };
  bool known = request->type < sizeof handlers / sizeof *handlers && handlers[request->type].handle;
  if (!known || (handlers[request->type].empty && request->payload.left))
    answer_protocol_error(client, request->id, known ? "this request has no payload" : "unknown request");
  else if (!transaction_refuses(control, client, request))
    handlers[request->type].handle(control, client, request);
}

/* Transactions of clients: one at a time, its beginning and end done by the hart when the work slot is free.
 */
#include "gen/wire.h"
#include "vm/control.h"

static bool is_owner(const struct control *control, const struct client *client) {
  return control->transaction != TRANSACTION_NONE && control->transaction_client == client - control->clients;
}

bool transaction_settling(const struct control *control) {
  return control->transaction == TRANSACTION_COMMITTING || control->transaction == TRANSACTION_ROLLING_BACK;
}

/* Requests that change the machine, or its daemon. */
static bool changes(unsigned type) {
  switch (type) {
  case FRAME_TYPE_VM_RUN:
  case FRAME_TYPE_VM_PAUSE:
  case FRAME_TYPE_VM_STEP:
  case FRAME_TYPE_VM_CONSOLE_WRITE:
  case FRAME_TYPE_VM_STOP:
  case FRAME_TYPE_VM_CHECKPOINT:
  case FRAME_TYPE_VM_RESTORE: return true;
  default: return false;
  }
}

/* What a transaction cannot undo, its own client may not do either. To end the daemon at once always goes. */
bool transaction_refuses(struct control *control, struct client *client, const struct request *request) {
  bool lasting = request->type == FRAME_TYPE_VM_STOP || request->type == FRAME_TYPE_VM_CHECKPOINT ||
                 request->type == FRAME_TYPE_VM_RESTORE;
  bool force =
      request->type == FRAME_TYPE_VM_STOP && request->payload.left == 4 && request->payload.at[0] == 1;
  if (control->transaction == TRANSACTION_NONE || !changes(request->type) || force) return false;
  if (is_owner(control, client) && !lasting) return false;
  answer_error(client, request->id, "55006", "the machine is in a transaction",
               "Only the session that changed it there may change it until that ends.");
  return true;
}

void request_begin(struct control *control, struct client *client, struct request *request) {
  if (control->transaction != TRANSACTION_NONE) {
    answer_error(client, request->id, "55006", "the machine is in a transaction", "Wait until that ends.");
    return;
  }
  control->transaction = TRANSACTION_BEGINNING;
  control->transaction_client = (int)(client - control->clients);
  control->transaction_request = request->id;
  transaction_step(control);
}

static void end(struct control *control, struct client *client, struct request *request,
                enum transaction_phase phase) {
  if (!is_owner(control, client) || control->transaction != TRANSACTION_OPEN) {
    answer_error(client, request->id, "25P01", "this connection has no transaction open", "");
    return;
  }
  control->transaction = phase;
  control->transaction_request = request->id;
  transaction_step(control);
}

void request_commit(struct control *control, struct client *client, struct request *request) {
  end(control, client, request, TRANSACTION_COMMITTING);
}

void request_rollback(struct control *control, struct client *client, struct request *request) {
  end(control, client, request, TRANSACTION_ROLLING_BACK);
}

static void answer(struct control *control, const struct work *work) {
  if (control->transaction_client < 0) return;
  struct client *client = &control->clients[control->transaction_client];
  if (work->good)
    answer_done(client, control->transaction_request);
  else
    answer_error(client, control->transaction_request, work->error.sqlstate, work->error.message, "");
}

/* The work that belongs to the phase has been done. */
static void ended(struct control *control, const struct work *work) {
  answer(control, work);
  bool open = work->kind == WORK_BEGIN ? work->good : work->kind == WORK_COMMIT && !work->good;
  control->transaction = open ? TRANSACTION_OPEN : TRANSACTION_NONE;
  if (open && control->transaction_client < 0) control->transaction = TRANSACTION_ROLLING_BACK;
  if (!open) control->transaction_client = -1;
}

void transaction_step(struct control *control) {
  static const enum work_kind kinds[] = {[TRANSACTION_BEGINNING] = WORK_BEGIN,
                                         [TRANSACTION_COMMITTING] = WORK_COMMIT,
                                         [TRANSACTION_ROLLING_BACK] = WORK_ROLLBACK};
  struct work work;
  if (control->transaction_working) {
    if (!work_done(control->runner, &work)) return;
    control->transaction_working = false;
    ended(control, &work);
  }
  if (control->transaction == TRANSACTION_NONE || control->transaction == TRANSACTION_OPEN) return;
  control->transaction_working = work_want(control->runner, kinds[control->transaction], "");
}

void transaction_leave(struct control *control, struct client *client) {
  if (!is_owner(control, client)) return;
  control->transaction_client = -1;
  if (control->transaction == TRANSACTION_OPEN) control->transaction = TRANSACTION_ROLLING_BACK;
  if (control->transaction == TRANSACTION_BEGINNING && !control->transaction_working)
    control->transaction = TRANSACTION_NONE;
  transaction_step(control);
}

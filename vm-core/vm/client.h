/* One connection to the control socket: its buffers and what it waits for. Control thread. */
#ifndef VM_CLIENT_H
#define VM_CLIENT_H

#include "vm/frame.h"
#include "vm/step.h"

struct control;

enum {
  CLIENTS_MAX = 64,
  PENDING_MAX = 16,
  CLIENT_OUT_HIGH = 256 << 10, /* bytes unsent: no more requests are read, no console output added */
};

/* PENDING_STEP_START: the step before it was cancelled and has not ended yet. PENDING_WORK: some other work
 * on the whole state (vm/work.h) is under way. */
enum pending_kind {
  PENDING_NONE,
  PENDING_PAUSE,
  PENDING_STOP,
  PENDING_STEP,
  PENDING_STEP_START,
  PENDING_WORK,
  PENDING_FORWARD,
  PENDING_LOG,
};

struct pending {
  enum pending_kind kind;
  uint64_t request;
  uint64_t
      serial; /* steps finished when it was begun; a forward's id with the helper; inputs to be committed */
  uint64_t max_insns;
  struct step step;
  unsigned work;  /* enum work_kind */
  char name[128]; /* of a checkpoint */
};

struct client {
  int fd;                /* -1: slot free */
  bool greeted, closing; /* closing: no more input, close once the output is sent */
  struct buffer in, out;
  /* Descriptors that travel with the byte `pass_at` of the output stream still unsent; -1: none. */
  int64_t pass_at;
  bool attached; /* streams console output as answers to attach_request */
  uint64_t attach_request, attach_next, attach_from;
  struct pending pending[PENDING_MAX];
};

/* A new connection. */
void client_open(struct client *client, int fd);
/* Forget the client: its step is cancelled, its views are closed. */
void client_close(struct control *control, struct client *client);

/* The socket is readable: take bytes in. false: the connection is over. */
bool client_receive(struct client *client);
/* Send what can be sent. false: the connection is over. */
bool client_send(struct control *control, struct client *client);

/* Waits for what nobody tells of: look again soon. */
bool client_is_polling(const struct client *client);

/* Handle requests received as far as their answers find room, and answer what has come true: pauses, stops,
 * steps, console output. True when a request was handled. */
bool client_settle(struct control *control, struct client *client);

/* True when requests may be read: not closing, output not piled up. */
bool client_wants_input(const struct client *client);

/* control_request.c: handle one frame from a client that has greeted. */
struct request {
  unsigned type;
  uint64_t id;
  struct reader payload;
};
void request_handle(struct control *control, struct client *client, struct request *request);
void request_hello(struct control *control, struct client *client, struct request *request);
/* control_state.c */
void request_checkpoint(struct control *control, struct client *client, struct request *request);
void request_restore(struct control *control, struct client *client, struct request *request);
void request_load(struct control *control, struct client *client, struct request *request);
void request_hash(struct control *control, struct client *client, struct request *request);
void request_begin(struct control *control, struct client *client, struct request *request);
void request_commit(struct control *control, struct client *client, struct request *request);
void request_rollback(struct control *control, struct client *client, struct request *request);
/* Begin the work that waits in `pending`, if there is no other. */
bool work_begin(struct control *control, struct client *client, const struct pending *pending);
/* Go on with the transaction, as far as the hart lets it. */
void transaction_step(struct control *control);
/* The client is gone; a transaction of its is rolled back. */
void transaction_leave(struct control *control, struct client *client);
/* Whether the machine is between two states, and nobody may ask anything. */
bool transaction_settling(const struct control *control);
/* Whether another client's transaction forbids this client to change the machine; answered then. */
bool transaction_refuses(struct control *control, struct client *client, const struct request *request);
/* The client's request for work on the whole state, if it is this one, was cancelled; false: it is not. */
bool request_cancel_work(struct control *control, struct client *client, uint64_t request);

/* Answers. An error ends its request; a protocol error also ends the connection. */
void answer_error(struct client *client, uint64_t request, const char *sqlstate, const char *message,
                  const char *hint);
void answer_protocol_error(struct client *client, uint64_t request, const char *message);
void answer_done(struct client *client, uint64_t request);
void answer_state(struct control *control, struct client *client, uint64_t request);
void answer_step(struct control *control, struct client *client, const struct pending *step);
/* Remember what the request waits for. NULL: too many wait already, and that was answered. */
struct pending *wait_for(struct client *client, const struct request *request, enum pending_kind kind);
void answer_views(struct control *control);
void answer_work(struct control *control);
/* control_network.c: take what the network's helper has sent, frames and answers; its end is an answer too.
 */
void serve_network(struct control *control);
void request_forward(struct control *control, struct client *client, struct request *request, bool remove);
/* Begin the step that waits in `pending`, now or later; answers when it cannot be. */
void step_begin(struct control *control, struct client *client, struct pending *pending);

#endif

/* One connection of this backend to a peer (introspect or linuxsql-vm), and the requests on it.
 *
 * Every wait is a wait event set with the latch, so cancel, timeout and terminate act at once whatever the
 * peer does. Nothing of a half-read or half-written frame lies on the stack: an error may unwind anywhere,
 * and the next call goes on in the middle of the frame. Requests left behind are cancelled, and their answers
 * dropped as they come; a peer that sends more than it was granted is cut off (08P01). A lost connection is
 * not an error here: requests turn `lost`, and their owner decides. */
#ifndef LINUXSQL_CLIENT_H
#define LINUXSQL_CLIENT_H

#include "postgres.h"

#include "lib/ilist.h"
#include "storage/latch.h"
#include "src/wire.h"

/* A frame, payload 8-aligned so that rows can become Datums in place. */
struct frame {
  struct frame *next;
  uint32_t capacity;
  uint32_t unused;
  struct frame_header header;
  char payload[FLEXIBLE_ARRAY_MEMBER];
};
StaticAssertDecl(offsetof(struct frame, payload) % 8 == 0, "rows lie at multiples of 8");

enum request_kind {
  REQUEST_SCAN,       /* DATA... until DONE or ERROR */
  REQUEST_CALL,       /* one frame answers */
  REQUEST_VIEW_OPEN,  /* one frame answers; left behind, it would hold a machine: the connection is closed
                         instead */
  REQUEST_BACKGROUND, /* one frame answers; nobody waits: `deliver` takes it */
};

#define CLIENT_STAGE_BYTES 65536

struct client;
struct request {
  struct request *next;
  struct client *client;
  uint64_t id;
  enum request_kind kind;
  bool lost;       /* the connection ended before the answer */
  bool ended;      /* the last frame of the answer has arrived */
  bool abandoned;  /* nobody wants the answer any more */
  bool streams;    /* rows have come: the answer is of several frames, at the peer's pace */
  uint32_t credit; /* DATA frames the peer may still send */
  struct frame *first, **last;
  void (*deliver)(struct client *client, struct request *request, const struct frame *frame);
  void *opaque;
};

struct client {
  dlist_node node;
  MemoryContext context;
  char *path;
  const char *who; /* "introspect", "linuxsql-vm": for messages */
  pgsocket socket; /* PGINVALID_SOCKET when closed */
  bool reserved;   /* counted by AcquireExternalFD */
  bool lasting;    /* of client_open, but kept until the whole transaction ends */
  WaitEventSet *waits;
  bool waits_for_write;
  uint16 sleeps;        /* waits that still have to be slept before one is spent looking */
  uint16 back_off;      /* what sleeps becomes when looking was in vain */
  uint64_t incarnation; /* differs after every (re)connection */
  uint64_t last_request;
  StringInfoData out; /* bytes not yet sent start at out.cursor */
  char *stage;        /* received, not yet parsed: [stage_from, stage_until) */
  uint32_t stage_from, stage_until;
  struct frame *partial; /* frame whose payload is arriving */
  uint32_t partial_have;
  struct frame *spare;
  int nspare;
  struct request *requests;
  int pins; /* views that live on it */
};

/* The cached connection to `path`, opened and greeted if need be (08001 when that fails within the timeout).
 * `patient`: absence is waited for too, within the same timeout. */
extern struct client *client_get(const char *path, const char *who, const char *hint, bool patient);
/* A connection of the caller's own; client_discard it. Not kept beyond the transaction. `hint` NULL: NULL,
 * not 08001. */
extern struct client *client_open(const char *path, const char *who, const char *hint, int timeout_ms,
                                  bool patient);
extern void client_discard(struct client *client);
static inline bool client_is_open(const struct client *client) { return client->socket != PGINVALID_SOCKET; }

/* Before new work on a connection: answers nobody wants any more are drained for a moment; if they do not
 * end, and nothing else lives on the connection, it is closed. */
extern void client_drain(struct client *client);

/* Starts a request: appends header and payload to the output and sends what the socket takes; never waits. */
extern struct request *client_begin(struct client *client, enum request_kind kind, uint8_t type,
                                    const char *payload, size_t length, uint32_t credit);
/* Next frame of the answer; NULL when the connection was lost. Waits, interruptible. Free it with
 * client_release. */
extern struct frame *client_next(struct request *request);
extern void client_release(struct client *client, struct frame *frame);
/* Grants `frames` more DATA frames. Never waits, raises nothing. */
extern void client_grant(struct request *request, uint32_t frames);
/* Ends a request; if it is still going on it is cancelled. Never waits, raises nothing. */
extern void client_end(struct request *request);
/* A request whose answer nobody awaits (VIEW_CLOSE). Never waits, raises nothing. */
extern void client_post(struct client *client, uint8_t type, const char *payload, size_t length);
/* Closes; its requests turn lost. */
extern void client_close(struct client *client);
/* Closes, then raises 08P01. */
_Noreturn extern void client_protocol_error(struct client *client, const char *message);

/* The answer to a request of one frame; `payload` is palloc'd. */
struct answer {
  uint8_t type; /* 0: the connection was lost */
  size_t length;
  char *payload;
};
/* Copies a frame's payload and gives the frame back. */
extern struct answer client_take(struct client *client, struct frame *frame);
/* One request of `kind` and its answer; waits, interruptible. An ERROR frame is raised. */
extern struct answer client_ask(struct client *client, enum request_kind kind, uint8_t type,
                                const char *payload, size_t length);
/* The same, where any answer but one of type `expected` is an error: 08006 or 08P01. */
extern struct answer client_call(struct client *client, uint8_t type, const char *payload, size_t length,
                                 uint8_t expected);
/* Raises an ERROR frame, after giving it back. */
_Noreturn extern void client_raise(struct client *client, struct frame *frame);

/* At the end of a transaction, or of a subtransaction: closes connections of client_open that are left. */
extern void client_end_of_transaction(bool whole);

/* Reads what is there; true when the request has a frame or is lost. Does not wait. */
extern bool client_poll(struct request *request);

/* Used by connect.c: a bounded wait for the socket or the latch. False when the time is up. */
extern bool client_wait(struct client *client, bool for_write, int timeout_ms);
/* Sends what the socket takes now. False: connection lost (and closed). */
extern bool client_flush(struct client *client);

#endif /* LINUXSQL_CLIENT_H */

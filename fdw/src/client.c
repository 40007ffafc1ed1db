#include "src/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/s_lock.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/error.h"

#define STAGE_BYTES       CLIENT_STAGE_BYTES
#define DRAIN_MS          20
#define SPARE_FRAMES      6
#define SOON_US           200
#define BESIDE_BYTES      4096 /* staged of what follows a frame: small answers whole, and a head */
#define MOST_SLEEPS       1023
#define SPARE_FRAME_BYTES 131072

void client_close(struct client *client) {
  struct request **link = &client->requests;

  if (client->waits != NULL) FreeWaitEventSet(client->waits);
  client->waits = NULL;
  if (client->socket != PGINVALID_SOCKET) close(client->socket);
  client->socket = PGINVALID_SOCKET;
  if (client->reserved) ReleaseExternalFD();
  client->reserved = false;
  resetStringInfo(&client->out);
  client->stage_from = client->stage_until = 0;
  if (client->partial != NULL) client_release(client, client->partial);
  client->partial = NULL;
  while (*link != NULL) {
    struct request *request = *link;

    if (!request->ended) request->lost = true;
    if (request->abandoned) {
      *link = request->next;
      pfree(request);
    } else {
      link = &request->next;
    }
  }
}

void client_protocol_error(struct client *client, const char *message) {
  client_close(client);
  error_protocol(client->path, "%s", message);
}

static struct frame *frame_make(struct client *client, uint32_t length) {
  struct frame *frame = client->spare;
  uint32_t capacity = Max(length, 4096);

  if (frame != NULL && frame->capacity >= length) {
    client->spare = frame->next;
    client->nspare--;
  } else {
    if (capacity > 4096 && capacity < SPARE_FRAME_BYTES) capacity = SPARE_FRAME_BYTES;
    frame = MemoryContextAlloc(client->context, offsetof(struct frame, payload) + capacity);
    frame->capacity = capacity;
  }
  frame->next = NULL;
  return frame;
}

void client_release(struct client *client, struct frame *frame) {
  if (client->nspare >= SPARE_FRAMES || frame->capacity != SPARE_FRAME_BYTES) {
    pfree(frame);
    return;
  }
  frame->next = client->spare;
  client->spare = frame;
  client->nspare++;
}

bool client_flush(struct client *client) {
  while (client->socket != PGINVALID_SOCKET && client->out.cursor < client->out.len) {
    ssize_t sent = send(client->socket, client->out.data + client->out.cursor,
                        (size_t)(client->out.len - client->out.cursor), MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent >= 0) {
      client->out.cursor += (int)sent;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno != EINTR) {
      client_close(client);
      return false;
    }
  }
  resetStringInfo(&client->out);
  return client->socket != PGINVALID_SOCKET;
}

static void put_frame(struct client *client, uint8_t type, uint64_t id, const char *payload, size_t length) {
  struct frame_header header = {.length = (uint32_t)length, .type = type, .request = id};

  appendBinaryStringInfo(&client->out, (char *)&header, sizeof header);
  if (length > 0) appendBinaryStringInfo(&client->out, payload, (int)length);
}

struct request *client_begin(struct client *client, enum request_kind kind, uint8_t type, const char *payload,
                             size_t length, uint32_t credit) {
  struct request *request = MemoryContextAllocZero(client->context, sizeof *request);

  request->client = client;
  request->id = ++client->last_request;
  request->kind = kind;
  request->credit = credit;
  request->last = &request->first;
  request->next = client->requests;
  client->requests = request;
  if (client->socket == PGINVALID_SOCKET) {
    request->lost = true;
    return request;
  }
  put_frame(client, type, request->id, payload, length);
  client_flush(client);
  return request;
}

static void request_forget(struct request *request) {
  struct request **link = &request->client->requests;

  while (*link != request) link = &(*link)->next;
  *link = request->next;
  pfree(request);
}

void client_post(struct client *client, uint8_t type, const char *payload, size_t length) {
  struct request *request = client_begin(client, REQUEST_CALL, type, payload, length, 0);

  if (client->out.len > 0 && client_is_open(client))
    client_close(client); /* it does not read: let go of it */
  request->abandoned = true;
  if (request->lost) request_forget(request);
}

void client_grant(struct request *request, uint32_t frames) {
  if (request->lost || request->ended) return;
  request->credit += frames;
  put_frame(request->client, FRAME_TYPE_CREDIT, request->id, (char *)&frames, sizeof frames);
  client_flush(request->client);
}

void client_end(struct request *request) {
  struct client *client = request->client;

  while (request->first != NULL) {
    struct frame *frame = request->first;

    request->first = frame->next;
    client_release(client, frame);
  }
  request->last = &request->first;
  if (request->ended || request->lost) {
    request_forget(request);
    return;
  }
  request->abandoned = true; /* client_close frees it */
  if (request->kind == REQUEST_VIEW_OPEN) {
    client_close(client);
    return;
  }
  put_frame(client, FRAME_TYPE_CANCEL, request->id, NULL, 0);
  if (client_flush(client) && client->out.len > 0) client_close(client);
}

static bool is_last_frame(const struct request *request, uint8_t type) {
  if (type == FRAME_TYPE_NOTICE) return false;
  return request->kind != REQUEST_SCAN || type != FRAME_TYPE_DATA;
}

/* Hands a whole frame to its request. Raises 08P01 for what nobody asked for. */
static void deliver(struct client *client, struct frame *frame) {
  uint8_t type = frame->header.type;
  struct request *request = client->requests;

  while (request != NULL && request->id != frame->header.request) request = request->next;
  if (request == NULL || request->ended) {
    bool optional = (frame->header.flags & 1) != 0;

    client_release(client, frame);
    if (optional) return;
    client_protocol_error(client, "a frame answers no open request");
  }
  if (type == FRAME_TYPE_DATA && (request->kind != REQUEST_SCAN || request->credit-- == 0)) {
    client_release(client, frame);
    if (!request->abandoned) client_protocol_error(client, "a DATA frame was not granted");
    client_close(client); /* whoever else uses it begins anew */
    return;
  }
  if (type == FRAME_TYPE_DATA) request->streams = true;
  request->ended = is_last_frame(request, type);
  if (request->abandoned || type == FRAME_TYPE_NOTICE) {
    client_release(client, frame);
    if (request->ended) request_forget(request);
  } else if (request->deliver != NULL) {
    request->deliver(client, request, frame);
    client_release(client, frame);
    if (request->ended) request_forget(request);
  } else {
    *request->last = frame;
    request->last = &frame->next;
  }
}

/* Turns staged bytes into frames until more are needed: then nothing is staged, or no frame has begun. */
static void parse_stage(struct client *client) {
  for (;;) {
    uint32_t staged = client->stage_until - client->stage_from;
    struct frame *frame = client->partial;
    uint32_t take;

    if (frame == NULL) {
      struct frame_header header;

      if (staged < sizeof header) return;
      memcpy(&header, client->stage + client->stage_from, sizeof header);
      if (header.length > WIRE_MAX_FRAME_BYTES) client_protocol_error(client, "a frame is longer than 1 MiB");
      if (header.stream != 0) client_protocol_error(client, "a frame's stream is not 0");
      frame = frame_make(client, header.length);
      client->stage_from += sizeof header;
      staged -= sizeof header;
      frame->header = header;
      client->partial = frame;
      client->partial_have = 0;
    }
    take = Min(staged, frame->header.length - client->partial_have);
    memcpy(frame->payload + client->partial_have, client->stage + client->stage_from, take);
    client->stage_from += take;
    client->partial_have += take;
    if (client->partial_have < frame->header.length) return;
    client->partial = NULL;
    deliver(client, frame);
    if (client->socket == PGINVALID_SOCKET) return;
  }
}

/* One recvmsg: what is missing of a frame goes straight to its place, only what follows is staged. */
static ssize_t receive_bytes(struct client *client) {
  struct frame *frame = client->partial;
  struct iovec parts[2];
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1};
  ssize_t got;
  uint32_t placed = 0;

  if (frame != NULL) {
    placed = frame->header.length - client->partial_have;
    parts[0] = (struct iovec){frame->payload + client->partial_have, placed};
    message.msg_iovlen = 2;
  }
  parts[message.msg_iovlen - 1] = (struct iovec){
      client->stage + client->stage_until, frame != NULL ? BESIDE_BYTES : STAGE_BYTES - client->stage_until};
  got = recvmsg(client->socket, &message, MSG_DONTWAIT);
  if (got > 0) {
    placed = Min(placed, (uint32_t)got);
    client->partial_have += placed;
    client->stage_until += (uint32_t)got - placed;
  }
  return got;
}

/* Takes what has arrived. False when there is nothing now. A lost connection is closed. */
static bool receive(struct client *client) {
  ssize_t got;

  if (client->stage_from == client->stage_until) client->stage_from = client->stage_until = 0;
  if (client->stage_from > 0) {
    memmove(client->stage, client->stage + client->stage_from, client->stage_until - client->stage_from);
    client->stage_until -= client->stage_from;
    client->stage_from = 0;
  }
  got = receive_bytes(client);
  if (got > 0) {
    parse_stage(client);
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (got < 0 && errno == EINTR) return true;
  client_close(client);
  return true;
}

bool client_wait(struct client *client, bool for_write, int timeout_ms) {
  WaitEvent event;

  if (client->waits == NULL) {
    client->waits = compat_create_wait_event_set(3);
    AddWaitEventToSet(client->waits, WL_SOCKET_READABLE, client->socket, NULL, NULL);
    AddWaitEventToSet(client->waits, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
    AddWaitEventToSet(client->waits, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
    client->waits_for_write = false;
  }
  if (client->waits_for_write != for_write) {
    ModifyWaitEvent(client->waits, 0, WL_SOCKET_READABLE | (for_write ? WL_SOCKET_WRITEABLE : 0), NULL);
    client->waits_for_write = for_write;
  }
  if (WaitEventSetWait(client->waits, timeout_ms, &event, 1, compat_wait_event("LinuxsqlPeer")) == 0)
    return false;
  if (event.events & WL_LATCH_SET) ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  return true;
}

bool client_poll(struct request *request) {
  struct client *client = request->client;

  if (client->out.len > 0) client_flush(client);
  while (request->first == NULL && !request->lost && receive(client)) CHECK_FOR_INTERRUPTS();
  return request->first != NULL || request->lost;
}

/* Is an answer still arriving that nobody wants, and none that somebody wants? */
static bool only_leftovers(const struct client *client) {
  bool leftover = false;

  if (client->pins > 0) return false;
  for (const struct request *request = client->requests; request != NULL; request = request->next) {
    if (!request->abandoned && request->kind != REQUEST_BACKGROUND && !request->ended) return false;
    if (request->abandoned && request->kind == REQUEST_SCAN) leftover = true;
  }
  return leftover;
}

void client_drain(struct client *client) {
  TimestampTz deadline = 0;

  while (client_is_open(client) && only_leftovers(client)) {
    long left;

    if (deadline == 0) deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DRAIN_MS);
    if (client->out.len > 0 && !client_flush(client)) return;
    left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
    if (left <= 0)
      client_close(client);
    else if (!receive(client))
      (void)client_wait(client, client->out.len > 0, left);
  }
}

static int64 microseconds_since(instr_time start) {
  instr_time now;

  INSTR_TIME_SET_CURRENT(now);
  INSTR_TIME_SUBTRACT(now, start);
  return (int64)INSTR_TIME_GET_MICROSEC(now);
}

/* Looks for bytes a moment without sleeping: to fall asleep and be woken costs more than most one-row answers
 * take to make. */
static bool receive_soon(struct client *client) {
  instr_time start;

  INSTR_TIME_SET_CURRENT(start);
  do {
    SPIN_DELAY();
    if (receive(client)) return true;
  } while (microseconds_since(start) < SOON_US);
  return false;
}

/* Waits for bytes, or room for what is to be sent. Looking is tried where the last answers came soon, and
 * ever more rarely where it was in vain: the peer is slow, or needs this very processor. Never between the
 * frames of one answer: there it would last as long as the peer takes to make them. */
static void await_answer(struct client *client, const struct request *request) {
  instr_time start;

  if (request->streams) {
    (void)client_wait(client, client->out.len > 0, -1);
    return;
  }
  if (client->sleeps == 0 && client->out.len == 0) {
    if (receive_soon(client)) {
      client->back_off /= 2;
      return;
    }
    client->sleeps = client->back_off = Min(client->back_off * 2 + 1, MOST_SLEEPS);
  }
  INSTR_TIME_SET_CURRENT(start);
  (void)client_wait(client, client->out.len > 0, -1);
  if (client->sleeps > 0 && microseconds_since(start) < 2 * SOON_US) client->sleeps--;
}

struct frame *client_next(struct request *request) {
  struct client *client = request->client;

  for (;;) {
    struct frame *frame = request->first;

    if (frame != NULL) {
      request->first = frame->next;
      if (frame->next == NULL) request->last = &request->first;
      return frame;
    }
    if (request->lost) return NULL;
    if (request->ended) client_protocol_error(client, "a request ended without an answer");
    CHECK_FOR_INTERRUPTS();
    if (client->out.len > 0 && !client_flush(client)) continue;
    if (!receive(client)) await_answer(client, request);
  }
}

struct answer client_take(struct client *client, struct frame *frame) {
  struct answer answer = {frame->header.type, frame->header.length, palloc(frame->header.length + 1)};

  memcpy(answer.payload, frame->payload, answer.length);
  client_release(client, frame);
  return answer;
}

void client_raise(struct client *client, struct frame *frame) {
  struct answer answer = client_take(client, frame);

  error_from_peer(client->path, answer.payload, answer.length);
}

struct answer client_ask(struct client *client, enum request_kind kind, uint8_t type, const char *payload,
                         size_t length) {
  struct request *request = client_begin(client, kind, type, payload, length, 0);
  struct frame *volatile frame = NULL;

  PG_TRY();
  { frame = client_next(request); }
  PG_FINALLY();
  { client_end(request); }
  PG_END_TRY();
  if (frame == NULL) return (struct answer){0, 0, NULL};
  if (frame->header.type == FRAME_TYPE_ERROR) client_raise(client, frame);
  return client_take(client, frame);
}

struct answer client_call(struct client *client, uint8_t type, const char *payload, size_t length,
                          uint8_t expected) {
  struct answer answer = client_ask(client, REQUEST_CALL, type, payload, length);

  if (answer.type == 0) error_lost(client->path, client->who);
  if (answer.type != expected) client_protocol_error(client, "an answer is of another kind than its request");
  return answer;
}

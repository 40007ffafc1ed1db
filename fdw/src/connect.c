#include "src/client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/error.h"
#include "src/option.h"

/* Connections of this backend: those that stay, and those of client_open that live for one call. */
static dlist_head cached = DLIST_STATIC_INIT(cached);
static dlist_head passing = DLIST_STATIC_INIT(passing);

struct attempt {
  const char *hint; /* NULL: failure is no error */
  TimestampTz deadline;
  bool patient;
  bool same_catalogue; /* the peer must be built from our schema/ */
};

static int remaining_ms(const struct attempt *attempt) {
  return (int)TimestampDifferenceMilliseconds(GetCurrentTimestamp(), attempt->deadline);
}

static struct client *client_make(const char *path, const char *who, dlist_head *list) {
  MemoryContext context =
      AllocSetContextCreate(TopMemoryContext, "linuxsql connection", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  struct client *client = palloc0(sizeof *client);

  client->context = context;
  client->path = pstrdup(path);
  client->who = who;
  client->socket = PGINVALID_SOCKET;
  client->stage = palloc(CLIENT_STAGE_BYTES);
  initStringInfo(&client->out);
  client->sleeps = 1;
  dlist_push_tail(list, &client->node);
  MemoryContextSwitchTo(caller);
  return client;
}

void client_discard(struct client *client) {
  client_close(client);
  dlist_delete(&client->node);
  MemoryContextDelete(client->context);
}

void client_end_of_transaction(bool whole) {
  dlist_mutable_iter iter;

  dlist_foreach_modify(iter, &passing) {
    struct client *client = dlist_container(struct client, node, iter.cur);

    if (whole || !client->lasting) client_discard(client);
  }
}

/* Sleeps a little on the latch, interruptible. */
static void nap(int milliseconds) {
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                  compat_wait_event("LinuxsqlConnect"));
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

/* A connected socket, or -1 with errno. Non-blocking from the start. */
static int try_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd, failure;

  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  failure = errno;
  close(fd);
  errno = failure;
  return -1;
}

/* Raises 08001, or returns false if the caller wants to know. */
static bool fail(struct client *client, const struct attempt *attempt, const char *reason) {
  client_close(client);
  if (attempt->hint != NULL) error_unavailable(client->path, client->who, reason, attempt->hint);
  return false;
}

static bool connect_socket(struct client *client, const struct attempt *attempt) {
  if (!AcquireExternalFD())
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                    errmsg("no file descriptor left for \"%s\"", client->path)));
  client->reserved = true;
  for (;;) {
    int fd = try_connect(client->path), failure = errno;
    bool absent = failure == ENOENT || failure == ECONNREFUSED;

    if (fd >= 0) {
      client->socket = fd;
      return true;
    }
    if (!(failure == EAGAIN || failure == EINTR || (absent && attempt->patient)) ||
        remaining_ms(attempt) <= 0)
      return fail(client, attempt, failure == EAGAIN ? "not accepting" : strerror(failure));
    nap(absent ? 20 : 1);
  }
}

static void take_welcome(struct client *client, struct answer answer, bool same_catalogue) {
  struct wire_reader reader = {answer.payload, answer.payload + answer.length, false};
  uint16_t version = wire_take_uint16_t(&reader);
  char *hash = wire_take_text(&reader);

  (void)wire_take_text(&reader);
  (void)wire_take_uint32_t(&reader);
  if (reader.bad || reader.at != reader.end || answer.type != FRAME_TYPE_WELCOME)
    client_protocol_error(client, "the first answer is no WELCOME");
  if (version != WIRE_VERSION) client_protocol_error(client, "the peer speaks another protocol version");
  if (same_catalogue && strcmp(hash, WIRE_SCHEMA_HASH) != 0) {
    client_close(client);
    ereport(ERROR, (errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
                    errmsg("%s and the extension were built from different catalogues", client->who),
                    errdetail("Socket \"%s\": its hash is \"%s\", the extension's \"%s\".", client->path,
                              hash, WIRE_SCHEMA_HASH),
                    errhint("Build and install both from one checkout.")));
  }
}

static bool greet(struct client *client, const struct attempt *attempt) {
  StringInfoData hello;
  struct request *request;
  struct frame *frame;

  initStringInfo(&hello);
  wire_put_u32(&hello, WIRE_HELLO_MAGIC);
  wire_put_u16(&hello, WIRE_VERSION);
  wire_put_u16(&hello, WIRE_VERSION);
  wire_put_cstring(&hello, "linuxsql extension");
  request = client_begin(client, REQUEST_CALL, FRAME_TYPE_HELLO, hello.data, (size_t)hello.len, 0);
  while (!client_poll(request)) {
    int left = remaining_ms(attempt);

    if (left <= 0 || !client_wait(client, client->out.len > 0, left)) {
      client_end(request);
      return fail(client, attempt, "no greeting within the time limit");
    }
  }
  if (request->first == NULL) {
    client_end(request);
    return fail(client, attempt, "closed while greeting");
  }
  frame = client_next(request);
  client_end(request);
  if (frame->header.type == FRAME_TYPE_ERROR) client_raise(client, frame);
  take_welcome(client, client_take(client, frame), attempt->same_catalogue);
  return true;
}

static bool client_connect(struct client *client, const struct attempt *attempt) {
  static uint64_t incarnations;
  volatile bool connected = false;

  PG_TRY();
  {
    client->incarnation = ++incarnations;
    connected = connect_socket(client, attempt) && greet(client, attempt);
  }
  PG_CATCH();
  {
    client_close(client);
    PG_RE_THROW();
  }
  PG_END_TRY();
  return connected;
}

struct client *client_get(const char *path, const char *who, const char *hint, bool patient) {
  struct attempt attempt = {hint, 0, patient, true};
  struct client *client = NULL;
  dlist_iter iter;

  dlist_foreach(iter, &cached) {
    struct client *candidate = dlist_container(struct client, node, iter.cur);

    if (strcmp(candidate->path, path) == 0) client = candidate;
  }
  if (client == NULL) client = client_make(path, who, &cached);
  client_drain(client);
  if (client_is_open(client)) return client;
  attempt.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), option_connect_timeout);
  (void)client_connect(client, &attempt);
  return client;
}

struct client *client_open(const char *path, const char *who, const char *hint, int timeout_ms,
                           bool patient) {
  struct attempt attempt = {hint, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms), patient,
                            false};
  struct client *client = client_make(path, who, &passing);

  if (client_connect(client, &attempt)) return client;
  client_discard(client);
  return NULL;
}

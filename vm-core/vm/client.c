#include "vm/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gen/telemetry.h"
#include "gen/wire.h"
#include "vm/control.h"
#include "vm/db.h"

enum { RECEIVE_CHUNK = 16 << 10, CONSOLE_FRAME_BYTES = 32 << 10 };

void client_open(struct client *client, int fd) {
  memset(client, 0, sizeof *client);
  client->fd = fd;
  client->pass_at = -1;
}

void client_close(struct control *control, struct client *client) {
  struct step_result ignored;
  for (unsigned i = 0; i < PENDING_MAX; i++) {
    const struct pending *pending = &client->pending[i];
    bool running =
        pending->kind == PENDING_STEP && runner_steps_done(control->runner, &ignored) == pending->serial;
    if (running) runner_cancel_step(control->runner);
  }
  transaction_leave(control, client);
  if (control->work_client == client - control->clients) {
    control->work_client = -1;
    work_abandon(control->runner);
  }
  views_close_client(&control->views, (unsigned)(client - control->clients));
  if (config_past(control->config) && client->greeted)
    runner_quit(control->runner, "nobody looks at this past any more", true);
  close(client->fd);
  client->fd = -1;
  buffer_free(&client->in);
  buffer_free(&client->out);
}

bool client_wants_input(const struct client *client) {
  return !client->closing && buffer_size(&client->out) < CLIENT_OUT_HIGH;
}

/* One whole frame at the front of the input, handled. false: there is none yet. */
static bool take_frame(struct control *control, struct client *client) {
  struct frame_header header;
  if (buffer_size(&client->in) < sizeof header) return false;
  memcpy(&header, client->in.bytes + client->in.start, sizeof header);
  if (header.length > WIRE_MAX_FRAME_BYTES || header.stream != 0) {
    answer_protocol_error(client, header.request, "the frame is too long or names a stream");
    return false;
  }
  if (buffer_size(&client->in) - sizeof header < header.length) return false;
  struct request request = {header.type,
                            header.request,
                            {client->in.bytes + client->in.start + sizeof header, header.length, false}};
  if (!client->greeted)
    request_hello(control, client, &request);
  else
    request_handle(control, client, &request);
  buffer_drop(&client->in, sizeof header + header.length);
  return true;
}

bool client_receive(struct client *client) {
  uint8_t *room = buffer_room(&client->in, RECEIVE_CHUNK);
  if (!room) return false;
  ssize_t n = recv(client->fd, room, RECEIVE_CHUNK, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  client->in.end += (size_t)n;
  return true;
}

/* Send the bytes before the descriptors, or from them on together with them. */
static ssize_t send_some(struct control *control, struct client *client) {
  size_t size = buffer_size(&client->out);
  if (client->pass_at > 0) size = (size_t)client->pass_at;
  struct iovec bytes = {client->out.bytes + client->out.start, size};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(3 * sizeof(int))];
  } ancillary = {0};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (client->pass_at == 0) {
    int fds[3] = {control->machine->ram.fd, control->machine->telemetry->fd, control->machine->preimages.fd};
    message.msg_control = &ancillary;
    message.msg_controllen = sizeof ancillary.space;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, sizeof fds);
  }
  return sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool client_send(struct control *control, struct client *client) {
  while (buffer_size(&client->out)) {
    ssize_t n = send_some(control, client);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (client->pass_at == 0)
      client->pass_at = -1;
    else if (client->pass_at > 0)
      client->pass_at -= n;
    buffer_drop(&client->out, (size_t)n);
  }
  return !client->closing && !client->out.failed;
}

static void put_console(struct client *client, uint64_t instret, const uint8_t *bytes, size_t size) {
  if (size == 0) return;
  size_t frame = frame_begin(&client->out, FRAME_TYPE_VM_CONSOLE, client->attach_request);
  put_u64(&client->out, instret);
  put_str(&client->out, bytes, size);
  frame_end(&client->out, frame);
}

static void put_lost(struct client *client) {
  static const char text[] = "console output was lost: the reader is too slow";
  size_t frame = frame_begin(&client->out, FRAME_TYPE_NOTICE, client->attach_request);
  put_str(&client->out, text, sizeof text - 1);
  frame_end(&client->out, frame);
}

/* Console records since the last call, several to a frame. */
static void stream_console(struct control *control, struct client *client) {
  const struct telemetry *telemetry = control->machine->telemetry;
  uint8_t bytes[CONSOLE_FRAME_BYTES];
  size_t size = 0;
  uint64_t instret = 0;
  bool lost = false;
  while (client->attach_next < telemetry_console_committed(telemetry) &&
         buffer_size(&client->out) < CLIENT_OUT_HIGH) {
    struct console_record record;
    if (!telemetry_console_read(telemetry, client->attach_next, &record)) {
      uint64_t oldest = telemetry_console_oldest(telemetry);
      client->attach_next = oldest > client->attach_next ? oldest : client->attach_next + 1;
      lost = true;
      continue;
    }
    client->attach_next++;
    if (record.instret < client->attach_from) continue;
    client->attach_from = 0; /* a reboot counts from zero again */
    if (size + record.length > sizeof bytes) {
      put_console(client, instret, bytes, size);
      size = 0;
    }
    memcpy(bytes + size, record.bytes, record.length);
    size += record.length;
    instret = record.instret;
  }
  if (lost) put_lost(client);
  put_console(client, instret, bytes, size);
}

static bool settled(struct control *control, struct client *client, struct pending *pending) {
  switch (pending->kind) {
  case PENDING_STEP: {
    struct step_result ignored;
    if (runner_steps_done(control->runner, &ignored) == pending->serial) return false;
    answer_step(control, client, pending);
    return true;
  }
  case PENDING_STEP_START: step_begin(control, client, pending); return false;
  case PENDING_WORK: return work_begin(control, client, pending);
  case PENDING_PAUSE:
  case PENDING_STOP:
    if (!runner_parked(control->runner)) return false;
    answer_state(control, client, pending->request);
    return true;
  case PENDING_LOG:
    if (control->machine->db && !db_inputs_kept(control->machine->db, pending->serial)) return false;
    answer_done(client, pending->request);
    return true;
  default: return false;
  }
}

bool client_is_polling(const struct client *client) {
  for (unsigned i = 0; client->fd >= 0 && i < PENDING_MAX; i++)
    if (client->pending[i].kind == PENDING_LOG) return true;
  return false;
}

bool client_settle(struct control *control, struct client *client) {
  bool handled = false;
  while (!transaction_settling(control) && client_wants_input(client) && take_frame(control, client))
    handled = true;
  for (unsigned i = 0; i < PENDING_MAX; i++)
    if (settled(control, client, &client->pending[i])) client->pending[i].kind = PENDING_NONE;
  if (client->attached) stream_console(control, client);
  return handled;
}

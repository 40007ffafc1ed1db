#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gen/wire.h"
#include "vm/control.h"

enum { FRAMES_AT_ONCE = 64 };

static const char gone[] = "the machine's network helper has ended";

static void answer_result(struct client *client, uint64_t request, int error) {
  char message[128];
  switch (error) {
  case 0:
  case ENOENT: answer_done(client, request); break; /* what is not forwarded needs no removing */
  case EADDRINUSE:
    answer_error(client, request, "55006", "the address and port are in use on the host",
                 "Choose another port.");
    break;
  case EACCES:
    answer_error(client, request, "42501", "the host does not let the daemon listen on this port",
                 "Ports below 1024 need a privilege.");
    break;
  case EADDRNOTAVAIL:
    answer_error(client, request, "22023", "the host has no such address",
                 "Give an address of the host, or 0.0.0.0 for all of them.");
    break;
  case EPIPE:
    answer_error(client, request, "58000", gone, "Start the machine again to have a network.");
    break;
  default:
    snprintf(message, sizeof message, "the port cannot be forwarded: %s", strerror(error));
    answer_error(client, request, "58000", message, "");
  }
}

/* id 0: every request that waits. */
static void settle(struct control *control, uint64_t id, int error) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &control->clients[i];
    for (unsigned j = 0; client->fd >= 0 && j < PENDING_MAX; j++) {
      struct pending *pending = &client->pending[j];
      if (pending->kind != PENDING_FORWARD || (id && pending->serial != id)) continue;
      pending->kind = PENDING_NONE;
      answer_result(client, pending->request, error);
    }
  }
}

void serve_network(struct control *control) {
  struct network *network = control->machine->network;
  struct net_answer answer;
  uint8_t frame[NET_FRAME_MAX + 1];
  size_t size = 1;
  unsigned frames = 0;
  for (; frames < FRAMES_AT_ONCE && size; frames++) {
    size = network_receive(network, frame);
    if (size) input_put_frame(control->input, frame, size);
  }
  if (frames > 1) runner_wake(control->runner);
  while (network_answer(network, &answer))
    if (answer.id) settle(control, answer.id, answer.error);
  if (!network->ended) return;
  settle(control, 0, EPIPE);
  fprintf(stderr, "linuxsql-vm: %s; the guest is offline\n", gone);
}

void request_forward(struct control *control, struct client *client, struct request *request, bool remove) {
  struct network *network = control->machine->network;
  struct net_forward forward;
  uint32_t length;
  const char *text = get_str(&request->payload, &length);
  if (!reader_done(&request->payload)) {
    answer_protocol_error(client, request->id, "malformed VM_FORWARD");
  } else if (!forward_parse(&forward, text, length)) {
    answer_error(client, request->id, "22023", "not a forward",
                 "Write tcp:[ADDRESS]:HOST_PORT-:GUEST_PORT, for example tcp:127.0.0.1:5433-:5432.");
  } else if (!control->machine->has_network) {
    answer_error(client, request->id, "55000", "the machine has no network card",
                 "Give it one with vm_network() or --net user, and start it again.");
  } else {
    struct pending *pending = wait_for(client, request, PENDING_FORWARD);
    if (!pending) return;
    pending->serial = network_forward(network, &forward, remove);
    if (pending->serial) return;
    pending->kind = PENDING_NONE;
    answer_result(client, request->id, EPIPE);
  }
}

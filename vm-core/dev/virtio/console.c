#include "dev/virtio/console.h"

#include <string.h>

enum { RECEIVE = 0, TRANSMIT = 1 };

/* Longest single transmission; Linux sends at most a page at a time. */
enum { TRANSMIT_MAX = 64 << 10 };

size_t virtio_console_room(const struct virtio_console *console) {
  return VIRTIO_CONSOLE_LINE_BYTES - console->state.count;
}

static void deliver(struct virtio_console *console) {
  while (console->state.count && virtio_pop(&console->virtio, RECEIVE, &console->chain)) {
    const struct virtq_chain *chain = &console->chain;
    if (chain->readable_bytes || !chain->writable_bytes) {
      virtio_broken(&console->virtio);
      return;
    }
    uint8_t bytes[VIRTIO_CONSOLE_LINE_BYTES];
    uint32_t n = console->state.count;
    if (n > chain->writable_bytes) n = (uint32_t)chain->writable_bytes;
    for (uint32_t i = 0; i < n; i++)
      bytes[i] = console->state.line[(console->state.head + i) % VIRTIO_CONSOLE_LINE_BYTES];
    console->state.head = (console->state.head + n) % VIRTIO_CONSOLE_LINE_BYTES;
    console->state.count -= n;
    virtq_scatter(console->virtio.bus, chain, 0, bytes, n);
    virtio_push(&console->virtio, RECEIVE, chain->head, n);
  }
}

static void transmit(struct virtio_console *console) {
  while (virtio_pop(&console->virtio, TRANSMIT, &console->chain)) {
    const struct virtq_chain *chain = &console->chain;
    if (chain->writable_bytes || chain->readable_bytes > TRANSMIT_MAX) {
      virtio_broken(&console->virtio);
      return;
    }
    uint8_t bytes[4096];
    for (uint64_t done = 0; done < chain->readable_bytes;) {
      uint64_t left = chain->readable_bytes - done;
      size_t n = left < sizeof bytes ? left : sizeof bytes;
      virtq_gather(console->virtio.bus, chain, done, bytes, n);
      console->port.output(console->port.opaque, CONSOLE_VIRTIO, bytes, n);
      done += n;
    }
    virtio_push(&console->virtio, TRANSMIT, chain->head, 0);
  }
}

static void kick(void *opaque, unsigned queue) {
  if (queue == RECEIVE)
    deliver(opaque);
  else
    transmit(opaque);
}

static void stop(void *opaque) { (void)opaque; }

size_t virtio_console_input(struct virtio_console *console, const uint8_t *bytes, size_t size) {
  size_t room = virtio_console_room(console), taken = size < room ? size : room;
  for (size_t i = 0; i < taken; i++)
    console->state.line[(console->state.head + console->state.count++) % VIRTIO_CONSOLE_LINE_BYTES] =
        bytes[i];
  deliver(console);
  return taken;
}

static void reset(void *opaque) {
  struct virtio_console *console = opaque;
  memset(&console->state, 0, sizeof console->state);
}

static bool load(void *opaque, struct blob_reader *in) {
  const struct virtio_console *console = opaque;
  (void)in;
  return console->state.head < VIRTIO_CONSOLE_LINE_BYTES && console->state.count <= VIRTIO_CONSOLE_LINE_BYTES;
}

bool virtio_console_init(struct virtio_console *console, struct bus *bus, struct plic *plic,
                         struct telemetry *telemetry, const struct virtio_slot *slot,
                         const struct console_port *port) {
  static const struct virtio_class class = {
      .name = "virtio-console", .id = VIRTIO_ID_CONSOLE, .queue_count = 2, .kick = kick, .stop = stop};
  memset(console, 0, sizeof *console);
  console->port = *port;
  if (!virtio_init(&console->virtio, bus, plic, telemetry, slot, &class, console)) return false;
  return bus_add(bus, &(struct device){.name = "virtio-console-line",
                                       .opaque = console,
                                       .state = &console->state,
                                       .state_size = sizeof console->state,
                                       .reset = reset,
                                       .load = load});
}

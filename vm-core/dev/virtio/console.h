/* virtio console, port 0 only (virtio 1.2, 5.3): queue 0 receives, queue 1 transmits. Hart thread.
 * Input waits in a line buffer until the driver offers room. */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include "dev/console_port.h"
#include "dev/virtio/mmio.h"

enum { VIRTIO_CONSOLE_LINE_BYTES = 4096 };

struct virtio_console {
  struct virtio_mmio virtio;
  struct console_port port;
  struct virtq_chain chain; /* scratch */
  struct {
    uint32_t head, count;
    uint8_t line[VIRTIO_CONSOLE_LINE_BYTES];
  } state;
};

bool virtio_console_init(struct virtio_console *console, struct bus *bus, struct plic *plic,
                         struct telemetry *telemetry, const struct virtio_slot *slot,
                         const struct console_port *port);

size_t virtio_console_room(const struct virtio_console *console);

/* Input from outside; at most virtio_console_room bytes. Returns the bytes taken. */
size_t virtio_console_input(struct virtio_console *console, const uint8_t *bytes, size_t size);

#endif

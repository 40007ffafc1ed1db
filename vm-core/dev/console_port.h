/* Where a console device's output goes. The receiver runs on the hart thread inside the guest's store; it
 * must not block for long and cannot fail. */
#ifndef DEV_CONSOLE_PORT_H
#define DEV_CONSOLE_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Numbers as in console_record.device of schema/layout/telemetry.ts. */
enum console_device { CONSOLE_UART = 0, CONSOLE_VIRTIO = 1 };

struct console_port {
  void (*output)(void *opaque, enum console_device device, const uint8_t *bytes, size_t size);
  void *opaque;
};

#endif

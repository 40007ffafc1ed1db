/* What becomes of the guest's console output: telemetry records, the text a step waits for, and standard
 * output. Written on the hart thread; the control thread drains the standard-output buffer. */
#ifndef VM_CONSOLE_H
#define VM_CONSOLE_H

#include <pthread.h>

#include "dev/console_port.h"
#include "hart/hart.h"
#include "telemetry/telemetry.h"
#include "vm/step.h"

enum { CONSOLE_RECORD_BYTES = 40, CONSOLE_DEVICES = 2, STDOUT_BYTES = 1 << 16 };

struct console {
  struct hart *hart;
  struct telemetry *telemetry; /* both set once the machine exists */
  struct {
    uint8_t bytes[CONSOLE_RECORD_BYTES];
    unsigned length;
    uint64_t instret; /* at the last byte */
  } partial[CONSOLE_DEVICES];
  struct matcher matcher;
  bool matched; /* the text came; a stop was requested */

  /* Records or bytes are ready for the control thread: it is told through this eventfd, at most once until it
   * looks. */
  int notify_fd;
  _Atomic bool wanted, notified;

  bool to_stdout;
  pthread_mutex_t lock; /* of the buffer below */
  pthread_cond_t drained;
  size_t head, count;
  bool closed; /* nobody may drain any more: drop what does not fit */
  uint8_t buffer[STDOUT_BYTES];
};

void console_init(struct console *console, bool to_stdout, int notify_fd);
void console_destroy(struct console *console);

/* A struct console_port receiver. Blocks while the standard-output buffer is full: the guest does not notice.
 */
void console_output(void *console, enum console_device device, const uint8_t *bytes, size_t size);

/* Close records begun: at input epochs, idle and stops. */
void console_flush(struct console *console);

/* Control thread: take up to `size` bytes meant for standard output; console_close_stdout: no one will any
 * more. */
size_t console_take(struct console *console, uint8_t *bytes, size_t size);
void console_close_stdout(struct console *console);

#endif

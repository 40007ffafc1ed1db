#include "vm/console.h"

#include <string.h>
#include <unistd.h>

#include "gen/telemetry.h"

void console_init(struct console *console, bool to_stdout, int notify_fd) {
  memset(console, 0, sizeof *console);
  console->to_stdout = to_stdout;
  console->notify_fd = notify_fd;
  atomic_store(&console->wanted, to_stdout);
  pthread_mutex_init(&console->lock, NULL);
  pthread_cond_init(&console->drained, NULL);
}

void console_destroy(struct console *console) {
  pthread_cond_destroy(&console->drained);
  pthread_mutex_destroy(&console->lock);
}

static void notify(struct console *console) {
  if (!atomic_load_explicit(&console->wanted, memory_order_relaxed)) return;
  if (atomic_exchange(&console->notified, true)) return;
  uint64_t one = 1;
  if (write(console->notify_fd, &one, sizeof one) < 0) return; /* the counter is full: it will be read */
}

static void flush_device(struct console *console, unsigned device) {
  if (!console->partial[device].length) return;
  telemetry_console(console->telemetry, console->partial[device].instret, device,
                    console->partial[device].bytes, console->partial[device].length);
  console->partial[device].length = 0;
  notify(console);
}

void console_flush(struct console *console) {
  for (unsigned device = 0; device < CONSOLE_DEVICES; device++) flush_device(console, device);
  if (!console->to_stdout) return;
  pthread_mutex_lock(&console->lock);
  bool waiting = console->count > 0;
  pthread_mutex_unlock(&console->lock);
  if (waiting) notify(console);
}

static void put_stdout(struct console *console, const uint8_t *bytes, size_t size) {
  pthread_mutex_lock(&console->lock);
  while (size) {
    if (console->count == STDOUT_BYTES) {
      if (console->closed) break;
      notify(console);
      pthread_cond_wait(&console->drained, &console->lock);
      continue;
    }
    console->buffer[(console->head + console->count++) % STDOUT_BYTES] = *bytes++;
    size--;
  }
  pthread_mutex_unlock(&console->lock);
}

static void match(struct console *console, uint8_t byte) {
  if (!matcher_feed(&console->matcher, byte) || console->matched) return;
  console->matched = true;
  hart_request_stop(console->hart, STOP_REQUESTED);
}

void console_output(void *opaque, enum console_device device, const uint8_t *bytes, size_t size) {
  struct console *console = opaque;
  telemetry_count(console->telemetry, COUNTER_CONSOLE_BYTES, size);
  uint64_t instret = hart_instret(console->hart);
  if (console->to_stdout) put_stdout(console, bytes, size);
  for (size_t i = 0; i < size; i++) {
    console->partial[device].bytes[console->partial[device].length++] = bytes[i];
    console->partial[device].instret = instret;
    if (console->matcher.length) match(console, bytes[i]);
    if (bytes[i] == '\n' || console->partial[device].length == CONSOLE_RECORD_BYTES)
      flush_device(console, device);
  }
}

size_t console_take(struct console *console, uint8_t *bytes, size_t size) {
  pthread_mutex_lock(&console->lock);
  size_t taken = 0;
  for (; taken < size && console->count; taken++, console->count--) {
    bytes[taken] = console->buffer[console->head];
    console->head = (console->head + 1) % STDOUT_BYTES;
  }
  pthread_cond_signal(&console->drained);
  pthread_mutex_unlock(&console->lock);
  return taken;
}

void console_close_stdout(struct console *console) {
  pthread_mutex_lock(&console->lock);
  console->closed = true;
  pthread_cond_broadcast(&console->drained);
  pthread_mutex_unlock(&console->lock);
}

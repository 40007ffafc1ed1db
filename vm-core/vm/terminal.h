/* --console stdio: standard input to the guest, the guest's output to standard output. Control thread;
 * terminal_restore also from the main thread after it has ended. */
#ifndef VM_TERMINAL_H
#define VM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct console;
struct input;

enum { TERMINAL_DETACH = 0x1d /* Ctrl-] */ };

struct terminal {
  bool open; /* standard input has not ended */
  bool raw;  /* it is a terminal, now in raw mode */
  struct termios saved;
  size_t start, end;    /* of `output` still to be written */
  uint8_t output[4096]; /* at most PIPE_BUF, so that a writable pipe takes it whole */
};

void terminal_start(struct terminal *terminal);
void terminal_restore(struct terminal *terminal);

/* Standard input is readable. false: the user pressed the detach key (terminals only). */
bool terminal_read(struct terminal *terminal, struct input *input);

/* True when there are bytes to write; fetches them from the console. */
bool terminal_pending(struct terminal *terminal, struct console *console);
/* Standard output is writable. */
void terminal_write(struct terminal *terminal, struct console *console);

#endif

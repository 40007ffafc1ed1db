#include "vm/terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vm/console.h"
#include "vm/input.h"

void terminal_start(struct terminal *terminal) {
  memset(terminal, 0, sizeof *terminal);
  terminal->open = true;
  if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &terminal->saved) != 0) return;
  struct termios raw = terminal->saved;
  cfmakeraw(&raw);
  terminal->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void terminal_restore(struct terminal *terminal) {
  if (terminal->raw) tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
  terminal->raw = false;
}

bool terminal_read(struct terminal *terminal, struct input *input) {
  uint8_t bytes[INPUT_CHUNK];
  size_t room = input_room(input);
  ssize_t n = read(STDIN_FILENO, bytes, room < sizeof bytes ? room : sizeof bytes);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n <= 0) {
    terminal->open = false;
    return true;
  }
  const uint8_t *detach = terminal->raw ? memchr(bytes, TERMINAL_DETACH, (size_t)n) : NULL;
  input_put(input, bytes, detach ? (size_t)(detach - bytes) : (size_t)n);
  return !detach;
}

bool terminal_pending(struct terminal *terminal, struct console *console) {
  if (terminal->start == terminal->end) {
    terminal->start = 0;
    terminal->end = console_take(console, terminal->output, sizeof terminal->output);
  }
  return terminal->start < terminal->end;
}

void terminal_write(struct terminal *terminal, struct console *console) {
  ssize_t n = write(STDOUT_FILENO, terminal->output + terminal->start, terminal->end - terminal->start);
  if (n > 0) {
    terminal->start += (size_t)n;
  } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
    terminal->start = terminal->end; /* nobody reads any more */
    console_close_stdout(console);
  }
}

/* The control thread: clients of the control socket (docs/protocol.md, "Control"), standard input and output,
 * signals. It never waits for the hart and the hart never waits for a client. */
#ifndef VM_CONTROL_H
#define VM_CONTROL_H

#include <pthread.h>
#include <signal.h>

#include "vm/client.h"
#include "vm/listen.h"
#include "vm/runner.h"
#include "vm/terminal.h"
#include "vm/view.h"

/* Of the transaction that a client has open (vm/transaction.h). */
enum transaction_phase {
  TRANSACTION_NONE,
  TRANSACTION_BEGINNING,
  TRANSACTION_OPEN,
  TRANSACTION_COMMITTING,
  TRANSACTION_ROLLING_BACK
};

struct control {
  struct runner *runner;
  struct machine *machine;
  struct console *console;
  struct input *input;
  const struct config *config;
  struct listener listener;
  int signal_fd, notify_fd, stop_fd; /* stop_fd: eventfd that ends the thread */
  pthread_t thread;
  bool started;
  bool stopping;
  uint64_t stop_ns;         /* since when, host time */
  uint64_t first_signal_ns; /* host time of the first signal that asked to end, or 0 */
  struct client clients[CLIENTS_MAX];
  struct views views;
  /* Who waits for work on the whole state (vm/work.h); -1: nobody. */
  int work_client;
  uint64_t work_request;
  /* Whose changes can be undone; -1: nobody's. What it wants next when the work slot is free. While ending,
   * no request of anybody is read. */
  int transaction_client;
  enum transaction_phase transaction;
  uint64_t transaction_request; /* to answer */
  bool transaction_working;     /* the hart has been asked for what the phase says */
  struct terminal terminal;
};

/* Block the signals this module handles; before any thread is started. */
void control_block_signals(sigset_t *handled);

/* Bind the socket, start the thread. false with one line in `error`. */
bool control_start(struct control *control, struct runner *runner, int notify_fd, const sigset_t *handled,
                   char *error, size_t error_size);

/* After the machine has ended: send what is left to clients and standard output (bounded in time), close
 * everything, end the thread, remove the socket, give the terminal back. */
void control_stop(struct control *control);

/* Stop at once: nothing is flushed, the process ends with status 0. */
_Noreturn void control_abandon(struct control *control);

#endif

#include "vm/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* How long control_stop goes on sending. */
#define FAREWELL_NS UINT64_C(2000000000)
/* A second signal later than this after the first means "at once". */
#define PATIENCE_NS UINT64_C(1000000000)

enum { LOG_POLL_MS = 2 };

/* Places in the poll set; clients follow. */
enum { AT_STOP, AT_NOTIFY, AT_SIGNAL, AT_LISTEN, AT_STDIN, AT_STDOUT, AT_FRAMES, AT_ANSWERS, AT_CLIENTS };

struct poll_set {
  struct pollfd at[AT_CLIENTS + CLIENTS_MAX];
};

void control_block_signals(sigset_t *handled) {
  sigemptyset(handled);
  sigaddset(handled, SIGTERM);
  sigaddset(handled, SIGINT);
  sigaddset(handled, SIGHUP);
  pthread_sigmask(SIG_BLOCK, handled, NULL);
  signal(SIGPIPE, SIG_IGN);
}

void control_abandon(struct control *control) {
  terminal_restore(&control->terminal);
  listener_close(&control->listener);
  _exit(0);
}

static void drain(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) > 0) continue;
}

/* The first signal ends the machine in order, one a while later at once: timeout(1) sends two together. */
static void on_signal(struct control *control) {
  struct signalfd_siginfo info;
  while (read(control->signal_fd, &info, sizeof info) == sizeof info) {
    uint64_t now = host_now_ns();
    if (control->first_signal_ns && now - control->first_signal_ns > PATIENCE_NS) control_abandon(control);
    if (control->first_signal_ns) continue;
    control->first_signal_ns = now;
    char reason[64];
    snprintf(reason, sizeof reason, "signal %u", info.ssi_signo);
    runner_quit(control->runner, reason, false);
    console_close_stdout(control->console);
  }
}

static void accept_clients(struct control *control) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    if (control->clients[i].fd >= 0) continue;
    int fd = listener_accept(&control->listener, control->config->control_uid);
    if (fd < 0) return;
    client_open(&control->clients[i], fd);
  }
}

static bool has_room(const struct control *control) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++)
    if (control->clients[i].fd < 0) return true;
  return false;
}

static int fill_poll_set(struct control *control, struct poll_set *set) {
  bool stdio = control->config->console == CONSOLE_STDIO;
  bool read_stdin = stdio && control->terminal.open && input_room(control->input) > 0 && !control->stopping;
  bool write_stdout = stdio && terminal_pending(&control->terminal, control->console);
  set->at[AT_STOP] = (struct pollfd){control->stop_fd, POLLIN, 0};
  set->at[AT_NOTIFY] = (struct pollfd){control->notify_fd, POLLIN, 0};
  set->at[AT_SIGNAL] = (struct pollfd){control->signal_fd, POLLIN, 0};
  set->at[AT_LISTEN] =
      (struct pollfd){has_room(control) && !control->stopping ? control->listener.fd : -1, POLLIN, 0};
  set->at[AT_STDIN] = (struct pollfd){read_stdin ? STDIN_FILENO : -1, POLLIN, 0};
  set->at[AT_STDOUT] = (struct pollfd){write_stdout ? STDOUT_FILENO : -1, POLLOUT, 0};
  const struct network *network = control->machine->network;
  set->at[AT_FRAMES] = (struct pollfd){network->ended ? -1 : network->frames_fd, POLLIN, 0};
  set->at[AT_ANSWERS] = (struct pollfd){network->ended ? -1 : network->requests_fd, POLLIN, 0};
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &control->clients[i];
    short events = 0;
    if (client_wants_input(client)) events |= POLLIN;
    if (buffer_size(&client->out)) events |= POLLOUT;
    set->at[AT_CLIENTS + i] = (struct pollfd){client->fd, events, 0};
  }
  return AT_CLIENTS + CLIENTS_MAX;
}

/* Requests wait in the input buffer while answers pile up, so go on until neither moves. */
static void exchange(struct control *control, struct client *client) {
  bool handled = true;
  while (handled) {
    handled = client_settle(control, client);
    bool nothing = !client->closing && buffer_size(&client->out) == 0;
    if (!nothing && !client_send(control, client)) {
      client_close(control, client);
      return;
    }
  }
}

static void serve_clients(struct control *control, const struct poll_set *set) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &control->clients[i];
    short events = client->fd >= 0 ? set->at[AT_CLIENTS + i].revents : 0;
    if (events & POLLIN && client_wants_input(client)) {
      if (!client_receive(client)) client_close(control, client);
    } else if (events & (POLLERR | POLLHUP | POLLNVAL)) {
      client_close(control, client);
    }
  }
  answer_views(control);
  answer_work(control);
  transaction_step(control);
  for (unsigned i = 0; i < CLIENTS_MAX; i++)
    if (control->clients[i].fd >= 0) exchange(control, &control->clients[i]);
}

static void serve(struct control *control, const struct poll_set *set) {
  if (set->at[AT_STOP].revents) {
    drain(control->stop_fd);
    control->stopping = true;
    control->stop_ns = host_now_ns();
  }
  if (set->at[AT_NOTIFY].revents) {
    drain(control->notify_fd);
    atomic_store(&control->console->notified, false);
  }
  if (set->at[AT_SIGNAL].revents) on_signal(control);
  if (set->at[AT_LISTEN].revents) accept_clients(control);
  if (set->at[AT_STDIN].revents) {
    if (!terminal_read(&control->terminal, control->input)) runner_quit(control->runner, "detached", false);
    runner_wake(control->runner);
  }
  if (set->at[AT_STDOUT].revents) terminal_write(&control->terminal, control->console);
  if (set->at[AT_FRAMES].revents || set->at[AT_ANSWERS].revents) serve_network(control);
  serve_clients(control, set);
}

/* After the machine's end only what is already due is sent, for a limited time. */
static bool farewell_over(struct control *control) {
  if (!control->stopping) return false;
  bool waiting =
      control->config->console == CONSOLE_STDIO && terminal_pending(&control->terminal, control->console);
  for (unsigned i = 0; i < CLIENTS_MAX; i++)
    if (control->clients[i].fd >= 0 && buffer_size(&control->clients[i].out)) waiting = true;
  return !waiting || host_now_ns() - control->stop_ns > FAREWELL_NS;
}

static bool polling(const struct control *control) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++)
    if (client_is_polling(&control->clients[i])) return true;
  return false;
}

static void *control_main(void *opaque) {
  struct control *control = opaque;
  struct poll_set set;
  while (!farewell_over(control)) {
    uint64_t view_ns = views_expire(&control->views);
    int timeout = control->stopping ? 50 : view_ns == UINT64_MAX ? -1 : (int)(view_ns / 1000000 + 1);
    if (polling(control)) timeout = LOG_POLL_MS;
    int count = fill_poll_set(control, &set);
    if (poll(set.at, (nfds_t)count, timeout) >= 0) serve(control, &set);
  }
  return NULL;
}

bool control_start(struct control *control, struct runner *runner, int notify_fd, const sigset_t *handled,
                   char *error, size_t error_size) {
  const struct config *config = runner->config;
  memset(control, 0, sizeof *control);
  control->runner = runner;
  control->machine = runner->machine;
  control->console = runner->console;
  control->input = runner->input;
  control->config = config;
  control->notify_fd = notify_fd;
  control->listener.fd = -1;
  control->work_client = -1;
  control->transaction_client = -1;
  for (unsigned i = 0; i < CLIENTS_MAX; i++) control->clients[i].fd = -1;
  views_init(&control->views, runner, config->view_timeout);
  control->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  control->signal_fd = signalfd(-1, handled, SFD_CLOEXEC | SFD_NONBLOCK);
  if (config->control && !listener_open(&control->listener, config->control,
                                        config->control_uid != UINT32_MAX, error, error_size))
    return false;
  if (config->console == CONSOLE_STDIO) terminal_start(&control->terminal);
  int failed = control->stop_fd < 0 || control->signal_fd < 0
                   ? errno
                   : pthread_create(&control->thread, NULL, control_main, control);
  if (failed) snprintf(error, error_size, "control thread: %s", strerror(failed));
  control->started = !failed;
  return control->started;
}

void control_stop(struct control *control) {
  if (control->started) {
    uint64_t one = 1;
    if (write(control->stop_fd, &one, sizeof one) == sizeof one) pthread_join(control->thread, NULL);
  }
  terminal_restore(&control->terminal);
  for (unsigned i = 0; i < CLIENTS_MAX; i++)
    if (control->clients[i].fd >= 0) client_close(control, &control->clients[i]);
  listener_close(&control->listener);
  if (control->stop_fd >= 0) close(control->stop_fd);
  if (control->signal_fd >= 0) close(control->signal_fd);
}

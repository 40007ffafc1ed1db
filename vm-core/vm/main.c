#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vm/bare.h"
#include "vm/config.h"
#include "vm/confine.h"
#include "vm/control.h"
#include "vm/db.h"
#include "vm/huge_pages.h"
#include "vm/report.h"

enum { EXIT_USAGE = 2, ERROR_BYTES = 512 };

/* Everything of a run that is not bare; too large for a stack frame. */
struct session {
  struct machine machine;
  struct console console;
  struct input input;
  struct runner runner;
  struct control control;
  struct network network;
  struct huge_pages huge;
  int notify_fd;
  FILE *stats;         /* --stats, or NULL */
  bool files_confined; /* Landlock is in force */
};

static int complain(const char *error) {
  fprintf(stderr, "linuxsql-vm: %s\n", error);
  return EXIT_USAGE;
}

static bool open_stats(struct session *session, const struct config *config, char *error, size_t size) {
  if (!config->stats) return true;
  session->stats = fopen(config->stats, "we");
  if (!session->stats) snprintf(error, size, "stats file \"%s\": %s", config->stats, strerror(errno));
  return session->stats != NULL;
}

/* Everything is open: from here on the guest may try what it likes. */
static bool lock_in(const struct session *session, const struct config *config, char *error, size_t size) {
  const struct db *db = session->machine.db;
  struct confine_needs needs = {.connect = db != NULL,
                                .internet = db && db_uses_internet(db),
                                .read = db && db_reads_files(db),
                                .remove = config->control && session->files_confined};
  switch (confine(&needs)) {
  case CONFINE_ON: return true;
  case CONFINE_ABSENT:
    fputs("linuxsql-vm: system calls are not filtered: this kernel or build cannot\n", stderr);
    return true;
  default: snprintf(error, size, "system calls cannot be filtered: %s", strerror(errno)); return false;
  }
}

/* A replay is soon over. */
static void start_huge_pages(struct session *session, const struct config *config) {
  const struct machine *machine = &session->machine;
  const struct preimages *views = &machine->preimages;
  if (config_past(config)) return;
  huge_pages_start(&session->huge,
                   (struct huge_part[]){{.at = machine->ram.host, .count = machine->ram.size / HUGE_BYTES},
                                        {.at = views->area, .count = views->size / HUGE_BYTES}});
}

static bool start(struct session *session, const struct config *config, const sigset_t *handled, char *error,
                  size_t size) {
  console_init(&session->console, config->console == CONSOLE_STDIO, session->notify_fd);
  session->console.hart = &session->machine.hart;
  if (!runner_init(&session->runner, &session->machine, config, &session->console, &session->input,
                   session->notify_fd) ||
      !open_stats(session, config, error, size) ||
      !input_init(&session->input, &session->machine, config, error, size))
    return false;
  if (config->net || (config->db && !config_past(config)))
    network_prepare(&session->network); /* while programs may still be run */
  session->files_confined =
      confine_files(&(struct confine_paths){config->control, config->disk, getenv("LINUXSQL_JIT_DUMP")});
  struct machine_hooks hooks = runner_hooks(&session->runner, &session->console, &session->input);
  hooks.network = &session->network;
  struct machine_lost lost = {runner_lost, runner_changed, &session->runner};
  if (!machine_create(&session->machine, config, &hooks, &lost, error, size)) return false;
  session->console.telemetry = session->machine.telemetry;
  start_huge_pages(session, config);
  report(&session->runner);
  if (control_start(&session->control, &session->runner, session->notify_fd, handled, error, size) &&
      lock_in(session, config, error, size))
    return true;
  control_stop(&session->control);
  return false;
}

static int run_machine(struct session *session, const struct config *config) {
  char error[ERROR_BYTES] = "the machine could not be set up";
  sigset_t handled;
  control_block_signals(&handled);
  network_init(&session->network);
  session->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (session->notify_fd < 0 || !start(session, config, &handled, error, sizeof error)) {
    huge_pages_stop(&session->huge);
    machine_close(&session->machine, error, false);
    machine_destroy(&session->machine);
    network_stop(&session->network);
    return complain(error);
  }
  struct runner *runner = &session->runner;
  runner_loop(runner);
  int status = runner->end;
  bool quiet = status == END_OK && config->console == CONSOLE_STDIO;
  if (!quiet) fprintf(stderr, "linuxsql-vm: %s\n", runner->end_reason);
  machine_close(&session->machine, runner->end_reason, runner->stay_stopped);
  if (session->stats && !report_stats(runner, session->stats)) {
    snprintf(error, sizeof error, "stats file \"%s\": %s", config->stats, strerror(errno));
    status = complain(error);
  }
  control_stop(&session->control);
  huge_pages_stop(&session->huge);
  machine_destroy(&session->machine);
  network_stop(&session->network);
  input_destroy(&session->input);
  console_destroy(&session->console);
  runner_destroy(runner);
  close(session->notify_fd);
  return status;
}

static int run_bare(const struct config *config) {
  return bare_main(&(struct bare_options){.file = config->bare,
                                          .memory = config->memory,
                                          .max_insns = config->max_insns,
                                          .engine = config->engine,
                                          .stats = config->stats});
}

static int print_help(void) {
  char *text = config_help();
  if (text) fputs(text, stdout);
  free(text);
  return text ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
  struct config config;
  char error[ERROR_BYTES];
  switch (config_parse(&config, argc, argv, error, sizeof error)) {
  case CONFIG_HELP: return print_help();
  case CONFIG_ERROR: return complain(error);
  default: break;
  }
  if (config.bare) return run_bare(&config);
  struct session *session = calloc(1, sizeof *session);
  if (!session) return complain("no memory");
  int status = run_machine(session, &config);
  free(session);
  return status;
}

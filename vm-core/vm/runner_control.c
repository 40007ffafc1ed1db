#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vm/runner.h"

bool runner_init(struct runner *runner, struct machine *machine, const struct config *config,
                 struct console *console, struct input *input, int notify_fd) {
  memset(runner, 0, sizeof *runner);
  runner->machine = machine;
  runner->config = config;
  runner->console = console;
  runner->input = input;
  runner->notify_fd = notify_fd;
  runner->mode = config->paused ? MODE_PAUSED : MODE_RUNNING;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  bool good =
      pthread_mutex_init(&runner->lock, NULL) == 0 && pthread_cond_init(&runner->wake, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  return good;
}

void runner_destroy(struct runner *runner) {
  pthread_cond_destroy(&runner->wake);
  pthread_mutex_destroy(&runner->lock);
}

/* Make the hart look at what has changed. Lock held. */
static void nudge(struct runner *runner) {
  hart_request_attention(&runner->machine->hart);
  pthread_cond_broadcast(&runner->wake);
}

/* After a poweroff, running means booting again. */
static void leave_poweroff(struct runner *runner) {
  if (runner->mode == MODE_POWEROFF) runner->reboot_wanted = true;
}

void runner_run(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  leave_poweroff(runner);
  if (!runner->step_open) runner->mode = MODE_RUNNING;
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

void runner_pause(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  if (runner->step_open) runner->step_cancelled = true;
  if (runner->mode == MODE_RUNNING) runner->mode = MODE_PAUSED;
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

enum step_start runner_step(struct runner *runner, const struct step *step, uint64_t max_insns) {
  pthread_mutex_lock(&runner->lock);
  enum step_start start = STEP_STARTED;
  if (runner->step_open || runner->quit) {
    start = runner->step_cancelled && !runner->quit ? STEP_ENDING : STEP_BUSY;
  } else {
    leave_poweroff(runner);
    runner->step = *step;
    runner->step_max = max_insns;
    runner->step_open = runner->step_fresh = true;
    runner->step_cancelled = false;
    runner->mode = MODE_STEPPING;
    nudge(runner);
  }
  pthread_mutex_unlock(&runner->lock);
  return start;
}

void runner_cancel_step(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  if (runner->step_open) runner->step_cancelled = true;
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

uint64_t runner_steps_done(struct runner *runner, struct step_result *result) {
  pthread_mutex_lock(&runner->lock);
  uint64_t serial = runner->step_serial;
  *result = runner->step_result;
  pthread_mutex_unlock(&runner->lock);
  return serial;
}

bool runner_parked(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  bool parked = runner->parked && !runner->step_open; /* with one, it only has not woken up yet */
  pthread_mutex_unlock(&runner->lock);
  return parked;
}

enum run_mode runner_mode(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  enum run_mode mode = runner->mode;
  pthread_mutex_unlock(&runner->lock);
  return mode;
}

void runner_quit(struct runner *runner, const char *reason, bool stay_stopped) {
  pthread_mutex_lock(&runner->lock);
  if (!runner->quit) {
    runner->quit = true;
    runner->stay_stopped = stay_stopped;
    snprintf(runner->end_reason, sizeof runner->end_reason, "%s", reason);
  }
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

void runner_lost(void *opaque, const char *reason) {
  struct runner *runner = opaque;
  pthread_mutex_lock(&runner->lock);
  if (!runner->quit) {
    runner->quit = true;
    runner->end = END_LOST;
    snprintf(runner->end_reason, sizeof runner->end_reason, "%s", reason);
  }
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

/* The present slice may be longer than it should be now. */
void runner_changed(void *opaque) {
  struct runner *runner = opaque;
  pthread_mutex_lock(&runner->lock);
  nudge(runner);
  pthread_mutex_unlock(&runner->lock);
}

void runner_wake(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  pthread_cond_broadcast(&runner->wake);
  pthread_mutex_unlock(&runner->lock);
}

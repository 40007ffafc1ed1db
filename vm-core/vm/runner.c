#include "vm/runner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm/report.h"

uint64_t runner_host_ns(const struct runner *runner) {
  uint64_t ns = runner->host_run_ns;
  if (runner->in_slice) ns += host_now_ns() - runner->slice_start_ns - runner->slice_slept_ns;
  return ns;
}

uint64_t runner_insns(const struct runner *runner) {
  return runner->past_insns + hart_instret(&runner->machine->hart);
}

static struct engine_counters add_counters(const struct engine_counters *a, const struct engine_counters *b) {
  enum { WORDS = sizeof *a / sizeof(uint64_t) };
  uint64_t x[WORDS], y[WORDS];
  memcpy(x, a, sizeof x);
  memcpy(y, b, sizeof y);
  for (unsigned i = 0; i < WORDS; i++) x[i] += y[i];
  struct engine_counters sum;
  memcpy(&sum, x, sizeof sum);
  return sum;
}

struct engine_counters runner_counters(const struct runner *runner) {
  struct engine_counters now = {0};
  if (runner->machine->engine) engine_counters(runner->machine->engine, &now);
  return add_counters(&now, &runner->past);
}

void runner_notify(struct runner *runner) {
  uint64_t one = 1;
  if (write(runner->notify_fd, &one, sizeof one) < 0) return; /* full: it will be read anyway */
}

/* Lock held. */
static void set_end(struct runner *runner, enum run_end end, const char *reason) {
  if (runner->quit) return;
  runner->quit = true;
  runner->end = end;
  snprintf(runner->end_reason, sizeof runner->end_reason, "%s", reason);
}

/* Callbacks of the run loop, hart thread inside run_hart. */

static void on_input(void *opaque) { input_take(((struct runner *)opaque)->input); }

static void on_epoch(void *opaque) {
  struct runner *runner = opaque;
  console_flush(runner->console);
  report(runner);
}

/* Lock held: whether the hart has a reason to stop idling. */
static bool idle_over(const struct runner *runner) {
  return runner->quit || runner->mode != MODE_RUNNING || runner->work.phase == WORK_WANTED ||
         input_waiting(runner->input);
}

static void sleep_until(struct runner *runner, uint64_t host_ns) {
  struct timespec until = host_timespec(host_ns);
  uint64_t start = host_now_ns();
  pthread_mutex_lock(&runner->lock);
  runner_views_take(runner);
  runner->asleep = true;
  while (!idle_over(runner) && host_now_ns() < host_ns)
    if (host_ns == UINT64_MAX)
      pthread_cond_wait(&runner->wake, &runner->lock);
    else
      pthread_cond_timedwait(&runner->wake, &runner->lock, &until);
  runner->asleep = false;
  pthread_mutex_unlock(&runner->lock);
  runner->slice_slept_ns += host_now_ns() - start;
}

/* The guest idles: a good point for views. */
static void idle_point(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  runner_views_take(runner);
  pthread_mutex_unlock(&runner->lock);
}

static bool paced(const struct runner *runner) {
  return runner->mode == MODE_RUNNING && runner->config->idle == IDLE_PACE && !runner->input->replaying;
}

/* Whether the step's instret is one of the present boot. */
static bool step_here(const struct runner *runner) {
  return !runner->step.boot || runner->step.boot == runner->machine->generation;
}

/* A step to an instant within this idling ends there. */
static uint64_t limit_to_instant(struct runner *runner, uint64_t ns) {
  struct hart *hart = &runner->machine->hart;
  const struct step *step = &runner->step;
  if (!runner->step_open || step->kind != STEP_INSTANT || !step_here(runner) ||
      hart_instret(hart) != step->number || step->time_ns <= hart_time_ns(hart))
    return ns;
  uint64_t left = step->time_ns - hart_time_ns(hart);
  if (left > ns) return ns;
  hart_request_stop(hart, STOP_REQUESTED);
  return left;
}

/* Input that waits needs no more than another instant. */
enum { INPUT_NS = 1 };

static uint64_t on_idle(void *opaque, uint64_t ns) {
  struct runner *runner = opaque;
  idle_point(runner);
  if (input_waiting(runner->input)) return INPUT_NS;
  ns = limit_to_instant(runner, input_limit_idle(runner->input, ns));
  if (!paced(runner)) return ns;
  uint64_t now = hart_time_ns(&runner->machine->hart);
  uint64_t deadline = pace_deadline(&runner->pace, now, now + ns), host = host_now_ns();
  if (deadline <= host) return ns;
  console_flush(runner->console);
  report(runner);
  sleep_until(runner, deadline);
  host = host_now_ns();
  if (host >= deadline) return ns;
  uint64_t left = deadline - host;
  return left < ns ? ns - left : 0;
}

/* Only outside input can go on from here, and a step does not wait for people. */
static bool on_idle_forever(void *opaque, uint64_t *passed) {
  struct runner *runner = opaque;
  idle_point(runner);
  if (input_waiting(runner->input)) return *passed = INPUT_NS, true;
  uint64_t ns = limit_to_instant(runner, input_limit_idle(runner->input, UINT64_MAX));
  if (ns != UINT64_MAX) return *passed = ns, true;
  bool reachable = runner->config->control || runner->config->console == CONSOLE_STDIO;
  if (runner->mode != MODE_RUNNING || !reachable || runner->input->replaying) return false;
  console_flush(runner->console);
  report(runner);
  sleep_until(runner, input_retry_ns(runner->input));
  return true;
}

/* Views need not wait for the disk: while the hart sleeps between two instructions, the control thread fixes
 * them. */
static void on_store_wait(void *opaque, bool waiting) {
  struct runner *runner = opaque;
  atomic_store(&runner->store_waiting, waiting);
  if (waiting) report(runner);
  pthread_mutex_lock(&runner->lock);
  if (waiting) runner_views_take(runner);
  runner->asleep = waiting;
  pthread_mutex_unlock(&runner->lock);
}

static void on_disk_lost(void *opaque) {
  struct runner *runner = opaque;
  atomic_store(&runner->disk_lost, true);
  hart_request_stop(&runner->machine->hart, STOP_REQUESTED);
}

struct machine_hooks runner_hooks(struct runner *runner, struct console *console, struct input *input) {
  return (struct machine_hooks){
      .console = {console_output, console},
      .disk = {on_store_wait, on_disk_lost, runner},
      .run = {on_input, on_epoch, on_idle, on_idle_forever, runner},
      .log_input = input_log,
      .log_opaque = input,
      .replayed = input_replayed,
  };
}

/* Steps. Lock held from here on, except while the hart runs. */

static void finish_step(struct runner *runner, const char *stopped_by, bool met) {
  const struct hart *hart = &runner->machine->hart;
  if (runner->step_fresh) { /* it ended before it began */
    runner->step_executed = 0;
    runner->step_host_start_ns = runner->host_run_ns;
  }
  runner->console->matcher.length = 0;
  runner->step_open = runner->step_fresh = runner->step_cancelled = false;
  runner->step_result = (struct step_result){
      .stopped_by = stopped_by,
      .met = met,
      .instret = hart_instret(hart),
      .executed = runner->step_executed,
      .pc = hart->pc,
      .time_ns = hart_time_ns(hart),
      .host_seconds = (double)(runner->host_run_ns - runner->step_host_start_ns) / 1e9,
  };
  runner->step_serial++;
  if (runner->mode == MODE_STEPPING) runner->mode = MODE_PAUSED;
  report(runner);
  runner_notify(runner);
}

static bool at_instant(const struct runner *runner) {
  const struct hart *hart = &runner->machine->hart;
  return step_here(runner) && hart_instret(hart) == runner->step.number &&
         hart_time_ns(hart) == runner->step.time_ns;
}

static bool at_instret(const struct runner *runner) {
  return step_here(runner) && hart_instret(&runner->machine->hart) >= runner->step.number;
}

/* Its boot has gone by. */
static bool boot_missed(const struct runner *runner) {
  return runner->step.boot && runner->step.boot < runner->machine->generation;
}

static void begin_step(struct runner *runner) {
  const struct step *step = &runner->step;
  runner->step_fresh = false;
  runner->step_executed = 0;
  runner->step_host_start_ns = runner->host_run_ns;
  runner->console->matched = false;
  matcher_init(&runner->console->matcher, step->text, step->kind == STEP_CONSOLE ? step->text_length : 0);
  bool met = (step->kind == STEP_FIRST_USER && runner->machine->user_seen) ||
             (step->kind == STEP_INSTRET && at_instret(runner)) ||
             (step->kind == STEP_INSTANT && at_instant(runner)) ||
             (step->kind == STEP_BOOT && runner->machine->generation >= step->number);
  if (met) {
    finish_step(runner, step_name(step), true);
  } else if (runner->step_max == 0 || boot_missed(runner)) {
    finish_step(runner, "budget", false);
  }
}

static void reboot(struct runner *runner) {
  char error[sizeof runner->end_reason];
  runner->past = runner_counters(runner);
  runner->past_insns = runner_insns(runner);
  runner->machine->user_seen = false;
  pthread_mutex_unlock(&runner->lock);
  bool reset = machine_reset(runner->machine, error, sizeof error);
  pthread_mutex_lock(&runner->lock);
  if (!reset) set_end(runner, END_FAILED, error);
  pace_start(&runner->pace, 0);
  bool stepping = runner->step_open && !runner->step_fresh;
  bool there = runner->step.kind == STEP_BOOT && runner->machine->generation >= runner->step.number;
  if (stepping && there)
    finish_step(runner, step_name(&runner->step), true);
  else if (stepping && boot_missed(runner))
    finish_step(runner, "budget", false);
}

static void power_off(struct runner *runner) {
  if (runner->step_open) finish_step(runner, "poweroff", false);
  runner->mode = MODE_POWEROFF;
  if (runner->config->poweroff == POWEROFF_HOLD) return;
  runner->stay_stopped = true;
  set_end(runner, runner->machine->syscon.failure_code ? END_FAILED : END_OK, "the guest powered off");
}

static void first_user(struct runner *runner) {
  if (!runner->machine->user_seen && runner->first_user_seconds == 0) {
    runner->first_user_instret = hart_instret(&runner->machine->hart);
    runner->first_user_seconds = (double)runner->host_run_ns / 1e9;
  }
  runner->machine->user_seen = true;
}

/* It has gone by: the run is not the one the instant was taken from. */
static bool instant_missed(const struct runner *runner) {
  const struct hart *hart = &runner->machine->hart;
  return runner->step.kind == STEP_INSTANT && step_here(runner) &&
         (hart_instret(hart) > runner->step.number || hart_time_ns(hart) > runner->step.time_ns);
}

static bool step_met(const struct runner *runner, enum stop_reason reason) {
  switch (runner->step.kind) {
  case STEP_FIRST_USER: return reason == STOP_FIRST_USER;
  case STEP_PC: return reason == STOP_BREAKPOINT;
  case STEP_ECALL: return reason == STOP_ECALL;
  case STEP_FAULT: return reason == STOP_FAULT;
  case STEP_IDLE: return reason == STOP_IDLE || reason == STOP_HALTED;
  case STEP_CONSOLE: return runner->console->matched;
  case STEP_INSTRET: return at_instret(runner);
  case STEP_INSTANT: return at_instant(runner);
  default: return false;
  }
}

/* The hart stopped: end the step, the boot or the run, or just go on. */
static void stopped(struct runner *runner, enum stop_reason reason) {
  if (reason == STOP_FIRST_USER && runner->machine->user_seen)
    reason = STOP_REQUESTED; /* a point for views */
  runner->last_stop = reason;
  if (reason == STOP_FIRST_USER) first_user(runner);
  if (atomic_load(&runner->disk_lost)) set_end(runner, END_LOST, "the disk is gone");
  if (runner->input->diverged) set_end(runner, END_FAILED, "the replay has left the logged run");
  bool stepping =
      runner->step_open && !runner->step_fresh; /* a step asked for meanwhile begins in the next slice */
  if (reason == STOP_POWEROFF) {
    power_off(runner);
  } else if (stepping && step_met(runner, reason)) {
    finish_step(runner, step_name(&runner->step), true);
  } else if (stepping && (runner->step_executed >= runner->step_max || instant_missed(runner))) {
    finish_step(runner, "budget", false);
  } else if (reason == STOP_HALTED && stepping) {
    finish_step(runner, "idle", false);
  } else if (reason == STOP_HALTED && runner->mode == MODE_RUNNING) {
    set_end(runner, END_FAILED, "the guest waits for an interrupt that cannot come");
  }
  if (reason == STOP_DIVERGED) set_end(runner, END_FAILED, "the engines differ");
  if (reason == STOP_REBOOT && !runner->quit) reboot(runner);
  if (hart_instret(&runner->machine->hart) >= runner->config->stop_at)
    set_end(runner, END_OK, "--stop-at reached");
}

static void run_slice(struct runner *runner) {
  struct hart *hart = &runner->machine->hart;
  struct run_limits limits = RUN_LIMITS_NONE;
  struct breakpoint breakpoint;
  uint64_t start = hart_instret(hart), next_input = input_next_stop(runner->input);
  limits.stop_at_instret = runner->config->stop_at < next_input ? runner->config->stop_at : next_input;
  uint64_t automatic = work_next_stop(runner);
  if (automatic < limits.stop_at_instret) limits.stop_at_instret = automatic;
  limits.stop_on_first_user = !runner->machine->user_seen;
  if (runner->step_open) {
    uint64_t left = runner->step_max - runner->step_executed;
    if (left < limits.stop_at_instret - start) limits.stop_at_instret = start + left;
    if (step_here(runner)) step_limits(&runner->step, start, &limits, &breakpoint);
  }
  runner_views_limit(runner, &limits);
  if (input_waiting(runner->input)) { /* the next instant will do, and then the guest is not idle */
    if (limits.stop_at_instret > start + 1) limits.stop_at_instret = start + 1;
    limits.stop_on_idle = false;
  }
  pthread_mutex_unlock(&runner->lock);
  runner->slice_slept_ns = 0;
  runner->slice_start_ns = host_now_ns();
  runner->in_slice = true;
  enum stop_reason reason = run_hart(runner->machine->engine, &limits);
  runner->host_run_ns = runner_host_ns(runner);
  runner->in_slice = false;
  runner->step_executed += hart_instret(hart) - start;
  console_flush(runner->console);
  pthread_mutex_lock(&runner->lock);
  stopped(runner, reason);
  report(runner);
}

/* Stand still until there is something to do; the guest's clock does not owe the host this time. */
static void park(struct runner *runner) {
  uint64_t start = host_now_ns();
  report(runner);
  runner_views_take(runner);
  runner->parked = true;
  runner_notify(runner);
  while (!runner->quit && (runner->mode == MODE_PAUSED || runner->mode == MODE_POWEROFF) &&
         !runner->step_cancelled && runner->work.phase != WORK_WANTED)
    pthread_cond_wait(&runner->wake, &runner->lock);
  runner->parked = false;
  runner->pace.host_base += host_now_ns() - start;
}

void runner_loop(struct runner *runner) {
  pace_start(&runner->pace, hart_time_ns(&runner->machine->hart));
  input_begin(runner->input);
  pthread_mutex_lock(&runner->lock);
  while (!runner->quit) {
    if (runner->reboot_wanted) {
      runner->reboot_wanted = false;
      reboot(runner);
    }
    if (runner->step_open && runner->step_fresh) begin_step(runner);
    if (runner->step_open && runner->step_cancelled) finish_step(runner, "cancelled", false);
    runner->step_cancelled = false;
    work_take(runner);
    work_automatic(runner);
    if (runner_views_due(runner)) runner_views_take(runner);
    if (runner->mode == MODE_PAUSED || runner->mode == MODE_POWEROFF)
      park(runner);
    else
      run_slice(runner);
  }
  if (runner->step_open) finish_step(runner, "cancelled", false);
  report(runner);
  runner_views_take(runner);
  runner->parked = true;
  runner_notify(runner);
  pthread_mutex_unlock(&runner->lock);
}

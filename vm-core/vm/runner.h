/* Runs the hart and lets other threads steer it.
 *
 * The hart thread sits in runner_loop: it runs, or stands parked at an instruction boundary because the
 * machine is paused or powered off. Views are fixed by the hart thread between two instructions, or by the
 * control thread while the hart stands or sleeps. The control thread changes what is wanted with the
 * calls below and hears through notify_fd that the hart has parked or a step has ended; no call waits for the
 * hart. Nothing here changes what the guest can see, except where input is taken, which is logged. */
#ifndef VM_RUNNER_H
#define VM_RUNNER_H

#include "vm/console.h"
#include "vm/input.h"
#include "vm/machine.h"
#include "vm/pace.h"
#include "vm/step.h"
#include "vm/view_cut.h"
#include "vm/work.h"

enum run_mode { MODE_PAUSED, MODE_RUNNING, MODE_STEPPING, MODE_POWEROFF };

/* How runner_loop ended; also the process's exit status. */
enum run_end { END_OK = 0, END_FAILED = 1, END_LOST = 3 };

struct step_result {
  const char *stopped_by; /* static text */
  bool met;
  uint64_t instret, executed, pc, time_ns;
  double host_seconds;
};

/* What a transaction (vm/transaction.h) will put back. Hart thread. */
struct transaction {
  bool open;
  struct blob state;
  uint8_t *typed; /* input the guest had not taken */
  size_t typed_bytes;
  uint64_t generation, base_layer;
  enum run_mode mode;
};

struct runner {
  struct machine *machine;
  const struct config *config;
  struct console *console;
  struct input *input;
  int notify_fd; /* eventfd, written by the hart thread */

  pthread_mutex_t lock; /* of everything down to `step_max` */
  pthread_cond_t wake;  /* the hart thread waits on it, parked or idle */
  _Atomic enum run_mode mode;
  uint64_t views_wanted;            /* places of views whose instant is not fixed yet */
  struct view_cut cuts[VIEW_SLOTS]; /* of views that are fixed */
  struct work work;
  bool parked; /* the hart stands still until the mode changes */
  bool asleep; /* it sleeps between two instructions, idle or for the disk, and takes the lock to go on */
  bool quit;
  bool reboot_wanted; /* start again after a poweroff */
  bool stay_stopped;  /* the end was asked for: poweroff, or a stop command */
  bool step_cancelled;
  uint64_t step_serial; /* counts finished steps */
  struct step_result step_result;
  char end_reason[256];
  enum run_end end;

  struct step step; /* the step asked for, while step_open */
  bool step_open, step_fresh;
  uint64_t step_max;

  _Atomic bool store_waiting; /* the hart sleeps for the disk */
  _Atomic bool disk_lost;

  /* Hart thread only. */
  bool view_waiting; /* a wanted view waits for a quiescent point since view_since */
  uint64_t view_since;
  uint64_t step_executed, step_host_start_ns;
  struct transaction transaction;
  uint64_t automatic_at; /* instret of the last automatic checkpoint */
  uint64_t first_user_instret;
  double first_user_seconds; /* host, of the first boot */
  enum stop_reason last_stop;
  uint64_t host_run_ns, slice_start_ns, slice_slept_ns; /* time running; the present slice */
  bool in_slice;
  uint64_t hz, hz_insns, hz_host_ns;
  uint64_t past_insns;         /* of earlier boots */
  struct engine_counters past; /* the same */
  struct pace pace;
};

bool runner_init(struct runner *runner, struct machine *machine, const struct config *config,
                 struct console *console, struct input *input, int notify_fd);
void runner_destroy(struct runner *runner);

/* The hooks that connect a machine to its runner, console and input; for machine_create. */
struct machine_hooks runner_hooks(struct runner *runner, struct console *console, struct input *input);
/* struct machine_lost.call and changed; another thread. */
void runner_lost(void *runner, const char *reason);
void runner_changed(void *runner);

/* Hart thread: run until someone asks to end. */
void runner_loop(struct runner *runner);

/* Views, hart thread with the lock held: fix the wanted ones here; narrow a slice so that it ends at a good
 * point for them; whether this is one. */
void runner_views_take(struct runner *runner);
void runner_views_limit(struct runner *runner, struct run_limits *limits);
bool runner_views_due(const struct runner *runner);
/* Wake the control thread. */
void runner_notify(struct runner *runner);

/* Totals over all boots: host time spent running (ns), instructions, engine counters. Hart thread. */
uint64_t runner_host_ns(const struct runner *runner);
uint64_t runner_insns(const struct runner *runner);
struct engine_counters runner_counters(const struct runner *runner);

/* The rest is for the control thread. */
void runner_run(struct runner *runner);
void runner_pause(struct runner *runner); /* ends a step as cancelled */
enum step_start {
  STEP_STARTED,
  STEP_BUSY,
  STEP_ENDING /* the one that runs was cancelled: try again at the next notice */
};
enum step_start runner_step(struct runner *runner, const struct step *step, uint64_t max_insns);
void runner_cancel_step(struct runner *runner);
/* Number of steps finished so far, and the result of the last. */
uint64_t runner_steps_done(struct runner *runner, struct step_result *result);
/* Ask for the instant of a view in a free place; its cut is in runner->cuts once it is taken, which notify_fd
 * tells. Forgetting one not taken returns true. */
void runner_view_want(struct runner *runner, unsigned place);
bool runner_view_taken(struct runner *runner, unsigned place);
bool runner_view_forget(struct runner *runner, unsigned place);
/* True when the hart stands still; then the telemetry area's hart snapshot is current. */
bool runner_parked(struct runner *runner);
enum run_mode runner_mode(struct runner *runner);
void runner_quit(struct runner *runner, const char *reason, bool stay_stopped);
/* Input was put into the queue: wake an idle hart. */
void runner_wake(struct runner *runner);

#endif

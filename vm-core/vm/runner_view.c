#include <string.h>

#include "mmu/mmu.h"
#include "vm/report.h"
#include "vm/runner.h"

/* A running hart is let on this far to reach user mode or idle, where kernel structures are at rest. */
enum { VIEW_PATIENCE = 20000 };

static void take(struct runner *runner, unsigned place) {
  struct machine *machine = runner->machine;
  struct view_cut *cut = &runner->cuts[place];
  telemetry_snapshot(machine->telemetry, &cut->hart);
  cut->generation = telemetry_generation(machine->telemetry);
  telemetry_extents(machine->telemetry, cut->rings, cut->counters);
  cut->epoch = preimages_open(&machine->preimages, place);
}

static void take_all(struct runner *runner) {
  for (unsigned place = 0; place < VIEW_SLOTS; place++)
    if (runner->views_wanted >> place & 1) take(runner, place);
  runner->views_wanted = 0;
  runner->view_waiting = false;
  if (runner->machine->hart.mmu) mmu_drop_writable(&runner->machine->hart);
}

void runner_views_take(struct runner *runner) {
  if (!runner->views_wanted) return;
  uint64_t start = host_now_ns();
  console_flush(runner->console);
  report(runner);
  take_all(runner);
  telemetry_count(runner->machine->telemetry, COUNTER_VIEW_OPEN_NS, host_now_ns() - start);
  runner_notify(runner);
}

void runner_views_limit(struct runner *runner, struct run_limits *limits) {
  const struct hart *hart = &runner->machine->hart;
  if (!runner->views_wanted) {
    runner->view_waiting = false;
    return;
  }
  if (!runner->view_waiting) runner->view_since = hart_instret(hart);
  runner->view_waiting = true;
  uint64_t end = runner->view_since + VIEW_PATIENCE;
  if (end < limits->stop_at_instret) limits->stop_at_instret = end;
  limits->stop_on_first_user = true;
}

bool runner_views_due(const struct runner *runner) {
  const struct hart *hart = &runner->machine->hart;
  if (!runner->views_wanted) return false;
  if (hart->priv == PRIV_U || hart->waiting) return true;
  return runner->view_waiting && hart_instret(hart) - runner->view_since >= VIEW_PATIENCE;
}

void runner_view_want(struct runner *runner, unsigned place) {
  pthread_mutex_lock(&runner->lock);
  runner->views_wanted |= UINT64_C(1) << place;
  if (runner->parked || runner->asleep) {
    take_all(runner);
  } else {
    hart_request_attention(&runner->machine->hart);
    pthread_cond_broadcast(&runner->wake);
  }
  pthread_mutex_unlock(&runner->lock);
}

bool runner_view_taken(struct runner *runner, unsigned place) {
  pthread_mutex_lock(&runner->lock);
  bool taken = !(runner->views_wanted >> place & 1);
  pthread_mutex_unlock(&runner->lock);
  return taken;
}

bool runner_view_forget(struct runner *runner, unsigned place) {
  pthread_mutex_lock(&runner->lock);
  bool wanted = runner->views_wanted >> place & 1;
  runner->views_wanted &= ~(UINT64_C(1) << place);
  pthread_mutex_unlock(&runner->lock);
  return wanted;
}

#include "vm/view.h"

#include <string.h>

#include "gen/telemetry.h"

void views_init(struct views *views, struct runner *runner, uint64_t timeout_s) {
  memset(views, 0, sizeof *views);
  views->runner = runner;
  views->timeout_ns = timeout_s * 1000000000;
}

struct view *view_want(struct views *views, unsigned client, uint64_t request) {
  for (unsigned i = 0; i < VIEW_SLOTS; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_FREE) continue;
    *view = (struct view){VIEW_WANTED, ++views->last_id, host_now_ns(), client, request};
    runner_view_want(views->runner, i);
    return view;
  }
  return NULL;
}

unsigned view_place(const struct views *views, const struct view *view) {
  return (unsigned)(view - views->slots);
}

const struct view_cut *view_cut(const struct views *views, const struct view *view) {
  return &views->runner->cuts[view_place(views, view)];
}

static struct preimages *preimages_of(const struct views *views) {
  return &views->runner->machine->preimages;
}

struct view *view_ready(struct views *views) {
  for (unsigned i = 0; i < VIEW_SLOTS; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_WANTED) continue;
    if (!runner_view_taken(views->runner, i)) return NULL;
    view->state = VIEW_OPEN;
    view->opened_ns = host_now_ns();
    telemetry_count(views->runner->machine->telemetry, COUNTER_VIEWS_OPENED, 1);
    return view;
  }
  return NULL;
}

struct view *view_find(struct views *views, unsigned client, uint64_t id) {
  for (unsigned i = 0; i < VIEW_SLOTS; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_FREE && view->client == client && view->id == id) return view;
  }
  return NULL;
}

struct view *view_wanted(struct views *views, unsigned client, uint64_t request) {
  for (unsigned i = 0; i < VIEW_SLOTS; i++) {
    struct view *view = &views->slots[i];
    if (view->state == VIEW_WANTED && view->client == client && view->request == request) return view;
  }
  return NULL;
}

enum view_end view_close(struct views *views, struct view *view) {
  enum view_state state = view->state;
  unsigned place = view_place(views, view);
  view->state = VIEW_FREE;
  if (state == VIEW_EXPIRED) return VIEW_TOO_OLD;
  if (state == VIEW_WANTED && runner_view_forget(views->runner, place)) return VIEW_ENDED;
  bool kept = preimages_close(preimages_of(views), place, view_cut(views, view)->epoch);
  return kept ? VIEW_ENDED : VIEW_LOST;
}

void views_close_client(struct views *views, unsigned client) {
  for (unsigned i = 0; i < VIEW_SLOTS; i++)
    if (views->slots[i].state != VIEW_FREE && views->slots[i].client == client)
      view_close(views, &views->slots[i]);
}

uint64_t views_expire(struct views *views) {
  uint64_t now = host_now_ns(), next = UINT64_MAX;
  for (unsigned i = 0; i < VIEW_SLOTS; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_OPEN) continue;
    uint64_t age = now - view->opened_ns;
    if (age >= views->timeout_ns) {
      if (preimages_close(preimages_of(views), i, view_cut(views, view)->epoch))
        atomic_fetch_add(&preimages_of(views)->lost, 1);
      view->state = VIEW_EXPIRED;
    } else if (views->timeout_ns - age < next) {
      next = views->timeout_ns - age;
    }
  }
  return next;
}

#include "vm/view.h"

#include <string.h>

#include "gen/telemetry.h"

void views_init(struct views *views, struct runner *runner, uint64_t timeout_s) {
  memset(views, 0, sizeof *views);
  views->runner = runner;
  views->timeout_ns = timeout_s * 1000000000;
}

struct view *view_want(struct views *views, unsigned client, uint64_t request) {
  for (unsigned i = 0; i < VIEWS_MAX; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_FREE) continue;
    *view = (struct view){VIEW_WANTED, ++views->last_id, host_now_ns(), client, request};
    runner_hold(views->runner);
    return view;
  }
  return NULL;
}

struct view *view_ready(struct views *views) {
  for (unsigned i = 0; i < VIEWS_MAX; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_WANTED) continue;
    if (!runner_still(views->runner)) return NULL;
    view->state = VIEW_OPEN;
    view->opened_ns = host_now_ns();
    telemetry_count(views->runner->machine->telemetry, COUNTER_VIEWS_OPENED, 1);
    return view;
  }
  return NULL;
}

struct view *view_find(struct views *views, unsigned client, uint64_t id) {
  for (unsigned i = 0; i < VIEWS_MAX; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_FREE && view->client == client && view->id == id) return view;
  }
  return NULL;
}

struct view *view_wanted(struct views *views, unsigned client, uint64_t request) {
  for (unsigned i = 0; i < VIEWS_MAX; i++) {
    struct view *view = &views->slots[i];
    if (view->state == VIEW_WANTED && view->client == client && view->request == request) return view;
  }
  return NULL;
}

void view_close(struct views *views, struct view *view) {
  if (view->state != VIEW_EXPIRED) runner_release(views->runner);
  view->state = VIEW_FREE;
}

void views_close_client(struct views *views, unsigned client) {
  for (unsigned i = 0; i < VIEWS_MAX; i++)
    if (views->slots[i].state != VIEW_FREE && views->slots[i].client == client)
      view_close(views, &views->slots[i]);
}

uint64_t views_expire(struct views *views) {
  uint64_t now = host_now_ns(), next = UINT64_MAX;
  for (unsigned i = 0; i < VIEWS_MAX; i++) {
    struct view *view = &views->slots[i];
    if (view->state != VIEW_OPEN) continue;
    uint64_t age = now - view->opened_ns;
    if (age >= views->timeout_ns) {
      runner_release(views->runner);
      view->state = VIEW_EXPIRED;
    } else if (views->timeout_ns - age < next) {
      next = views->timeout_ns - age;
    }
  }
  return next;
}

#include "hart/events.h"

#include "hart/hart.h"

static void unlink_event(struct hart *hart, struct event *event) {
  for (struct event **link = &hart->events; *link; link = &(*link)->next) {
    if (*link == event) {
      *link = event->next;
      break;
    }
  }
  event->queued = false;
}

void event_cancel(struct hart *hart, struct event *event) {
  if (event->queued) unlink_event(hart, event);
}

void event_schedule(struct hart *hart, struct event *event, uint64_t at_ns) {
  event_cancel(hart, event);
  event->at_ns = at_ns;
  if (at_ns == EVENT_NEVER) return;
  struct event **link = &hart->events;
  while (*link && ((*link)->at_ns < at_ns || ((*link)->at_ns == at_ns && (*link)->rank <= event->rank)))
    link = &(*link)->next;
  event->next = *link;
  event->queued = true;
  *link = event;
  /* The running budget may reach past the new event: let the run loop compute it again. */
  hart->leave = true;
}

uint64_t event_next_ns(const struct hart *hart) { return hart->events ? hart->events->at_ns : EVENT_NEVER; }

void event_fire_due(struct hart *hart) {
  uint64_t now = hart_time_ns(hart);
  while (hart->events && hart->events->at_ns <= now) {
    struct event *event = hart->events;
    unlink_event(hart, event);
    event->fire(event->opaque);
  }
}

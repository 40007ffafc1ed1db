/* Virtual-time events of one hart. Everything here runs on the hart thread.
 *
 * time_ns = instret + idle_ns: one nanosecond per retired instruction, plus the jumps WFI makes. An event
 * fires when time_ns has reached at_ns, exactly between the instruction that brought it there and the next
 * one, whatever engine runs. Events with equal at_ns fire by rank, so that the order is a function of what is
 * queued and not of how it came there (a restored machine queues anew); with equal rank too, in the order
 * they were scheduled. `fire` may schedule and cancel events, itself included, and call hart_set_irq. */
#ifndef HART_EVENTS_H
#define HART_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct hart;

#define EVENT_NEVER UINT64_MAX

/* Ranks of a machine's events; device files with many count up from theirs. */
enum event_rank { RANK_STIMER, RANK_CLINT, RANK_RTC, RANK_NET = 64, RANK_BLK = 256 };

struct event {
  uint64_t at_ns;
  unsigned rank;
  void (*fire)(void *opaque);
  void *opaque;
  bool queued; /* this and next are the queue's */
  struct event *next;
};

/* Queue the event for at_ns; an event already queued is moved. at_ns in the past means "after this
 * instruction"; EVENT_NEVER only cancels. The struct stays owned by the caller and must outlive its time in
 * the queue. */
void event_schedule(struct hart *hart, struct event *event, uint64_t at_ns);
void event_cancel(struct hart *hart, struct event *event);

/* at_ns of the earliest queued event, EVENT_NEVER when there is none. */
uint64_t event_next_ns(const struct hart *hart);

/* Fire everything due at the present time_ns. Called by exec/run.c only. */
void event_fire_due(struct hart *hart);

#endif

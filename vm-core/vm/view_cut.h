/* What a view fixes besides RAM: hart, boot, and how far the rings and counters had come at its instant. */
#ifndef VM_VIEW_CUT_H
#define VM_VIEW_CUT_H

#include "gen/telemetry.h"

struct view_cut {
  uint64_t epoch; /* of vm/preimage.h */
  uint64_t generation;
  uint64_t rings[RING_COUNT]; /* records committed */
  uint64_t counters[COUNTER_COUNT];
  struct hart_snapshot hart;
};

#endif

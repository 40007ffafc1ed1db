#include "dev/clint.h"

#include <string.h>

enum { MSIP = 0x0, MTIMECMP = 0x4000, MTIME = 0xbff8 };

static void clint_update(struct clint *clint) {
  uint64_t compare = clint->state.mtimecmp;
  bool due = hart_mtime(clint->hart) >= compare;
  hart_set_irq(clint->hart, IRQ_MTI, due);
  if (due || compare > EVENT_NEVER / NS_PER_TICK - 1)
    event_cancel(clint->hart, &clint->timer);
  else
    event_schedule(clint->hart, &clint->timer, compare * NS_PER_TICK);
}

static void clint_fire(void *opaque) { clint_update(opaque); }

/* A 64-bit register seen through an aligned access of 4 or 8 bytes. */
static uint64_t part(uint64_t value, uint64_t offset, unsigned size) {
  return size == 8 ? value : (uint32_t)(value >> (offset & 4) * 8);
}

static uint64_t merge(uint64_t old, uint64_t offset, unsigned size, uint64_t value) {
  if (size == 8) return value;
  unsigned shift = (unsigned)(offset & 4) * 8;
  return (old & ~(UINT64_C(0xffffffff) << shift)) | (value & 0xffffffff) << shift;
}

static bool clint_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct clint *clint = opaque;
  if (size < 4) return false;
  switch (offset & ~UINT64_C(7)) {
  case MSIP: *value = part(clint->state.msip, offset, size); return true;
  case MTIMECMP: *value = part(clint->state.mtimecmp, offset, size); return true;
  case MTIME: *value = part(hart_mtime(clint->hart), offset, size); return true;
  default: *value = 0; return true;
  }
}

static bool clint_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct clint *clint = opaque;
  if (size < 4) return false;
  switch (offset & ~UINT64_C(7)) {
  case MSIP:
    clint->state.msip = merge(clint->state.msip, offset, size, value) & 1;
    hart_set_irq(clint->hart, IRQ_MSI, clint->state.msip);
    return true;
  case MTIMECMP:
    clint->state.mtimecmp = merge(clint->state.mtimecmp, offset, size, value);
    clint_update(clint);
    return true;
  default: return true;
  }
}

static const struct mmio_ops clint_ops = {clint_read, clint_write};

static void clint_reset(void *opaque) {
  struct clint *clint = opaque;
  event_cancel(clint->hart, &clint->timer);
  clint->state.mtimecmp = UINT64_MAX;
  clint->state.msip = 0;
  hart_set_irq(clint->hart, IRQ_MSI, false);
  hart_set_irq(clint->hart, IRQ_MTI, false);
}

/* A line that is up has fired; one that is down waits for its event, even if that is due this instant. */
static bool clint_load(void *opaque, struct blob_reader *in) {
  struct clint *clint = opaque;
  uint64_t compare = clint->state.mtimecmp;
  (void)in;
  if (clint->state.msip > 1) return false;
  if (!(clint->hart->csr.mip_lines & BIT(IRQ_MTI)) && compare <= EVENT_NEVER / NS_PER_TICK - 1)
    event_schedule(clint->hart, &clint->timer, compare * NS_PER_TICK);
  return true;
}

bool clint_init(struct clint *clint, struct bus *bus, uint64_t base, uint64_t size) {
  memset(clint, 0, sizeof *clint);
  clint->hart = bus->hart;
  clint->timer = (struct event){.rank = RANK_CLINT, .fire = clint_fire, .opaque = clint};
  return bus_add(bus, &(struct device){.name = "clint",
                                       .base = base,
                                       .size = size,
                                       .ops = &clint_ops,
                                       .opaque = clint,
                                       .state = &clint->state,
                                       .state_size = sizeof clint->state,
                                       .reset = clint_reset,
                                       .load = clint_load});
}

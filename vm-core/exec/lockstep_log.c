#include <string.h>

#include "exec/lockstep_side.h"
#include "mmu/dma.h"

struct dma_record {
  uint64_t gpa;
  size_t size;
};

static void mirror(struct side *side, uint64_t gpa, const void *bytes, size_t size) {
  side->applying = true;
  dma_write(side->hart, gpa, bytes, size);
  side->applying = false;
}

/* Fast side only. Between stretches the reference stands at the same instruction and follows at once. */
void log_dma(struct lockstep *lockstep, uint64_t gpa, unsigned size) {
  const uint8_t *bytes = lockstep->fast.phys->ram + (gpa - lockstep->fast.phys->ram_base);
  if (lockstep->fast.applying || lockstep->replaying) return;
  if (!lockstep->recording) {
    mirror(&lockstep->reference, gpa, bytes, size);
    return;
  }
  struct dma_record record = {gpa, size};
  size_t need = lockstep->dma_used + sizeof record + size;
  if (!lockstep_grow(lockstep, (void **)&lockstep->dma, &lockstep->dma_room, need, 1)) return;
  memcpy(lockstep->dma + lockstep->dma_used, &record, sizeof record);
  memcpy(lockstep->dma + lockstep->dma_used + sizeof record, bytes, size);
  lockstep->dma_used = need;
}

static struct meeting meeting_now(const struct side *side, enum meeting_kind kind, uint64_t gpa,
                                  unsigned size) {
  return (struct meeting){.kind = kind, .gpa = gpa, .size = size, .instret = hart_instret(side->hart)};
}

static void record_begin(struct lockstep *lockstep, struct meeting *meeting) {
  lockstep->depth++;
  meeting->dma_start = lockstep->dma_used;
}

static void record_end(struct lockstep *lockstep, struct meeting *meeting) {
  const struct hart *hart = lockstep->fast.hart;
  lockstep->depth--;
  meeting->leave = hart->leave;
  meeting->stop = hart->stop_request;
  meeting->mip_lines = hart->csr.mip_lines;
  meeting->dma_end = lockstep->dma_used;
  if (lockstep_grow(lockstep, (void **)&lockstep->meetings, &lockstep->meeting_room,
                    lockstep->meeting_count + 1, sizeof *lockstep->meetings))
    lockstep->meetings[lockstep->meeting_count++] = *meeting;
}

static void apply(struct side *side, const struct meeting *meeting) {
  const struct lockstep *lockstep = side->lockstep;
  struct hart *hart = side->hart;
  for (size_t at = meeting->dma_start; at < meeting->dma_end;) {
    struct dma_record record;
    memcpy(&record, lockstep->dma + at, sizeof record);
    mirror(side, record.gpa, lockstep->dma + at + sizeof record, record.size);
    at += sizeof record + record.size;
  }
  hart->csr.mip_lines = meeting->mip_lines;
  if (meeting->stop) hart_request_stop(hart, meeting->stop);
  if (meeting->leave) hart->leave = side->must_leave = true;
}

/* The next logged meeting when it is this one; NULL: noted, and the side stops. */
static const struct meeting *replay(struct side *side, const struct meeting *met) {
  const struct lockstep *lockstep = side->lockstep;
  const struct meeting *logged =
      side->next < lockstep->meeting_count ? &lockstep->meetings[side->next] : NULL;
  const char *why = NULL;
  if (side->mismatch)
    why = side->mismatch;
  else if (!logged)
    why = "an access to a device that the other side did not make";
  else if (logged->kind != met->kind || logged->gpa != met->gpa || logged->size != met->size)
    why = "another access to a device";
  else if (met->kind != MEETING_READ && logged->value != met->value)
    why = "another value stored to a device";
  else if (logged->instret != met->instret)
    why = "an access to a device at another instant";
  if (why) {
    if (!side->mismatch) side->met = *met;
    side->mismatch = why;
    side->hart->leave = true;
    return NULL;
  }
  side->next++;
  apply(side, logged);
  return logged;
}

static bool fast_records(const struct side *side) {
  return side == &side->lockstep->fast && !side->lockstep->replaying;
}

static bool range_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct watched_range *range = opaque;
  struct side *side = range->side;
  const struct phys_mmio *original = &range->original;
  struct meeting meeting = meeting_now(side, MEETING_READ, original->base + offset, size);
  if (!fast_records(side)) {
    const struct meeting *logged = replay(side, &meeting);
    *value = logged ? logged->value : 0;
    return logged && logged->ok;
  }
  record_begin(side->lockstep, &meeting);
  meeting.ok = original->ops->read(original->opaque, offset, size, value);
  meeting.value = *value;
  record_end(side->lockstep, &meeting);
  return meeting.ok;
}

static bool range_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct watched_range *range = opaque;
  struct side *side = range->side;
  const struct phys_mmio *original = &range->original;
  struct meeting meeting = meeting_now(side, MEETING_WRITE, original->base + offset, size);
  meeting.value = value;
  if (!fast_records(side)) {
    const struct meeting *logged = replay(side, &meeting);
    return logged && logged->ok;
  }
  record_begin(side->lockstep, &meeting);
  meeting.ok = original->ops->write(original->opaque, offset, size, value);
  record_end(side->lockstep, &meeting);
  return meeting.ok;
}

void log_watch_store(struct side *side, uint64_t gpa, unsigned size) {
  struct lockstep *lockstep = side->lockstep;
  const struct phys_hooks *hooks = &lockstep->hooks;
  bool call = fast_records(side) && hooks->watch_store;
  if (side->applying) return;
  if (fast_records(side) && (lockstep->depth || !lockstep->recording)) {
    if (call) hooks->watch_store(hooks->opaque, gpa, size);
    return;
  }
  struct meeting meeting = meeting_now(side, MEETING_WATCH, gpa, size);
  memcpy(&meeting.value, side->phys->ram + (gpa - side->phys->ram_base), size < 8 ? size : 8);
  if (!fast_records(side)) {
    replay(side, &meeting);
    return;
  }
  record_begin(lockstep, &meeting);
  if (call) hooks->watch_store(hooks->opaque, gpa, size);
  record_end(lockstep, &meeting);
}

static const struct mmio_ops range_ops = {range_read, range_write};

void log_attach(struct lockstep *lockstep) {
  struct phys *fast = lockstep->fast.phys;
  for (unsigned i = 0; i < fast->mmio_count; i++) {
    struct phys_mmio *mmio = &fast->mmio[i];
    lockstep->range[0][i] = (struct watched_range){&lockstep->fast, *mmio};
    lockstep->range[1][i] = (struct watched_range){&lockstep->reference, *mmio};
    phys_add_mmio(&lockstep->phys, mmio->base, mmio->size, &range_ops, &lockstep->range[1][i]);
    mmio->ops = &range_ops;
    mmio->opaque = &lockstep->range[0][i];
  }
}

void log_detach(struct lockstep *lockstep) {
  struct phys *fast = lockstep->fast.phys;
  for (unsigned i = 0; i < lockstep->phys.mmio_count; i++) fast->mmio[i] = lockstep->range[0][i].original;
}

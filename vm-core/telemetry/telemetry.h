/* What a machine tells about itself: one shared memory area, written here, mapped read-only by readers.
 *
 * Layout and reading rules: schema/layout/telemetry.ts (gen/telemetry.h) and docs/protocol.md, "Telemetry
 * area". Every function but telemetry_create, telemetry_destroy and telemetry_count is called by the hart
 * thread alone; telemetry_count by any thread, each counter having one writer at a time. A NULL telemetry is
 * valid everywhere and means "off". Nothing here is visible to the guest. */
#ifndef TELEMETRY_TELEMETRY_H
#define TELEMETRY_TELEMETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hart_snapshot; /* gen/telemetry.h */
struct telemetry_faults;

struct telemetry {
  uint8_t *area;
  _Atomic uint64_t *counters; /* indexed by enum counter of gen/telemetry.h */
  struct telemetry_faults *faults;
  unsigned
      open_faults; /* faults whose retried access has not been seen yet; telemetry_filled tests it first */
  size_t size;
  int fd; /* the memfd, sealed: readers can map it read-only and no other way */
};

/* A new area for a machine with this RAM. NULL with a one-line reason in *error (static text). */
struct telemetry *telemetry_create(uint64_t ram_base, uint64_t ram_size, const char **error);
void telemetry_destroy(struct telemetry *telemetry);

/* A trap that was just taken: exception or interrupt (bit 63 of cause). */
struct telemetry_trap {
  uint64_t instret; /* retired before the trapping instruction */
  uint64_t cause, tval, pc;
  uint64_t satp;
  uint64_t context; /* sscratch when the trap came from U-mode, else x4 */
  uint8_t priv_from, priv_to;
};
void telemetry_trap(struct telemetry *telemetry, const struct telemetry_trap *trap);

/* Kinds of access; page faults 12, 13, 15 and access faults 1, 5, 7 belong to them in this order. */
enum telemetry_access { TELEMETRY_FETCH, TELEMETRY_LOAD, TELEMETRY_STORE };

void telemetry_fault_retried(struct telemetry *telemetry, uint64_t satp, uint64_t va,
                             enum telemetry_access access, uint64_t gpa);

/* A software TLB fill for an access of this kind at virtual address va reached guest-physical gpa: a fault
 * still waiting for its retried access gets its physical_page. Call it at every fill of a translated access.
 */
static inline void telemetry_filled(struct telemetry *telemetry, uint64_t satp, uint64_t va,
                                    enum telemetry_access access, uint64_t gpa) {
  if (telemetry && telemetry->open_faults) telemetry_fault_retried(telemetry, satp, va, access, gpa);
}

/* Add to, or set, a counter. */
static inline void telemetry_count(struct telemetry *telemetry, unsigned counter, uint64_t n) {
  if (!telemetry) return;
  _Atomic uint64_t *slot = &telemetry->counters[counter];
  atomic_store_explicit(slot, atomic_load_explicit(slot, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline void telemetry_set(struct telemetry *telemetry, unsigned counter, uint64_t value) {
  if (telemetry) atomic_store_explicit(&telemetry->counters[counter], value, memory_order_relaxed);
}

/* Console output: up to 40 bytes as one record. */
void telemetry_console(struct telemetry *telemetry, uint64_t instret, unsigned device, const void *bytes,
                       unsigned length);

/* Replace the hart snapshot; its `sequence` member is ignored. */
void telemetry_publish(struct telemetry *telemetry, const struct hart_snapshot *snapshot);

/* Read the snapshot as any reader does; any thread. */
void telemetry_snapshot(const struct telemetry *telemetry, struct hart_snapshot *snapshot);

/* How far everything has come: records committed of each ring [RING_COUNT], counters [COUNTER_COUNT]. The
 * hart stands still; any thread. */
void telemetry_extents(const struct telemetry *telemetry, uint64_t *rings, uint64_t *counters);

/* Go on counting from what telemetry_extents told at an earlier instant, before any reader looks: the records
 * of before are not there. Hart thread. */
void telemetry_go_on(struct telemetry *telemetry, const uint64_t *rings, const uint64_t *counters);

/* The machine was reset or put back: boot counter for readers; instret may fall here. Faults still open are
 * forgotten. */
void telemetry_set_generation(struct telemetry *telemetry, uint64_t generation);
uint64_t telemetry_generation(const struct telemetry *telemetry); /* any thread */

/* Console records for the daemon's own clients, by the rules any reader follows; any thread.
 * console_committed: records finished so far. console_read: copy record n into *record (a struct
 * console_record); false when it was overwritten or is not written yet. */
struct console_record;
uint64_t telemetry_console_committed(const struct telemetry *telemetry);
uint64_t telemetry_console_oldest(const struct telemetry *telemetry); /* first record still there */
bool telemetry_console_read(const struct telemetry *telemetry, uint64_t n, struct console_record *record);

#endif

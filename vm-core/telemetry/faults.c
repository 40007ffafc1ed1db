#include "telemetry/faults.h"

#include <string.h>

#include "gen/telemetry.h"
#include "telemetry/ring.h"

static unsigned slot_of(uint64_t satp, uint64_t page, enum telemetry_access access) {
  uint64_t mixed = (page ^ satp * UINT64_C(0x9e3779b97f4a7c15)) * 3 + access;
  return (unsigned)((mixed * UINT64_C(0x9e3779b97f4a7c15)) >> 55) % FAULT_SLOTS;
}

void faults_open(struct telemetry *telemetry, const struct open_fault *fault) {
  struct open_fault *slot = &telemetry->faults->slots[slot_of(fault->satp, fault->page, fault->access)];
  if (!slot->used) telemetry->open_faults++;
  *slot = *fault;
  slot->used = true;
}

void faults_clear(struct telemetry *telemetry) {
  memset(telemetry->faults, 0, sizeof *telemetry->faults);
  telemetry->open_faults = 0;
}

void telemetry_fault_retried(struct telemetry *telemetry, uint64_t satp, uint64_t va,
                             enum telemetry_access access, uint64_t gpa) {
  uint64_t page = va >> 12;
  struct open_fault *slot = &telemetry->faults->slots[slot_of(satp, page, access)];
  if (!slot->used || slot->satp != satp || slot->page != page || slot->access != access) return;
  slot->used = false;
  telemetry->open_faults--;
  struct page_fault_record *record = ring_record(telemetry, RING_PAGE_FAULTS, slot->seq);
  if (!record) return;
  __atomic_store_n(&record->physical_page, gpa & ~UINT64_C(0xfff), __ATOMIC_RELAXED);
  telemetry_count(telemetry, COUNTER_FAULTS_RESOLVED, 1);
}

/* Faults whose retried access has not been seen yet: a small direct-mapped table from (satp, virtual page,
 * access) to the ring record to patch. A newer fault with the same hash takes an older one's place; the older
 * one's physical_page stays unknown. Hart thread. */
#ifndef TELEMETRY_FAULTS_H
#define TELEMETRY_FAULTS_H

#include "telemetry/telemetry.h"

enum { FAULT_SLOTS = 512 };

struct open_fault {
  bool used;
  uint64_t satp, page, seq;
  enum telemetry_access access;
};

struct telemetry_faults {
  struct open_fault slots[FAULT_SLOTS];
};

void faults_open(struct telemetry *telemetry, const struct open_fault *fault);

/* Forget every open fault. */
void faults_clear(struct telemetry *telemetry);

#endif

/* Single-writer rings in the telemetry area. Writing is for the hart thread; docs/protocol.md says how to
 * read. */
#ifndef TELEMETRY_RING_H
#define TELEMETRY_RING_H

#include "gen/telemetry.h"
#include "telemetry/telemetry.h"

/* Number the next record will get. */
uint64_t ring_next(const struct telemetry *telemetry, unsigned ring);

/* Append one record of the ring's record size. */
void ring_append(struct telemetry *telemetry, unsigned ring, const void *record);

/* Record n in place, or NULL when it has been overwritten or was never written. Writer only. */
void *ring_record(struct telemetry *telemetry, unsigned ring, uint64_t n);

#endif

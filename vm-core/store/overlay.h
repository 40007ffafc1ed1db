/* A disk whose writes stay in memory, over one that is only read: what a replay writes must be seen by the
 * replay and by nobody else. */
#ifndef STORE_OVERLAY_H
#define STORE_OVERLAY_H

#include "store/store.h"

/* `below` stays the caller's and must live longer; it is read, never written. At most `limit` bytes of writes
 * are kept: one more ends with -ESHUTDOWN, because the guest must not be told. NULL: no memory. */
struct block_device *block_overlay_open(struct block_device *below, uint64_t limit);

#endif

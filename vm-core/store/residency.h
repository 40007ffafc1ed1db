/* Which granules (64 KB) of guest RAM hold their bytes, while RAM is being loaded from a checkpoint. It lies
 * in shared memory: readers of RAM look there too (docs/protocol.md, "View area"). */
#ifndef STORE_RESIDENCY_H
#define STORE_RESIDENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum granule_state { GRANULE_ABSENT, GRANULE_LOADING, GRANULE_READY };

struct residency {
  _Atomic uint8_t *states; /* enum granule_state, for each granule; nothing is said unless `loading` */
  _Atomic uint64_t *loading;
};

#endif

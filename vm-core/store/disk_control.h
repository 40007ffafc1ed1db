/* Changes of what stands behind a disk of the database, in order with the guest's requests: they go through
 * the same queue (BLOCK_CONTROL, request.buffer = struct disk_control).
 *
 * SEAL: everything written so far is committed to the leaf, which is sealed and gets an empty one on top; the
 *   requests behind it are served meanwhile. Ends with sealed_layer set.
 * HOLD: everything is committed first; from then on nothing is, and flushes end at once, until one of:
 * RELEASE: back to normal; ends when everything written meanwhile is durable.
 * REVERT: the disk is as it was at HOLD.
 * REPLACE: the disk is another chain (`chain` is moved out of); nothing of the old one is written any more.
 *
 * MAP: a copy of where every page lies goes into `chain`. REBASE: the leaf goes over base_layer, which holds
 * what all sealed layers do; former_layer is what it was over. DRAIN: ends when no read is under way. These
 * three may come from any thread.
 *
 * While held, dirty pages stay in the cache; what finds no more room ends with -ENOSPC, and `overflowed` says
 * so. Errors: -EBUSY (held, or not held), -EIO (a seal whose commit failed; the disk goes on as it was),
 * -EMLINK (64 layers). */
#ifndef STORE_DISK_CONTROL_H
#define STORE_DISK_CONTROL_H

#include <stdint.h>

struct disk_chain;

enum disk_control_kind {
  DISK_SEAL,
  DISK_HOLD,
  DISK_RELEASE,
  DISK_REVERT,
  DISK_REPLACE,
  DISK_MAP,
  DISK_REBASE,
  DISK_DRAIN
};

struct disk_control {
  enum disk_control_kind kind;
  uint64_t sealed_layer;
  unsigned layers; /* SEAL: of the disk, the new leaf included */
  struct disk_chain *chain;
  uint64_t base_layer, former_layer;
  uint32_t base_lo;
};

#endif

/* Changes of what stands behind a disk of the database, in order with the guest's requests: they go through
 * the same queue (BLOCK_CONTROL, request.buffer = struct disk_control).
 *
 * SEAL: the disk as it is at this place in the queue is to become part of a checkpoint (store/disk_save.c).
 *   Ends when everything written before is committed; `chain` (made here, the caller's) says where every page
 *   lay. From then on nothing is committed, until one of the next; requests are served as ever.
 * SEAL_GO: the leaf is written to again; pages that may have changed since SEAL are noted.
 * SEAL_CHANGED: the pages noted so far, in `changed` (a bit each; the caller's); noting begins anew.
 * SEAL_STOP: ends when everything is committed, with `changed`. Again nothing is committed from then on.
 * SEAL_END: commits go on. kept (only after STOP): to the new leaf named by leaf_layer, lo and presence_lo,
 *   over the one so far; else to the one so far. Sets `layers`.
 * The last four come from the thread that writes the checkpoint, and overtake waiting requests.
 *
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
 * so. Errors: -EBUSY (held, or not held; sealing, or not), -EIO (a seal whose commit failed; the disk goes on
 * as it was), -EMLINK (too many layers). */
#ifndef STORE_DISK_CONTROL_H
#define STORE_DISK_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct disk_chain;

enum disk_control_kind {
  DISK_SEAL,
  DISK_SEAL_GO,
  DISK_SEAL_CHANGED,
  DISK_SEAL_STOP,
  DISK_SEAL_END,
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
  struct disk_chain *chain;
  uint64_t *changed;
  bool kept;
  uint64_t leaf_layer;
  uint32_t lo, presence_lo;
  unsigned layers; /* of the disk, the leaf included */
  uint64_t base_layer, former_layer;
  uint32_t base_lo;
};

#endif

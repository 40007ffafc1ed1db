/* What the parts of writing a checkpoint share. Private to store/. */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "store/state_io.h"

/* A RAM layer being written. */
struct ram_layer {
  uint64_t id, parent;
  uint32_t lo, index_lo;
  uint32_t stored; /* granules */
};

/* In the checkpoint's transaction, which is open on store->link. */
bool ram_save(struct state_store *store, struct state_save *save, struct ram_layer *layer);

/* The disk's part of a checkpoint.
 *
 * While RAM is written the guest goes on, and what it flushes goes to the leaf as ever; the leaf as it was is
 * still there for a descriptor opened then, because Large Objects have versions. So at the end a layer over
 * the leaf (`layer`) takes up what the pages written since the instant held then, the machine gets an empty
 * leaf beside it, and all of that is in the checkpoint's transaction. Nothing written since: no such layer.
 */
struct disk_save {
  struct state_store *store;
  struct state_save *save;
  struct disk_chain *at; /* where each page lay at the instant; NULL: nothing to end */
  uint64_t *taken;       /* pages that are in `layer` */
  uint8_t *presence;
  uint64_t layer; /* 0: none */
  uint32_t lo, presence_lo;
  char descriptor[16];
  struct disk_control end; /* what the disk is when it is committed */
};

/* Wait until the disk stands; take hold of the leaf; the guest's flushes go on. */
bool disk_save_begin(struct disk_save *disk);
/* When all else is written: now they stand until disk_save_end. Then layer_of is the checkpoint's layer. */
bool disk_save_finish(struct disk_save *disk);
uint64_t disk_save_layer(const struct disk_save *disk);
/* In any case: what became of the transaction. UNKNOWN: the disk stands until the daemon has ended. */
enum disk_kept { DISK_NOT_KEPT, DISK_KEPT, DISK_UNKNOWN };
void disk_save_end(struct disk_save *disk, enum disk_kept kept);

#endif

/* Copy-on-write views of guest RAM: page tags, and a bounded pool of pre-images, in a memfd that readers map
 * (docs/protocol.md, "View area").
 *
 * Every opened view starts an epoch. A page's tag is the epoch in which it was last made writable. Before the
 * first write to a page in an epoch, what it holds is saved if some open view is newer than the tag: it
 * serves exactly the views with tag < epoch <= now. When the pool is full, the oldest view is lost.
 *
 * preimage_before_write: hart thread. The rest: whoever holds the hart still (open, reset), or any thread. */
#ifndef VM_PREIMAGE_H
#define VM_PREIMAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/residency.h"
#include "vm/undo.h"

enum undo_use { UNDO_CHECKPOINT, UNDO_TRANSACTION, UNDO_USES };

struct preimages {
  const uint8_t *ram;
  uint64_t ram_pages;
  uint8_t *area;
  size_t size;
  int fd; /* the memfd, sealed: readers can map it read-only and no other way */

  uint64_t epoch;               /* of the newest view ever; written while the hart stands still */
  _Atomic uint64_t newest;      /* epoch of the newest open view or undo, or 0 */
  _Atomic uint64_t saved, lost; /* counts since the start */
  pthread_mutex_t lock;         /* of everything below and of the chains in the area */
  uint64_t fresh, free_head;    /* slots never used start at `fresh`; freed ones, slot + 1 */
  struct undo undo[UNDO_USES];
};

/* pool: bytes of pre-images, at least one page. false with one line in `error`. */
bool preimages_init(struct preimages *preimages, const uint8_t *ram, uint64_t ram_bytes, uint64_t pool,
                    char *error, size_t error_size);
void preimages_destroy(struct preimages *preimages);

/* Open a view in a free place (below VIEW_SLOTS) and return its epoch. The hart stands still, and the caller
 * drops all writable TLB entries before it goes on. */
uint64_t preimages_open(struct preimages *preimages, unsigned place);
/* Close the view in `place` if it still has this epoch; its pre-images are freed. false: it was lost. */
bool preimages_close(struct preimages *preimages, unsigned place, uint64_t epoch);
bool preimages_is_open(const struct preimages *preimages, unsigned place, uint64_t epoch);

/* RAM is about to be replaced: every view is lost. Returns an epoch: from it on, tags tell what is written.
 */
uint64_t preimages_reset(struct preimages *preimages);

/* Where readers look which 64 KB of RAM are there already (store/state.h). */
struct residency preimages_residency(const struct preimages *preimages);

/* The epoch in which the page was last made writable; any thread. */
uint64_t preimages_tag(const struct preimages *preimages, uint64_t page);
/* An undo was opened or closed; lock held. */
void preimages_count_undo(struct preimages *preimages);

/* struct phys_hooks.before_write: the page is about to become writable. */
void preimages_before_write(void *preimages, uint64_t page);

/* Copy a page as the view in `place` sees it, by the rules any reader follows; any thread. false: the view
 * was lost or closed. */
bool preimages_read(const struct preimages *preimages, unsigned place, uint64_t epoch, uint64_t page,
                    uint8_t *out);

#endif

/* What guest RAM held at an instant, kept without a bound for as long as it takes to be written out
 * (checkpoints) or to be put back (transactions): before the first write to a page after the instant, the
 * page is copied to the same place in a mapping of its own, which takes up memory only for such pages.
 *
 * The same tags serve as for views (vm/preimage.h). open: the hart stands still, and the caller drops all
 * writable TLB entries. read: any thread. close: any thread. */
#ifndef VM_UNDO_H
#define VM_UNDO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct preimages;

struct undo {
  uint64_t epoch;  /* 0: closed; under preimages.lock */
  uint8_t *bytes;  /* as large as RAM */
  uint64_t *saved; /* bit for each page */
};

bool undo_open(struct preimages *preimages, struct undo *undo);
void undo_close(struct preimages *preimages, struct undo *undo);

/* Copy a page as it was at the instant. */
void undo_read(const struct preimages *preimages, const struct undo *undo, uint64_t page, uint8_t *out);
/* Write every page that changed back to RAM; hart thread. Open views keep what they see. */
void undo_restore(struct preimages *preimages, struct undo *undo, uint8_t *ram);

/* preimages_before_write, lock held: `tag` is the page's. */
void undo_save(const struct preimages *preimages, struct undo *undo, uint64_t page, uint64_t tag);

#endif

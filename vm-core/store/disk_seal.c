/* The disk's part in a checkpoint, as its I/O thread sees it (store/disk_control.h has the order of events).
 *
 * The leaf is not changed before the checkpoint is committed: what the guest flushes meanwhile goes to it as
 * ever, so a crash leaves the disk as if no checkpoint had been begun. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"
#include "store/disk_control.h"

static struct disk_control *control_of(const struct block_request *request) { return request->buffer; }

static void end(struct disk *disk, struct block_request *request, int error) {
  block_queue_end(&disk->session->queue, request, error);
}

static uint64_t *no_changes(const struct disk *disk) {
  return calloc(disk->chain.map.pages / 64 + 1, sizeof(uint64_t));
}

static void forget(struct disk *disk) {
  free(disk->seal.changed);
  disk->seal = (struct disk_seal){0};
}

bool disk_chain_copy(struct disk_chain *copy, const struct disk_chain *chain) {
  *copy = *chain;
  copy->map = (struct page_map){.pages = chain->map.pages, .leaf = chain->map.leaf};
  copy->map.owner = malloc(chain->map.pages);
  if (copy->map.owner) memcpy(copy->map.owner, chain->map.owner, chain->map.pages);
  return copy->map.owner != NULL;
}

/* The map is copied when the last of what was written before was sent, and before anything else is served. */
enum disk_outcome disk_seal(struct disk *disk, struct block_request *request) {
  struct session *session = disk->session;
  int error = 0;
  if (disk->held_owner || disk->seal.phase || disk->rebasing) error = -EBUSY;
  if (!error && disk->chain.map.leaf + 2 >= LAYERS_MAX)
    error = -EMLINK; /* the saved one may get a leaf, too */
  if (!error && session->committing) return DISK_WAITS;
  disk_pop(disk);
  struct disk_chain *at = error ? NULL : calloc(1, sizeof *at);
  uint64_t *changed = at ? no_changes(disk) : NULL;
  if (!error && (!at || !changed)) error = -ENOMEM;
  if (error) {
    free(at);
    free(changed);
    end(disk, request, error);
    return DISK_ENDED;
  }
  disk->seal = (struct disk_seal){.phase = SEAL_BEGINS, .waiting = request};
  control_of(request)->chain = at;
  bool sent = session_begin_commit(session);
  disk->seal.changed = changed; /* that commit is of what was before */
  if (!disk_chain_copy(at, &disk->chain)) {
    forget(disk);
    end(disk, request, -ENOMEM);
  }
  return sent ? DISK_ENDED : DISK_FAILED;
}

static int changed(struct disk *disk, struct disk_control *control) {
  uint64_t *fresh = disk->seal.phase == SEAL_NOTES ? no_changes(disk) : NULL;
  if (!fresh) return disk->seal.phase == SEAL_NOTES ? -ENOMEM : -EBUSY;
  control->changed = disk->seal.changed;
  disk->seal.changed = fresh;
  return 0;
}

static int finish(struct disk *disk, struct disk_control *control) {
  struct disk_chain *chain = &disk->chain;
  bool stopped = disk->seal.phase == SEAL_STOPPED;
  if (!stopped && (control->kept || disk->seal.phase == SEAL_NONE)) return -EBUSY;
  if (stopped) page_map_end_seal(&chain->map, control->kept);
  if (control->kept) {
    chain->leaf_layer = control->leaf_layer;
    chain->lo[chain->map.leaf] = control->lo;
    chain->presence_lo = control->presence_lo;
  }
  control->layers = chain->map.leaf;
  forget(disk);
  return 0;
}

static int serve(struct disk *disk, struct disk_control *control) {
  enum seal_phase phase = disk->seal.phase;
  if (control->kind == DISK_SEAL_CHANGED) return changed(disk, control);
  if (control->kind == DISK_SEAL_END) return finish(disk, control);
  if (phase != SEAL_STANDS) return -EBUSY;
  disk->seal.phase = SEAL_NOTES;
  return 0;
}

bool disk_seal_serve(struct disk *disk, struct block_request *request) {
  struct disk_control *control = control_of(request);
  switch (control->kind) {
  case DISK_SEAL_STOP:
    if (disk->seal.phase != SEAL_NOTES) {
      end(disk, request, -EBUSY);
    } else {
      disk->seal.phase = SEAL_STOPS;
      disk->seal.waiting = request;
    }
    return true;
  case DISK_SEAL_GO:
  case DISK_SEAL_CHANGED:
  case DISK_SEAL_END: {
    int error = serve(disk, control);
    if (disk_dirty(disk)) session_dirty(disk->session);
    end(disk, request, error);
    return true;
  }
  default: return false;
  }
}

void disk_seal_sent(struct disk *disk) {
  if (disk->seal.phase != SEAL_STOPS || disk->seal.mapped) return;
  page_map_begin_seal(&disk->chain.map);
  disk->seal.mapped = true;
}

/* A lost commit is sent again when the checkpoint's end waits for it; at its beginning it may then hold what
 * came later, so there the checkpoint fails. */
void disk_seal_committed(struct disk *disk, bool kept) {
  struct disk_seal *seal = &disk->seal;
  struct block_request *request = seal->waiting;
  if (seal->phase == SEAL_BEGINS && !kept) {
    forget(disk);
    end(disk, request, -EIO);
  } else if (seal->phase == SEAL_BEGINS) {
    seal->phase = SEAL_STANDS;
    seal->waiting = NULL;
    end(disk, request, 0);
  } else if (seal->phase == SEAL_STOPS && seal->mapped && !kept) {
    page_map_end_seal(&disk->chain.map, false);
    seal->mapped = false;
  } else if (seal->phase == SEAL_STOPS && seal->mapped) {
    seal->phase = SEAL_STOPPED;
    seal->waiting = NULL;
    control_of(request)->changed = seal->changed;
    seal->changed = NULL;
    end(disk, request, 0);
  }
}

bool disk_seal_stands(const struct disk *disk) {
  return disk->seal.phase == SEAL_STANDS || disk->seal.phase == SEAL_STOPPED;
}

bool disk_seal_wants_commit(const struct disk *disk) { return disk->seal.phase == SEAL_STOPS; }

void disk_seal_note(struct disk *disk, uint64_t first, page_mask pages) {
  if (!disk->seal.changed) return;
  for (unsigned page = 0; page < LINE_PAGES; page++)
    if (pages >> page & 1) disk->seal.changed[(first + page) / 64] |= UINT64_C(1) << (first + page) % 64;
}

void disk_seal_fail(struct disk *disk, int error) {
  struct block_request *request = disk->seal.waiting;
  disk->seal.waiting = NULL;
  if (disk->seal.phase == SEAL_BEGINS) forget(disk);
  if (disk->seal.phase == SEAL_STOPS) disk->seal.phase = SEAL_NOTES;
  if (request) end(disk, request, error);
}

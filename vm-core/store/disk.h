/* A disk over a chain of layers in Large Objects: requests, cache, fetching, write-back. Private to store/.
 * Everything runs on the session's I/O thread except the opening. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "store/cache.h"
#include "store/page_map.h"
#include "store/session.h"
#include "store/store.h"

enum { FETCH_LINES_MAX = 48, AHEAD_LINES_MIN = 4, AHEAD_LINES_MAX = 32 };

struct disk {
  struct block_device block; /* first: a block_device is its disk */
  struct session *session;
  struct cache cache;
  struct page_map map;
  uint32_t layer_lo[LAYERS_MAX];      /* Large Object of each owner; 0 = none */
  uint32_t presence_lo;               /* of the leaf */
  struct block_request *first, *last; /* taken from the queue, in order; the first is being worked on */
  uint64_t position;                  /* bytes of the first request that are done */
  bool noted;                         /* the first request was looked at by note_reader */
  struct block_request *flushes;      /* waiting for their commit */
  unsigned fetching;                  /* lines with fetches outstanding */
  bool fetch_sent;                    /* since the last sync */
  uint64_t ahead_next;                /* line a sequential reader would want next */
  unsigned ahead_window;              /* lines to read ahead; 0 = not sequential */
};

/* Take in submitted requests, work on them as far as possible, keep fetches going. False: a link failed. */
bool disk_step(struct disk *disk);

/* Fetch the missing pages of a line (it must be in the cache); pages known to be zeros are filled at once. */
bool disk_fetch(struct disk *disk, struct line *line, page_mask wanted);
/* Keep fetches on their way for the requests queued and for a sequential reader. */
bool disk_look_ahead(struct disk *disk);

bool disk_dirty(const struct disk *disk);
/* So much of the cache is dirty that a commit should begin (write-behind), or that writers must wait
 * (pressed). */
bool disk_write_behind(const struct disk *disk);
bool disk_pressed(const struct disk *disk);
/* Send every dirty page and presence chunk through the write link, inside the transaction under way. */
bool disk_send_dirty(struct disk *disk);
/* The commit ended (kept: safe) and these are the flushes it answers. */
void disk_commit_ended(struct disk *disk, bool kept);

/* Links are gone: fetches will not be answered. */
void disk_links_lost(struct disk *disk);
/* The session failed for good: end every request with this error. */
void disk_fail(struct disk *disk, int error);
void disk_free(struct disk *disk);

#endif

/* A disk over a chain of layers in Large Objects: requests, cache, fetching, write-back. Private to store/.
 * Everything runs on the session's I/O thread except the opening. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "store/cache.h"
#include "store/page_map.h"
#include "store/session.h"
#include "store/store.h"

enum { FETCH_LINES_MAX = 112, AHEAD_LINES_MIN = 4, AHEAD_LINES_MAX = 64, AROUND_PAGES = 4 };

/* The layers a disk is made of. */
/* A chain as its machine writes it; or for a replay, which writes nothing: what lies below its leaf, or all
 * of it. */
enum disk_part { DISK_WRITTEN, DISK_BELOW_LEAF, DISK_SEALED };

struct disk_chain {
  struct page_map map;     /* of what can be written: the layers' pages */
  uint64_t leaf_layer;     /* id of the layer that is written to */
  uint64_t size;           /* of the whole disk, bytes: the layers, then the image once more if it is shown */
  uint32_t lo[LAYERS_MAX]; /* Large Object of each owner; 0 = none */
  uint32_t presence_lo;    /* of the leaf */
  int source;              /* descriptor that has the image's bytes, the session's; -1: lo[0] has them */
  uint64_t source_offset;
};

/* Where a seal is (store/disk_seal.c). STANDS: nothing is committed meanwhile. */
enum seal_phase { SEAL_NONE, SEAL_BEGINS, SEAL_STANDS, SEAL_NOTES, SEAL_STOPS, SEAL_STOPPED };

struct disk_seal {
  enum seal_phase phase;
  struct block_request *waiting; /* BEGINS, STOPS: for a commit */
  uint64_t *changed;             /* bit for each page */
  bool mapped;                   /* changes of the page map belong to the next leaf already */
};

struct disk {
  struct block_device block; /* first: a block_device is its disk */
  struct session *session;
  struct cache cache;
  struct disk_chain chain;
  struct disk_seal seal;
  struct block_request *rebasing;     /* its commit is under way, or was lost and its outcome is not known */
  uint8_t *held_owner;                /* the page map when the disk was held; NULL: it is not */
  struct block_request *first, *last; /* taken from the queue, in order; the first is being worked on */
  uint64_t position;                  /* bytes of the first request that are done */
  bool noted;                         /* the first request was looked at by note_reader */
  struct block_request *flushes;      /* waiting for their commit */
  unsigned fetching;                  /* lines with fetches outstanding */
  bool fetch_sent;                    /* since the last sync */
  uint64_t ahead_next;                /* line a sequential reader would want next */
  unsigned ahead_window;              /* lines to read ahead; 0 = not sequential */
};

/* What became of the request at the head of the queue. FAILED: a link did. */
enum disk_outcome { DISK_ENDED, DISK_WAITS, DISK_FAILED };

/* BLOCK_CONTROL (store/disk_control.h), for disk_step. */
enum disk_outcome disk_control(struct disk *disk, struct block_request *request);
struct block_request *disk_pop(struct disk *disk);
/* A flush ends with the commit that holds everything acknowledged before it. True: it has to wait for one. */
bool disk_flush_waits(struct disk *disk, struct block_request *request);
/* Inside a commit of everything: put the leaf over another layer; its end; after a lost commit, on a link in
 * plain mode: find out. False: link->error. */
bool disk_send_rebase(struct disk *disk);
void disk_rebase_ended(struct disk *disk, bool kept);
bool disk_rebase_settle(struct disk *disk);

/* Seals: SEAL; the others, which are served at once (true: it was one of them). */
enum disk_outcome disk_seal(struct disk *disk, struct block_request *request);
bool disk_seal_serve(struct disk *disk, struct block_request *request);
/* A commit was sent with all that is dirty; it ended. */
void disk_seal_sent(struct disk *disk);
void disk_seal_committed(struct disk *disk, bool kept);
/* A commit must not begin; one is waited for. */
bool disk_seal_stands(const struct disk *disk);
bool disk_seal_wants_commit(const struct disk *disk);
/* The leaf is about to say something else of these pages. */
void disk_seal_note(struct disk *disk, uint64_t first, page_mask pages);
void disk_seal_fail(struct disk *disk, int error);
/* A copy of the chain that only tells where pages are. False: no memory. */
bool disk_chain_copy(struct disk_chain *copy, const struct disk_chain *chain);

/* Take in submitted requests, work on them as far as possible, keep fetches going. False: a link failed. */
bool disk_step(struct disk *disk);

/* Fetch the missing pages of a line (it must be in the cache); pages known to be zeros are filled at once. */
bool disk_fetch(struct disk *disk, struct line *line, page_mask wanted);
/* What to fetch for wanted pages of a line: all of it for a sequential reader; for any other a few pages
 * around, which the server finds sooner. */
page_mask disk_around(const struct disk *disk, page_mask wanted);
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

/* Load the chain that ends in an unsealed layer; the link (of this session) is in plain mode. False:
 * link->error says why. */
bool disk_chain_load(struct disk_chain *chain, struct session *session, struct link *link, uint64_t layer,
                     enum disk_part part);
void disk_chain_free(struct disk_chain *chain);

/* Links are gone: fetches will not be answered. */
void disk_links_lost(struct disk *disk);
/* The session failed for good: end every request with this error. */
void disk_fail(struct disk *disk, int error);
void disk_free(struct disk *disk);

#endif

/* What the lockstep_*.c files share. Hart thread. */
#ifndef EXEC_LOCKSTEP_SIDE_H
#define EXEC_LOCKSTEP_SIDE_H

#include "exec/breakpoint.h"
#include "exec/lockstep.h"
#include "hart/state.h"
#include "mmu/phys.h"

/* One meeting of the hart with the world, as the fast side had it. */
enum meeting_kind { MEETING_READ, MEETING_WRITE, MEETING_WATCH };
struct meeting {
  enum meeting_kind kind;
  unsigned size;
  uint64_t gpa, value, instret;
  bool ok, leave;            /* after it */
  enum stop_reason stop;     /* after it */
  uint64_t mip_lines;        /* after it */
  size_t dma_start, dma_end; /* in lockstep.dma */
};

struct side {
  struct lockstep *lockstep;
  struct hart *hart;
  struct phys *phys;
  struct block_store *store;
  size_t next;          /* replay: the meeting to come */
  bool must_leave;      /* the last meeting ended the block */
  bool applying;        /* DMA of a meeting is being repeated */
  const char *mismatch; /* the replay left the log: how */
  struct meeting met;   /* then: what came instead of meetings[next] */
};

/* A page as it was at the start of the stretch. */
struct saved_page {
  uint64_t page;
  uint8_t bytes[PAGE_SIZE];
};

/* One memory-mapped range of one side. */
struct watched_range {
  struct side *side;
  struct phys_mmio original;
};

struct deliberate {
  bool on;
  uint64_t at, gpa;
  int word; /* of the state; -1: the byte at gpa */
};

struct lockstep {
  struct side fast, reference;
  struct hart hart; /* the reference's, as are these: */
  struct phys phys;
  struct block_store store;
  struct breakpoints breakpoints;
  bool attached, recording, replaying;
  unsigned depth; /* fast side inside a meeting */
  bool short_of_memory;
  struct phys_hooks hooks; /* the fast side's own */
  struct watched_range range[2][PHYS_MMIO_MAX];
  struct meeting *meetings;
  size_t meeting_count, meeting_room;
  uint8_t *dma; /* records: gpa, size, bytes */
  size_t dma_used, dma_room;
  struct saved_page *saved;
  size_t saved_count, saved_room;
  uint64_t *saved_in; /* by page: the stretch it was last saved in */
  uint64_t stretch;   /* number of the present one */
  uint64_t start[HART_STATE_WORDS];
  uint64_t max_stretch, max_cut;
  struct deliberate deliberate;
};

/* lockstep_pages.c: RAM of both sides. */
bool pages_create(struct lockstep *lockstep);
void pages_destroy(struct lockstep *lockstep);
void pages_attach(struct lockstep *lockstep); /* hooks in place */
void pages_detach(struct lockstep *lockstep);
void pages_forget(struct lockstep *lockstep); /* the reference's RAM is void */
void pages_begin(struct lockstep *lockstep);  /* a stretch begins */
void pages_restore(struct lockstep *lockstep, struct side *side);
/* First differing byte of a saved page, or -1. */
int pages_difference(const struct lockstep *lockstep, const struct saved_page *saved);

/* lockstep_log.c: meetings with devices. */
void log_attach(struct lockstep *lockstep);
void log_detach(struct lockstep *lockstep);
void log_watch_store(struct side *side, uint64_t gpa, unsigned size);
void log_dma(struct lockstep *lockstep, uint64_t gpa, unsigned size);

/* Make room for one more element; false: no memory (noted). */
bool lockstep_grow(struct lockstep *lockstep, void **array, size_t *room, size_t need, size_t element);

/* lockstep.c */
/* Run until instret `end` or until the hart must be looked at. */
void side_advance(struct side *side, uint64_t end);
/* The reference repeats what the fast side did from the common start. */
void lockstep_follow(struct lockstep *lockstep);
bool lockstep_differs(struct lockstep *lockstep);
void lockstep_deliberate(struct lockstep *lockstep);

/* lockstep_report.c: find the instruction and write the report. */
void lockstep_report(struct lockstep *lockstep);

#endif

/* A machine taken by this daemon: its lock, its fence, its connections, and the I/O thread that owns them.
 *
 * Two links: one reads, one writes (and holds the machine's session advisory lock), so that a long commit
 * does not hold up the guest's reads. Every write transaction begins with the fence check. When a link fails,
 * both are closed and reopened with back-off; uncommitted pages and log records are sent again, which is
 * harmless because they are the same bytes in the same places. */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/input_log.h"
#include "store/link.h"
#include "store/past_wanted.h"
#include "store/pin.h"
#include "store/queue.h"

struct disk;

struct session_options {
  const char *conninfo;
  const char *machine;
  unsigned orphan_timeout_s;
  uint64_t cache_bytes;    /* of the disk's cache; 0 = SESSION_CACHE_DEFAULT */
  struct past_wanted past; /* its string is a copy */
  void (*lost)(void *opaque, const char *reason);
  void (*changed)(void *opaque); /* checkpoint_every is another one; I/O thread. NULL: nobody cares */
  void *opaque;
};

enum { SESSION_CACHE_DEFAULT = 64 << 20, SESSION_CALL_MS = 10000 };

/* What store/past.h opened. */
struct past {
  uint64_t checkpoint; /* it begins there; 0: with a boot */
  uint64_t disk;       /* layer: of the checkpoint, or the one its boot wrote to; 0: no disk */
  uint64_t boot, end;  /* what db_past says */
  PGresult *rows;      /* inputs */
  int next;            /* row of the next one */
};

struct session {
  struct session_options options; /* strings are copies; conninfo is pinned once a link was open */
  struct pin_needs needs;         /* of connecting again */
  uint64_t machine, fence, boot;
  struct past past;
  struct link read, write;
  struct block_queue queue;
  struct input_log log;
  struct disk *disk; /* NULL: none */
  char *source_path; /* of an image in a file or device, opened before the daemon is confined; NULL: none */
  int source;
  pthread_t thread;
  bool started;
  _Atomic uint64_t checkpoint_every; /* as the machine's row says now */
  atomic_bool closing;
  atomic_bool log_wanted; /* the input log shall be committed now */
  int64_t close_by_ns;    /* set before closing */
  bool failed;            /* lost() was called; I/O thread */
  char reason[400];       /* why it failed */
  uint64_t commits_begun, commits_ended;
  bool committing; /* a commit is under way */
  int64_t commit_began_ns;
  int64_t dirty_since_ns; /* 0: nothing waits to be written */
  int64_t progress_ms;    /* when a fetch or commit last succeeded, or nothing was waiting */
  int64_t reconnected_ms; /* when the links were last reopened */
};

/* Connect and take the machine. The links are in plain mode until session_start. NULL: one line in reason. */
struct session *session_open(const struct session_options *options, char *reason, size_t reason_size);

/* Load the chain of a disk layer and make it a block device (closed with the session). NULL: reason. */
struct block_device *session_open_disk(struct session *session, uint64_t layer, char *reason,
                                       size_t reason_size);

/* Start the I/O thread; the links are its own from here on. */
bool session_start(struct session *session, char *reason, size_t reason_size);

/* End: commit what is outstanding within `limit_ms` if PostgreSQL can be reached, and give the machine back.
 * `ended` is recorded in the machine's row. */
void session_close(struct session *session, const char *ended, bool stay_stopped, int limit_ms);

/* I/O thread, for the other files of store/. */
int64_t session_now_ns(void);
void session_dirty(struct session *session);    /* something waits to be committed */
void session_progress(struct session *session); /* PostgreSQL did something we asked for */
bool session_begin_commit(struct session *session);
bool session_wants_commit(const struct session *session);
void session_commit_lost(struct session *session);

#endif

/* Inputs of the guest on their way into linuxsql.input_log.
 *
 * The hart thread appends; the I/O thread sends what there is with the next commit, so that the log in the
 * database never lags behind the disk it explains. Bounded: INPUT_LOG_BYTES of payload. */
#ifndef STORE_INPUT_LOG_H
#define STORE_INPUT_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct link;

enum { INPUT_LOG_BYTES = 16 << 20 };

struct input_record {
  struct input_record *next;
  uint64_t boot, seq, instret, time_ns;
  const char *kind; /* static */
  uint32_t size;
  uint8_t payload[];
};

struct input_log {
  pthread_mutex_t mutex;
  struct input_record *head, *tail; /* not committed, in order */
  struct input_record *sent;        /* last record in the commit under way; NULL: none */
  uint64_t boot, next_seq;
  uint64_t appended, committed; /* records, in all */
  uint64_t bytes;
  bool held; /* nothing after `held_after` (NULL: nothing at all) is sent */
  struct input_record *held_after;
  uint64_t held_boot, held_seq; /* where it goes on if that is forgotten */
};

void input_log_init(struct input_log *log, uint64_t boot);
void input_log_free(struct input_log *log);

/* Hart thread. False: full (or no memory); the input must wait. */
bool input_log_append(struct input_log *log, uint64_t instret, uint64_t time_ns, const char *kind,
                      const void *payload, uint32_t size);
/* Hart thread: the guest was reset; the new boot number. */
uint64_t input_log_next_boot(struct input_log *log);

/* Hart thread: boot and number of the next record. */
void input_log_position(struct input_log *log, uint64_t *boot, uint64_t *seq);
/* Hart thread: records from now on wait, until they are kept or forgotten. */
void input_log_hold(struct input_log *log);
void input_log_release(struct input_log *log, bool keep);
/* How many records were appended so far, and how many of them are committed. Any thread. */
uint64_t input_log_appended(struct input_log *log);
uint64_t input_log_committed(struct input_log *log);
bool input_log_is_held(struct input_log *log);

/* I/O thread: whether there are records that no commit has taken along. */
bool input_log_waiting(struct input_log *log);
/* Send everything not committed through `link` (statement "log"); repeating is harmless. */
bool input_log_send(struct input_log *log, struct link *link, uint64_t machine);
/* The commit under way ended; kept: the records are safe. */
void input_log_end(struct input_log *log, bool kept);

#endif

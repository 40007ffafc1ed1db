/* A connection to PostgreSQL in pipeline mode: many statements on their way, answers in order.
 *
 * One thread uses a link. Opening and the plain statements before the pipeline block up to a deadline;
 * nothing else blocks. Anything unexpected (an error, a lost connection) makes the link fail: it must be
 * closed and may be opened again; what was not answered has an unknown outcome and must be safe to repeat. */
#ifndef STORE_LINK_H
#define STORE_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result of one statement; false makes the link fail. Results are freed by the link. */
typedef bool (*link_handler)(void *opaque, void *item, const PGresult *result);

struct link_wait; /* one statement on its way */

struct link {
  PGconn *conn; /* NULL: closed */
  struct link_wait *waits;
  uint32_t head, count, capacity;
  bool notified;    /* what this session listens to was notified; for the user to clear */
  char sqlstate[6]; /* of the error that made it fail, or "" */
  char error[256];  /* one line */
};

/* Binary statement parameters, at most LINK_VALUES. */
enum { LINK_VALUES = 8 };
struct link_values {
  const char *values[LINK_VALUES];
  int lengths[LINK_VALUES];
  int count;
  uint64_t words[LINK_VALUES]; /* room for integers in network order */
};
void link_add_int8(struct link_values *values, uint64_t value);
void link_add_int4(struct link_values *values, uint32_t value);
void link_add_bytes(struct link_values *values, const void *bytes, size_t size);

/* Connect, with session settings that suit a daemon. False: error says why. */
bool link_open(struct link *link, const char *conninfo, const char *application, int timeout_ms);
void link_close(struct link *link);

/* One statement in plain mode, text parameters; NULL: error and sqlstate say why. */
PGresult *link_query(struct link *link, const char *sql, int count, const char *const *values, bool binary,
                     int timeout_ms);
/* Up to `size` bytes of a Large Object from `offset`; fewer at its end; -1: error says why. Plain mode. */
int64_t link_large_object(struct link *link, uint32_t lo, uint64_t offset, void *buffer, size_t size,
                          int timeout_ms);
/* Prepare a statement, in plain mode. */
bool link_prepare(struct link *link, const char *name, const char *sql, int timeout_ms);

/* Let the server's process keep the memory its long answers take: on glibc, a large block that is freed once
 * raises the size up to which malloc neither maps blocks of their own nor gives the heap's end back, and the
 * page faults for both cost as much as reading a Large Object. Plain mode; failing does no harm. */
void link_keep_memory(struct link *link, int timeout_ms);

/* From here on only the pipeline. */
bool link_start_pipeline(struct link *link);
/* Queue a prepared statement with a binary result; bytes are copied. */
bool link_send(struct link *link, const char *statement, const struct link_values *values,
               link_handler handler, void *opaque, void *item);
/* End of a group: the server answers what it has, and outside begin/commit makes it one transaction. */
bool link_sync(struct link *link);

/* What to poll for on link_socket. */
short link_events(struct link *link);
int link_socket(const struct link *link);
/* Read and write what can be, calling handlers. False: the link has failed. */
bool link_pump(struct link *link);

static inline bool link_up(const struct link *link) { return link->conn != NULL; }
static inline bool link_busy(const struct link *link) { return link->count > 0; }

#endif

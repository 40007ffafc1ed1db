/* Many statements one after the other on the state store's link, in its transaction: only so many are on
 * their way at a time. Private to store/. */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include "store/state_io.h"

struct stream {
  struct link *link;
  unsigned unsynced;
};

/* Prepared statements from here to the end; false: what went wrong is in the link. */
bool stream_begin(struct stream *stream, struct link *link);
bool stream_send(struct stream *stream, const char *statement, const struct link_values *values);
bool stream_put(struct stream *stream, uint32_t lo, uint64_t offset, const void *bytes, size_t size);
/* All is answered, and the link in plain mode again. After a failure (also one before, so told by `good`) the
 * link is closed, which ends its transaction, and `error` filled in. */
bool stream_end(struct stream *stream, bool good, struct state_error *error);

#endif

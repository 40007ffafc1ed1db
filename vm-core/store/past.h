/* A machine as it was when one of its boots began, for a replay: nothing is taken, nothing is written.
 *
 * Opened in place of taking the machine (session_options.past_boot). A guest that rebooted went on from its
 * boot before, so the replay starts at the boot with which that life of the daemon began. The disk is what
 * lay below the layer that was written from then on; the inputs are those the log has of that life. */
#ifndef STORE_PAST_H
#define STORE_PAST_H

#include "store/session.h"

struct past_input {
  uint64_t boot, instret, time_ns;
  const char *kind;       /* NUL-terminated */
  const uint8_t *payload; /* size bytes */
  uint32_t size;
};

/* Start-up: find the boot and read its inputs over the open write link. false with one line in `reason`. */
bool past_open(struct session *session, char *reason, size_t reason_size);
/* The next input, in order; valid until past_close. false: there is none. Hart thread. */
bool past_next(struct past *past, struct past_input *input);
void past_close(struct past *past);

#endif

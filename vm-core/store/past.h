/* A machine as it was when one of its boots began, or at a checkpoint, for a replay: nothing is taken,
 * nothing is written.
 *
 * Opened in place of taking the machine (session_options.past); where the replay begins is decided by
 * linuxsql.find_past. A guest that rebooted went on from its boot before, so without a checkpoint the replay
 * starts at the boot with which that life of the daemon began. The disk is what lay below the layer that was
 * written from then on, or the checkpoint's; the inputs are those the log has from there to the boot that was
 * asked for. */
#ifndef STORE_PAST_H
#define STORE_PAST_H

#include "store/session.h"

struct past_input {
  uint64_t boot, instret, time_ns;
  const char *kind;       /* NUL-terminated */
  const uint8_t *payload; /* size bytes */
  uint32_t size;
};

/* Start-up: find the beginning and read the inputs from there over the open write link. false with one line
 * in `reason`. */
bool past_open(struct session *session, char *reason, size_t reason_size);
/* The next input, in order; valid until past_close. false: there is none. Hart thread. */
bool past_next(struct past *past, struct past_input *input);
void past_close(struct past *past);

#endif

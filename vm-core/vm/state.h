/* A machine's state but for RAM and disk as one run of bytes: hart, cached translations, devices with their
 * requests in flight. Versioned, every field checked when it is read back, with a SHA-256 at the end. */
#ifndef VM_STATE_H
#define VM_STATE_H

#include "base/blob.h"
#include "store/state.h"
#include "vm/machine.h"

/* Hart thread, between two instructions; waits for disk requests in flight. false: the disk is lost or memory
 * is short. */
bool state_pack(const struct machine *machine, struct blob *out);
/* Its end, the SHA-256, which takes longer than all of the rest; any thread. */
bool state_finish(struct blob *blob);

/* Whether the bytes are a whole state for this size of RAM; any thread. */
bool state_check(const struct blob *blob, uint64_t ram_bytes, struct state_error *error);

/* Put the machine's hart and devices into this state (checked before), with a new engine. RAM is not touched.
 * On failure the machine is in no state at all: unpack another one. Hart thread. */
bool state_unpack(struct machine *machine, const struct blob *blob, struct state_error *error);

#endif

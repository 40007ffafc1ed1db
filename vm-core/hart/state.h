/* The hart's state as words in a fixed order: for hashes and checkpoints. Hart thread, hart stopped.
 * Derived state (TLB, decoded blocks, event queue) is not in it. */
#ifndef HART_STATE_H
#define HART_STATE_H

#include "hart/hart.h"

enum { HART_STATE_WORDS = 160 };

/* Fill words (unused ones are zero). */
void hart_state_save(const struct hart *hart, uint64_t words[HART_STATE_WORDS]);

/* The reverse; instret continues from the saved count and the Sstc event is armed again. The caller then
 * flushes engine and MMU. Values are taken as they are: only load what hart_state_save made, or what
 * hart_state_check has passed. */
void hart_state_load(struct hart *hart, const uint64_t words[HART_STATE_WORDS]);

/* Name of a word of the state: "x5", "csr.mepc", ...; empty for an unused one. */
enum { HART_STATE_NAME = 32 };
void hart_state_name(unsigned word, char name[HART_STATE_NAME]);

/* Whether a hart can be in this state, for words from outside; if not, what is wrong. Any thread. */
bool hart_state_check(const uint64_t words[HART_STATE_WORDS], char what[HART_STATE_NAME]);

#endif

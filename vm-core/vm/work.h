/* Work on the machine's whole state that clients ask for, one at a time: a checkpoint, going on from one, the
 * hash of everything. The hart thread does it between two instructions; of a checkpoint only the beginning,
 * the rest is written beside the running guest. */
#ifndef VM_WORK_H
#define VM_WORK_H

#include "store/state.h"

struct runner;

enum work_kind { WORK_CHECKPOINT, WORK_RESTORE, WORK_HASH, WORK_BEGIN, WORK_COMMIT, WORK_ROLLBACK };
enum work_phase { WORK_IDLE, WORK_WANTED, WORK_WRITING, WORK_DONE };

struct work {
  enum work_kind kind;
  enum work_phase phase; /* under the runner's lock */
  bool owned;            /* a client waits for it */
  char name[128];
  bool good;
  struct state_error error;
  uint64_t boot, instret, time_ns, pc; /* where the machine stands when it is done */
  uint64_t pause_ns, began_ns, host_ns;
  char hash[65];
  struct state_save save;
};

/* Control thread: ask for work. false: there is some already. */
bool work_want(struct runner *runner, enum work_kind kind, const char *name);
/* Control thread: whether it is done; then *out has what became of it and there may be more. */
bool work_done(struct runner *runner, struct work *out);
/* Control thread: nobody waits for it any more. */
void work_abandon(struct runner *runner);

/* Hart thread, lock held (given up meanwhile): do what is wanted. */
void work_take(struct runner *runner);
/* Hart thread, lock held: begin an automatic checkpoint if one is due here; where the next one is. */
void work_automatic(struct runner *runner);
uint64_t work_next_stop(const struct runner *runner);

#endif

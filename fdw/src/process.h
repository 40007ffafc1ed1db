/* Processes that outlive their parent: started in their own session, known by a locked pid file, adopted
 * after a restart of the server. The lock belongs to the child as long as it lives, so a reused pid misleads
 * nobody. */
#ifndef LINUXSQL_PROCESS_H
#define LINUXSQL_PROCESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

struct process {
  char *name; /* for messages and files: <folder>/<name>.pid, <folder>/log/<name>.log */
  char *folder;
  int nice;        /* above that of this process, for all its threads */
  pid_t pid;       /* 0: not running, as far as known */
  bool ours;       /* a child of this process: its end is told by waitpid */
  bool ended_well; /* our child exited with status 0; the owner clears it */
  int failures;    /* in a row */
  TimestampTz started, next_start;
};

/* Does it run? Logs when it is found to have ended; an end delays the next start, unless its status was 0. */
extern bool process_look(struct process *process);
/* Whether the delay after failures is over. */
extern bool process_may_start(const struct process *process);
/* Starts `argv` (NULL-terminated, argv[0] an absolute path). False, logged, if that fails. */
extern bool process_start(struct process *process, char *const *argv);
/* Asks it to end (SIGTERM). */
extern void process_terminate(struct process *process);

#endif /* LINUXSQL_PROCESS_H */

/* Background workers: one launcher per server (with shared_preload_libraries), and in the supervised database
 * a supervisor, which keeps processes running, and a refresh worker, which keeps materialized views fresh.
 * Without preload the latter two are registered on demand and last until the server stops. */
#ifndef LINUXSQL_WORKER_H
#define LINUXSQL_WORKER_H

#include "postgres.h"

enum worker_kind { WORKER_SUPERVISOR, WORKER_REFRESH };

/* At load: registers the launcher when the server preloads this module. */
extern void worker_initialize(void);
/* Sees that a worker serves this database; false if none could be had. It is woken when the transaction
 * commits. */
extern bool worker_ensure(enum worker_kind kind);
extern void worker_end_of_transaction(bool committed);

/* For the workers' main functions. */

/* Connects, installs handlers, takes the lock that makes it the only one; exits quietly if another has it. */
extern void worker_begin(Datum argument, enum worker_kind kind);
/* Waits up to `ms`, handles interrupts and configuration changes. */
extern void worker_wait(long ms);
/* Runs `body` in a transaction with SPI; an error is logged and swallowed. False after an error. */
extern bool worker_transaction(const char *doing, void (*body)(void *), void *argument);
/* Quoted schema of the extension, palloc'd; NULL if it is not installed. Needs SPI. */
extern char *worker_extension_schema(void);

_Noreturn extern PGDLLEXPORT void linuxsql_launcher_main(Datum argument);
_Noreturn extern PGDLLEXPORT void linuxsql_supervisor_main(Datum argument);
_Noreturn extern PGDLLEXPORT void linuxsql_refresh_main(Datum argument);

#endif /* LINUXSQL_WORKER_H */

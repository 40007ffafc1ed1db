/* Settings (linuxsql.*), options of servers, foreign tables and columns, and their validator. */
#ifndef LINUXSQL_OPTION_H
#define LINUXSQL_OPTION_H

#include "postgres.h"

/* Settings. Those that name sockets or programs can be set by superusers alone. */
extern char *option_run_directory;      /* empty: <data directory>/linuxsql */
extern char *option_machine;            /* current machine; empty: the only one there is */
extern char *option_as_of;              /* instant that foreign tables show; empty: now */
extern char *option_database;           /* database the supervisor serves */
extern char *option_vm_path;            /* program linuxsql-vm; empty: machines are not started */
extern char *option_introspect_command; /* shell words that start introspect; empty: not supervised */
extern char *option_conninfo;           /* how daemons reach this server; empty: its own Unix socket */
extern bool option_transactional;       /* transaction blocks undo changes of machines */
extern int option_connect_timeout;      /* ms */
extern int option_start_timeout;        /* ms */

extern void option_define_settings(void);

/* [a-z][a-z0-9_-]{0,62}: safe as a file name and as an identifier. */
extern bool option_machine_name_is_valid(const char *name);

/* Folder of all sockets, in the current memory context. */
extern char *option_run_folder(void);
/* <run folder>/introspect.sock */
extern char *option_service_socket(void);
/* <run folder>/vm/<machine>.sock */
extern char *option_machine_socket(const char *machine);

/* The current machine: `given` unless NULL or empty, else linuxsql.machine, else the only machine with a
 * control socket, else the only one in linuxsql.machine. Raises 22023 or 55000 with a hint otherwise.
 * palloc'd. */
extern char *option_resolve_machine(const char *given);

/* N or BOOT:N, of at most 18 digits each. */
extern bool option_instant_is_valid(const char *text);

/* What the service is asked for: the machine, at an instant if `as_of` (of the server, may be NULL) or
 * linuxsql.as_of says so. palloc'd. */
extern char *option_resolve_source(const char *machine, const char *as_of);

#endif /* LINUXSQL_OPTION_H */

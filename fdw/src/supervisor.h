/* The supervisor worker: keeps introspect and the machines that shall run running. */
#ifndef LINUXSQL_SUPERVISOR_H
#define LINUXSQL_SUPERVISOR_H

#include "postgres.h"

#include "utils/palloc.h"

/* Advisory lock (SUPERVISOR_STOP_CLASS, machine id): held by vm_stop, so that what it ends is not started
 * again. */
#define SUPERVISOR_STOP_CLASS 0x4c535153

#endif /* LINUXSQL_SUPERVISOR_H */

/* The launcher: waits until the database of linuxsql.database exists and keeps a supervisor and a refresh
 * worker in it. It is connected to no database, so it hinders no DROP DATABASE. */
#include "postgres.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"
#include "src/option.h"
#include "src/worker.h"

#define TICK_MS 1000

struct ward {
  const char *name, *main;
  BackgroundWorkerHandle *handle;
};

/* A sequential scan: without a database of its own, a worker may have no index of a shared catalogue at hand.
 */
static Oid find_database(void) {
  Relation databases;
  TableScanDesc scan;
  HeapTuple row;
  Oid found = InvalidOid;

  StartTransactionCommand();
  (void)GetTransactionSnapshot();
  databases = table_open(DatabaseRelationId, AccessShareLock);
  scan = table_beginscan_catalog(databases, 0, NULL);
  while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL) {
    Form_pg_database database = (Form_pg_database)GETSTRUCT(row);

    if (database->datallowconn && strcmp(NameStr(database->datname), option_database) == 0)
      found = database->oid;
  }
  table_endscan(scan);
  table_close(databases, AccessShareLock);
  CommitTransactionCommand();
  return found;
}

static bool is_running(struct ward *ward) {
  pid_t pid;

  if (ward->handle == NULL) return false;
  switch (GetBackgroundWorkerPid(ward->handle, &pid)) {
  case BGWH_STARTED:
  case BGWH_NOT_YET_STARTED: return true;
  default: break;
  }
  pfree(ward->handle);
  ward->handle = NULL;
  return false;
}

static void launch(struct ward *ward, Oid database) {
  BackgroundWorker worker = {0};

  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  snprintf(worker.bgw_library_name, sizeof worker.bgw_library_name, "%s", "linuxsql");
  snprintf(worker.bgw_function_name, sizeof worker.bgw_function_name, "%s", ward->main);
  snprintf(worker.bgw_name, BGW_MAXLEN, "%s", ward->name);
  snprintf(worker.bgw_type, BGW_MAXLEN, "%s", ward->name);
  if (!RegisterDynamicBackgroundWorker(&worker, &ward->handle)) {
    ward->handle = NULL;
    ereport(LOG,
            (errmsg("no background worker slot for %s", ward->name), errhint("Raise max_worker_processes.")));
  }
}

void linuxsql_launcher_main(Datum argument) {
  struct ward wards[] = {
      {"linuxsql supervisor", "linuxsql_supervisor_main", NULL},
      {"linuxsql refresh", "linuxsql_refresh_main", NULL},
  };

  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(NULL, NULL, 0);
  for (;;) {
    Oid database = find_database();

    for (size_t i = 0; i < lengthof(wards); i++)
      if (!is_running(&wards[i]) && OidIsValid(database)) launch(&wards[i], database);
    worker_wait(TICK_MS);
  }
}

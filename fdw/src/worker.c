#include "src/worker.h"

#include <signal.h>

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "src/compat.h"

#define LOCK_CLASS 0x4c535157 /* "LSQW": advisory locks (LOCK_CLASS, kind) */

static const struct {
  const char *name, *main;
} kinds[] = {
    [WORKER_SUPERVISOR] = {"linuxsql supervisor", "linuxsql_supervisor_main"},
    [WORKER_REFRESH] = {"linuxsql refresh", "linuxsql_refresh_main"},
};

static int wake_at_commit[lengthof(kinds)]; /* process ids, 0: none */

static LOCKTAG lock_tag(enum worker_kind kind) {
  LOCKTAG tag;

  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_CLASS, kind, 2);
  return tag;
}

static void describe(BackgroundWorker *worker, const char *name, const char *main) {
  memset(worker, 0, sizeof *worker);
  worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker->bgw_restart_time = 2;
  snprintf(worker->bgw_library_name, sizeof worker->bgw_library_name, "%s", "linuxsql");
  snprintf(worker->bgw_function_name, sizeof worker->bgw_function_name, "%s", main);
  snprintf(worker->bgw_name, BGW_MAXLEN, "%s", name);
  snprintf(worker->bgw_type, BGW_MAXLEN, "%s", name);
}

void worker_initialize(void) {
  BackgroundWorker worker;

  if (!process_shared_preload_libraries_in_progress) return;
  describe(&worker, "linuxsql launcher", "linuxsql_launcher_main");
  RegisterBackgroundWorker(&worker);
}

/* Process id of the worker that serves this database, or 0. */
static int find_worker(enum worker_kind kind) {
  LOCKTAG tag = lock_tag(kind);
  LockData *held = GetLockStatusData();

  for (int i = 0; i < held->nelements; i++)
    if (held->locks[i].holdMask != 0 && memcmp(&held->locks[i].locktag, &tag, sizeof tag) == 0)
      return held->locks[i].pid;
  return 0;
}

bool worker_ensure(enum worker_kind kind) {
  BackgroundWorker worker;
  BackgroundWorkerHandle *handle;
  pid_t pid;

  wake_at_commit[kind] = find_worker(kind);
  if (wake_at_commit[kind] != 0) return true;
  describe(&worker, kinds[kind].name, kinds[kind].main);
  worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
  worker.bgw_notify_pid = MyProcPid;
  if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return false;
  if (WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_STARTED)
    wake_at_commit[kind] = pid;
  else
    wake_at_commit[kind] = find_worker(kind); /* another was quicker, and ours has gone again */
  return wake_at_commit[kind] != 0;
}

void worker_end_of_transaction(bool committed) {
  for (size_t i = 0; i < lengthof(kinds); i++) {
    PGPROC *process = committed && wake_at_commit[i] != 0 ? BackendPidGetProc(wake_at_commit[i]) : NULL;

    if (process != NULL) SetLatch(&process->procLatch);
    wake_at_commit[i] = 0;
  }
}

PG_FUNCTION_INFO_V1(linuxsql_vm_refresh_worker);
Datum linuxsql_vm_refresh_worker(PG_FUNCTION_ARGS) { PG_RETURN_BOOL(worker_ensure(WORKER_REFRESH)); }

static void child_ended(SIGNAL_ARGS) {
  int saved = errno;

  SetLatch(MyLatch);
  errno = saved;
}

void worker_begin(Datum argument, enum worker_kind kind) {
  LOCKTAG tag;

  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  pqsignal(SIGCHLD, child_ended);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
  StartTransactionCommand();
  tag = lock_tag(kind);
  if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL) proc_exit(0);
  CommitTransactionCommand();
  pgstat_report_appname(kinds[kind].name);
}

void worker_wait(long ms) {
  pgstat_report_activity(STATE_IDLE, NULL);
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
                  compat_wait_event("LinuxsqlWorker"));
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  if (!ConfigReloadPending) return;
  ConfigReloadPending = false;
  ProcessConfigFile(PGC_SIGHUP);
}

bool worker_transaction(const char *doing, void (*body)(void *), void *argument) {
  MemoryContext caller = CurrentMemoryContext;
  volatile bool done = false;

  SetCurrentStatementStartTimestamp();
  pgstat_report_activity(STATE_RUNNING, doing);
  StartTransactionCommand();
  PG_TRY();
  {
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    body(argument);
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    done = true;
  }
  PG_CATCH();
  {
    HOLD_INTERRUPTS();
    EmitErrorReport();
    FlushErrorState();
    AbortCurrentTransaction();
    RESUME_INTERRUPTS();
  }
  PG_END_TRY();
  MemoryContextSwitchTo(caller);
  pgstat_report_stat(true);
  return done;
}

char *worker_extension_schema(void) {
  if (SPI_execute("select pg_catalog.quote_ident(n.nspname) from pg_catalog.pg_extension e "
                  "join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'linuxsql'",
                  true, 1) != SPI_OK_SELECT ||
      SPI_processed != 1)
    return NULL;
  return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

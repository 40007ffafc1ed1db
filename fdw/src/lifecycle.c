/* vm_start and vm_stop: what the supervisor is to do with a machine, and the end of its daemon. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/control.h"
#include "src/option.h"
#include "src/supervisor.h"
#include "src/worker.h"

#define STOP_MODE_FLUSH 0
#define STOP_MODE_FORCE 1

static char *machine_argument(FunctionCallInfo fcinfo) {
  return option_resolve_machine(PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

/* One statement with the machine's name as $1; its single boolean column, if it has one. */
static bool with_machine(const char *statement, const char *machine) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine)};
  bool isnull = true, result = false;

  SPI_connect();
  if (SPI_execute_with_args(statement, 1, types, values, NULL, false, 0) == SPI_OK_SELECT &&
      SPI_processed == 1) {
    Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

    result = !isnull && SPI_gettypeid(SPI_tuptable->tupdesc, 1) == BOOLOID && DatumGetBool(value);
  }
  SPI_finish();
  return result;
}

static bool is_in_catalogue(const char *machine) {
  return with_machine("select pg_catalog.to_regclass('linuxsql.machine') is not null and $1 <> ''",
                      machine) &&
         with_machine("select count(*) > 0 from linuxsql.machine where name = $1", machine);
}

PG_FUNCTION_INFO_V1(linuxsql_vm_start);
Datum linuxsql_vm_start(PG_FUNCTION_ARGS) {
  char *machine = machine_argument(fcinfo);
  bool paused = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1), known = is_in_catalogue(machine);
  struct client *client = control_connect(machine, true);

  if (!known && client == NULL)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("machine \"%s\" does not exist", machine),
                    errhint("Create it with vm_create.")));
  if (client != NULL) {
    (void)control_state(client, paused ? FRAME_TYPE_VM_PAUSE : FRAME_TYPE_VM_RUN, NULL, 0);
    client_discard(client);
  } else if (option_vm_path[0] == '\0') {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this server cannot start machines: linuxsql.vm_path is not set"),
                    errhint("Set it to the program linuxsql-vm in postgresql.conf.")));
  } else if (!worker_ensure(WORKER_SUPERVISOR)) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("the supervisor cannot be started"),
                    errhint("Raise max_worker_processes, or put linuxsql into shared_preload_libraries.")));
  }
  if (known)
    (void)with_machine(paused
                           ? "update linuxsql.machine set desired = 'paused', ended = null where name = $1"
                           : "update linuxsql.machine set desired = 'running', ended = null where name = $1",
                       machine);
  PG_RETURN_TEXT_P(cstring_to_text(paused ? "paused" : "running"));
}

static void nap(TimestampTz deadline, const char *machine) {
  if (GetCurrentTimestamp() >= deadline)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("machine \"%s\" has not ended yet", machine),
                    errdetail("It was told to; its disk may still be written."),
                    errhint("Look at vm_list(), or force it with vm_stop(%s, force => true).",
                            quote_literal_cstr(machine))));
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10,
                  compat_wait_event("LinuxsqlStop"));
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

/* Until the daemon closes the connection. */
static void await_end(struct client *client, const char *machine, TimestampTz deadline) {
  while (client_is_open(client)) {
    struct answer answer = client_ask(client, REQUEST_CALL, FRAME_TYPE_PING, NULL, 0);

    if (answer.type == 0) return;
    nap(deadline, machine);
  }
}

/* False if no daemon answers. */
static bool tell_to_stop(const char *machine, uint32_t mode, TimestampTz deadline) {
  struct client *client = control_connect(machine, true);

  if (client == NULL) return false;
  (void)control_state(client, FRAME_TYPE_VM_STOP, (char *)&mode, sizeof mode);
  await_end(client, machine, deadline);
  client_discard(client);
  return true;
}

PG_FUNCTION_INFO_V1(linuxsql_vm_stop);
Datum linuxsql_vm_stop(PG_FUNCTION_ARGS) {
  char *machine = machine_argument(fcinfo);
  uint32_t mode = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1) ? STOP_MODE_FORCE : STOP_MODE_FLUSH;
  bool known = is_in_catalogue(machine);
  TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), option_start_timeout);
  bool told;

  if (known)
    (void)with_machine(psprintf("select pg_catalog.pg_advisory_xact_lock(%d, (id & 2147483647)::integer) "
                                "from linuxsql.machine where name = $1",
                                SUPERVISOR_STOP_CLASS),
                       machine);
  told = tell_to_stop(machine, mode, deadline);
  if (!told && !known)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("machine \"%s\" does not exist", machine),
                    errhint("Machines are listed by vm_list().")));
  if (!known) PG_RETURN_TEXT_P(cstring_to_text("stopped"));
  /* The server has noticed the end of the daemon when its lock is free. One that is just starting holds the
   * lock before it listens. */
  while (!with_machine("select pg_catalog.pg_try_advisory_xact_lock(linuxsql.machine_lock_key(id)) "
                       "from linuxsql.machine where name = $1",
                       machine)) {
    if (!told) told = tell_to_stop(machine, mode, deadline);
    nap(deadline, machine);
  }
  (void)with_machine("update linuxsql.machine set desired = 'stopped' where name = $1", machine);
  PG_RETURN_TEXT_P(cstring_to_text("stopped"));
}

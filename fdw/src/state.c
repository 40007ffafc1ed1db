/* Checkpoints, and the hash of everything: what linuxsql-vm does with the whole state of a machine. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/control.h"
#include "src/option.h"

static char *name_argument(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("name must not be null")));
  return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

static char *machine_argument(FunctionCallInfo fcinfo, int argument) {
  return option_resolve_machine(PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument)));
}

/* The daemon commits on a connection of its own, which a ROLLBACK here could not take back. */
static void refuse_in_block(const char *function) {
  if (IsTransactionBlock())
    ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("%s cannot be called inside a transaction block", function),
                    errdetail("The machine's daemon commits by itself; a rollback could not undo that.")));
}

PG_FUNCTION_INFO_V1(linuxsql_vm_current);
Datum linuxsql_vm_current(PG_FUNCTION_ARGS) {
  PG_RETURN_TEXT_P(cstring_to_text(machine_argument(fcinfo, 0)));
}

/* The daemon would find out only after it has sealed the disk. */
static void refuse_taken_name(const char *machine, const char *name) {
  Oid types[] = {TEXTOID, TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine), CStringGetTextDatum(name)};
  bool taken = false;

  SPI_connect();
  if (SPI_execute("select where pg_catalog.to_regclass('linuxsql.checkpoint') is not null", true, 1) ==
          SPI_OK_SELECT &&
      SPI_processed == 1)
    taken =
        SPI_execute_with_args("select from linuxsql.checkpoint c join linuxsql.machine m on m.id = c.machine "
                              "where m.name = $1 and c.name = $2",
                              2, types, values, NULL, true, 1) == SPI_OK_SELECT &&
        SPI_processed == 1;
  SPI_finish();
  if (taken)
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("checkpoint \"%s\" already exists", name),
                    errhint("Choose another name, or delete it with vm_checkpoint_delete.")));
}

PG_FUNCTION_INFO_V1(linuxsql_vm_checkpoint);
Datum linuxsql_vm_checkpoint(PG_FUNCTION_ARGS) {
  char *name = name_argument(fcinfo), *machine = machine_argument(fcinfo, 1);
  ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
  struct client *client;
  struct answer answer;
  struct wire_reader reader;
  StringInfoData payload;
  uint64_t id, instret, time_ns, pause_ns, stored;
  double seconds;
  Interval *time = palloc0(sizeof *time);
  bool nulls[6] = {false};

  refuse_in_block("vm_checkpoint");
  refuse_taken_name(machine, name);
  InitMaterializedSRF(fcinfo, 0);
  client = control_connect(machine, false);
  initStringInfo(&payload);
  wire_put_cstring(&payload, name);
  answer = client_call(client, FRAME_TYPE_VM_CHECKPOINT, payload.data, (size_t)payload.len,
                       FRAME_TYPE_VM_CHECKPOINTED);
  reader = (struct wire_reader){answer.payload, answer.payload + answer.length, false};
  id = wire_take_uint64_t(&reader);
  instret = wire_take_uint64_t(&reader);
  time_ns = wire_take_uint64_t(&reader);
  pause_ns = wire_take_uint64_t(&reader);
  stored = wire_take_uint64_t(&reader);
  seconds = wire_take_f64(&reader);
  if (reader.bad || reader.at != reader.end || !(seconds >= 0))
    client_protocol_error(client, "a VM_CHECKPOINTED frame is malformed");
  client_discard(client);
  time->time = (TimeOffset)(time_ns / 1000);
  {
    Datum values[] = {
        Int64GetDatum((int64)id),     Int64GetDatum((int64)instret),
        IntervalPGetDatum(time),      Float8GetDatum((double)pause_ns / 1e6),
        Int64GetDatum((int64)stored), Float8GetDatum(seconds),
    };

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return (Datum)0;
}

/* Nothing runs: its next daemon begins there. The rights are the caller's. */
static void restore_later(const char *machine, const char *name) {
  Oid types[] = {TEXTOID, TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine), CStringGetTextDatum(name)};

  SPI_connect();
  SPI_execute_with_args("update linuxsql.machine set restore_from = linuxsql.checkpoint_named(id, $2) "
                        "where id = linuxsql.lock_idle_machine($1)",
                        2, types, values, NULL, false, 0);
  SPI_finish();
}

PG_FUNCTION_INFO_V1(linuxsql_vm_restore);
Datum linuxsql_vm_restore(PG_FUNCTION_ARGS) {
  char *name = name_argument(fcinfo), *machine = machine_argument(fcinfo, 1);
  struct client *client = control_connect_unless_stopped(machine);
  StringInfoData payload;

  if (client == NULL) {
    restore_later(machine, name);
    PG_RETURN_TEXT_P(cstring_to_text("stopped"));
  }
  refuse_in_block("vm_restore");
  control_refuse_held(machine);
  initStringInfo(&payload);
  wire_put_cstring(&payload, name);
  (void)control_state(client, FRAME_TYPE_VM_RESTORE, payload.data, (size_t)payload.len);
  client_discard(client);
  PG_RETURN_TEXT_P(cstring_to_text("paused"));
}

PG_FUNCTION_INFO_V1(linuxsql_vm_state_hash);
Datum linuxsql_vm_state_hash(PG_FUNCTION_ARGS) {
  char *machine = machine_argument(fcinfo, 0);
  struct client *client = control_connect(machine, false);
  struct answer answer = client_call(client, FRAME_TYPE_VM_HASH, NULL, 0, FRAME_TYPE_VM_HASHED);
  struct wire_reader reader = {answer.payload, answer.payload + answer.length, false};
  char *hash;

  for (int i = 0; i < 4; i++) /* boot, instret, time_ns, pc */
    (void)wire_take_uint64_t(&reader);
  hash = wire_take_text(&reader);
  if (reader.bad || reader.at != reader.end || strlen(hash) != 64)
    client_protocol_error(client, "a VM_HASHED frame is malformed");
  client_discard(client);
  PG_RETURN_TEXT_P(cstring_to_text(hash));
}

/* SQL functions that speak to linuxsql-vm; schema/functions.ts declares them. */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/control.h"
#include "src/option.h"
#include "src/transaction.h"

/* Naming a process takes some hundred instructions; this many turns are for one that never comes to it. */
enum { NAMING_INSNS = 64, NAMING_TURNS = 64 };

static char *optional_text(FunctionCallInfo fcinfo, int argument) {
  return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static text *required_text(FunctionCallInfo fcinfo, int argument, const char *name) {
  if (PG_ARGISNULL(argument))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
  return PG_GETARG_TEXT_PP(argument);
}

static Datum interval_of_ns(uint64_t ns) {
  Interval *interval = palloc0(sizeof *interval);

  interval->time = (TimeOffset)(ns / 1000);
  return IntervalPGetDatum(interval);
}

static void put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls) {
  ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void put_status(FunctionCallInfo fcinfo, const struct machine_status *status) {
  Datum values[] = {
      CStringGetTextDatum(status->machine),     CStringGetTextDatum(control_state_name(status->state)),
      Int64GetDatum((int64)status->instret),    Int64GetDatum((int64)status->pc),
      interval_of_ns(status->time_ns),          Float8GetDatum((double)status->host_run_ns / 1e9),
      Int64GetDatum((int64)status->hz),         Int64GetDatum((int64)status->ram_bytes),
      Int64GetDatum((int64)status->generation),
  };
  bool nulls[lengthof(values)] = {false};

  put_row(fcinfo, values, nulls);
}

static Datum state_function(FunctionCallInfo fcinfo, uint8_t type, bool missing_ok) {
  char *machine = option_resolve_machine(optional_text(fcinfo, 0));
  struct client *client;
  struct machine_status status;

  InitMaterializedSRF(fcinfo, 0);
  client = type == FRAME_TYPE_VM_STATUS ? control_connect(machine, missing_ok) : transaction_connect(machine);
  if (client == NULL) return (Datum)0;
  status = control_state(client, type, NULL, 0);
  transaction_release(client);
  put_status(fcinfo, &status);
  return (Datum)0;
}

PG_FUNCTION_INFO_V1(linuxsql_vm_status);
Datum linuxsql_vm_status(PG_FUNCTION_ARGS) {
  return state_function(fcinfo, FRAME_TYPE_VM_STATUS, !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
}

PG_FUNCTION_INFO_V1(linuxsql_vm_pause);
Datum linuxsql_vm_pause(PG_FUNCTION_ARGS) { return state_function(fcinfo, FRAME_TYPE_VM_PAUSE, false); }

PG_FUNCTION_INFO_V1(linuxsql_vm_resume);
Datum linuxsql_vm_resume(PG_FUNCTION_ARGS) { return state_function(fcinfo, FRAME_TYPE_VM_RUN, false); }

PG_FUNCTION_INFO_V1(linuxsql_vm_console_write);
Datum linuxsql_vm_console_write(PG_FUNCTION_ARGS) {
  text *input = required_text(fcinfo, 0, "text");
  char *machine = option_resolve_machine(optional_text(fcinfo, 1));
  size_t length = VARSIZE_ANY_EXHDR(input);
  StringInfoData payload;
  struct client *client;

  initStringInfo(&payload);
  wire_put_text(&payload, VARDATA_ANY(input), length);
  if (payload.len > WIRE_MAX_FRAME_BYTES)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("console input is longer than 1 MiB")));
  client = transaction_connect(machine);
  (void)client_call(client, FRAME_TYPE_VM_CONSOLE_WRITE, payload.data, (size_t)payload.len, FRAME_TYPE_DONE);
  transaction_release(client);
  PG_RETURN_INT32(payload.len - 4);
}

struct step_result {
  char *stopped_by;
  bool condition_met;
  uint64_t instret, executed, pc, time_ns;
  double host_seconds;
};

/* `proc:x` for `pc`: what the caller asked for, not what it was translated to. */
static char *word_of(const char *condition, const char *resolved, char *stopped_by) {
  const char *colon = strchr(condition, ':');

  if (strcmp(condition, resolved) == 0 || colon == NULL) return stopped_by;
  return pnstrdup(condition, (size_t)(colon - condition));
}

static struct step_result step(struct client *client, const char *condition, int64 budget) {
  StringInfoData payload;
  struct answer answer;
  struct wire_reader reader;
  struct step_result result;
  uint8_t met;

  initStringInfo(&payload);
  wire_put_cstring(&payload, condition);
  wire_put_u64(&payload, (uint64_t)budget);
  answer = client_call(client, FRAME_TYPE_VM_STEP, payload.data, (size_t)payload.len, FRAME_TYPE_VM_STEPPED);
  reader = (struct wire_reader){answer.payload, answer.payload + answer.length, false};
  result.stopped_by = wire_take_text(&reader);
  met = wire_take_uint8_t(&reader);
  result.condition_met = met != 0;
  result.instret = wire_take_uint64_t(&reader);
  result.executed = wire_take_uint64_t(&reader);
  result.pc = wire_take_uint64_t(&reader);
  result.time_ns = wire_take_uint64_t(&reader);
  result.host_seconds = wire_take_f64(&reader);
  if (reader.bad || reader.at != reader.end || met > 1 || !(result.host_seconds >= 0))
    client_protocol_error(client, "a VM_STEPPED frame is malformed");
  return result;
}

/* The condition held before the first instruction: the machine is paused, nothing was executed. */
static struct step_result no_step(struct client *client, const char *condition) {
  struct machine_status status = control_state(client, FRAME_TYPE_VM_PAUSE, NULL, 0);

  return (struct step_result){
      word_of(condition, "", pstrdup(condition)), true, status.instret, 0, status.pc, status.time_ns, 0};
}

/* proc:NAME stops where the kernel is about to write the name. On from there, a few instructions at a time,
 * until the process bears it and a query finds it. */
static void until_named(struct client *client, const char *machine, const char *condition, int64 budget,
                        struct step_result *result) {
  for (int turn = 0; turn < NAMING_TURNS; turn++) {
    int64 left = budget - (int64)result->executed;
    struct step_result more;
    bool named;

    (void)control_resolve(machine, condition, &named);
    if (named || left <= 0) return;
    more = step(client, psprintf("instret:%llu", (unsigned long long)result->instret + NAMING_INSNS),
                Min(left, NAMING_INSNS));
    result->instret = more.instret;
    result->executed += more.executed;
    result->pc = more.pc;
    result->time_ns = more.time_ns;
    result->host_seconds += more.host_seconds;
    if (!more.condition_met) return;
  }
}

PG_FUNCTION_INFO_V1(linuxsql_vm_step_until);
Datum linuxsql_vm_step_until(PG_FUNCTION_ARGS) {
  char *condition = text_to_cstring(required_text(fcinfo, 0, "condition"));
  int64 budget = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
  struct client *client;
  char *machine;
  struct step_result result;
  bool met, nulls[8] = {false};
  char *resolved;

  if (budget <= 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_insns must be positive")));
  machine = option_resolve_machine(optional_text(fcinfo, 2));
  InitMaterializedSRF(fcinfo, 0);
  control_refuse_held(machine);
  client = transaction_connect(machine);
  resolved = control_resolve(machine, condition, &met);
  result = met ? no_step(client, condition) : step(client, resolved, budget);
  if (!met && result.condition_met && strncmp(condition, "proc:", strlen("proc:")) == 0)
    until_named(client, machine, condition, budget, &result);
  transaction_release(client);
  if (result.condition_met) result.stopped_by = word_of(condition, resolved, result.stopped_by);
  nulls[7] = !(result.host_seconds > 0);
  {
    Datum values[] = {
        CStringGetTextDatum(result.stopped_by),
        BoolGetDatum(result.condition_met),
        Int64GetDatum((int64)result.instret),
        Int64GetDatum((int64)result.executed),
        Int64GetDatum((int64)result.pc),
        interval_of_ns(result.time_ns),
        Float8GetDatum(result.host_seconds),
        Float8GetDatum(nulls[7] ? 0 : (double)result.executed / result.host_seconds / 1e6),
    };

    put_row(fcinfo, values, nulls);
  }
  return (Datum)0;
}

PG_FUNCTION_INFO_V1(linuxsql_vm_forward_apply);
Datum linuxsql_vm_forward_apply(PG_FUNCTION_ARGS) {
  char *machine = text_to_cstring(required_text(fcinfo, 0, "machine"));
  char *forward = text_to_cstring(required_text(fcinfo, 1, "forward"));
  bool present = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
  struct client *client = control_connect(machine, true);
  StringInfoData payload;

  if (client == NULL) PG_RETURN_BOOL(false);
  initStringInfo(&payload);
  wire_put_cstring(&payload, forward);
  /* The catalogue has no other forward from this port: one that a rolled back call left gives way. */
  (void)client_call(client, FRAME_TYPE_VM_FORWARD_REMOVE, payload.data, (size_t)payload.len, FRAME_TYPE_DONE);
  if (present)
    (void)client_call(client, FRAME_TYPE_VM_FORWARD, payload.data, (size_t)payload.len, FRAME_TYPE_DONE);
  client_discard(client);
  PG_RETURN_BOOL(true);
}

#include "src/control.h"

#include <unistd.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "src/error.h"
#include "src/option.h"
#include "src/view.h"

static const char daemon_name[] = "linuxsql-vm";
static const char service_name[] = "introspect";

static const char *const state_names[] = {
    [MACHINE_STATE_PAUSED] = "paused",     [MACHINE_STATE_RUNNING] = "running",
    [MACHINE_STATE_STEPPING] = "stepping", [MACHINE_STATE_POWEROFF] = "poweroff",
    [MACHINE_STATE_WAITING] = "waiting",
};

const char *control_state_name(enum machine_state state) { return state_names[state]; }

/* Does the catalogue want it to run, with a supervisor to see to that? */
static bool is_wanted(const char *machine) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine)};
  bool wanted = false;

  if (option_vm_path[0] == '\0') return false;
  SPI_connect();
  if (SPI_execute("select pg_catalog.to_regclass('linuxsql.machine') is not null and "
                  "pg_catalog.has_any_column_privilege('linuxsql.machine', 'select')",
                  true, 1) == SPI_OK_SELECT &&
      SPI_processed == 1) {
    char *visible = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

    if (visible != NULL && visible[0] == 't')
      wanted = SPI_execute_with_args("select from linuxsql.machine where name = $1 and desired <> 'stopped'",
                                     1, types, values, NULL, true, 1) == SPI_OK_SELECT &&
               SPI_processed == 1;
  }
  SPI_finish();
  return wanted;
}

struct client *control_connect(const char *machine, bool missing_ok) {
  char *path = option_machine_socket(machine);
  char *hint = psprintf("Start it with: select vm_start(%s).", quote_literal_cstr(machine));
  bool patient = !missing_ok && is_wanted(machine);

  return client_open(path, daemon_name, missing_ok ? NULL : hint,
                     patient ? option_start_timeout : option_connect_timeout, patient);
}

struct client *control_connect_unless_stopped(const char *machine) {
  return control_connect(machine, !is_wanted(machine));
}

struct machine_status control_state(struct client *client, uint8_t type, const char *payload, size_t length) {
  struct answer answer = client_call(client, type, payload, length, FRAME_TYPE_VM_STATE);
  struct wire_reader reader = {answer.payload, answer.payload + answer.length, false};
  struct machine_status status;
  uint32_t state = wire_take_uint32_t(&reader);

  status.stop_reason = wire_take_uint32_t(&reader);
  status.instret = wire_take_uint64_t(&reader);
  status.pc = wire_take_uint64_t(&reader);
  status.time_ns = wire_take_uint64_t(&reader);
  status.host_run_ns = wire_take_uint64_t(&reader);
  status.ram_bytes = wire_take_uint64_t(&reader);
  status.hz = wire_take_uint64_t(&reader);
  status.generation = wire_take_uint64_t(&reader);
  status.machine = wire_take_text(&reader);
  if (reader.bad || reader.at != reader.end || state >= lengthof(state_names))
    client_protocol_error(client, "a VM_STATE frame is malformed");
  status.state = (enum machine_state)state;
  return status;
}

static bool has_kind(const char *condition, const char *kind) {
  size_t length = strlen(kind);

  return strncmp(condition, kind, length) == 0 && condition[length] == ':';
}

char *control_resolve(const char *machine, const char *condition, bool *met) {
  struct client *client;
  struct answer answer;
  struct wire_reader reader;
  StringInfoData payload;
  uint8_t met_now;
  char *resolved;

  *met = false;
  if (!has_kind(condition, "sym") && !has_kind(condition, "proc") && !has_kind(condition, "syscall"))
    return pstrdup(condition);
  initStringInfo(&payload);
  wire_put_cstring(&payload, machine);
  wire_put_cstring(&payload, condition);
  for (int attempt = 0;; attempt++) {
    client = client_get(option_service_socket(), service_name, "Start it with `linuxsql up`.",
                        option_introspect_command[0] != '\0');
    answer = client_ask(client, REQUEST_CALL, FRAME_TYPE_RESOLVE, payload.data, (size_t)payload.len);
    if (answer.type != 0) break;
    if (attempt > 0) error_lost(client->path, client->who);
  }
  reader = (struct wire_reader){answer.payload, answer.payload + answer.length, false};
  met_now = wire_take_uint8_t(&reader);
  resolved = wire_take_text(&reader);
  if (answer.type != FRAME_TYPE_RESOLVED || reader.bad || reader.at != reader.end || met_now > 1)
    client_protocol_error(client, "a RESOLVED frame is malformed");
  *met = met_now != 0;
  return resolved;
}

void control_refuse_held(const char *machine) {
  if (view_is_held(machine))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("this session holds machine \"%s\" at one instant", machine),
                    errdetail("A cursor, the statement itself or a REPEATABLE READ transaction reads it."),
                    errhint("Let that end first.")));
}

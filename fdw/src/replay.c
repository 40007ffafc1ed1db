/* vm_replay: the past of a machine lived again, and compared. */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "src/compat.h"
#include "src/error.h"
#include "src/option.h"
#include "src/wire.h"
#include "src/client.h"

static const char service[] = "introspect";

struct replayed {
  uint64_t boot, instret, time_ns;
  double seconds;
  char *hash, *replayed_hash;
};

static struct client *connect_service(void) {
  return client_get(option_service_socket(), service, "Start it with `linuxsql up`.",
                    option_introspect_command[0] != '\0');
}

/* Checkpoints: "" for none. */
static struct replayed replay(const char *machine, const char *checkpoint, const char *until) {
  StringInfoData payload;
  struct client *client;
  struct answer answer;
  struct wire_reader reader;
  struct replayed result;

  initStringInfo(&payload);
  wire_put_cstring(&payload, machine);
  wire_put_cstring(&payload, checkpoint);
  wire_put_cstring(&payload, until);
  for (int attempt = 0;; attempt++) {
    client = connect_service();
    answer = client_ask(client, REQUEST_CALL, FRAME_TYPE_REPLAY, payload.data, (size_t)payload.len);
    if (answer.type != 0) break;
    if (attempt > 0) error_lost(client->path, client->who);
  }
  reader = (struct wire_reader){answer.payload, answer.payload + answer.length, false};
  result.boot = wire_take_uint64_t(&reader);
  result.instret = wire_take_uint64_t(&reader);
  result.time_ns = wire_take_uint64_t(&reader);
  result.seconds = wire_take_f64(&reader);
  result.hash = wire_take_text(&reader);
  result.replayed_hash = wire_take_text(&reader);
  if (answer.type != FRAME_TYPE_REPLAYED || reader.bad || reader.at != reader.end || !(result.seconds >= 0))
    client_protocol_error(client, "a REPLAYED frame is malformed");
  return result;
}

static const char *name_argument(FunctionCallInfo fcinfo, int number) {
  const char *name = PG_ARGISNULL(number) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(number));

  if (!PG_ARGISNULL(number) && *name == '\0')
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a checkpoint has a name"),
                    errhint("vm_snapshots() has them; null stands for none.")));
  return name;
}

PG_FUNCTION_INFO_V1(linuxsql_vm_replay);
Datum linuxsql_vm_replay(PG_FUNCTION_ARGS) {
  char *machine = option_resolve_machine(PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)));
  ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
  Interval *time = palloc0(sizeof *time);
  struct replayed replayed;
  bool nulls[7] = {false};

  InitMaterializedSRF(fcinfo, 0);
  replayed = replay(machine, name_argument(fcinfo, 1), name_argument(fcinfo, 2));
  time->time = (TimeOffset)(replayed.time_ns / 1000);
  {
    Datum values[] = {
        Int64GetDatum((int64)replayed.boot),
        Int64GetDatum((int64)replayed.instret),
        IntervalPGetDatum(time),
        BoolGetDatum(strcmp(replayed.hash, replayed.replayed_hash) == 0),
        CStringGetTextDatum(replayed.hash),
        CStringGetTextDatum(replayed.replayed_hash),
        Float8GetDatum(replayed.seconds),
    };

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return (Datum)0;
}

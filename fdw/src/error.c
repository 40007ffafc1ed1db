#include "src/error.h"

#include <stdarg.h>

#include "src/wire.h"

void error_protocol(const char *path, const char *format, ...) {
  StringInfoData detail;

  initStringInfo(&detail);
  for (;;) {
    va_list args;
    int needed;

    va_start(args, format);
    needed = appendStringInfoVA(&detail, format, args);
    va_end(args);
    if (needed == 0) break;
    enlargeStringInfo(&detail, needed);
  }
  ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
                  errmsg("protocol violation by the peer at \"%s\"", path), errdetail("%s", detail.data),
                  errhint("The connection was closed. Both sides must be of the same build.")));
}

void error_unavailable(const char *path, const char *who, const char *reason, const char *hint) {
  ereport(ERROR,
          (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION), errmsg("%s does not answer", who),
           errdetail("Socket \"%s\": %s.", path, reason), errhint("%s", hint)));
}

void error_lost(const char *path, const char *who) {
  ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("%s closed the connection", who),
                  errdetail("Socket \"%s\".", path), errhint("Run the statement again.")));
}

static bool is_error_state(const char *state) {
  for (int i = 0; i < 5; i++)
    if (!((state[i] >= '0' && state[i] <= '9') || (state[i] >= 'A' && state[i] <= 'Z'))) return false;
  return !(state[0] == '0' && state[1] >= '0' && state[1] <= '2');
}

void error_from_peer(const char *path, const char *payload, size_t length) {
  struct wire_reader reader = {payload, payload + length, false};
  char state[5];
  char *message, *detail, *hint;

  wire_take(&reader, state, sizeof state);
  message = wire_take_text(&reader);
  detail = wire_take_text(&reader);
  hint = wire_take_text(&reader);
  if (reader.bad || reader.at != reader.end || !is_error_state(state))
    error_protocol(path, "an ERROR frame is malformed");
  ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                  errmsg("%s", message[0] ? message : "the peer reports an error without a message"),
                  detail[0] ? errdetail("%s", detail) : 0, hint[0] ? errhint("%s", hint) : 0));
}

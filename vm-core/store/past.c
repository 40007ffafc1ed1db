#include "store/past.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const find_query =
    "select machine, first_boot, first_seq, checkpoint, disk, boot, until, problem"
    " from linuxsql.find_past($1, $2, $3, $4)";
enum {
  COLUMN_MACHINE,
  COLUMN_FIRST_BOOT,
  COLUMN_FIRST_SEQ,
  COLUMN_CHECKPOINT,
  COLUMN_DISK,
  COLUMN_BOOT,
  COLUMN_UNTIL,
  COLUMN_PROBLEM,
};

static const char *const inputs_query =
    "select boot, instret, time_ns, kind, payload from linuxsql.input_log where machine = $1"
    " and (boot, seq) >= ($2, $3::bigint) and boot <= $4 order by boot, seq";

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10); /* 0 if null */
}

static void take(struct session *session, const PGresult *row) {
  session->machine = number(row, COLUMN_MACHINE);
  session->boot = number(row, COLUMN_FIRST_BOOT);
  session->past.checkpoint = number(row, COLUMN_CHECKPOINT);
  session->past.disk = number(row, COLUMN_DISK);
  session->past.boot = number(row, COLUMN_BOOT);
  session->past.end = PQgetisnull(row, 0, COLUMN_UNTIL) ? UINT64_MAX : number(row, COLUMN_UNTIL);
}

static PGresult *find(struct session *session) {
  const struct past_wanted *wanted = &session->options.past;
  char boot[24], instret[24];
  const char *const values[] = {session->options.machine, wanted->boot ? boot : NULL,
                                wanted->instret ? instret : NULL, wanted->checkpoint};
  snprintf(boot, sizeof boot, "%llu", (unsigned long long)wanted->boot);
  snprintf(instret, sizeof instret, "%llu", (unsigned long long)wanted->instret);
  return link_query(&session->write, find_query, 4, values, false, SESSION_CALL_MS);
}

static PGresult *read_inputs(struct session *session, const char *first_seq) {
  char machine[24], first[24], last[24];
  const char *const values[] = {machine, first, first_seq, last};
  snprintf(machine, sizeof machine, "%llu", (unsigned long long)session->machine);
  snprintf(first, sizeof first, "%llu", (unsigned long long)session->boot);
  snprintf(last, sizeof last, "%llu", (unsigned long long)session->past.boot);
  return link_query(&session->write, inputs_query, 4, values, true, SESSION_CALL_MS);
}

bool past_open(struct session *session, char *reason, size_t size) {
  const struct session_options *options = &session->options;
  PGresult *row = find(session);
  const char *problem = session->write.error;
  if (row && PQntuples(row) != 1) problem = "nothing is known of it";
  if (row && PQntuples(row) == 1) {
    problem = PQgetisnull(row, 0, COLUMN_PROBLEM) ? NULL : PQgetvalue(row, 0, COLUMN_PROBLEM);
    take(session, row);
  }
  if (!problem) {
    session->past.rows = read_inputs(session, PQgetvalue(row, 0, COLUMN_FIRST_SEQ));
    if (!session->past.rows) problem = session->write.error;
  }
  if (problem && options->past.boot)
    snprintf(reason, size, "boot %llu of machine %s cannot be replayed: %s",
             (unsigned long long)options->past.boot, options->machine, problem);
  else if (problem)
    snprintf(reason, size, "machine %s cannot be replayed: %s", options->machine, problem);
  PQclear(row);
  return !problem;
}

static uint64_t binary(const PGresult *rows, int row, int column) {
  uint64_t value;
  memcpy(&value, PQgetvalue(rows, row, column), sizeof value);
  return be64toh(value);
}

bool past_next(struct past *past, struct past_input *input) {
  int row = past->next;
  if (row >= PQntuples(past->rows)) return false;
  past->next++;
  *input = (struct past_input){.boot = binary(past->rows, row, 0),
                               .instret = binary(past->rows, row, 1),
                               .time_ns = binary(past->rows, row, 2),
                               .kind = PQgetvalue(past->rows, row, 3),
                               .payload = (const uint8_t *)PQgetvalue(past->rows, row, 4),
                               .size = (uint32_t)PQgetlength(past->rows, row, 4)};
  return true;
}

void past_close(struct past *past) {
  PQclear(past->rows);
  past->rows = NULL;
}

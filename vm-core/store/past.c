#include "store/past.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const boot_query =
    "select m.id, b.leaf, b.has_disk, b.boot, exists (select from linuxsql.input_log i where i.machine = m.id"
    "   and i.kind = 'restore' and i.boot between b.boot and $2)"
    " from linuxsql.machine m join linuxsql.boot b on b.machine = m.id"
    " where m.name = $1 and b.boot <= $2 order by b.boot desc limit 1";

static const char *const inputs_query =
    "select boot, instret, time_ns, kind, payload from linuxsql.input_log where machine = $1 and boot >= $2"
    " and boot < coalesce((select min(b.boot) from linuxsql.boot b where b.machine = $1 and b.boot > $2),"
    " 9223372036854775807) order by boot, seq";

static bool fail(char *reason, size_t size, const struct session *session, const char *why) {
  snprintf(reason, size, "boot %llu of machine %s cannot be replayed: %s", (unsigned long long)session->boot,
           session->options.machine, why);
  return false;
}

static bool find_boot(struct session *session, const char *boot, char *reason, size_t size) {
  const char *const values[] = {session->options.machine, boot};
  PGresult *row = link_query(&session->write, boot_query, 2, values, false, SESSION_CALL_MS);
  const char *problem = NULL;
  if (!row)
    problem = session->write.error;
  else if (PQntuples(row) != 1)
    problem = "nothing is known of it";
  else if (PQgetvalue(row, 0, 4)[0] == 't')
    problem = "the machine went on from a checkpoint";
  else if (PQgetvalue(row, 0, 2)[0] == 't' && PQgetisnull(row, 0, 1))
    problem = "the disk as it was then is not kept";
  if (!problem) {
    session->machine = strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    session->boot = strtoull(PQgetvalue(row, 0, 3), NULL, 10);
    session->past.leaf = PQgetisnull(row, 0, 1) ? 0 : strtoull(PQgetvalue(row, 0, 1), NULL, 10);
  }
  bool found = !problem || fail(reason, size, session, problem);
  PQclear(row);
  return found;
}

bool past_open(struct session *session, char *reason, size_t size) {
  char machine[24], boot[24];
  const char *const values[] = {machine, boot};
  session->boot = session->options.past_boot;
  snprintf(boot, sizeof boot, "%llu", (unsigned long long)session->boot);
  if (!find_boot(session, boot, reason, size)) return false;
  snprintf(boot, sizeof boot, "%llu", (unsigned long long)session->boot);
  snprintf(machine, sizeof machine, "%llu", (unsigned long long)session->machine);
  session->past.rows = link_query(&session->write, inputs_query, 2, values, true, SESSION_CALL_MS);
  return session->past.rows || fail(reason, size, session, session->write.error);
}

static uint64_t number(const PGresult *rows, int row, int column) {
  uint64_t value;
  memcpy(&value, PQgetvalue(rows, row, column), sizeof value);
  return be64toh(value);
}

bool past_next(struct past *past, struct past_input *input) {
  int row = past->next;
  if (row >= PQntuples(past->rows)) return false;
  past->next++;
  *input = (struct past_input){.boot = number(past->rows, row, 0),
                               .instret = number(past->rows, row, 1),
                               .time_ns = number(past->rows, row, 2),
                               .kind = PQgetvalue(past->rows, row, 3),
                               .payload = (const uint8_t *)PQgetvalue(past->rows, row, 4),
                               .size = (uint32_t)PQgetlength(past->rows, row, 4)};
  return true;
}

void past_close(struct past *past) {
  PQclear(past->rows);
  past->rows = NULL;
}

#include "store/link.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct link_wait {
  link_handler handler; /* NULL: a sync */
  void *opaque, *item;
};

static const char *const session_settings =
    "select pg_catalog.set_config(s.name, w.value, false) from pg_catalog.pg_settings s join (values"
    " ('search_path', 'pg_catalog'), ('statement_timeout', '0'), ('lock_timeout', '0'),"
    " ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', "
    "'0'),"
    " ('default_transaction_read_only', 'off'), ('default_transaction_isolation', 'read committed'), "
    "('default_toast_compression', 'lz4'), ('jit', 'off'),"
    " ('client_min_messages', 'warning'), ('plan_cache_mode', 'force_generic_plan'), ('bytea_output', 'hex')"
    ") as w(name, value) on s.name = w.name and (s.enumvals is null or w.value = any (s.enumvals))"
    " union all select pg_catalog.set_config('synchronous_commit', 'on', false)"
    " where pg_catalog.current_setting('synchronous_commit') in ('off', 'local')";

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void set_error(struct link *link, const char *text) {
  size_t length = strcspn(text, "\n");
  if (length == 0) text = "the connection to PostgreSQL was lost", length = strlen(text);
  if (length >= sizeof link->error) length = sizeof link->error - 1;
  memcpy(link->error, text, length);
  link->error[length] = '\0';
}

static void set_result_error(struct link *link, const PGresult *result) {
  const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  snprintf(link->sqlstate, sizeof link->sqlstate, "%s", sqlstate ? sqlstate : "");
  set_error(link, primary ? primary : PQresultErrorMessage(result));
}

void link_add_int8(struct link_values *values, uint64_t value) {
  int n = values->count++;
  values->words[n] = htobe64(value);
  values->values[n] = (const char *)&values->words[n];
  values->lengths[n] = 8;
}

void link_add_int4(struct link_values *values, uint32_t value) {
  int n = values->count++;
  uint32_t wire = htobe32(value);
  memcpy(&values->words[n], &wire, 4);
  values->values[n] = (const char *)&values->words[n];
  values->lengths[n] = 4;
}

void link_add_bytes(struct link_values *values, const void *bytes, size_t size) {
  int n = values->count++;
  values->values[n] = bytes;
  values->lengths[n] = (int)size;
}

/* False when the deadline passed first. */
static bool wait_socket(PGconn *conn, short events, int64_t deadline) {
  struct pollfd fd = {.fd = PQsocket(conn), .events = events};
  for (;;) {
    int64_t left = deadline - now_ms();
    if (left <= 0) return false;
    int ready = poll(&fd, 1, (int)left);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

/* Warnings have nobody to go to, and must not reach a console on standard error. */
static void no_notice(void *opaque, const char *message) { (void)opaque, (void)message; }

bool link_open(struct link *link, const char *conninfo, const char *application, int timeout_ms) {
  int64_t deadline = now_ms() + timeout_ms;
  const char *const keywords[] = {"dbname", "application_name", "client_encoding", NULL};
  const char *const values[] = {conninfo, application, "UTF8", NULL};
  link->sqlstate[0] = '\0';
  link->conn = PQconnectStartParams(keywords, values, 1);
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  if (link->conn) PQsetNoticeProcessor(link->conn, no_notice, NULL);
  bool in_time = link->conn != NULL && PQstatus(link->conn) != CONNECTION_BAD;
  while (in_time && status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
    in_time = wait_socket(link->conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
    if (in_time) status = PQconnectPoll(link->conn);
  }
  if (status != PGRES_POLLING_OK) {
    set_error(link, in_time || PQstatus(link->conn) == CONNECTION_BAD ? PQerrorMessage(link->conn)
                                                                      : "PostgreSQL does not answer");
    link_close(link);
    return false;
  }
  PQsetnonblocking(link->conn, 1);
  PGresult *result = link_query(link, session_settings, 0, NULL, false, timeout_ms);
  PQclear(result);
  if (!result) link_close(link);
  return result != NULL;
}

void link_close(struct link *link) {
  if (link->conn) PQfinish(link->conn);
  free(link->waits);
  link->conn = NULL;
  link->waits = NULL;
  link->head = link->count = link->capacity = 0;
}

/* All results of the statement sent last; the first is kept. */
static PGresult *collect(struct link *link, int64_t deadline) {
  PGresult *first = NULL;
  while (PQflush(link->conn) == 1)
    if (!wait_socket(link->conn, POLLIN | POLLOUT, deadline) || !PQconsumeInput(link->conn)) break;
  for (;;) {
    while (PQisBusy(link->conn)) {
      if (!wait_socket(link->conn, POLLIN, deadline)) {
        set_error(link, "PostgreSQL does not answer");
        PQclear(first);
        return NULL;
      }
      if (!PQconsumeInput(link->conn)) break;
    }
    PGresult *result = PQgetResult(link->conn);
    if (!result) break;
    if (first)
      PQclear(result);
    else
      first = result;
  }
  ExecStatusType status = PQresultStatus(first);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return first;
  if (first)
    set_result_error(link, first);
  else
    set_error(link, PQerrorMessage(link->conn));
  PQclear(first);
  return NULL;
}

PGresult *link_query(struct link *link, const char *sql, int count, const char *const *values, bool binary,
                     int timeout_ms) {
  link->sqlstate[0] = '\0';
  if (!PQsendQueryParams(link->conn, sql, count, NULL, values, NULL, NULL, binary)) {
    set_error(link, PQerrorMessage(link->conn));
    return NULL;
  }
  return collect(link, now_ms() + timeout_ms);
}

int64_t link_large_object(struct link *link, uint32_t lo, uint64_t offset, void *buffer, size_t size,
                          int timeout_ms) {
  char numbers[3][24];
  const char *const values[] = {numbers[0], numbers[1], numbers[2]};
  snprintf(numbers[0], sizeof numbers[0], "%u", lo);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)offset);
  snprintf(numbers[2], sizeof numbers[2], "%zu", size);
  PGresult *result = link_query(link, "select lo_get($1, $2, $3)", 3, values, true, timeout_ms);
  if (!result) return -1;
  int64_t length = PQntuples(result) == 1 ? PQgetlength(result, 0, 0) : -1;
  if (length > (int64_t)size) length = -1;
  if (length > 0) memcpy(buffer, PQgetvalue(result, 0, 0), (size_t)length);
  if (length < 0) set_error(link, "PostgreSQL gave an unexpected answer");
  PQclear(result);
  return length;
}

void link_keep_memory(struct link *link, int timeout_ms) {
  PQclear(link_query(link, "select octet_length(repeat(' ', 4194304))", 0, NULL, false, timeout_ms));
}

bool link_prepare(struct link *link, const char *name, const char *sql, int timeout_ms) {
  link->sqlstate[0] = '\0';
  if (!PQsendPrepare(link->conn, name, sql, 0, NULL)) {
    set_error(link, PQerrorMessage(link->conn));
    return false;
  }
  PGresult *result = collect(link, now_ms() + timeout_ms);
  PQclear(result);
  return result != NULL;
}

bool link_start_pipeline(struct link *link) {
  if (PQenterPipelineMode(link->conn)) return true;
  set_error(link, PQerrorMessage(link->conn));
  return false;
}

static bool push_wait(struct link *link, struct link_wait wait) {
  if (link->count == link->capacity) {
    uint32_t capacity = link->capacity ? link->capacity * 2 : 256;
    struct link_wait *waits = malloc(capacity * sizeof *waits);
    if (!waits) {
      set_error(link, "out of memory");
      return false;
    }
    for (uint32_t i = 0; i < link->count; i++)
      waits[i] = link->waits[(link->head + i) & (link->capacity - 1)];
    free(link->waits);
    link->waits = waits;
    link->capacity = capacity;
    link->head = 0;
  }
  link->waits[(link->head + link->count++) & (link->capacity - 1)] = wait;
  return true;
}

bool link_send(struct link *link, const char *statement, const struct link_values *values,
               link_handler handler, void *opaque, void *item) {
  static const int binary[LINK_VALUES] = {1, 1, 1, 1, 1, 1, 1, 1};
  if (!PQsendQueryPrepared(link->conn, statement, values->count, values->values, values->lengths, binary,
                           1)) {
    set_error(link, PQerrorMessage(link->conn));
    return false;
  }
  return push_wait(link, (struct link_wait){.handler = handler, .opaque = opaque, .item = item});
}

bool link_sync(struct link *link) {
  if (!PQpipelineSync(link->conn)) {
    set_error(link, PQerrorMessage(link->conn));
    return false;
  }
  return push_wait(link, (struct link_wait){.handler = NULL});
}

short link_events(struct link *link) { return (short)(PQflush(link->conn) == 1 ? POLLIN | POLLOUT : POLLIN); }

int link_socket(const struct link *link) { return PQsocket(link->conn); }

static bool answer(struct link *link, const PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  if (link->count == 0) {
    set_error(link, "PostgreSQL answered what was not asked");
    return false;
  }
  struct link_wait wait = link->waits[link->head];
  link->head = (link->head + 1) & (link->capacity - 1);
  link->count--;
  if (!wait.handler && status == PGRES_PIPELINE_SYNC) return true;
  if (wait.handler && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)) {
    if (wait.handler(wait.opaque, wait.item, result)) return true;
    if (!link->error[0]) set_error(link, "PostgreSQL gave an unexpected answer");
    return false;
  }
  set_result_error(link, result);
  return false;
}

bool link_pump(struct link *link) {
  link->error[0] = link->sqlstate[0] = '\0';
  bool alive = PQflush(link->conn) >= 0 && PQconsumeInput(link->conn);
  for (PGnotify *notice; (notice = PQnotifies(link->conn)); PQfreemem(notice)) link->notified = true;
  /* Answers received before the connection broke still count. */
  bool between = false; /* one NULL stands between the results of two statements; two mean there is no more */
  while (link->count > 0 && !PQisBusy(link->conn)) {
    PGresult *result = PQgetResult(link->conn);
    if (!result && between) break;
    between = !result;
    if (!result) continue;
    bool good = answer(link, result);
    PQclear(result);
    if (!good) return false;
  }
  if (alive && PQstatus(link->conn) == CONNECTION_OK) return true;
  set_error(link, PQerrorMessage(link->conn));
  return false;
}

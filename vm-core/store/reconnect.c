#include "store/reconnect.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { BACK_OFF_FIRST_MS = 20, BACK_OFF_MAX_MS = 1000 };

struct statement {
  const char *name, *sql;
};

static const struct statement write_statements[] = {
    {"begin", "begin isolation level read committed read write"},
    {"fence", "select linuxsql.check_fence($1, $2)"},
    {"log", "insert into linuxsql.input_log (machine, boot, seq, instret, time_ns, kind, payload)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"},
    {"put", "select lo_put($1, $2, $3)"},
    {"rebase", "select linuxsql.rebase_disk($1, $2, $3, $4)"},
    {"commit", "commit"},
};

static const struct statement read_statements[] = {
    {"get", "select lo_get($1, $2, $3)"},
    {"settings", "select coalesce(checkpoint_every, 0) from linuxsql.machine where id = $1"},
};

static bool prepare(struct link *link, const struct statement *statements, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!link_prepare(link, statements[i].name, statements[i].sql, SESSION_CALL_MS)) return false;
  return link_start_pipeline(link);
}

/* Changes of the machine's row that concern a running daemon are told by NOTIFY; what was missed is read. */
static bool listen_to_row(struct session *session) {
  char statement[64];
  struct link *link = &session->read;
  if (session->options.past.wanted) return true;
  snprintf(statement, sizeof statement, "listen linuxsql_machine_%llu", (unsigned long long)session->machine);
  PGresult *done = link_query(link, statement, 0, NULL, false, SESSION_CALL_MS);
  PQclear(done);
  link->notified = done != NULL;
  return done != NULL;
}

static bool open_link(struct session *session, struct link *link) {
  char application[80];
  if (link_up(link)) return true;
  snprintf(application, sizeof application, "linuxsql-vm %s", session->options.machine);
  if (link_open(link, session->options.conninfo, application, SESSION_CALL_MS)) return true;
  if (link != &session->write) memcpy(session->write.error, link->error, sizeof link->error);
  return false;
}

bool session_start_links(struct session *session) {
  struct link *read = &session->read, *write = &session->write;
  if (!open_link(session, write) || !open_link(session, read)) return false;
  link_keep_memory(read, SESSION_CALL_MS);
  if (!prepare(write, write_statements, sizeof write_statements / sizeof *write_statements)) return false;
  if (listen_to_row(session) &&
      prepare(read, read_statements, sizeof read_statements / sizeof *read_statements))
    return true;
  memcpy(write->error, read->error, sizeof read->error);
  return false;
}

bool session_retake(struct session *session) {
  char numbers[2][24];
  const char *const values[] = {numbers[0], numbers[1]};
  if (!open_link(session, &session->write)) return false;
  if (session->options.past.wanted) return true;
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)session->fence);
  PGresult *row = link_query(&session->write, "select linuxsql.retake_machine($1, $2)", 2, values, false,
                             SESSION_CALL_MS);
  bool taken = row && PQntuples(row) == 1 && PQgetvalue(row, 0, 0)[0] == 't';
  if (row && !taken)
    snprintf(session->write.error, sizeof session->write.error, "another session holds the machine");
  PQclear(row);
  return taken;
}

static void close_links(struct session *session) {
  link_close(&session->read);
  link_close(&session->write);
}

static void fail(struct session *session, const char *what) {
  snprintf(session->reason, sizeof session->reason, "machine %s: %s", session->options.machine, what);
  session->failed = true;
  close_links(session);
  /* The reason first: whoever waits for a request learns of the end only after it. */
  if (session->options.lost) session->options.lost(session->options.opaque, session->reason);
  session_fail_requests(session);
}

static bool fenced(const struct session *session) { return strcmp(session->write.sqlstate, "LQ001") == 0; }

/* Sleep, but not through closing. False: closing and out of time. */
static bool back_off(struct session *session, int milliseconds) {
  int64_t until = session_now_ns() + milliseconds * INT64_C(1000000);
  for (;;) {
    bool closing = atomic_load_explicit(&session->closing, memory_order_acquire);
    int64_t now = session_now_ns();
    if (closing && now >= session->close_by_ns) return false;
    if (now >= until) return true;
    struct pollfd fd = {.fd = session->queue.wake_fd, .events = POLLIN};
    poll(&fd, 1, (int)((until - now) / 1000000 + 1));
    block_queue_clear(&session->queue);
  }
}

void session_reconnect(struct session *session) {
  int64_t give_up_ms = session->progress_ms + session->options.orphan_timeout_s * INT64_C(1000);
  int pause_ms = BACK_OFF_FIRST_MS;
  char why[700];
  if (!session->write.error[0]) memcpy(session->write.error, session->read.error, sizeof session->read.error);
  bool stale = fenced(session);
  session_commit_lost(session);
  if (session->disk) disk_links_lost(session->disk);
  close_links(session);
  /* A server that lets us in only to fail again must not be hammered. */
  if (!stale && session_now_ns() / 1000000 - session->reconnected_ms < BACK_OFF_MAX_MS &&
      !back_off(session, BACK_OFF_MAX_MS / 4))
    return;
  while (!stale) {
    if (session_now_ns() / 1000000 >= give_up_ms) {
      snprintf(why, sizeof why, "PostgreSQL could not be used for %u s (%s): the machine is stopped",
               session->options.orphan_timeout_s, session->write.error);
      fail(session, why);
      return;
    }
    if (session_retake(session) && (!session->disk || disk_rebase_settle(session->disk)) &&
        session_start_links(session)) {
      session->reconnected_ms = session_now_ns() / 1000000;
      session->read.error[0] = session->write.error[0] = '\0';
      if (session->disk)
        atomic_fetch_add_explicit(&session->disk->block.counters.reconnects, 1, memory_order_relaxed);
      return;
    }
    stale = fenced(session);
    close_links(session);
    if (!stale && !back_off(session, pause_ms)) return;
    pause_ms = pause_ms * 2 < BACK_OFF_MAX_MS ? pause_ms * 2 : BACK_OFF_MAX_MS;
  }
  fail(session, "another daemon has taken it: this one stops without writing");
}

void session_fail_requests(struct session *session) {
  if (session->disk) disk_fail(session->disk, -ESHUTDOWN);
}

#include "store/session.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/disk.h"
#include "store/past.h"
#include "store/reconnect.h"

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

int64_t session_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* From here on PostgreSQL is where it was found first. */
static bool pin(struct session *session) {
  char *conninfo = pin_conninfo(&session->write, &session->needs);
  if (!conninfo) return false;
  free((void *)(uintptr_t)session->options.conninfo);
  session->options.conninfo = conninfo;
  return true;
}

static bool take(struct session *session, char *reason, size_t reason_size) {
  char application[80];
  const char *const values[] = {session->options.machine};
  snprintf(application, sizeof application, "linuxsql-vm %s", session->options.machine);
  if (!link_open(&session->write, session->options.conninfo, application, SESSION_CALL_MS)) {
    snprintf(reason, reason_size, "cannot connect to PostgreSQL: %s", session->write.error);
    return false;
  }
  if (!pin(session)) {
    snprintf(reason, reason_size, "out of memory");
    return false;
  }
  if (session->options.past.wanted) return past_open(session, reason, reason_size);
  PGresult *row = link_query(&session->write, "select id, fence, boot from linuxsql.take_machine($1)", 1,
                             values, false, SESSION_CALL_MS);
  if (!row || PQntuples(row) != 1) {
    snprintf(reason, reason_size, "%s", session->write.error);
    PQclear(row);
    return false;
  }
  session->machine = number(row, 0);
  session->fence = number(row, 1);
  session->boot = number(row, 2);
  PQclear(row);
  return true;
}

struct session *session_open(const struct session_options *options, char *reason, size_t reason_size) {
  struct session *session = calloc(1, sizeof *session);
  if (!session || !block_queue_init(&session->queue)) {
    snprintf(reason, reason_size, "out of memory or file descriptors");
    free(session);
    return NULL;
  }
  session->source = -1;
  session->options = *options;
  session->options.conninfo = strdup(options->conninfo);
  session->options.machine = strdup(options->machine);
  const char *checkpoint = options->past.checkpoint;
  if (checkpoint) session->options.past.checkpoint = strdup(checkpoint);
  input_log_init(&session->log, 0);
  if (session->options.conninfo && session->options.machine &&
      !checkpoint == !session->options.past.checkpoint && take(session, reason, reason_size)) {
    session->log.boot = session->boot;
    return session;
  }
  session_close(session, NULL, false, 0);
  return NULL;
}

void session_progress(struct session *session) { session->progress_ms = session_now_ns() / 1000000; }

/* False when PostgreSQL has owed us something for too long. */
static bool answering(struct session *session) {
  bool held = session->disk && session->disk->held_owner;
  if (!link_busy(&session->read) && !session->committing && (held || !session->dirty_since_ns))
    session_progress(session);
  return session_now_ns() / 1000000 - session->progress_ms <
         session->options.orphan_timeout_s * INT64_C(1000);
}

static bool took_settings(void *opaque, void *item, const PGresult *result) {
  struct session *session = opaque;
  uint64_t every;
  (void)item;
  if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != sizeof every) return false;
  memcpy(&every, PQgetvalue(result, 0, 0), sizeof every);
  every = be64toh(every);
  bool other = atomic_exchange(&session->checkpoint_every, every) != every;
  if (other && session->options.changed) session->options.changed(session->options.opaque);
  return true;
}

static bool read_settings(struct session *session) {
  struct link_values values = {0};
  if (!session->read.notified) return true;
  session->read.notified = false;
  link_add_int8(&values, session->machine);
  return link_send(&session->read, "settings", &values, took_settings, session, NULL) &&
         link_sync(&session->read);
}

static bool work(struct session *session) {
  if (!link_pump(&session->read) || !link_pump(&session->write) || !read_settings(session)) return false;
  if (input_log_waiting(&session->log)) session_dirty(session);
  if (session->disk && !disk_step(session->disk)) return false;
  if (session_wants_commit(session) && !session_begin_commit(session)) return false;
  if (answering(session)) return true;
  snprintf(session->write.error, sizeof session->write.error, "PostgreSQL does not answer");
  return false;
}

static void sleep_for_work(struct session *session) {
  struct pollfd fds[3] = {{.fd = session->queue.wake_fd, .events = POLLIN}, {.fd = -1}, {.fd = -1}};
  int timeout_ms = 5000;
  if (!session->failed) {
    fds[1] = (struct pollfd){.fd = link_socket(&session->read), .events = link_events(&session->read)};
    fds[2] = (struct pollfd){.fd = link_socket(&session->write), .events = link_events(&session->write)};
    if (session->dirty_since_ns || session->committing || link_busy(&session->read)) timeout_ms = 250;
  }
  poll(fds, 3, timeout_ms);
  block_queue_clear(&session->queue);
}

static bool finished(struct session *session) {
  if (!atomic_load_explicit(&session->closing, memory_order_acquire)) return false;
  if (session->failed || session_now_ns() >= session->close_by_ns) return true;
  if (session->disk && session->disk->held_owner) return true; /* what is held is not to be kept */
  if (input_log_waiting(&session->log)) session_dirty(session);
  return !session->committing && !session->dirty_since_ns;
}

static void *io_thread(void *opaque) {
  struct session *session = opaque;
  while (!finished(session)) {
    if (session->failed)
      session_fail_requests(session);
    else if (!link_up(&session->write) || !work(session))
      session_reconnect(session);
    else if (!finished(session))
      sleep_for_work(session);
    if (session->failed) sleep_for_work(session);
  }
  return NULL;
}

bool session_start(struct session *session, char *reason, size_t reason_size) {
  session_progress(session);
  if (!session_start_links(session)) {
    snprintf(reason, reason_size, "cannot use the database: %s", session->write.error);
    return false;
  }
  session->started = pthread_create(&session->thread, NULL, io_thread, session) == 0;
  if (!session->started) snprintf(reason, reason_size, "cannot start the I/O thread");
  return session->started;
}

/* Leave a last word in the machine's row, unless another daemon has it by now. */
static void record_end(struct session *session, const char *ended, bool stay_stopped) {
  char numbers[2][24];
  const char *const values[] = {numbers[0], numbers[1], ended, stay_stopped ? "t" : "f"};
  static const char *const statement = "update linuxsql.machine set ended = $3,"
                                       " desired = case when $4::boolean then 'stopped' else desired end"
                                       " where id = $1 and fence = $2";
  struct link *link = &session->write;
  if (session->failed || session->options.past.wanted) return;
  snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)session->machine);
  snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)session->fence);
  bool plain = link_up(link) && !link_busy(link) && (!session->started || PQexitPipelineMode(link->conn));
  PGresult *done = plain ? link_query(link, statement, 4, values, false, SESSION_CALL_MS) : NULL;
  if (!done) { /* the connection may have gone unnoticed */
    link_close(link);
    if (session_retake(session)) done = link_query(link, statement, 4, values, false, SESSION_CALL_MS);
  }
  /* The lock too: the connection's end would give it back only when the server notices. */
  if (done)
    PQclear(link_query(link, "select pg_advisory_unlock(linuxsql.machine_lock_key($1))", 1, values, false,
                       SESSION_CALL_MS));
  PQclear(done);
}

void session_close(struct session *session, const char *ended, bool stay_stopped, int limit_ms) {
  if (session->started) {
    session->close_by_ns = session_now_ns() + limit_ms * INT64_C(1000000);
    atomic_store_explicit(&session->closing, true, memory_order_release);
    block_queue_wake(&session->queue);
    pthread_join(session->thread, NULL);
  }
  if (ended) record_end(session, ended, stay_stopped);
  link_close(&session->read);
  link_close(&session->write);
  disk_free(session->disk);
  if (session->source >= 0) close(session->source);
  free(session->source_path);
  input_log_free(&session->log);
  past_close(&session->past);
  block_queue_free(&session->queue);
  free((void *)(uintptr_t)session->options.conninfo);
  free((void *)(uintptr_t)session->options.machine);
  free((void *)(uintptr_t)session->options.past.checkpoint);
  free(session);
}

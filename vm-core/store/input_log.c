#include "store/input_log.h"

#include <stdlib.h>
#include <string.h>

#include "store/link.h"

void input_log_init(struct input_log *log, uint64_t boot) {
  memset(log, 0, sizeof *log);
  pthread_mutex_init(&log->mutex, NULL);
  log->boot = boot;
}

void input_log_free(struct input_log *log) {
  while (log->head) {
    struct input_record *record = log->head;
    log->head = record->next;
    free(record);
  }
  pthread_mutex_destroy(&log->mutex);
}

bool input_log_append(struct input_log *log, uint64_t instret, uint64_t time_ns, const char *kind,
                      const void *payload, uint32_t size) {
  struct input_record *record = malloc(sizeof *record + size);
  if (!record) return false;
  *record = (struct input_record){.instret = instret, .time_ns = time_ns, .kind = kind, .size = size};
  if (size) memcpy(record->payload, payload, size);
  pthread_mutex_lock(&log->mutex);
  bool fits = log->bytes + sizeof *record + size <= INPUT_LOG_BYTES;
  if (fits) {
    record->boot = log->boot;
    record->seq = log->next_seq++;
    log->appended++;
    log->bytes += sizeof *record + size;
    if (log->tail)
      log->tail->next = record;
    else
      log->head = record;
    log->tail = record;
  }
  pthread_mutex_unlock(&log->mutex);
  if (!fits) free(record);
  return fits;
}

uint64_t input_log_appended(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  uint64_t count = log->appended;
  pthread_mutex_unlock(&log->mutex);
  return count;
}

bool input_log_is_held(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  bool held = log->held;
  pthread_mutex_unlock(&log->mutex);
  return held;
}

uint64_t input_log_committed(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  uint64_t count = log->committed;
  pthread_mutex_unlock(&log->mutex);
  return count;
}

uint64_t input_log_next_boot(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  uint64_t boot = ++log->boot;
  log->next_seq = 0;
  pthread_mutex_unlock(&log->mutex);
  return boot;
}

void input_log_position(struct input_log *log, uint64_t *boot, uint64_t *seq) {
  pthread_mutex_lock(&log->mutex);
  *boot = log->boot;
  *seq = log->next_seq;
  pthread_mutex_unlock(&log->mutex);
}

void input_log_hold(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  log->held = true;
  log->held_after = log->tail;
  log->held_boot = log->boot;
  log->held_seq = log->next_seq;
  pthread_mutex_unlock(&log->mutex);
}

/* Lock held. */
static void forget_held(struct input_log *log) {
  struct input_record *record = log->held_after ? log->held_after->next : log->head;
  if (log->held_after)
    log->held_after->next = NULL;
  else
    log->head = NULL;
  log->tail = log->held_after;
  log->boot = log->held_boot;
  log->next_seq = log->held_seq;
  while (record) {
    struct input_record *next = record->next;
    log->bytes -= sizeof *record + record->size;
    log->appended--;
    free(record);
    record = next;
  }
}

void input_log_release(struct input_log *log, bool keep) {
  pthread_mutex_lock(&log->mutex);
  if (log->held && !keep) forget_held(log);
  log->held = false;
  pthread_mutex_unlock(&log->mutex);
}

/* The last record that may be sent; NULL: none. Lock held. */
static struct input_record *last_free(const struct input_log *log) {
  return log->held ? log->held_after : log->tail;
}

bool input_log_waiting(struct input_log *log) {
  pthread_mutex_lock(&log->mutex);
  bool waiting = last_free(log) && log->sent != last_free(log);
  pthread_mutex_unlock(&log->mutex);
  return waiting;
}

static bool nothing_to_do(void *opaque, void *item, const PGresult *result) {
  (void)opaque, (void)item, (void)result;
  return true;
}

bool input_log_send(struct input_log *log, struct link *link, uint64_t machine) {
  pthread_mutex_lock(&log->mutex);
  log->sent = last_free(log);
  bool good = true;
  for (struct input_record *record = log->sent ? log->head : NULL; record && good;
       record = record == log->sent ? NULL : record->next) {
    struct link_values values = {0};
    link_add_int8(&values, machine);
    link_add_int8(&values, record->boot);
    link_add_int8(&values, record->seq);
    link_add_int8(&values, record->instret);
    link_add_int8(&values, record->time_ns);
    link_add_bytes(&values, record->kind, strlen(record->kind));
    link_add_bytes(&values, record->payload, record->size);
    good = link_send(link, "log", &values, nothing_to_do, NULL, NULL);
  }
  pthread_mutex_unlock(&log->mutex);
  return good;
}

void input_log_end(struct input_log *log, bool kept) {
  pthread_mutex_lock(&log->mutex);
  struct input_record *last = log->sent;
  log->sent = NULL;
  while (kept && last && log->head) {
    struct input_record *record = log->head;
    log->head = record->next;
    if (!log->head) log->tail = NULL;
    log->bytes -= sizeof *record + record->size;
    log->committed++;
    bool done = record == last;
    if (log->held_after == record) log->held_after = NULL;
    free(record);
    if (done) break;
  }
  pthread_mutex_unlock(&log->mutex);
}

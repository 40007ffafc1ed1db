#include "vm/input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gen/telemetry.h"
#include "vm/db.h"
#include "vm/pace.h"

enum { RETRY_NS = 10 * 1000 * 1000 };

static bool open_file(FILE **file, const char *path, const char *mode, char *error, size_t size) {
  if (!path) return true;
  *file = fopen(path, mode);
  if (!*file) snprintf(error, size, "input log \"%s\": %s", path, strerror(errno));
  return *file != NULL;
}

static int hex_value(int c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_payload(struct input *input, struct input_record *record) {
  for (record->size = 0;; record->size++) {
    int high = getc(input->replay);
    if (high == '\n' || high == EOF) return true;
    int low = getc(input->replay);
    if (hex_value(high) < 0 || hex_value(low) < 0 || record->size == INPUT_CHUNK) return false;
    record->payload[record->size] = (uint8_t)(hex_value(high) << 4 | hex_value(low));
  }
}

static void read_from_file(struct input *input) {
  struct input_record *next = &input->next;
  int fields = fscanf(input->replay, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %15[a-z_]", &next->generation,
                      &next->instret, &next->time_ns, next->kind);
  input->has_next = fields == 4 && getc(input->replay) == ' ' && read_payload(input, next);
  if (!input->has_next && fields != EOF) input->diverged = true;
}

static void read_from_database(struct input *input) {
  struct db_input row;
  struct input_record *next = &input->next;
  input->has_next = db_next_input(input->machine->db, &row);
  if (!input->has_next) return;
  if (row.size > sizeof next->payload || strlen(row.kind) >= sizeof next->kind) {
    input->has_next = false;
    input->diverged = true;
    return;
  }
  next->generation = row.boot;
  next->instret = row.instret;
  next->time_ns = row.time_ns;
  next->size = row.size;
  strcpy(next->kind, row.kind);
  memcpy(next->payload, row.payload, row.size);
}

/* Records of other boots than the present one are not for now: they wait or are over. That a boot went on
 * from a checkpoint is known from how the replay began. */
static void read_next(struct input *input) {
  input->begun = true;
  do {
    if (input->replay)
      read_from_file(input);
    else
      read_from_database(input);
  } while (input->has_next && strcmp(input->next.kind, "restore") == 0);
}

void input_begin(struct input *input) {
  if (input->replaying && !input->begun) read_next(input);
}

bool input_replayed(void *opaque, const char *kind, void *payload, uint32_t size) {
  struct input *input = opaque;
  input_begin(input);
  const struct input_record *next = &input->next;
  bool fits = input->has_next && next->generation == input->machine->generation &&
              strcmp(next->kind, kind) == 0 && next->size == size;
  if (!fits) return false;
  memcpy(payload, next->payload, size);
  read_next(input);
  return true;
}

bool input_init(struct input *input, struct machine *machine, const struct config *config, char *error,
                size_t size) {
  memset(input, 0, sizeof *input);
  input->machine = machine;
  pthread_mutex_init(&input->lock, NULL);
  input->queue = malloc(INPUT_QUEUE_BYTES);
  if (!packet_queue_init(&input->packets) || !input->queue) {
    snprintf(error, size, "no memory for the input queues");
    return false;
  }
  if (!open_file(&input->log, config->input_log, "we", error, size) ||
      !open_file(&input->replay, config->replay, "re", error, size))
    return false;
  input->replaying = config->replay || config_past(config);
  return true;
}

void input_destroy(struct input *input) {
  if (input->log) fclose(input->log);
  if (input->replay) fclose(input->replay);
  free(input->queue);
  packet_queue_destroy(&input->packets);
  pthread_mutex_destroy(&input->lock);
}

size_t input_put(struct input *input, const void *bytes, size_t size) {
  if (input->replaying) return size; /* a replay hears nothing from outside */
  pthread_mutex_lock(&input->lock);
  size_t room = INPUT_QUEUE_BYTES - input->count, taken = size < room ? size : room;
  for (size_t i = 0; i < taken; i++)
    input->queue[(input->head + input->count++) % INPUT_QUEUE_BYTES] = ((const uint8_t *)bytes)[i];
  atomic_store(&input->waiting, input->count);
  pthread_mutex_unlock(&input->lock);
  return taken;
}

size_t input_room(struct input *input) { return INPUT_QUEUE_BYTES - atomic_load(&input->waiting); }

uint8_t *input_copy(struct input *input, size_t *size) {
  pthread_mutex_lock(&input->lock);
  uint8_t *bytes = malloc(input->count + 1);
  *size = bytes ? input->count : 0;
  for (size_t i = 0; i < *size; i++) bytes[i] = input->queue[(input->head + i) % INPUT_QUEUE_BYTES];
  pthread_mutex_unlock(&input->lock);
  return bytes;
}

void input_replace(struct input *input, const uint8_t *bytes, size_t size) {
  pthread_mutex_lock(&input->lock);
  memcpy(input->queue, bytes, size);
  input->head = 0;
  input->count = size;
  atomic_store(&input->waiting, size);
  pthread_mutex_unlock(&input->lock);
}

void input_put_frame(struct input *input, const void *frame, size_t size) {
  if (input->replaying) return;
  if (!packet_queue_put(&input->packets, frame, size))
    telemetry_count(input->machine->telemetry, COUNTER_NET_DROPPED_FRAMES, 1);
}

static bool to_virtio(const struct input *input) {
  return input->machine->config->console_input == INPUT_VIRTIO;
}

static size_t device_room(const struct input *input) {
  const struct machine *machine = input->machine;
  return to_virtio(input) ? virtio_console_room(&machine->virtio_console) : uart_room(&machine->uart);
}

static void to_device(struct input *input, const uint8_t *bytes, size_t size) {
  struct machine *machine = input->machine;
  telemetry_count(machine->telemetry, COUNTER_CONSOLE_INPUT_BYTES, size);
  if (to_virtio(input))
    virtio_console_input(&machine->virtio_console, bytes, size);
  else
    uart_input(&machine->uart, bytes, size);
}

static bool frame_ready(const struct input *input) {
  return packet_queue_count(&input->packets) && net_has_room(&input->machine->net);
}

/* A log may have been written by anybody: the size is checked here too. */
static void frame_to_device(struct input *input, const uint8_t *frame, size_t size) {
  if (size >= NET_FRAME_MIN && size <= NET_FRAME_MAX) net_receive(&input->machine->net, frame, size);
}

static bool due(const struct input *input) {
  const struct machine *machine = input->machine;
  return input->has_next && input->next.generation == machine->generation &&
         input->next.instret == hart_instret(&machine->hart) &&
         input->next.time_ns == hart_time_ns(&machine->hart);
}

/* A record whose instant has gone by will never come: the run is not the one that was logged. */
static bool missed(const struct input *input) {
  const struct machine *machine = input->machine;
  return input->has_next && input->next.generation == machine->generation &&
         (input->next.instret < hart_instret(&machine->hart) ||
          input->next.time_ns < hart_time_ns(&machine->hart));
}

static bool replay(struct input *input) {
  bool taken = due(input);
  while (due(input)) {
    const struct input_record *record = &input->next;
    if (strcmp(record->kind, "console") == 0) to_device(input, record->payload, record->size);
    if (strcmp(record->kind, "frame") == 0) frame_to_device(input, record->payload, record->size);
    read_next(input);
  }
  if (missed(input)) input->diverged = true;
  return taken;
}

static bool console_ready(const struct input *input) {
  return atomic_load(&input->waiting) && device_room(input);
}

static bool log_may_take(const struct input *input) {
  return !input->retry_ns || host_now_ns() >= input->retry_ns;
}

static bool has_something(const struct input *input) { return console_ready(input) || frame_ready(input); }

bool input_waiting(const struct input *input) {
  return !input->replaying && has_something(input) && log_may_take(input);
}

uint64_t input_retry_ns(const struct input *input) {
  return has_something(input) && !log_may_take(input) ? input->retry_ns : UINT64_MAX;
}

/* false: the log is full, the input must wait. */
static bool logged(struct input *input, const char *kind, const void *payload, size_t size) {
  bool good = input_log(input, kind, payload, (uint32_t)size);
  input->retry_ns = good ? 0 : host_now_ns() + RETRY_NS;
  return good;
}

static bool take_console(struct input *input) {
  bool taken = false;
  while (console_ready(input) && log_may_take(input)) {
    uint8_t chunk[INPUT_CHUNK];
    size_t room = device_room(input), size = 0;
    if (room > sizeof chunk) room = sizeof chunk;
    pthread_mutex_lock(&input->lock);
    for (; size < room && size < input->count; size++)
      chunk[size] = input->queue[(input->head + size) % INPUT_QUEUE_BYTES];
    pthread_mutex_unlock(&input->lock);
    if (!logged(input, "console", chunk, size)) break;
    taken = true;
    pthread_mutex_lock(&input->lock);
    input->head = (input->head + size) % INPUT_QUEUE_BYTES;
    input->count -= size;
    atomic_store(&input->waiting, input->count);
    pthread_mutex_unlock(&input->lock);
    to_device(input, chunk, size);
  }
  return taken;
}

/* Frames that come while no driver listens are as if they had never been. */
static bool take_frames(struct input *input) {
  struct packet packet;
  bool taken = false;
  if (packet_queue_count(&input->packets) && !net_listening(&input->machine->net))
    packet_queue_clear(&input->packets);
  while (frame_ready(input) && log_may_take(input)) {
    packet_queue_peek(&input->packets, &packet);
    if (!logged(input, "frame", packet.frame, packet.size)) break;
    taken = true;
    packet_queue_drop(&input->packets);
    frame_to_device(input, packet.frame, packet.size);
  }
  return taken;
}

void input_take(struct input *input) {
  bool taken = input->replaying ? replay(input) : take_console(input) | take_frames(input);
  if (taken) hart_request_attention(&input->machine->hart);
}

bool input_log(void *opaque, const char *kind, const void *payload, uint32_t size) {
  struct input *input = opaque;
  const struct machine *machine = input->machine;
  uint64_t instret = hart_instret(&machine->hart), time_ns = hart_time_ns(&machine->hart);
  if (machine->db && !db_log_input(machine->db, instret, time_ns, kind, payload, size)) return false;
  if (input->log) {
    fprintf(input->log, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s ", machine->generation, instret, time_ns,
            kind);
    for (uint32_t i = 0; i < size; i++) fprintf(input->log, "%02x", ((const uint8_t *)payload)[i]);
    fputc('\n', input->log);
    fflush(input->log);
  }
  if (machine->db || input->log) telemetry_count(machine->telemetry, COUNTER_INPUTS_LOGGED, 1);
  return true;
}

uint64_t input_next_stop(const struct input *input) {
  const struct machine *machine = input->machine;
  bool ahead = input->has_next && input->next.generation == machine->generation &&
               input->next.instret > hart_instret(&machine->hart);
  return ahead ? input->next.instret : UINT64_MAX;
}

uint64_t input_limit_idle(const struct input *input, uint64_t ns) {
  const struct machine *machine = input->machine;
  if (!input->has_next || input->next.generation != machine->generation ||
      input->next.instret != hart_instret(&machine->hart) ||
      input->next.time_ns <= hart_time_ns(&machine->hart))
    return ns;
  uint64_t left = input->next.time_ns - hart_time_ns(&machine->hart);
  return left < ns ? left : ns;
}

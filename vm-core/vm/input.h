/* Outside input on its way to the guest: bounded queues of console bytes and of network frames, and the log
 * that makes them replayable.
 *
 * Any thread may put input in; the hart thread takes it when it arrives at an instant (exec/run.h), logs it
 * with the instant (instret, time_ns) and hands it to its device. With --replay nothing comes from outside:
 * the logged records are delivered at their instants. */
#ifndef VM_INPUT_H
#define VM_INPUT_H

#include <pthread.h>
#include <stdio.h>

#include "vm/machine.h"
#include "vm/packet_queue.h"

enum { INPUT_QUEUE_BYTES = 1 << 20, INPUT_CHUNK = 4096 };

/* One line of a log file: generation, instret, time_ns, kind, payload in hexadecimal. */
struct input_record {
  uint64_t generation, instret, time_ns;
  char kind[16];
  uint32_t size;
  uint8_t payload[INPUT_CHUNK];
};

struct input {
  struct machine *machine;
  pthread_mutex_t lock; /* of the queue */
  size_t head, count;
  _Atomic size_t waiting; /* = count, readable without the lock */
  uint8_t *queue;
  struct packet_queue packets;
  uint64_t retry_ns; /* host time before which a full log is not asked again; 0: it took the last record */
  FILE *log;         /* --input-log */
  bool replaying;    /* nothing comes from outside; `next` is the next record */
  FILE *replay;      /* --replay; NULL: from the database, or not at all */
  bool begun;        /* the first record was looked for */
  bool has_next, diverged;
  struct input_record next;
};

/* false with one line in `error`: the files cannot be opened. */
bool input_init(struct input *input, struct machine *machine, const struct config *config, char *error,
                size_t error_size);
void input_destroy(struct input *input);

/* Queue console bytes; returns how many found room. Any thread. */
size_t input_put(struct input *input, const void *bytes, size_t size);
size_t input_room(struct input *input);

/* A copy of the bytes the guest has not taken yet; and that in place of what is there now. Hart thread. */
uint8_t *input_copy(struct input *input, size_t *size);
void input_replace(struct input *input, const uint8_t *bytes, size_t size);

/* Queue a frame of the network; one that finds no room is counted and lost. Control thread. */
void input_put_frame(struct input *input, const void *frame, size_t size);

/* Read the first record, if records are replayed. Hart thread. */
void input_begin(struct input *input);

/* True when input_take would give the guest something that comes from outside. Hart thread. */
bool input_waiting(const struct input *input);
/* When input that waits for room in the log may try again, in host time; UINT64_MAX: there is none. */
uint64_t input_retry_ns(const struct input *input);
/* Give the guest what it has room for, or what was logged at this instant; the run under way then stops,
 * because what limits it has changed. Hart thread, on arrival at an instant. */
void input_take(struct input *input);

/* The machine_hooks.log_input of file mode and --db alike; opaque is the struct input. */
bool input_log(void *input, const char *kind, const void *payload, uint32_t size);
/* The machine_hooks.replayed. */
bool input_replayed(void *input, const char *kind, void *payload, uint32_t size);

/* Replay only: the instret at which to stop next (UINT64_MAX: none), and how many of `ns` idle nanoseconds
 * may pass. */
uint64_t input_next_stop(const struct input *input);
uint64_t input_limit_idle(const struct input *input, uint64_t ns);

#endif

/* Outside input on its way to the guest: bounded queues of console bytes and of network frames, and the log
 * that makes them replayable.
 *
 * Any thread may put input in; the hart thread takes it at input epochs, when idle and when it starts to
 * run, logs it with the instant (instret, time_ns) and hands it to its device. With --replay
 * nothing comes from outside: the logged records are delivered at their instants. */
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
  bool held; /* at held_instret and held_time_ns nothing more is taken */
  uint64_t held_instret, held_time_ns;
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

/* What was seen of the machine at this instant (a hash, a checkpoint) stays all there is at it: input that
 * waits is taken at a later one, else a replay could not tell before from after. Hart thread. */
void input_hold(struct input *input);
/* The guest idles for ever, so no later instant comes by itself. */
void input_release(struct input *input);

/* True when input_take would give the guest something. Hart thread. */
bool input_ready(const struct input *input);
/* True when it would, now or at the next instant. */
bool input_waiting(const struct input *input);
/* True when only this instant keeps it from the guest: the next one will do. */
bool input_held_back(const struct input *input);
/* Give the guest what it has room for. Hart thread, hart between two instructions. */
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

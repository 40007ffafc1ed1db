/* The hand-over of requests between the hart thread and an I/O thread.
 *
 * Submission wakes the I/O thread through an eventfd, so that it can poll it beside a socket. Completion sets
 * request->done (release) and wakes whoever waits; the store never touches a request after that. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include <pthread.h>

#include "store/store.h"

struct block_queue {
  pthread_mutex_t mutex;
  pthread_cond_t ended;
  struct block_request *head, *tail; /* submitted, not yet taken */
  int wake_fd;                       /* eventfd, non-blocking */
};

/* False when the kernel gives no eventfd (errno tells). */
bool block_queue_init(struct block_queue *queue);
void block_queue_free(struct block_queue *queue);

/* Hart thread. */
void block_queue_put(struct block_queue *queue, struct block_request *request);
void block_queue_wait(struct block_queue *queue, const struct block_request *request);

/* I/O thread: the oldest request, NULL when there is none; and the end of a request. */
struct block_request *block_queue_take(struct block_queue *queue);
void block_queue_end(struct block_queue *queue, struct block_request *request, int error);

/* Any thread: make the I/O thread look around. I/O thread: forget pending wake-ups. */
void block_queue_wake(struct block_queue *queue);
void block_queue_clear(struct block_queue *queue);

/* Whether offset and length are whole sectors inside the device and no longer than allowed. Any thread. */
bool block_request_valid(const struct block_device *device, const struct block_request *request);

#endif

#include "store/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool block_queue_init(struct block_queue *queue) {
  memset(queue, 0, sizeof *queue);
  queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (queue->wake_fd < 0) return false;
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_cond_init(&queue->ended, NULL);
  return true;
}

void block_queue_free(struct block_queue *queue) {
  close(queue->wake_fd);
  pthread_cond_destroy(&queue->ended);
  pthread_mutex_destroy(&queue->mutex);
}

void block_queue_wake(struct block_queue *queue) {
  uint64_t one = 1;
  /* A full counter means a wake-up is already pending. */
  ssize_t written = write(queue->wake_fd, &one, sizeof one);
  (void)written;
}

void block_queue_clear(struct block_queue *queue) {
  uint64_t count;
  ssize_t got = read(queue->wake_fd, &count, sizeof count);
  (void)got;
}

void block_queue_put(struct block_queue *queue, struct block_request *request) {
  request->next = NULL;
  pthread_mutex_lock(&queue->mutex);
  if (queue->tail)
    queue->tail->next = request;
  else
    queue->head = request;
  queue->tail = request;
  pthread_mutex_unlock(&queue->mutex);
  block_queue_wake(queue);
}

struct block_request *block_queue_take(struct block_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  struct block_request *request = queue->head;
  if (request) {
    queue->head = request->next;
    if (!queue->head) queue->tail = NULL;
    request->next = NULL;
  }
  pthread_mutex_unlock(&queue->mutex);
  return request;
}

void block_queue_end(struct block_queue *queue, struct block_request *request, int error) {
  request->error = error;
  /* Under the mutex, so that a waiter cannot look, be passed by the broadcast, and then sleep. */
  pthread_mutex_lock(&queue->mutex);
  atomic_store_explicit(&request->done, true, memory_order_release);
  pthread_cond_broadcast(&queue->ended);
  pthread_mutex_unlock(&queue->mutex);
}

void block_queue_wait(struct block_queue *queue, const struct block_request *request) {
  if (block_done(request)) return;
  pthread_mutex_lock(&queue->mutex);
  while (!block_done(request)) pthread_cond_wait(&queue->ended, &queue->mutex);
  pthread_mutex_unlock(&queue->mutex);
}

bool block_request_valid(const struct block_device *device, const struct block_request *request) {
  if (request->op == BLOCK_FLUSH || request->op == BLOCK_CONTROL) return true;
  if (request->offset % BLOCK_SECTOR || request->length % BLOCK_SECTOR) return false;
  if (request->op != BLOCK_DISCARD && request->length > BLOCK_REQUEST_MAX) return false;
  return request->offset <= device->size && request->length <= device->size - request->offset;
}

static void submit(struct block_device *device, struct block_request *request, enum block_op op,
                   uint64_t offset, uint64_t length, void *buffer) {
  request->op = op;
  request->offset = offset;
  request->length = length;
  request->buffer = buffer;
  block_submit(device, request);
}

void block_submit(struct block_device *device, struct block_request *request) {
  request->error = 0;
  request->device = device;
  atomic_store_explicit(&request->done, false, memory_order_relaxed);
  if (!block_request_valid(device, request)) {
    request->error = -EINVAL;
  } else if (device->read_only && (request->op == BLOCK_WRITE || request->op == BLOCK_DISCARD)) {
    request->error = -EROFS;
  } else {
    device->ops->submit(device, request);
    return;
  }
  atomic_store_explicit(&request->done, true, memory_order_release);
}

void block_submit_read(struct block_device *device, uint64_t offset, uint64_t length, void *buffer,
                       struct block_request *request) {
  submit(device, request, BLOCK_READ, offset, length, buffer);
}

void block_submit_write(struct block_device *device, uint64_t offset, uint64_t length, const void *buffer,
                        struct block_request *request) {
  submit(device, request, BLOCK_WRITE, offset, length, (void *)(uintptr_t)buffer);
}

void block_submit_flush(struct block_device *device, struct block_request *request) {
  submit(device, request, BLOCK_FLUSH, 0, 0, NULL);
}

void block_submit_discard(struct block_device *device, uint64_t offset, uint64_t length,
                          struct block_request *request) {
  submit(device, request, BLOCK_DISCARD, offset, length, NULL);
}

int block_wait(struct block_request *request) {
  if (!block_done(request)) request->device->ops->wait(request->device, request);
  return request->error;
}

void block_close(struct block_device *device) {
  if (device) device->ops->close(device);
}

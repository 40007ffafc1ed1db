#include "vm/packet_queue.h"

#include <stdlib.h>
#include <string.h>

bool packet_queue_init(struct packet_queue *queue) {
  memset(queue, 0, sizeof *queue);
  pthread_mutex_init(&queue->lock, NULL);
  queue->packets = malloc(PACKET_QUEUE_FRAMES * sizeof *queue->packets);
  return queue->packets != NULL;
}

void packet_queue_destroy(struct packet_queue *queue) {
  free(queue->packets);
  pthread_mutex_destroy(&queue->lock);
}

bool packet_queue_put(struct packet_queue *queue, const void *frame, size_t size) {
  if (size < NET_FRAME_MIN || size > NET_FRAME_MAX) return false;
  pthread_mutex_lock(&queue->lock);
  bool room = queue->count < PACKET_QUEUE_FRAMES;
  if (room) {
    struct packet *packet = &queue->packets[(queue->head + queue->count) % PACKET_QUEUE_FRAMES];
    packet->size = (uint16_t)size;
    memcpy(packet->frame, frame, size);
    queue->count++;
  }
  pthread_mutex_unlock(&queue->lock);
  return room;
}

unsigned packet_queue_count(const struct packet_queue *queue) { return queue->count; }

void packet_queue_peek(struct packet_queue *queue, struct packet *packet) {
  pthread_mutex_lock(&queue->lock);
  const struct packet *first = &queue->packets[queue->head];
  packet->size = first->size;
  memcpy(packet->frame, first->frame, first->size);
  pthread_mutex_unlock(&queue->lock);
}

void packet_queue_drop(struct packet_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->head = (queue->head + 1) % PACKET_QUEUE_FRAMES;
  queue->count--;
  pthread_mutex_unlock(&queue->lock);
}

void packet_queue_clear(struct packet_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->count = 0;
  pthread_mutex_unlock(&queue->lock);
}

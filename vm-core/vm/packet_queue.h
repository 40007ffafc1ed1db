/* Frames from the network on their way to the guest: bounded, first in, first out. The control thread puts,
 * the hart thread takes. A frame that finds no room is lost, as on a wire. */
#ifndef VM_PACKET_QUEUE_H
#define VM_PACKET_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/message.h"

enum { PACKET_QUEUE_FRAMES = 1024 };

struct packet {
  uint16_t size;
  uint8_t frame[NET_FRAME_MAX];
};

struct packet_queue {
  pthread_mutex_t lock;
  unsigned head;
  _Atomic unsigned count;
  struct packet *packets;
};

/* false: no memory. */
bool packet_queue_init(struct packet_queue *queue);
void packet_queue_destroy(struct packet_queue *queue);

/* false: no room, or not the size of a frame. */
bool packet_queue_put(struct packet_queue *queue, const void *frame, size_t size);

/* Hart thread: how many wait; a copy of the first, which must be there; forget the first, or all. */
unsigned packet_queue_count(const struct packet_queue *queue);
void packet_queue_peek(struct packet_queue *queue, struct packet *packet);
void packet_queue_drop(struct packet_queue *queue);
void packet_queue_clear(struct packet_queue *queue);

#endif

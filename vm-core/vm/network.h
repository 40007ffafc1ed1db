/* The network of one machine, seen from the daemon: its helper process linuxsql-net and the sockets to it.
 *
 * The helper (net/main.c) runs the TCP/IP stack and may crash or be taken over by the guest: nothing it says
 * is trusted beyond its size, and without it the guest's frames go nowhere. */
#ifndef VM_NETWORK_H
#define VM_NETWORK_H

#include <sys/types.h>

#include "vm/network_option.h"

struct network {
  int frames_fd, requests_fd; /* -1: no helper; the sockets live until network_stop */
  pid_t pid;
  int failure; /* errno of network_prepare */
  bool ended;  /* the helper is gone; control thread */
  bool full;   /* the last frame found no room; hart thread */
  uint64_t next_id;
};

void network_init(struct network *network);

/* Run the helper program that stands beside this one; it waits. Main thread, which it does not outlive, while
 * the process may still run programs; whether that worked is told by network_start. */
void network_prepare(struct network *network);

/* Let it begin, with its forwards. Main thread; takes at most some seconds. false with one line in `error`.
 */
bool network_start(struct network *network, const struct network_options *options, char *error,
                   size_t error_size);

/* Close the sockets, which ends the helper; forget it. */
void network_stop(struct network *network);

/* A struct net_port. Hart thread. Waits a moment when the helper lags, then frames are lost. */
void network_transmit(void *network, const uint8_t *frame, size_t size);

/* The rest is for the control thread. Next frame for the guest into `frame` (NET_FRAME_MAX + 1 bytes), 0:
 * none now. */
size_t network_receive(struct network *network, uint8_t *frame);

/* Ask for a forward, or for its end (guest_port is ignored); returns the request's id, 0: the helper is gone.
 */
uint64_t network_forward(struct network *network, const struct net_forward *forward, bool remove);
/* Next answer, false: none now. Sets `ended` when there will be no more. */
bool network_answer(struct network *network, struct net_answer *answer);

#endif

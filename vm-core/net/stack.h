/* The user-mode TCP/IP stack (libslirp) between the guest's frames and the host's sockets. One thread, one
 * stack in the process. */
#ifndef NET_STACK_H
#define NET_STACK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/confine.h"
#include "net/message.h"

struct Slirp;

enum { STACK_POLL_MAX = CONFINE_FILES + 8, STACK_TIMERS = 4 };

struct stack_timer {
  bool used;
  int id; /* enum SlirpTimerId */
  void *opaque;
  int64_t due_ms; /* host clock; INT64_MAX: not set */
};

struct stack {
  struct Slirp *slirp;
  enum net_access access;
  int frames_fd;
  unsigned count; /* of `set` */
  struct pollfd set[STACK_POLL_MAX];
  struct stack_timer timers[STACK_TIMERS];
};

/* The stack answers on 10.0.2.2, leases 10.0.2.15 by DHCP and, unless isolated, resolves names on 10.0.2.3.
 */
bool stack_open(struct stack *stack, enum net_access access, int frames_fd);

/* One frame of the guest; those it may not send are dropped. */
void stack_input(struct stack *stack, const uint8_t *frame, size_t size);

/* errno, 0: done. */
int stack_forward(struct stack *stack, const struct net_forward *forward);
int stack_forward_remove(struct stack *stack, const struct net_forward *forward);

/* Wait for the descriptors in set[0..reserved) or for work of the stack, and do that work. false: poll
 * failed. */
bool stack_wait(struct stack *stack, unsigned reserved);

#endif

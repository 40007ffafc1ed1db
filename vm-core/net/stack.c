#include "net/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <slirp/libslirp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "net/filter.h"

enum { NS_PER_MS = 1000000 };

static struct in_addr address(uint32_t host_order) { return (struct in_addr){htonl(host_order)}; }

/* Callbacks of libslirp. */

/* A frame that finds no room is lost, as on a wire: TCP sends it again. */
static ssize_t on_frame(const void *frame, size_t size, void *opaque) {
  const struct stack *stack = opaque;
  if (size > NET_FRAME_MAX) return (ssize_t)size;
  if (send(stack->frames_fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) return -1;
  return (ssize_t)size;
}

static void on_guest_error(const char *message, void *opaque) { (void)message, (void)opaque; }

static int64_t clock_ns(void *opaque) {
  (void)opaque;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static int64_t clock_ms(void) { return clock_ns(NULL) / NS_PER_MS; }

static void *timer_new(SlirpTimerId id, void *timer_opaque, void *opaque) {
  struct stack *stack = opaque;
  for (unsigned i = 0; i < STACK_TIMERS; i++) {
    struct stack_timer *timer = &stack->timers[i];
    if (timer->used) continue;
    *timer = (struct stack_timer){.used = true, .id = id, .opaque = timer_opaque, .due_ms = INT64_MAX};
    return timer;
  }
  return NULL;
}

static void timer_free(void *timer, void *opaque) {
  (void)opaque;
  if (timer) ((struct stack_timer *)timer)->used = false;
}

static void timer_mod(void *timer, int64_t due_ms, void *opaque) {
  (void)opaque;
  if (timer) ((struct stack_timer *)timer)->due_ms = due_ms;
}

static void ignore_fd(int fd, void *opaque) { (void)fd, (void)opaque; }
static void ignore(void *opaque) { (void)opaque; }

static const SlirpCb callbacks = {.send_packet = on_frame,
                                  .guest_error = on_guest_error,
                                  .clock_get_ns = clock_ns,
                                  .timer_free = timer_free,
                                  .timer_mod = timer_mod,
                                  .register_poll_fd = ignore_fd,
                                  .unregister_poll_fd = ignore_fd,
                                  .notify = ignore,
                                  .timer_new_opaque = timer_new};

bool stack_open(struct stack *stack, enum net_access access, int frames_fd) {
  SlirpConfig config = {.version = 4,
                        .restricted = access == NET_ISOLATED,
                        .in_enabled = true,
                        .vnetwork = address(NET_ADDRESS),
                        .vnetmask = address(NET_MASK),
                        .vhost = address(NET_HOST_ALIAS),
                        .vdhcp_start = address(NET_GUEST),
                        .vnameserver = address(NET_RESOLVER),
                        .disable_host_loopback = access != NET_HOST,
                        .disable_dns = access == NET_ISOLATED};
  memset(stack, 0, sizeof *stack);
  stack->access = access;
  stack->frames_fd = frames_fd;
  stack->slirp = slirp_new(&config, &callbacks, stack);
  return stack->slirp != NULL;
}

void stack_input(struct stack *stack, const uint8_t *frame, size_t size) {
  if (net_allows(stack->access, frame, size)) slirp_input(stack->slirp, frame, (int)size);
}

int stack_forward(struct stack *stack, const struct net_forward *forward) {
  errno = 0;
  int failed = slirp_add_hostfwd(stack->slirp, false, (struct in_addr){forward->host_address},
                                 forward->host_port, address(NET_GUEST), forward->guest_port);
  return !failed ? 0 : errno ? errno : EADDRINUSE;
}

int stack_forward_remove(struct stack *stack, const struct net_forward *forward) {
  int failed =
      slirp_remove_hostfwd(stack->slirp, false, (struct in_addr){forward->host_address}, forward->host_port);
  return failed ? ENOENT : 0;
}

static int add_poll(int fd, int events, void *opaque) {
  struct stack *stack = opaque;
  if (stack->count == STACK_POLL_MAX) return -1;
  short wanted = 0;
  if (events & SLIRP_POLL_IN) wanted |= POLLIN;
  if (events & SLIRP_POLL_OUT) wanted |= POLLOUT;
  if (events & SLIRP_POLL_PRI) wanted |= POLLPRI;
  stack->set[stack->count] = (struct pollfd){fd, wanted, 0};
  return (int)stack->count++;
}

static int get_events(int index, void *opaque) {
  const struct stack *stack = opaque;
  if (index < 0) return 0;
  short got = stack->set[index].revents;
  return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
         (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
         (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

/* Milliseconds until the next timer, at most `limit`. */
static uint32_t next_timer(const struct stack *stack, uint32_t limit) {
  int64_t now = clock_ms();
  for (unsigned i = 0; i < STACK_TIMERS; i++) {
    const struct stack_timer *timer = &stack->timers[i];
    if (!timer->used || timer->due_ms == INT64_MAX) continue;
    int64_t left = timer->due_ms > now ? timer->due_ms - now : 0;
    if (left < limit) limit = (uint32_t)left;
  }
  return limit;
}

static void fire_timers(struct stack *stack) {
  int64_t now = clock_ms();
  for (unsigned i = 0; i < STACK_TIMERS; i++) {
    struct stack_timer *timer = &stack->timers[i];
    if (!timer->used || timer->due_ms > now) continue;
    timer->due_ms = INT64_MAX;
    slirp_handle_timer(stack->slirp, (SlirpTimerId)timer->id, timer->opaque);
  }
}

bool stack_wait(struct stack *stack, unsigned reserved) {
  uint32_t timeout = UINT32_MAX;
  stack->count = reserved;
  slirp_pollfds_fill(stack->slirp, &timeout, add_poll, stack);
  timeout = next_timer(stack, timeout);
  int got = poll(stack->set, stack->count, timeout > INT_MAX ? -1 : (int)timeout);
  if (got < 0 && errno != EINTR) return false;
  slirp_pollfds_poll(stack->slirp, got < 0, get_events, stack);
  fire_timers(stack);
  return true;
}

/* linuxsql-net: the network of one machine. linuxsql-vm starts it with two socket pairs (net/message.h); it
 * ends with them. It runs code on what a hostile guest sends, so it has a process of its own that can do next
 * to nothing else (net/confine.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "net/confine.h"
#include "net/stack.h"

enum { FRAMES_AT_ONCE = 64 };

static bool is_socket(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool answer(uint64_t id, int error) {
  struct net_answer answer = {.id = id, .error = error};
  return send(NET_FD_REQUESTS, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer;
}

/* The first request. Confinement is complete before it is answered. */
static bool start(struct stack *stack) {
  struct net_request request;
  if (recv(NET_FD_REQUESTS, &request, sizeof request, 0) != sizeof request || request.kind != NET_START ||
      request.access > NET_HOST)
    return false;
  errno = 0;
  bool good = confine_process() && stack_open(stack, request.access, NET_FD_FRAMES);
  if (good) {
    bool resolver = confine_files(request.access);
    good = confine_calls(request.access, resolver);
  }
  return answer(request.id, good ? 0 : errno ? errno : EIO) && good;
}

/* false: the daemon is gone, or speaks another language. */
static bool serve_request(struct stack *stack) {
  struct net_request request;
  ssize_t size = recv(NET_FD_REQUESTS, &request, sizeof request, MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size != sizeof request) return false;
  switch (request.kind) {
  case NET_FORWARD: return answer(request.id, stack_forward(stack, &request.forward));
  case NET_FORWARD_REMOVE: return answer(request.id, stack_forward_remove(stack, &request.forward));
  default: return false;
  }
}

static bool take_frames(struct stack *stack) {
  uint8_t frame[NET_FRAME_MAX + 1];
  for (unsigned i = 0; i < FRAMES_AT_ONCE; i++) {
    ssize_t size = recv(NET_FD_FRAMES, frame, sizeof frame, MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    stack_input(stack, frame, (size_t)size);
  }
  return true;
}

int main(void) {
  if (!is_socket(NET_FD_FRAMES) || !is_socket(NET_FD_REQUESTS)) {
    fputs("linuxsql-net is started by linuxsql-vm --net\n", stderr);
    return 2;
  }
  struct stack *stack = calloc(1, sizeof *stack);
  if (!stack || !start(stack)) return EXIT_FAILURE;
  for (;;) {
    stack->set[0] = (struct pollfd){NET_FD_FRAMES, POLLIN, 0};
    stack->set[1] = (struct pollfd){NET_FD_REQUESTS, POLLIN, 0};
    if (!stack_wait(stack, 2)) return EXIT_FAILURE;
    if (stack->set[0].revents && !take_frames(stack)) return EXIT_SUCCESS;
    if (stack->set[1].revents && !serve_request(stack)) return EXIT_SUCCESS;
  }
}

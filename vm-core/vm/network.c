#include "vm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START_MS = 5000, STOP_MS = 1000, TRANSMIT_MS = 5 };

void network_init(struct network *network) {
  memset(network, 0, sizeof *network);
  network->frames_fd = network->requests_fd = -1;
}

/* The helper's path: in the folder of this program. */
static bool helper_path(char path[PATH_MAX]) {
  static const char name[] = "linuxsql-net";
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof name);
  if (length <= 0) return false;
  path[length] = 0;
  char *slash = strrchr(path, '/');
  if (!slash) return false;
  memcpy(slash + 1, name, sizeof name);
  return true;
}

/* Descriptors above those the child gets, so that moving one never closes another. */
static bool make_pair(int pair[2]) {
  int made[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made) != 0) return false;
  for (unsigned i = 0; i < 2; i++) {
    pair[i] = fcntl(made[i], F_DUPFD_CLOEXEC, NET_FD_REQUESTS + 1);
    close(made[i]);
  }
  return pair[0] >= 0 && pair[1] >= 0;
}

/* errno. The child starts with no signal blocked or ignored, without our environment (it may
 * hold passwords) and without our other descriptors. */
static int spawn(const char *path, int frames, int requests, pid_t *pid) {
  char *const argv[] = {"linuxsql-net", NULL}, *const environment[] = {NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, frames, NET_FD_FRAMES);
  posix_spawn_file_actions_adddup2(&actions, requests, NET_FD_REQUESTS);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int error = posix_spawn(pid, path, &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

static int start_helper(struct network *network, const char *path) {
  int frames[2] = {-1, -1}, requests[2] = {-1, -1};
  int error = make_pair(frames) && make_pair(requests) ? 0 : errno;
  if (!error) error = spawn(path, frames[1], requests[1], &network->pid);
  if (error) network->pid = 0;
  network->frames_fd = frames[0];
  network->requests_fd = requests[0];
  if (frames[1] >= 0) close(frames[1]);
  if (requests[1] >= 0) close(requests[1]);
  return error;
}

static uint64_t send_request(struct network *network, struct net_request *request) {
  if (network->requests_fd < 0 || network->ended) return 0;
  request->id = ++network->next_id;
  ssize_t sent = send(network->requests_fd, request, sizeof *request, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent == sizeof *request ? request->id : 0;
}

/* Start-up only: wait for the answer; errno. */
static int ask(struct network *network, struct net_request *request) {
  struct net_answer answer;
  uint64_t id = send_request(network, request);
  struct pollfd wait = {network->requests_fd, POLLIN, 0};
  if (!id || poll(&wait, 1, START_MS) <= 0) return ETIMEDOUT;
  return network_answer(network, &answer) && answer.id == id ? answer.error : EPIPE;
}

void network_prepare(struct network *network) {
  char path[PATH_MAX];
  signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
  network->failure = helper_path(path) ? start_helper(network, path) : ENOENT;
}

bool network_start(struct network *network, const struct network_options *options, char *error, size_t size) {
  struct net_request start = {.kind = NET_START, .access = options->access};
  int failed = network->failure ? network->failure : ask(network, &start);
  if (failed) {
    snprintf(error, size, "network: linuxsql-net, beside linuxsql-vm, did not start: %s", strerror(failed));
    return false;
  }
  for (unsigned i = 0; i < options->count; i++) {
    struct net_request request = {.kind = NET_FORWARD, .forward = options->forwards[i]};
    failed = ask(network, &request);
    if (!failed) continue;
    char host[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &request.forward.host_address, host, sizeof host);
    snprintf(error, size, "network: cannot listen on %s port %u: %s", host, request.forward.host_port,
             strerror(failed));
    return false;
  }
  return true;
}

/* A confined daemon may neither signal nor wait: the helper ends with the sockets, and is waited for by
 * waiting for its end of them. */
void network_stop(struct network *network) {
  if (network->frames_fd >= 0) close(network->frames_fd);
  if (network->requests_fd >= 0) {
    if (network->pid > 0) poll(&(struct pollfd){network->requests_fd, POLLRDHUP, 0}, 1, STOP_MS);
    close(network->requests_fd);
  }
  network_init(network);
}

void network_transmit(void *opaque, const uint8_t *frame, size_t size) {
  struct network *network = opaque;
  if (network->frames_fd < 0) return;
  for (unsigned attempt = 0; attempt < 2; attempt++) {
    ssize_t sent = send(network->frames_fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool full = sent < 0 && errno == EAGAIN;
    bool wait = full && !network->full;
    network->full = full;
    if (!wait) return;
    poll(&(struct pollfd){network->frames_fd, POLLOUT, 0}, 1, TRANSMIT_MS);
  }
}

size_t network_receive(struct network *network, uint8_t *frame) {
  ssize_t size = recv(network->frames_fd, frame, NET_FRAME_MAX + 1, MSG_DONTWAIT);
  if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) network->ended = true;
  return size > 0 ? (size_t)size : 0;
}

uint64_t network_forward(struct network *network, const struct net_forward *forward, bool remove) {
  struct net_request request = {.kind = remove ? NET_FORWARD_REMOVE : NET_FORWARD, .forward = *forward};
  return send_request(network, &request);
}

bool network_answer(struct network *network, struct net_answer *answer) {
  if (network->requests_fd < 0) return false;
  ssize_t size = recv(network->requests_fd, answer, sizeof *answer, MSG_DONTWAIT);
  if (size == sizeof *answer) return true;
  if (size >= 0 || (errno != EAGAIN && errno != EINTR)) network->ended = true;
  return false;
}

#include "vm/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, LOCK_NAME_BYTES = sizeof((struct sockaddr_un *)0)->sun_path + 8 };

/* The lock file goes away with its daemon, so the file locked must still be the one that has the name. */
static int open_lock(const char *name) {
  for (;;) {
    struct stat ours, named;
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    bool current = fstat(fd, &ours) == 0 && stat(name, &named) == 0 && ours.st_ino == named.st_ino;
    if (locked && current) return fd;
    close(fd);
    if (!locked) return -2;
  }
}

static void lock_name(char *name, size_t size, const char *path) { snprintf(name, size, "%s.lock", path); }

static bool bind_socket(int fd, const struct sockaddr_un *address, bool shared) {
  unlink(address->sun_path);
  mode_t old = umask(shared ? 0111 : 0177);
  bool bound = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
  umask(old);
  return bound && listen(fd, BACKLOG) == 0;
}

bool listener_open(struct listener *listener, const char *path, bool shared, char *error, size_t error_size) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  *listener = (struct listener){path, -1, -1};
  if (strlen(path) >= sizeof address.sun_path) {
    snprintf(error, error_size, "control socket path is longer than %zu bytes", sizeof address.sun_path - 1);
    return false;
  }
  strcpy(address.sun_path, path);
  char lock[LOCK_NAME_BYTES];
  lock_name(lock, sizeof lock, path);
  listener->lock_fd = open_lock(lock);
  if (listener->lock_fd == -2) {
    listener->lock_fd = -1;
    snprintf(error, error_size, "control socket \"%s\" belongs to a running machine", path);
    return false;
  }
  if (listener->lock_fd >= 0) listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener->fd >= 0 && bind_socket(listener->fd, &address, shared)) return true;
  snprintf(error, error_size, "control socket \"%s\": %s", path, strerror(errno));
  if (listener->fd >= 0) close(listener->fd);
  if (listener->lock_fd >= 0) close(listener->lock_fd);
  listener->fd = listener->lock_fd = -1;
  return false;
}

void listener_close(struct listener *listener) {
  if (listener->fd < 0) return;
  char lock[LOCK_NAME_BYTES];
  lock_name(lock, sizeof lock, listener->path);
  unlink(listener->path);
  unlink(lock);
  close(listener->fd);
  close(listener->lock_fd);
  listener->fd = listener->lock_fd = -1;
}

int listener_accept(struct listener *listener, uint64_t other_uid) {
  int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return -1;
  struct ucred peer;
  socklen_t size = sizeof peer;
  bool allowed = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                 (peer.uid == 0 || peer.uid == geteuid() || peer.uid == other_uid);
  if (allowed) return fd;
  close(fd);
  return -1;
}

/* The listening end of the control socket. Control and main thread. */
#ifndef VM_LISTEN_H
#define VM_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener {
  const char *path;
  int fd, lock_fd; /* -1: none */
};

/* Bind `path`. A lock file beside it (path + ".lock") keeps two daemons off one socket; a socket file left by
 * a dead one is replaced. false with one line in `error`. */
bool listener_open(struct listener *listener, const char *path, bool shared, char *error, size_t error_size);

/* Remove the socket file and close. */
void listener_close(struct listener *listener);

/* Next connection from a user who may connect (this one, root, or `other_uid`), or -1. */
int listener_accept(struct listener *listener, uint64_t other_uid);

#endif

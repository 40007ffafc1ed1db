/* The text of --net, of a machine's network in the database and of VM_FORWARD, as numbers. Pure functions. */
#ifndef VM_NETWORK_OPTION_H
#define VM_NETWORK_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "net/message.h"

enum { NETWORK_FORWARDS_MAX = 64, FORWARD_TEXT_MAX = 64 };

struct network_options {
  enum net_access access;
  unsigned count;
  struct net_forward forwards[NETWORK_FORWARDS_MAX];
};

/* user[,access=isolated|outside|host][,hostfwd=FORWARD]…; false with one line in `error`. */
bool network_parse(struct network_options *options, const char *text, char *error, size_t error_size);

/* FORWARD: tcp:[ADDRESS]:HOST_PORT-:GUEST_PORT of `length` bytes; an empty ADDRESS is 127.0.0.1. */
bool forward_parse(struct net_forward *forward, const char *text, size_t length);

#endif

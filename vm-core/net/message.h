/* What linuxsql-vm and its network helper linuxsql-net say to each other: Ethernet frames on one socket pair,
 * requests and answers on another, both SOCK_SEQPACKET. Either side checks every size and number. */
#ifndef NET_MESSAGE_H
#define NET_MESSAGE_H

#include <stdint.h>

/* Bytes of an Ethernet frame without its checksum, for an MTU of 1500. */
enum { NET_FRAME_MIN = 14, NET_FRAME_MAX = 1514 };

/* Descriptors the helper is started with. */
enum { NET_FD_FRAMES = 3, NET_FD_REQUESTS = 4 };

/* What the guest may reach beyond its own network. */
enum net_access {
  NET_ISOLATED, /* nothing; connections come in through forwards only */
  NET_OUTSIDE,  /* what the host reaches, but not the host's loopback */
  NET_HOST,     /* the host's loopback too, as 10.0.2.2 */
};

/* A TCP port of the host that leads to one of the guest. */
struct net_forward {
  uint32_t host_address; /* network byte order */
  uint16_t host_port, guest_port;
};

enum net_request_kind { NET_START = 1, NET_FORWARD = 2, NET_FORWARD_REMOVE = 3 };

/* The first request is NET_START, once. */
struct net_request {
  uint64_t id;
  uint32_t kind;
  uint32_t access; /* of NET_START */
  struct net_forward forward;
};

struct net_answer {
  uint64_t id;
  int32_t error; /* errno, 0: done */
  uint32_t padding;
};
_Static_assert(sizeof(struct net_request) == 24 && sizeof(struct net_answer) == 16, "no hidden padding");

#endif

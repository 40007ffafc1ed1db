/* Which of the guest's frames the user-mode stack gets to see. */
#ifndef NET_FILTER_H
#define NET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/message.h"

/* The guest's network; host byte order. */
#define NET_ADDRESS    UINT32_C(0x0a000200) /* 10.0.2.0 */
#define NET_MASK       UINT32_C(0xffffff00)
#define NET_HOST_ALIAS UINT32_C(0x0a000202)
#define NET_RESOLVER   UINT32_C(0x0a000203)
#define NET_GUEST      UINT32_C(0x0a00020f)

/* ARP, and IPv4 to the guest's own network, broadcast or, unless isolated, to unicast addresses that leave
 * the host: never to the host's loopback, link-local (where clouds keep their metadata) or multicast ones.
 * Fragments and IP options are refused: no guest needs them, and putting hostile fragments together corrupts
 * memory in libslirp 4.7. */
bool net_allows(enum net_access access, const uint8_t *frame, size_t size);

#endif

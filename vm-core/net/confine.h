/* What the helper gives up before it looks at the guest's first frame. */
#ifndef NET_CONFINE_H
#define NET_CONFINE_H

#include <stdbool.h>

#include "net/message.h"

enum { CONFINE_FILES = 1024 }; /* descriptors, and so connections, at most */

/* Capabilities, limits, dumps, standard streams, death with the parent. false with errno. */
bool confine_process(void);

/* No file can be opened from here on; but for NET_ISOLATED the host's resolver configuration, where the
 * kernel has Landlock. Returns whether that one can. */
bool confine_files(enum net_access access);

/* A seccomp filter for the rest: sockets, memory, clocks. NET_ISOLATED forbids to connect and to send
 * anywhere but on connections that came in; a file may be opened only with `resolver`. false with errno. */
bool confine_calls(enum net_access access, bool resolver);

#endif

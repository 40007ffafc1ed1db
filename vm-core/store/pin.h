/* Where a link leads, fixed: a later connection needs no file and no name server.
 *
 * libpq looks things up for every connection: environment, service file, password file, the host's address,
 * the user's name. A confined daemon cannot, so what the first connection found is kept. */
#ifndef STORE_PIN_H
#define STORE_PIN_H

#include <stdbool.h>

#include "store/link.h"

/* What connecting again takes besides Unix sockets. */
struct pin_needs {
  bool internet; /* TCP */
  bool files;    /* certificates, or several hosts to choose from */
};

/* The connection string of an open link, complete; the caller frees it. NULL: no memory. */
char *pin_conninfo(const struct link *link, struct pin_needs *needs);

#endif

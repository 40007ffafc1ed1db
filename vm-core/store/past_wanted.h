/* Which past of a machine a replay lives again. */
#ifndef STORE_PAST_WANTED_H
#define STORE_PAST_WANTED_H

#include <stdbool.h>
#include <stdint.h>

struct past_wanted {
  bool wanted;      /* the machine is not taken, and nothing is written */
  uint64_t boot;    /* 0: the one the checkpoint was taken in */
  uint64_t instret; /* not 0: the instant it will be asked for, to begin near it; 0: begin with the boot */
  const char
      *checkpoint; /* begin at this one, by the machine's name for it; NULL: at any, or with the boot */
};

#endif

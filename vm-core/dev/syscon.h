/* SiFive test finisher: a 32-bit store of 0x5555 powers off, 0x3333 powers off with a failure code in
 * bits 31..16, 0x7777 resets the machine. Hart thread; asks the run loop to stop after the store. */
#ifndef DEV_SYSCON_H
#define DEV_SYSCON_H

#include "dev/bus.h"

struct syscon {
  struct hart *hart;
  uint32_t failure_code; /* of the last 0x3333, else 0 */
};

bool syscon_init(struct syscon *syscon, struct bus *bus, uint64_t base, uint64_t size);

#endif

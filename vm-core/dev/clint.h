/* SiFive CLINT for one hart: msip at 0, mtimecmp at 0x4000, mtime at 0xbff8 (SiFive FU540 manual, chapter 9).
 * mtime is read-only here: it is a function of retired instructions. Hart thread. */
#ifndef DEV_CLINT_H
#define DEV_CLINT_H

#include "dev/bus.h"

struct clint {
  struct hart *hart;
  struct event timer;
  struct {
    uint64_t mtimecmp;
    uint64_t msip;
  } state;
};

bool clint_init(struct clint *clint, struct bus *bus, uint64_t base, uint64_t size);

#endif

/* Host-target interface of bare programs: two 64-bit words in guest RAM, `tohost` and `fromhost`.
 *
 * A store that leaves tohost non-zero is a request, answered at once, before the next instruction:
 *   odd value            exit; code = value >> 1, 0 means passed
 *   device 1, command 1  print the low byte (fromhost gets device, command and 0)
 *   device 0, even       address of a system-call record; write(fd 1 or 2) is done, exit too, others get
 * -ENOSYS Hart thread. */
#ifndef VM_HTIF_H
#define VM_HTIF_H

#include <stdbool.h>
#include <stdint.h>

#include "hart/hart.h"
#include "mmu/phys.h"

struct htif {
  struct hart *hart;
  struct phys *phys;
  uint64_t tohost, fromhost;
  bool exited;
  uint64_t exit_code;
};

/* Watch the words; tohost must be 8-byte aligned in RAM and fromhost 0 or likewise. false: they are not. */
bool htif_attach(struct htif *htif, struct hart *hart, struct phys *phys, uint64_t tohost, uint64_t fromhost);

#endif

/* linuxsql-vm --bare: a bare-metal RISC-V ELF program on a hart with RAM and HTIF and nothing else. Main
 * thread. */
#ifndef VM_BARE_H
#define VM_BARE_H

#include <stdint.h>

#include "exec/run.h"

struct bare_options {
  const char *file;
  uint64_t memory;    /* bytes of RAM at 0x80000000; 0: 256 MiB */
  uint64_t max_insns; /* UINT64_MAX: none */
  enum engine_kind engine;
  const char *stats; /* JSON file to write, or NULL */
};

/* Runs to the end. Exit status: 0 the program passed (tohost = 1), 1 it failed (its number is printed) or
 * hung, 2 it could not be run: one line on standard error says why. */
int bare_main(const struct bare_options *options);

#endif

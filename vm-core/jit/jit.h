/* The translator from RISC-V to the host's machine code. Hart thread.
 *
 * It hangs on the interpreter: every decoded block begins with an op that
 * counts; a hot block's region is translated and the op then enters machine
 * code. Machine code goes from region to region by itself, through
 * code_page.native, and leaves by naming the op the interpreter goes on with.
 * State, counts and instants are the interpreter's at every exit.
 *
 * Machine code: hart->budget lives in a host register and is what the
 * interpreter's would be at the same place: a node's instructions are taken off
 * as it is entered. hart->code_page is always valid. A few guest registers (the
 * core) are in host registers at every region border, all others in hart->x. */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "gen/telemetry.h"
#include "interp/block.h"

struct jit_counters {
  uint64_t insns;   /* retired in machine code, helpers included */
  uint64_t entries; /* from the interpreter: the sum of all exits */
  uint64_t exits[JIT_EXIT_COUNT];
  uint64_t op_calls, refills, lookups; /* what machine code called, mostly to come back */
  uint64_t compiles;                   /* regions */
  uint64_t failures;                   /* hot blocks that could not be translated */
  uint64_t evictions;                  /* regions */
  uint64_t drops;                      /* pages with machine code */
  uint64_t code_bytes;
};

/* Attach to the store. Environment, for tests: LINUXSQL_JIT_THRESHOLD executions until a block is hot (256),
 * LINUXSQL_JIT_CACHE bytes of machine code (64 MiB), LINUXSQL_JIT_EVICT set: every compile evicts older code,
 * LINUXSQL_JIT_DUMP file that gets every region as text, LINUXSQL_JIT_NO_HOST_FLAGS set: floating point as on
 * hosts whose flags are not used. NULL with a static text in *error. */
struct jit *jit_create(struct block_store *store, const char **error);
void jit_destroy(struct jit *jit);

const struct jit_counters *jit_counters(const struct jit *jit);

#endif

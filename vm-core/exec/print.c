#include <inttypes.h>

#include "exec/run.h"

static void print(FILE *out, const char *name, uint64_t value) {
  fprintf(out, " \"%s\": %" PRIu64 ",", name, value);
}

void engine_print_jit(const struct engine_counters *counters, FILE *out) {
#define NAME(name) #name,
  static const char *const names[JIT_EXIT_COUNT] = {JIT_EXIT_LIST(NAME)};
#undef NAME
  print(out, "jit_entries", counters->jit_entries);
  print(out, "jit_compiles", counters->jit_compiles);
  print(out, "jit_failures", counters->jit_failures);
  print(out, "jit_code_bytes", counters->jit_code_bytes);
  print(out, "jit_evictions", counters->jit_evictions);
  print(out, "jit_drops", counters->jit_drops);
  print(out, "jit_op_calls", counters->jit_op_calls);
  print(out, "jit_refills", counters->jit_refills);
  print(out, "jit_lookups", counters->jit_lookups);
  fprintf(out, "\n \"jit_exits\": {");
  for (unsigned i = 0; i < JIT_EXIT_COUNT; i++)
    fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", names[i], counters->jit_exits[i]);
  fprintf(out, "}}\n");
}

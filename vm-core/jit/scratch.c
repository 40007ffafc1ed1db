#include "jit/scratch.h"

#include <sys/mman.h>

/* Address space only: pages become real as they are used. The largest region needs a fraction of it. */
enum { SCRATCH_SIZE = 16 << 20 };

bool scratch_init(struct scratch *scratch) {
  void *memory =
      mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *scratch = (struct scratch){.memory = memory == MAP_FAILED ? NULL : memory};
  return scratch->memory != NULL;
}

void scratch_destroy(struct scratch *scratch) {
  if (scratch->memory) munmap(scratch->memory, SCRATCH_SIZE);
  scratch->memory = NULL;
}

void *scratch_take(void *opaque, size_t size) {
  struct scratch *scratch = opaque;
  size = (size + 15) & ~(size_t)15;
  if (SCRATCH_SIZE - scratch->used < size) return NULL;
  void *memory = scratch->memory + scratch->used;
  scratch->used += size;
  return memory;
}

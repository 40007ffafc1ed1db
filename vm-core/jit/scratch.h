/* Memory of one compile after the other: taken piece by piece, given back as a whole. Hart thread. */
#ifndef JIT_SCRATCH_H
#define JIT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scratch {
  uint8_t *memory;
  size_t used;
};

/* false: no memory. */
bool scratch_init(struct scratch *scratch);
void scratch_destroy(struct scratch *scratch);

/* `scratch` is a struct scratch; aligned to 16 bytes, not cleared. NULL: no more than a few megabytes are
 * there. */
void *scratch_take(void *scratch, size_t size);

#endif

/* Included by sljit, which wants this name: its memory is a stack that every compile begins anew
 * (jit/scratch.h).
 */
#include <stddef.h>

void *scratch_take(void *scratch, size_t size);
#define SLJIT_MALLOC(size, scratch) scratch_take((scratch), (size))
#define SLJIT_FREE(memory, scratch) ((void)(memory))

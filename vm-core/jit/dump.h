/* A translated region as text: guest code by node, where registers live, windows, machine code. */
#ifndef JIT_DUMP_H
#define JIT_DUMP_H

#include <stdio.h>

#include "jit/emit.h"
#include "mmu/mmu.h"

/* After sljit_generate_code; `code` is the writable address. Uses e's scratch members. */
void jit_dump(FILE *out, struct emitter *e, const uint8_t *code, size_t size);

#endif

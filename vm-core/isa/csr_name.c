#include "isa/csr.h"

#include <stddef.h>

static const struct {
  uint16_t first, last;
  const char *name;
} names[] = {
#define CSR_WORD(number, name, member, mask) {number, number, #name},
#define CSR_HOOK(number, name)               {number, number, #name},
#define CSR_ZERO(first, last, name)          {first, last, #name},
#define CSR_FIXED(number, name, value)       {number, number, #name},
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
};

const char *csr_name(unsigned number) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (number >= names[i].first && number <= names[i].last) return names[i].name;
  }
  return NULL;
}

/* Asked at every CSR instruction, hence a table. */
static const bool exists[1 << 12] = {
#define CSR_WORD(number, name, member, mask) [number] = true,
#define CSR_HOOK(number, name)               [number] = true,
#define CSR_ZERO(first, last, name)          [first... last] = true,
#define CSR_FIXED(number, name, value)       [number] = true,
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
};

bool csr_exists(unsigned number) { return number < sizeof exists && exists[number]; }

/* CSR numbers and names, from isa/csr.def. */
#ifndef ISA_CSR_H
#define ISA_CSR_H

#include <stdbool.h>
#include <stdint.h>

enum csr_number {
#define CSR_WORD(number, name, member, mask) CSR_##name = number,
#define CSR_HOOK(number, name)               CSR_##name = number,
#define CSR_ZERO(first, last, name)          CSR_##name = first,
#define CSR_FIXED(number, name, value)       CSR_##name = number,
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
};

/* The name, or the name of the range ("hpmcounter"); NULL when the hart has no such CSR. */
const char *csr_name(unsigned number);

/* Whether the hart has such a CSR: csr_name(number) != NULL, in constant time. */
bool csr_exists(unsigned number);

#endif

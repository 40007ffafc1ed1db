/* Small bit helpers shared by every module. Pure functions, any thread. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "guest memory is accessed in place: little-endian hosts only");

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define BIT(n) (UINT64_C(1) << (n))

/* Bits hi..lo of value, right-aligned. */
static inline uint64_t bits(uint64_t value, unsigned hi, unsigned lo) {
  return (value >> lo) & (UINT64_MAX >> (63 - (hi - lo)));
}

/* The low `width` bits (1..64) of value as a two's complement number. */
static inline int64_t sext(uint64_t value, unsigned width) {
  return (int64_t)(value << (64 - width)) >> (64 - width);
}

#endif

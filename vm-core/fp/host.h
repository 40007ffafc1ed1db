/*
 * A short cut through the host's floating-point unit for the common case. Private to fp/.
 *
 * It is taken only where no host can differ from the integer path and no flag can change: round to nearest
 * even (the mode every thread of the daemon is in), NX already set, normal operands, and a result that is
 * neither subnormal, nor the smallest normal's neighbourhood (where tininess is decided), nor infinite, nor
 * zero. IEEE 754 leaves one correctly rounded answer there. Everything else falls through to the integer
 * path.
 *
 * Needs arithmetic in the operands' own format and no contraction (-ffp-contract=off).
 */
#ifndef FP_HOST_H
#define FP_HOST_H

#include <float.h>
#include <string.h>

#include "fp/core.h"

#if (defined(__SSE2__) || defined(__aarch64__) || defined(__riscv_float_abi_double)) && FLT_EVAL_METHOD == 0
enum { FP_HOST_EXACT = 1 };
#else
enum { FP_HOST_EXACT = 0 };
#endif

FP_INLINE bool fp_host_ready(unsigned rm, uint32_t flags) {
  return FP_HOST_EXACT && rm == FP_RNE && (flags & FP_NX);
}

FP_INLINE unsigned fp_exponent(const struct fp_format *f, uint64_t bits) {
  return (unsigned)(bits >> f->frac_bits) & (unsigned)f->exp_special;
}

FP_INLINE bool fp_is_normal(const struct fp_format *f, uint64_t bits) {
  return fp_exponent(f, bits) - 1 < (unsigned)f->exp_special - 1;
}

/* Normal and at least twice the smallest normal. */
FP_INLINE bool fp_host_usable(const struct fp_format *f, uint64_t bits) {
  return fp_exponent(f, bits) - 2 < (unsigned)f->exp_special - 2;
}

FP_INLINE float fp_value_32(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

FP_INLINE double fp_value_64(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

FP_INLINE uint32_t fp_bits_32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

FP_INLINE uint64_t fp_bits_64(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* Returns the host's answer from the enclosing function where that is safe; width is 32 or 64. */
#define FP_TRY_HOST_2(width, a, b, operator)                                                                 \
  if (fp_host_ready(rm, *flags) && fp_is_normal(&fp_f##width, a) && fp_is_normal(&fp_f##width, b)) {         \
    uint##width##_t host = fp_bits_##width(fp_value_##width(a) operator fp_value_##width(b));                \
    if (fp_host_usable(&fp_f##width, host)) return host;                                                     \
  }

#endif

/*
 * The parts every operation of the library is made of: formats, unpacking, rounding and packing. Private to
 * fp/.
 *
 * Generic functions take the format as a constant pointer and are always inlined, so that each public wrapper
 * compiles to code for its one format.
 *
 * Unpacked finite numbers hold their leading one at bit 62, binary64 leaves 10 bits and binary32 39 bits
 * below the last place; the lowest bit is sticky (shift_right_jam).
 */
#ifndef FP_CORE_H
#define FP_CORE_H

#include "fp/softfloat.h"

typedef unsigned __int128 fp_u128;

#define FP_INLINE static inline __attribute__((always_inline))

struct fp_format {
  int frac_bits;   /* stored fraction bits */
  int exp_special; /* biased exponent of infinities and NaNs: all ones */
  int bias;
  uint64_t canonical_nan;
};

static const struct fp_format fp_f32 = {23, 0xff, 127, F32_CANONICAL_NAN};
static const struct fp_format fp_f64 = {52, 0x7ff, 1023, F64_CANONICAL_NAN};

enum fp_class { FP_CLASS_ZERO, FP_CLASS_FINITE, FP_CLASS_INF, FP_CLASS_QNAN, FP_CLASS_SNAN };

/* FP_CLASS_FINITE: value = (-1)^sign × sig × 2^(exp - 62). Otherwise exp and sig mean nothing. */
struct fp_value {
  enum fp_class cls;
  bool sign;
  int exp;
  uint64_t sig;
};

/* a >> n with every bit shifted out OR-ed into bit 0; any n >= 0. */
FP_INLINE uint64_t shift_right_jam(uint64_t a, unsigned n) {
  if (n == 0) return a;
  if (n > 63) return a != 0;
  return a >> n | ((a << (64 - n)) != 0);
}

FP_INLINE fp_u128 shift_right_jam_128(fp_u128 a, unsigned n) {
  if (n == 0) return a;
  if (n > 127) return a != 0;
  return a >> n | ((a << (128 - n)) != 0);
}

FP_INLINE uint64_t fp_sign_bit(const struct fp_format *f) {
  return f == &fp_f32 ? UINT64_C(1) << 31 : UINT64_C(1) << 63;
}
FP_INLINE uint64_t fp_pack_zero(const struct fp_format *f, bool sign) { return sign ? fp_sign_bit(f) : 0; }
FP_INLINE uint64_t fp_pack_inf(const struct fp_format *f, bool sign) {
  return fp_pack_zero(f, sign) | (uint64_t)f->exp_special << f->frac_bits;
}

FP_INLINE struct fp_value fp_unpack(const struct fp_format *f, uint64_t bits) {
  uint64_t frac = bits & ((UINT64_C(1) << f->frac_bits) - 1);
  int exp = (int)(bits >> f->frac_bits) & f->exp_special;
  struct fp_value v = {FP_CLASS_FINITE, (bits & fp_sign_bit(f)) != 0, exp - f->bias, 0};
  if (exp == f->exp_special) {
    if (frac == 0)
      v.cls = FP_CLASS_INF;
    else
      v.cls = frac >> (f->frac_bits - 1) ? FP_CLASS_QNAN : FP_CLASS_SNAN;
  } else if (exp != 0) {
    v.sig = (frac | UINT64_C(1) << f->frac_bits) << (62 - f->frac_bits);
  } else if (frac == 0) {
    v.cls = FP_CLASS_ZERO;
  } else {
    int shift = __builtin_clzll(frac) - 1;
    v.sig = frac << shift;
    v.exp = 1 - f->bias - (shift - (62 - f->frac_bits));
  }
  return v;
}

FP_INLINE bool fp_is_nan(const struct fp_value *v) { return v->cls >= FP_CLASS_QNAN; }

/* What rounding adds below the last place, where `mask` covers the bits to be dropped. */
FP_INLINE uint64_t fp_round_increment(bool sign, uint64_t mask, unsigned rm) {
  switch (rm) {
  case FP_RTZ: return 0;
  case FP_RDN: return sign ? mask : 0;
  case FP_RUP: return sign ? 0 : mask;
  default: return mask / 2 + 1;
  }
}

/*
 * Rounds (-1)^sign × sig × 2^(exp - 62), sig having its leading one at bit 62 and a sticky bit 0, to the
 * format. Signals overflow, underflow and inexact.
 */
FP_INLINE uint64_t fp_round_pack(const struct fp_format *f, bool sign, int exp, uint64_t sig, unsigned rm,
                                 uint32_t *flags) {
  int drop = 62 - f->frac_bits;
  uint64_t mask = (UINT64_C(1) << drop) - 1;
  uint64_t increment = fp_round_increment(sign, mask, rm);
  uint64_t special = (uint64_t)f->exp_special << f->frac_bits;
  bool tiny = false;
  exp += f->bias;
  if (exp <= 0) {
    tiny = exp < 0 || sig + increment < UINT64_C(1) << 63;
    sig = shift_right_jam(sig, (unsigned)(1 - exp));
    exp = 1;
  }
  uint64_t dropped = sig & mask;
  uint64_t rounded = (sig + increment) >> drop;
  if (rm == FP_RNE && dropped == mask / 2 + 1) rounded &= ~UINT64_C(1);
  /* The implicit one (and a carry out of the fraction) adds to the exponent field. */
  uint64_t bits = ((uint64_t)(exp - 1) << f->frac_bits) + rounded;
  if (exp >= f->exp_special || bits >= special) {
    *flags |= FP_OF | FP_NX;
    return fp_pack_zero(f, sign) | (increment ? special : special - 1);
  }
  if (dropped) *flags |= tiny ? FP_UF | FP_NX : FP_NX;
  return fp_pack_zero(f, sign) | bits;
}

FP_INLINE uint64_t fp_invalid(const struct fp_format *f, uint32_t *flags) {
  *flags |= FP_NV;
  return f->canonical_nan;
}

/* The result of an operation with at least one NaN operand. */
FP_INLINE uint64_t fp_propagate_nan(const struct fp_format *f, const struct fp_value *a,
                                    const struct fp_value *b, uint32_t *flags) {
  if (a->cls == FP_CLASS_SNAN || b->cls == FP_CLASS_SNAN) *flags |= FP_NV;
  return f->canonical_nan;
}

/* The sign of an exact zero sum of operands with different signs. */
FP_INLINE uint64_t fp_cancelled(const struct fp_format *f, unsigned rm) {
  return fp_pack_zero(f, rm == FP_RDN);
}

#endif

#include "fp/core.h"

enum order { ORDER_LESS, ORDER_EQUAL, ORDER_GREATER, ORDER_NONE };

FP_INLINE bool is_nan(const struct fp_format *f, uint64_t bits) {
  return (bits & ~fp_sign_bit(f)) > fp_pack_inf(f, false);
}

FP_INLINE bool is_signalling(const struct fp_format *f, uint64_t bits) {
  return is_nan(f, bits) && !(bits >> (f->frac_bits - 1) & 1);
}

/* Where zeros_differ, -0 orders before +0. */
FP_INLINE enum order compare(const struct fp_format *f, uint64_t a, uint64_t b, bool zeros_differ) {
  if (is_nan(f, a) || is_nan(f, b)) return ORDER_NONE;
  if (a == b) return ORDER_EQUAL;
  uint64_t sign = fp_sign_bit(f);
  if (!zeros_differ && ((a | b) & ~sign) == 0) return ORDER_EQUAL;
  bool a_negative = (a & sign) != 0, b_negative = (b & sign) != 0;
  if (a_negative != b_negative) return a_negative ? ORDER_LESS : ORDER_GREATER;
  return (a < b) != a_negative ? ORDER_LESS : ORDER_GREATER;
}

FP_INLINE uint64_t pick(const struct fp_format *f, uint64_t a, uint64_t b, enum order wanted,
                        uint32_t *flags) {
  if (is_signalling(f, a) || is_signalling(f, b)) *flags |= FP_NV;
  if (is_nan(f, a)) return is_nan(f, b) ? f->canonical_nan : b;
  if (is_nan(f, b)) return a;
  return compare(f, a, b, true) == wanted ? a : b;
}

FP_INLINE bool equal(const struct fp_format *f, uint64_t a, uint64_t b, uint32_t *flags) {
  if (is_signalling(f, a) || is_signalling(f, b)) *flags |= FP_NV;
  return compare(f, a, b, false) == ORDER_EQUAL;
}

FP_INLINE enum order compare_signalling(const struct fp_format *f, uint64_t a, uint64_t b, uint32_t *flags) {
  enum order order = compare(f, a, b, false);
  if (order == ORDER_NONE) *flags |= FP_NV;
  return order;
}

FP_INLINE uint32_t classify(const struct fp_format *f, uint64_t bits) {
  struct fp_value v = fp_unpack(f, bits);
  bool subnormal = (bits >> f->frac_bits & (uint64_t)f->exp_special) == 0;
  unsigned positive_bit;
  switch (v.cls) {
  case FP_CLASS_QNAN: return 1u << 9;
  case FP_CLASS_SNAN: return 1u << 8;
  case FP_CLASS_INF: positive_bit = 7; break;
  case FP_CLASS_FINITE: positive_bit = subnormal ? 5 : 6; break;
  default: positive_bit = 4; break;
  }
  return 1u << (v.sign ? 7 - positive_bit : positive_bit);
}

uint32_t f32_min(uint32_t a, uint32_t b, uint32_t *flags) {
  return (uint32_t)pick(&fp_f32, a, b, ORDER_LESS, flags);
}

uint32_t f32_max(uint32_t a, uint32_t b, uint32_t *flags) {
  return (uint32_t)pick(&fp_f32, a, b, ORDER_GREATER, flags);
}

uint64_t f64_min(uint64_t a, uint64_t b, uint32_t *flags) { return pick(&fp_f64, a, b, ORDER_LESS, flags); }

uint64_t f64_max(uint64_t a, uint64_t b, uint32_t *flags) {
  return pick(&fp_f64, a, b, ORDER_GREATER, flags);
}

bool f32_eq(uint32_t a, uint32_t b, uint32_t *flags) { return equal(&fp_f32, a, b, flags); }

bool f64_eq(uint64_t a, uint64_t b, uint32_t *flags) { return equal(&fp_f64, a, b, flags); }

bool f32_lt(uint32_t a, uint32_t b, uint32_t *flags) {
  return compare_signalling(&fp_f32, a, b, flags) == ORDER_LESS;
}

bool f64_lt(uint64_t a, uint64_t b, uint32_t *flags) {
  return compare_signalling(&fp_f64, a, b, flags) == ORDER_LESS;
}

bool f32_le(uint32_t a, uint32_t b, uint32_t *flags) {
  return compare_signalling(&fp_f32, a, b, flags) <= ORDER_EQUAL;
}

bool f64_le(uint64_t a, uint64_t b, uint32_t *flags) {
  return compare_signalling(&fp_f64, a, b, flags) <= ORDER_EQUAL;
}

uint32_t f32_classify(uint32_t a) { return classify(&fp_f32, a); }

uint32_t f64_classify(uint64_t a) { return classify(&fp_f64, a); }

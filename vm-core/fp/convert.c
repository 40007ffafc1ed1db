#include "fp/core.h"

/* Saturation bounds of an integer type: the largest magnitude on either side of zero. */
struct int_range {
  uint64_t positive;
  uint64_t negative;
};

static const struct int_range range_i32 = {INT32_MAX, UINT64_C(1) << 31};
static const struct int_range range_u32 = {UINT32_MAX, 0};
static const struct int_range range_i64 = {INT64_MAX, UINT64_C(1) << 63};
static const struct int_range range_u64 = {UINT64_MAX, 0};

/* Splits a finite |v| < 2^64 into its integer part and a 64-bit fraction with a sticky bit 0. */
FP_INLINE uint64_t split(const struct fp_value *v, uint64_t *fraction) {
  if (v->exp == 63) {
    *fraction = 0;
    return v->sig << 1;
  }
  if (v->exp < -1) {
    *fraction = 1;
    return 0;
  }
  unsigned shift = (unsigned)(62 - v->exp);
  *fraction = shift ? v->sig << (64 - shift) : 0;
  return v->sig >> shift;
}

FP_INLINE bool rounds_away(uint64_t whole, uint64_t fraction, bool sign, unsigned rm) {
  const uint64_t half = UINT64_C(1) << 63;
  switch (rm) {
  case FP_RTZ: return false;
  case FP_RDN: return sign && fraction;
  case FP_RUP: return !sign && fraction;
  case FP_RMM: return fraction >= half;
  default: return fraction > half || (fraction == half && (whole & 1));
  }
}

FP_INLINE uint64_t saturate(const struct int_range *range, bool negative, uint32_t *flags) {
  *flags |= FP_NV;
  return negative ? -range->negative : range->positive;
}

/* Two's complement; the caller truncates to the type's width. */
FP_INLINE uint64_t to_int(const struct fp_format *f, uint64_t bits, const struct int_range *range,
                          unsigned rm, uint32_t *flags) {
  struct fp_value v = fp_unpack(f, bits);
  if (v.cls == FP_CLASS_ZERO) return 0;
  if (fp_is_nan(&v)) return saturate(range, false, flags);
  if (v.cls == FP_CLASS_INF || v.exp > 63) return saturate(range, v.sign, flags);
  uint64_t fraction, whole = split(&v, &fraction);
  whole += rounds_away(whole, fraction, v.sign, rm);
  if (whole > (v.sign ? range->negative : range->positive)) return saturate(range, v.sign, flags);
  if (fraction) *flags |= FP_NX;
  return v.sign ? -whole : whole;
}

FP_INLINE uint64_t from_int(const struct fp_format *f, bool sign, uint64_t magnitude, unsigned rm,
                            uint32_t *flags) {
  if (magnitude == 0) return 0;
  int leading = 63 - __builtin_clzll(magnitude);
  uint64_t sig = leading == 63 ? shift_right_jam(magnitude, 1) : magnitude << (62 - leading);
  return fp_round_pack(f, sign, leading, sig, rm, flags);
}

FP_INLINE uint64_t magnitude_of(int64_t a) { return a < 0 ? -(uint64_t)a : (uint64_t)a; }

FP_INLINE uint64_t between(const struct fp_format *from, const struct fp_format *to, uint64_t bits,
                           unsigned rm, uint32_t *flags) {
  struct fp_value v = fp_unpack(from, bits);
  switch (v.cls) {
  case FP_CLASS_FINITE: return fp_round_pack(to, v.sign, v.exp, v.sig, rm, flags);
  case FP_CLASS_ZERO: return fp_pack_zero(to, v.sign);
  case FP_CLASS_INF: return fp_pack_inf(to, v.sign);
  default: return fp_propagate_nan(to, &v, &v, flags);
  }
}

int32_t f32_to_i32(uint32_t a, unsigned rm, uint32_t *flags) {
  return (int32_t)to_int(&fp_f32, a, &range_i32, rm, flags);
}

uint32_t f32_to_u32(uint32_t a, unsigned rm, uint32_t *flags) {
  return (uint32_t)to_int(&fp_f32, a, &range_u32, rm, flags);
}

int64_t f32_to_i64(uint32_t a, unsigned rm, uint32_t *flags) {
  return (int64_t)to_int(&fp_f32, a, &range_i64, rm, flags);
}

uint64_t f32_to_u64(uint32_t a, unsigned rm, uint32_t *flags) {
  return to_int(&fp_f32, a, &range_u64, rm, flags);
}

int32_t f64_to_i32(uint64_t a, unsigned rm, uint32_t *flags) {
  return (int32_t)to_int(&fp_f64, a, &range_i32, rm, flags);
}

uint32_t f64_to_u32(uint64_t a, unsigned rm, uint32_t *flags) {
  return (uint32_t)to_int(&fp_f64, a, &range_u32, rm, flags);
}

int64_t f64_to_i64(uint64_t a, unsigned rm, uint32_t *flags) {
  return (int64_t)to_int(&fp_f64, a, &range_i64, rm, flags);
}

uint64_t f64_to_u64(uint64_t a, unsigned rm, uint32_t *flags) {
  return to_int(&fp_f64, a, &range_u64, rm, flags);
}

uint32_t f32_from_i32(int32_t a, unsigned rm, uint32_t *flags) { return f32_from_i64(a, rm, flags); }

uint32_t f32_from_u32(uint32_t a, unsigned rm, uint32_t *flags) { return f32_from_u64(a, rm, flags); }

uint32_t f32_from_i64(int64_t a, unsigned rm, uint32_t *flags) {
  return (uint32_t)from_int(&fp_f32, a < 0, magnitude_of(a), rm, flags);
}

uint32_t f32_from_u64(uint64_t a, unsigned rm, uint32_t *flags) {
  return (uint32_t)from_int(&fp_f32, false, a, rm, flags);
}

uint64_t f64_from_i32(int32_t a) {
  uint32_t exact = 0;
  return f64_from_i64(a, FP_RNE, &exact);
}

uint64_t f64_from_u32(uint32_t a) {
  uint32_t exact = 0;
  return f64_from_u64(a, FP_RNE, &exact);
}

uint64_t f64_from_i64(int64_t a, unsigned rm, uint32_t *flags) {
  return from_int(&fp_f64, a < 0, magnitude_of(a), rm, flags);
}

uint64_t f64_from_u64(uint64_t a, unsigned rm, uint32_t *flags) {
  return from_int(&fp_f64, false, a, rm, flags);
}

uint64_t f64_from_f32(uint32_t a, uint32_t *flags) { return between(&fp_f32, &fp_f64, a, FP_RNE, flags); }

uint32_t f32_from_f64(uint64_t a, unsigned rm, uint32_t *flags) {
  return (uint32_t)between(&fp_f64, &fp_f32, a, rm, flags);
}

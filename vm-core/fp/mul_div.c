#include "fp/host.h"

FP_INLINE uint64_t mul(const struct fp_format *f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                       uint32_t *flags) {
  struct fp_value a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);
  bool sign = a.sign != b.sign;
  if (a.cls == FP_CLASS_FINITE && b.cls == FP_CLASS_FINITE) {
    fp_u128 product = (fp_u128)a.sig * b.sig;
    unsigned carry = (unsigned)(product >> 125);
    uint64_t sig = (uint64_t)shift_right_jam_128(product, 62 + carry);
    return fp_round_pack(f, sign, a.exp + b.exp + (int)carry, sig, rm, flags);
  }
  if (fp_is_nan(&a) || fp_is_nan(&b)) return fp_propagate_nan(f, &a, &b, flags);
  if (a.cls != FP_CLASS_INF && b.cls != FP_CLASS_INF) return fp_pack_zero(f, sign);
  if (a.cls == FP_CLASS_ZERO || b.cls == FP_CLASS_ZERO) return fp_invalid(f, flags);
  return fp_pack_inf(f, sign);
}

FP_INLINE uint64_t divide(const struct fp_format *f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                          uint32_t *flags) {
  struct fp_value a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);
  bool sign = a.sign != b.sign;
  if (a.cls == FP_CLASS_FINITE && b.cls == FP_CLASS_FINITE) {
    unsigned borrow = a.sig < b.sig;
    fp_u128 dividend = (fp_u128)a.sig << (62 + borrow);
    uint64_t quotient = (uint64_t)(dividend / b.sig);
    if ((fp_u128)quotient * b.sig != dividend) quotient |= 1;
    return fp_round_pack(f, sign, a.exp - b.exp - (int)borrow, quotient, rm, flags);
  }
  if (fp_is_nan(&a) || fp_is_nan(&b)) return fp_propagate_nan(f, &a, &b, flags);
  if (a.cls == b.cls) return fp_invalid(f, flags);
  if (a.cls == FP_CLASS_ZERO || b.cls == FP_CLASS_INF) return fp_pack_zero(f, sign);
  if (b.cls == FP_CLASS_ZERO && a.cls != FP_CLASS_INF) *flags |= FP_DZ;
  return fp_pack_inf(f, sign);
}

/*
 * The root of sig × 2^(exp - 62), digit by digit: with r the root so far and q the next binary digit's
 * weight, rest = (x - r²) / q and twice = 2r, both with 60 fraction bits for x in [1, 4). rest stays below
 * 2^63.
 */
FP_INLINE uint64_t root_digits(int digits, bool odd, uint64_t sig, bool *exact) {
  uint64_t rest = odd ? sig >> 1 : sig >> 2, twice = 0, root = 0, digit = UINT64_C(1) << 60;
  for (int i = 0; i < digits; i++, digit >>= 1) {
    uint64_t trial = twice + digit;
    if (trial <= rest) {
      rest -= trial;
      twice = trial + digit;
      root |= digit;
    }
    rest <<= 1;
  }
  *exact = rest == 0;
  return root;
}

FP_INLINE uint64_t square_root(const struct fp_format *f, uint64_t bits, unsigned rm, uint32_t *flags) {
  struct fp_value a = fp_unpack(f, bits);
  if (fp_is_nan(&a)) return fp_propagate_nan(f, &a, &a, flags);
  if (a.cls == FP_CLASS_ZERO) return bits;
  if (a.sign) return fp_invalid(f, flags);
  if (a.cls == FP_CLASS_INF) return bits;
  bool odd = a.exp & 1, exact;
  uint64_t root = root_digits(f->frac_bits + 3, odd, a.sig, &exact) << 2;
  return fp_round_pack(f, false, (a.exp - odd) / 2, root | !exact, rm, flags);
}

uint32_t f32_mul(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(32, a, b, *)
  return (uint32_t)mul(&fp_f32, a, b, rm, flags);
}

uint64_t f64_mul(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(64, a, b, *)
  return mul(&fp_f64, a, b, rm, flags);
}

uint32_t f32_div(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(32, a, b, /)
  return (uint32_t)divide(&fp_f32, a, b, rm, flags);
}

uint64_t f64_div(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(64, a, b, /)
  return divide(&fp_f64, a, b, rm, flags);
}

uint32_t f32_sqrt(uint32_t a, unsigned rm, uint32_t *flags) {
  bool positive = !(a & fp_sign_bit(&fp_f32)) && fp_is_normal(&fp_f32, a);
  if (fp_host_ready(rm, *flags) && positive) return fp_bits_32(__builtin_sqrtf(fp_value_32(a)));
  return (uint32_t)square_root(&fp_f32, a, rm, flags);
}

uint64_t f64_sqrt(uint64_t a, unsigned rm, uint32_t *flags) {
  bool positive = !(a & fp_sign_bit(&fp_f64)) && fp_is_normal(&fp_f64, a);
  if (fp_host_ready(rm, *flags) && positive) return fp_bits_64(__builtin_sqrt(fp_value_64(a)));
  return square_root(&fp_f64, a, rm, flags);
}

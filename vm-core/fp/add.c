#include "fp/host.h"

/* |a| - |b| for finite operands; sign is that of a. */
FP_INLINE uint64_t subtract_magnitudes(const struct fp_format *f, struct fp_value a, struct fp_value b,
                                       unsigned rm, uint32_t *flags) {
  if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
    struct fp_value larger = b;
    larger.sign = !a.sign;
    b = a;
    a = larger;
  }
  uint64_t sig = a.sig - shift_right_jam(b.sig, (unsigned)(a.exp - b.exp));
  if (sig == 0) return fp_cancelled(f, rm);
  int shift = __builtin_clzll(sig) - 1;
  return fp_round_pack(f, a.sign, a.exp - shift, sig << shift, rm, flags);
}

FP_INLINE uint64_t add_magnitudes(const struct fp_format *f, struct fp_value a, struct fp_value b,
                                  unsigned rm, uint32_t *flags) {
  int exp = a.exp > b.exp ? a.exp : b.exp;
  uint64_t sig =
      shift_right_jam(a.sig, (unsigned)(exp - a.exp)) + shift_right_jam(b.sig, (unsigned)(exp - b.exp));
  if (sig >> 63) {
    sig = shift_right_jam(sig, 1);
    exp++;
  }
  return fp_round_pack(f, a.sign, exp, sig, rm, flags);
}

FP_INLINE uint64_t add(const struct fp_format *f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                       uint32_t *flags) {
  struct fp_value a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);
  if (a.cls == FP_CLASS_FINITE && b.cls == FP_CLASS_FINITE)
    return a.sign == b.sign ? add_magnitudes(f, a, b, rm, flags) : subtract_magnitudes(f, a, b, rm, flags);
  if (fp_is_nan(&a) || fp_is_nan(&b)) return fp_propagate_nan(f, &a, &b, flags);
  if (a.cls == FP_CLASS_INF) return b.cls == FP_CLASS_INF && a.sign != b.sign ? fp_invalid(f, flags) : a_bits;
  if (b.cls == FP_CLASS_INF) return b_bits;
  if (a.cls != b.cls) return a.cls == FP_CLASS_ZERO ? b_bits : a_bits;
  return a.sign == b.sign ? a_bits : fp_cancelled(f, rm);
}

uint32_t f32_add(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(32, a, b, +)
  return (uint32_t)add(&fp_f32, a, b, rm, flags);
}

uint32_t f32_sub(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(32, a, b, -)
  return (uint32_t)add(&fp_f32, a, b ^ (uint32_t)fp_sign_bit(&fp_f32), rm, flags);
}

uint64_t f64_add(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(64, a, b, +)
  return add(&fp_f64, a, b, rm, flags);
}

uint64_t f64_sub(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags) {
  FP_TRY_HOST_2(64, a, b, -)
  return add(&fp_f64, a, b ^ fp_sign_bit(&fp_f64), rm, flags);
}

#include "fp/host.h"

/*
 * Product and addend as 128-bit significands of weight 2^(exp - 124). The product has at least 20 zero bits
 * below its last place and the addend 72, so a sticky bit comes into being only where the operands are too
 * far apart to cancel more than one bit.
 */
struct wide {
  bool sign;
  int exp;
  fp_u128 sig;
};

FP_INLINE uint64_t round_wide(const struct fp_format *f, const struct wide *w, unsigned rm, uint32_t *flags) {
  uint64_t high = (uint64_t)(w->sig >> 64);
  int leading = high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)w->sig);
  uint64_t sig = leading > 62 ? (uint64_t)shift_right_jam_128(w->sig, (unsigned)(leading - 62))
                              : (uint64_t)w->sig << (62 - leading);
  return fp_round_pack(f, w->sign, w->exp + leading - 124, sig, rm, flags);
}

FP_INLINE uint64_t add_wide(const struct fp_format *f, struct wide a, struct wide b, unsigned rm,
                            uint32_t *flags) {
  if (a.exp > b.exp) {
    b.sig = shift_right_jam_128(b.sig, (unsigned)(a.exp - b.exp));
  } else {
    a.sig = shift_right_jam_128(a.sig, (unsigned)(b.exp - a.exp));
    a.exp = b.exp;
  }
  if (a.sign == b.sign) {
    a.sig += b.sig;
  } else if (a.sig > b.sig) {
    a.sig -= b.sig;
  } else {
    a.sig = b.sig - a.sig;
    a.sign = b.sign;
  }
  return a.sig ? round_wide(f, &a, rm, flags) : fp_cancelled(f, rm);
}

FP_INLINE uint64_t mul_add(const struct fp_format *f, uint64_t a_bits, uint64_t b_bits, uint64_t c_bits,
                           unsigned signs, unsigned rm, uint32_t *flags) {
  if (signs & FP_NEG_PRODUCT) a_bits ^= fp_sign_bit(f);
  if (signs & FP_NEG_ADDEND) c_bits ^= fp_sign_bit(f);
  struct fp_value a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits), c = fp_unpack(f, c_bits);
  bool sign = a.sign != b.sign;
  bool a_inf = a.cls == FP_CLASS_INF, b_inf = b.cls == FP_CLASS_INF;
  if (a.cls == FP_CLASS_FINITE && b.cls == FP_CLASS_FINITE && c.cls <= FP_CLASS_FINITE) {
    struct wide product = {sign, a.exp + b.exp, (fp_u128)a.sig * b.sig};
    if (c.cls == FP_CLASS_ZERO) return round_wide(f, &product, rm, flags);
    struct wide addend = {c.sign, c.exp, (fp_u128)c.sig << 62};
    return add_wide(f, product, addend, rm, flags);
  }
  if ((a_inf && b.cls == FP_CLASS_ZERO) || (b_inf && a.cls == FP_CLASS_ZERO)) return fp_invalid(f, flags);
  if (fp_is_nan(&a) || fp_is_nan(&b) || fp_is_nan(&c)) {
    if (c.cls == FP_CLASS_SNAN) *flags |= FP_NV;
    return fp_propagate_nan(f, &a, &b, flags);
  }
  if (a_inf || b_inf)
    return c.cls == FP_CLASS_INF && c.sign != sign ? fp_invalid(f, flags) : fp_pack_inf(f, sign);
  if (c.cls != FP_CLASS_ZERO) return c_bits;
  return c.sign == sign ? c_bits : fp_cancelled(f, rm);
}

/* x86-64 has the fused operation from the FMA extension on; the processor is asked, the result is the same.
 */
#ifdef __x86_64__
#define HOST_FMA __attribute__((target("fma")))
static inline bool host_has_fma(void) { return __builtin_cpu_supports("fma"); }
#else
#define HOST_FMA
static inline bool host_has_fma(void) { return true; }
#endif

/* Not inlined: the caller is built for processors without FMA. */
static HOST_FMA __attribute__((noinline)) uint32_t host_mul_add_32(uint32_t a, uint32_t b, uint32_t c) {
  return fp_bits_32(__builtin_fmaf(fp_value_32(a), fp_value_32(b), fp_value_32(c)));
}

static HOST_FMA __attribute__((noinline)) uint64_t host_mul_add_64(uint64_t a, uint64_t b, uint64_t c) {
  return fp_bits_64(__builtin_fma(fp_value_64(a), fp_value_64(b), fp_value_64(c)));
}

#define TRY_HOST_MUL_ADD(width)                                                                              \
  if (fp_host_ready(rm, *flags) && fp_is_normal(&fp_f##width, a) && fp_is_normal(&fp_f##width, b) &&         \
      fp_is_normal(&fp_f##width, c) && host_has_fma()) {                                                     \
    uint64_t product_sign = signs & FP_NEG_PRODUCT ? fp_sign_bit(&fp_f##width) : 0;                          \
    uint64_t addend_sign = signs & FP_NEG_ADDEND ? fp_sign_bit(&fp_f##width) : 0;                            \
    uint##width##_t host =                                                                                   \
        host_mul_add_##width((uint##width##_t)(a ^ product_sign), b, (uint##width##_t)(c ^ addend_sign));    \
    if (fp_host_usable(&fp_f##width, host)) return host;                                                     \
  }

uint32_t f32_mul_add(uint32_t a, uint32_t b, uint32_t c, unsigned signs, unsigned rm, uint32_t *flags) {
  TRY_HOST_MUL_ADD(32)
  return (uint32_t)mul_add(&fp_f32, a, b, c, signs, rm, flags);
}

uint64_t f64_mul_add(uint64_t a, uint64_t b, uint64_t c, unsigned signs, unsigned rm, uint32_t *flags) {
  TRY_HOST_MUL_ADD(64)
  return mul_add(&fp_f64, a, b, c, signs, rm, flags);
}

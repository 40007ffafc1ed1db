/* The library against written-down corner cases and against the host's FPU on random and edge operands. */
#include "fp/softfloat.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 400000, REPORTED = 10 };

struct tally {
  long passed;
  long failed;
};

struct random {
  uint64_t state;
};

struct result {
  uint64_t bits;
  uint32_t flags;
};

static uint64_t random_next(struct random *r) {
  uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static float as_f32(uint64_t bits) {
  uint32_t low = (uint32_t)bits;
  float f;
  memcpy(&f, &low, sizeof f);
  return f;
}

static double as_f64(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

static uint64_t bits_f32(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return isnan(f) ? F32_CANONICAL_NAN : bits;
}

static uint64_t bits_f64(double d) {
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return isnan(d) ? F64_CANONICAL_NAN : bits;
}

static void check(struct tally *t, const char *name, unsigned rm, const uint64_t in[3], struct result got,
                  struct result want) {
  if (got.bits == want.bits && got.flags == want.flags) {
    t->passed++;
    return;
  }
  if (t->failed++ < REPORTED)
    printf("FAIL %s rm %u (%016lx %016lx %016lx): %016lx flags %02x, expected %016lx flags %02x\n", name, rm,
           in[0], in[1], in[2], got.bits, got.flags, want.bits, want.flags);
}

/* Operands: plain bits, small exponent distances, few fraction bits, values around the format's limits. */
static uint64_t operand(struct random *r, int frac_bits, int exp_bits) {
  uint64_t x = random_next(r), choice = random_next(r), frac_mask = (UINT64_C(1) << frac_bits) - 1;
  uint64_t exp_mask = (UINT64_C(1) << exp_bits) - 1, sign = x >> 63, frac = x & frac_mask,
           exp = choice >> 32 & exp_mask;
  switch (choice & 7) {
  case 0: break;
  case 1: exp = exp_mask / 2 + (choice >> 32 & 7) - 3; break;
  case 2: exp = (choice >> 32 & 3); break;
  case 3: exp = exp_mask - (choice >> 32 & 3); break;
  case 4: frac = UINT64_C(1) << (choice >> 48) % (uint64_t)frac_bits; break;
  case 5: frac = frac_mask - (choice >> 56 & 1); break;
  case 6: frac = choice >> 56 & 1; break;
  default: exp = exp_mask / 2 + (choice >> 32) % (2u * (unsigned)frac_bits) - (unsigned)frac_bits; break;
  }
  if ((choice >> 60) == 0) frac = 0;
  return sign << (frac_bits + exp_bits) | exp << frac_bits | frac;
}

static uint64_t operand_f32(struct random *r) { return operand(r, 23, 8); }
static uint64_t operand_f64(struct random *r) { return operand(r, 52, 11); }

static void host_begin(unsigned rm) {
  static const int modes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  fesetround(modes[rm & 3]);
  feclearexcept(FE_ALL_EXCEPT);
}

static uint32_t host_end(void) {
  int e = fetestexcept(FE_ALL_EXCEPT);
  fesetround(FE_TONEAREST);
  return (e & FE_INEXACT ? FP_NX : 0u) | (e & FE_UNDERFLOW ? FP_UF : 0u) | (e & FE_OVERFLOW ? FP_OF : 0u) |
         (e & FE_DIVBYZERO ? FP_DZ : 0u) | (e & FE_INVALID ? FP_NV : 0u);
}

enum op { ADD, SUB, MUL, DIV, SQRT, MUL_ADD, OPS };
static const char *const op_names[OPS] = {"add", "sub", "mul", "div", "sqrt", "mul_add"};

static struct result host_f32(enum op op, unsigned rm, const uint64_t in[3]) {
  volatile float a = as_f32(in[0]), b = as_f32(in[1]), c = as_f32(in[2]), ret = 0;
  host_begin(rm);
  switch (op) {
  case ADD: ret = a + b; break;
  case SUB: ret = a - b; break;
  case MUL: ret = a * b; break;
  case DIV: ret = a / b; break;
  case SQRT: ret = sqrtf(a); break;
  default: ret = fmaf(a, b, c); break;
  }
  uint32_t flags = host_end();
  return (struct result){bits_f32(ret), flags};
}

static struct result host_f64(enum op op, unsigned rm, const uint64_t in[3]) {
  volatile double a = as_f64(in[0]), b = as_f64(in[1]), c = as_f64(in[2]), ret = 0;
  host_begin(rm);
  switch (op) {
  case ADD: ret = a + b; break;
  case SUB: ret = a - b; break;
  case MUL: ret = a * b; break;
  case DIV: ret = a / b; break;
  case SQRT: ret = sqrt(a); break;
  default: ret = fma(a, b, c); break;
  }
  uint32_t flags = host_end();
  return (struct result){bits_f64(ret), flags};
}

static struct result with_flags_f32(enum op op, unsigned rm, const uint64_t in[3], uint32_t flags) {
  uint32_t a = (uint32_t)in[0], b = (uint32_t)in[1], ret;
  switch (op) {
  case ADD: ret = f32_add(a, b, rm, &flags); break;
  case SUB: ret = f32_sub(a, b, rm, &flags); break;
  case MUL: ret = f32_mul(a, b, rm, &flags); break;
  case DIV: ret = f32_div(a, b, rm, &flags); break;
  case SQRT: ret = f32_sqrt(a, rm, &flags); break;
  default: ret = f32_mul_add(a, b, (uint32_t)in[2], 0, rm, &flags); break;
  }
  return (struct result){ret, flags};
}

static struct result with_flags_f64(enum op op, unsigned rm, const uint64_t in[3], uint32_t flags) {
  uint64_t a = in[0], b = in[1], ret;
  switch (op) {
  case ADD: ret = f64_add(a, b, rm, &flags); break;
  case SUB: ret = f64_sub(a, b, rm, &flags); break;
  case MUL: ret = f64_mul(a, b, rm, &flags); break;
  case DIV: ret = f64_div(a, b, rm, &flags); break;
  case SQRT: ret = f64_sqrt(a, rm, &flags); break;
  default: ret = f64_mul_add(a, b, in[2], 0, rm, &flags); break;
  }
  return (struct result){ret, flags};
}

static struct result ours_f32(enum op op, unsigned rm, const uint64_t in[3]) {
  return with_flags_f32(op, rm, in, 0);
}

static struct result ours_f64(enum op op, unsigned rm, const uint64_t in[3]) {
  return with_flags_f64(op, rm, in, 0);
}

static bool nan_f32(uint64_t bits) { return isnan(as_f32(bits)); }
static bool nan_f64(uint64_t bits) { return isnan(as_f64(bits)); }

/*
 * Two freedoms IEEE 754 leaves to the host: NV for inf × 0 + quiet NaN (7.2), and tininess before rounding
 * (7.5; then a result of exactly the smallest normal number may carry UF).
 */
static bool host_may_differ(enum op op, const uint64_t in[3], struct result host, bool single) {
  if (op == MUL_ADD && (single ? nan_f32(in[2]) : nan_f64(in[2]))) return true;
#ifdef __aarch64__
  return (host.flags & FP_UF) && (host.bits << (single ? 33 : 1)) == UINT64_C(1) << (single ? 56 : 53);
#else
  (void)host;
  return false;
#endif
}

static void test_against_host(struct tally *t) {
  struct random r = {1};
  for (long i = 0; i < ROUNDS; i++) {
    unsigned rm = (unsigned)(i & 3);
    enum op op = (enum op)(i / 4 % OPS);
    uint64_t s[3] = {operand_f32(&r), operand_f32(&r), operand_f32(&r)};
    uint64_t d[3] = {operand_f64(&r), operand_f64(&r), operand_f64(&r)};
    if (i % 7 == 0) s[2] = s[0] ^ 0x80000000, d[2] = d[0] ^ UINT64_C(1) << 63;
    struct result host = host_f32(op, rm, s);
    if (!host_may_differ(op, s, host, true)) check(t, op_names[op], rm, s, ours_f32(op, rm, s), host);
    host = host_f64(op, rm, d);
    if (!host_may_differ(op, d, host, false)) check(t, op_names[op], rm, d, ours_f64(op, rm, d), host);
  }
}

/* With NX already set the library may use the host's unit: bits and flags are those of the integer path. */
static void test_shortcut(struct tally *t) {
  struct random r = {8};
  for (long i = 0; i < 2 * ROUNDS; i++) {
    unsigned rm = i % 8 ? FP_RNE : (unsigned)(i / 8 % 5);
    enum op op = (enum op)(i / 3 % OPS);
    uint64_t s[3] = {operand_f32(&r), operand_f32(&r), operand_f32(&r)};
    uint64_t d[3] = {operand_f64(&r), operand_f64(&r), operand_f64(&r)};
    struct result slow_s = ours_f32(op, rm, s), slow_d = ours_f64(op, rm, d);
    slow_s.flags |= FP_NX, slow_d.flags |= FP_NX;
    check(t, "f32 shortcut", rm, s, with_flags_f32(op, rm, s, FP_NX), slow_s);
    check(t, "f64 shortcut", rm, d, with_flags_f64(op, rm, d, FP_NX), slow_d);
  }
}

/* mul_add cancelling almost wholly: c is the rounded product negated, give or take a unit in the last place.
 */
static void test_cancellation(struct tally *t) {
  struct random r = {2};
  for (long i = 0; i < ROUNDS / 4; i++) {
    unsigned rm = (unsigned)(i & 3);
    uint64_t s[3] = {operand_f32(&r), operand_f32(&r), 0}, d[3] = {operand_f64(&r), operand_f64(&r), 0};
    uint64_t step = random_next(&r) % 3 - 1;
    s[2] = (uint32_t)((host_f32(MUL, 0, s).bits ^ 0x80000000) + step);
    d[2] = (host_f64(MUL, 0, d).bits ^ UINT64_C(1) << 63) + step;
    if (!nan_f32(s[2])) check(t, "f32 fma", rm, s, ours_f32(MUL_ADD, rm, s), host_f32(MUL_ADD, rm, s));
    if (!nan_f64(d[2])) check(t, "f64 fma", rm, d, ours_f64(MUL_ADD, rm, d), host_f64(MUL_ADD, rm, d));
  }
}

static void test_signs(struct tally *t) {
  struct random r = {3};
  for (long i = 0; i < ROUNDS / 8; i++) {
    uint64_t d[3] = {operand_f64(&r), operand_f64(&r), operand_f64(&r)};
    unsigned rm = (unsigned)(i % 5), signs = (unsigned)(i / 5 % 4);
    uint64_t n[3] = {d[0] ^ (signs & FP_NEG_PRODUCT ? UINT64_C(1) << 63 : 0), d[1],
                     d[2] ^ (signs & FP_NEG_ADDEND ? UINT64_C(1) << 63 : 0)};
    struct result got = {0, 0}, want = ours_f64(MUL_ADD, rm, n);
    got.bits = f64_mul_add(d[0], d[1], d[2], signs, rm, &got.flags);
    check(t, "fma signs", rm, d, got, want);
  }
}

/*
 * Ties away for singles: the operation in binary64 towards zero with the inexact flag in the last place
 * (rounding to odd, 53 >= 2 × 24 + 2 bits), then rounded by hand.
 */
static uint64_t away_f32(double odd) {
  uint64_t bits;
  memcpy(&bits, &odd, sizeof bits);
  uint64_t sign = bits >> 63 << 31, magnitude = bits & ~(UINT64_C(1) << 63);
  int exp = (int)(magnitude >> 52) - 1023;
  return sign |
         (((uint64_t)(exp + 127) << 23) + (((magnitude & ((UINT64_C(1) << 52) - 1)) + (1u << 28)) >> 29));
}

static void test_ties_away(struct tally *t) {
  struct random r = {4};
  for (long i = 0; i < ROUNDS; i++) {
    enum op op = (enum op)(i % 5);
    uint64_t in[3] = {operand_f32(&r), operand_f32(&r), 0};
    if (i % 3 == 0) in[0] &= 0xffff0000u, in[1] &= 0xffffff00u;
    uint64_t wide[3] = {bits_f64((double)as_f32(in[0])), bits_f64((double)as_f32(in[1])), 0};
    struct result exact = host_f64(op, FP_RTZ, wide);
    double odd = as_f64(exact.bits | (exact.flags & FP_NX ? 1 : 0));
    if (isnan(odd) || fabs(odd) < 0x1p-126 || fabs(odd) > 0x1p127) continue;
    uint32_t inexact = (exact.flags & FP_NX) || (double)(float)odd != odd ? FP_NX : 0;
    check(t, "ties away", FP_RMM, in, ours_f32(op, FP_RMM, in), (struct result){away_f32(odd), inexact});
  }
}

static double host_round(double x, unsigned rm) {
  switch (rm) {
  case FP_RTZ: return trunc(x);
  case FP_RDN: return floor(x);
  case FP_RUP: return ceil(x);
  case FP_RMM: return round(x);
  default: return nearbyint(x);
  }
}

/* low and high are the type's bounds as 64-bit patterns; beyond is the first power of two above its range. */
static struct result int_model(double x, unsigned rm, double least, double beyond, uint64_t low,
                               uint64_t high) {
  if (isnan(x)) return (struct result){high, FP_NV};
  double whole = host_round(x, rm);
  if (whole >= beyond) return (struct result){high, FP_NV};
  if (whole < least) return (struct result){low, FP_NV};
  uint64_t value = whole < 0 ? (uint64_t)(int64_t)whole : (uint64_t)whole;
  return (struct result){value, whole != x ? FP_NX : 0};
}

static void test_to_int(struct tally *t) {
  struct random r = {5};
  for (long i = 0; i < ROUNDS / 2; i++) {
    unsigned rm = (unsigned)(i % 5);
    uint64_t s[3] = {operand_f32(&r), 0, 0}, d[3] = {operand_f64(&r), 0, 0};
    if (i % 4 == 0) d[0] = bits_f64((double)(int64_t)random_next(&r) * 0.25 / (double)(1u << (i % 31)));
    double xs = (double)as_f32(s[0]), xd = as_f64(d[0]);
    uint32_t s32 = (uint32_t)s[0];
    struct result g[8] = {{0, 0}};
    g[0].bits = (uint64_t)f32_to_i32(s32, rm, &g[0].flags);
    g[1].bits = f32_to_u32(s32, rm, &g[1].flags);
    g[2].bits = (uint64_t)f32_to_i64(s32, rm, &g[2].flags);
    g[3].bits = f32_to_u64(s32, rm, &g[3].flags);
    g[4].bits = (uint64_t)f64_to_i32(d[0], rm, &g[4].flags);
    g[5].bits = f64_to_u32(d[0], rm, &g[5].flags);
    g[6].bits = (uint64_t)f64_to_i64(d[0], rm, &g[6].flags);
    g[7].bits = f64_to_u64(d[0], rm, &g[7].flags);
    for (int k = 0; k < 8; k++) {
      static const double least[4] = {-0x1p31, 0, -0x1p63, 0}, beyond[4] = {0x1p31, 0x1p32, 0x1p63, 0x1p64};
      static const uint64_t low[4] = {(uint64_t)INT32_MIN, 0, (uint64_t)INT64_MIN, 0};
      static const uint64_t high[4] = {INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
      struct result want =
          int_model(k < 4 ? xs : xd, rm, least[k & 3], beyond[k & 3], low[k & 3], high[k & 3]);
      check(t, k < 4 ? "f32 to int" : "f64 to int", rm, k < 4 ? s : d, g[k], want);
    }
  }
}

static void test_from_int_and_format(struct tally *t) {
  struct random r = {6};
  for (long i = 0; i < ROUNDS / 2; i++) {
    unsigned rm = (unsigned)(i & 3);
    uint64_t x = random_next(&r) >> (random_next(&r) & 63),
             in[3] = {i & 4 ? -x : x, operand_f64(&r), operand_f32(&r)};
    volatile int64_t si = (int64_t)in[0];
    volatile uint64_t ui = in[0];
    struct result g[6] = {{0, 0}}, w[6];
    g[0].bits = f32_from_i64(si, rm, &g[0].flags);
    g[1].bits = f32_from_u64(ui, rm, &g[1].flags);
    g[2].bits = f64_from_i64(si, rm, &g[2].flags);
    g[3].bits = f64_from_u64(ui, rm, &g[3].flags);
    g[4].bits = f32_from_f64(in[1], rm, &g[4].flags);
    g[5].bits = f64_from_f32((uint32_t)in[2], &g[5].flags);
    volatile double wide = as_f64(in[1]), widened;
    volatile float narrow = as_f32(in[2]), single;
    host_begin(rm), single = (float)si, w[0].flags = host_end(), w[0].bits = bits_f32(single);
    host_begin(rm), widened = (double)si, w[2].flags = host_end(), w[2].bits = bits_f64(widened);
    host_begin(rm), single = (float)wide, w[4].flags = host_end(), w[4].bits = bits_f32(single);
    host_begin(rm), widened = (double)narrow, w[5].flags = host_end(), w[5].bits = bits_f64(widened);
    /* Hosts convert unsigned numbers in several steps; exact division by two with a sticky bit is one
     * rounding too. */
    volatile int64_t half = (int64_t)(ui >> 1 | (ui & 1));
    bool top = ui >> 63;
    volatile int64_t whole = (int64_t)ui;
    host_begin(rm), single = (float)(top ? half : whole), w[1].flags = host_end();
    host_begin(rm), widened = (double)(top ? half : whole), w[3].flags = host_end();
    w[1].bits = bits_f32(top ? single * 2 : single), w[3].bits = bits_f64(top ? widened * 2 : widened);
    static const char *const names[6] = {"f32 from i64", "f32 from u64", "f64 from i64",
                                         "f64 from u64", "f32 from f64", "f64 from f32"};
    if (host_may_differ(ADD, in, w[4], true)) g[4] = w[4];
    for (int k = 0; k < 6; k++) check(t, names[k], rm, in, g[k], w[k]);
  }
}

static uint32_t class_model(double x, bool subnormal, bool signalling) {
  bool negative = signbit(x);
  if (isnan(x)) return signalling ? 1u << 8 : 1u << 9;
  if (isinf(x)) return negative ? 1u << 0 : 1u << 7;
  if (x == 0) return negative ? 1u << 3 : 1u << 4;
  if (subnormal) return negative ? 1u << 2 : 1u << 5;
  return negative ? 1u << 1 : 1u << 6;
}

static void test_compare(struct tally *t) {
  struct random r = {7};
  for (long i = 0; i < ROUNDS / 2; i++) {
    uint64_t in[3] = {operand_f64(&r), operand_f64(&r), 0};
    if (i % 5 == 0) in[1] = in[0] ^ (uint64_t)(i & 1) << 63;
    double a = as_f64(in[0]), b = as_f64(in[1]);
    bool any = isnan(a) || isnan(b), sa = isnan(a) && !(in[0] >> 51 & 1), sb = isnan(b) && !(in[1] >> 51 & 1);
    uint32_t quiet = sa || sb ? FP_NV : 0, loud = any ? FP_NV : 0;
    struct result g[6] = {{0, 0}};
    g[0].bits = f64_eq(in[0], in[1], &g[0].flags);
    g[1].bits = f64_lt(in[0], in[1], &g[1].flags);
    g[2].bits = f64_le(in[0], in[1], &g[2].flags);
    g[3].bits = f64_min(in[0], in[1], &g[3].flags);
    g[4].bits = f64_max(in[0], in[1], &g[4].flags);
    g[5].bits = f64_classify(in[0]);
    bool less = isless(a, b) || (a == b && signbit(a) && !signbit(b));
    bool a_min = isnan(b) || less, a_max = isnan(b) || (!less && !isnan(a));
    struct result w[6] = {{a == b, quiet},
                          {isless(a, b), loud},
                          {islessequal(a, b), loud},
                          {bits_f64(a_min && !isnan(a) ? a : b), quiet},
                          {bits_f64(a_max && !isnan(a) ? a : b), quiet},
                          {class_model(a, fpclassify(a) == FP_SUBNORMAL, sa), 0}};
    static const char *const names[6] = {"eq", "lt", "le", "min", "max", "classify"};
    for (int k = 0; k < 6; k++) check(t, names[k], 0, in, g[k], w[k]);
  }
}

struct vector {
  const char *name;
  bool single;
  enum op op;
  unsigned rm;
  uint64_t in[3];
  struct result want;
};

static const struct vector vectors[] = {
    {"tie rounds to even", true, ADD, FP_RNE, {0x4b800000, 0x3f800000}, {0x4b800000, FP_NX}},
    {"tie rounds away", true, ADD, FP_RMM, {0x4b800000, 0x3f800000}, {0x4b800001, FP_NX}},
    {"tie rounds away, negative", true, SUB, FP_RMM, {0xcb800000, 0x3f800000}, {0xcb800001, FP_NX}},
    {"x - x is +0", false, SUB, FP_RNE, {0x3ff0000000000000, 0x3ff0000000000000}, {0, 0}},
    {"x - x is -0 down",
     false,
     SUB,
     FP_RDN,
     {0x3ff0000000000000, 0x3ff0000000000000},
     {UINT64_C(1) << 63, 0}},
    {"0 / 0", true, DIV, FP_RNE, {0, 0x80000000}, {F32_CANONICAL_NAN, FP_NV}},
    {"1 / -0", true, DIV, FP_RNE, {0x3f800000, 0x80000000}, {0xff800000, FP_DZ}},
    {"inf / 0", true, DIV, FP_RNE, {0x7f800000, 0}, {0x7f800000, 0}},
    {"overflow RTZ", true, MUL, FP_RTZ, {0x7f7fffff, 0x40000000}, {0x7f7fffff, FP_OF | FP_NX}},
    {"overflow RUP, negative", true, MUL, FP_RUP, {0xff7fffff, 0x40000000}, {0xff7fffff, FP_OF | FP_NX}},
    {"overflow RMM", true, MUL, FP_RMM, {0x7f7fffff, 0x40000000}, {0x7f800000, FP_OF | FP_NX}},
    {"exact subnormal has no flag", true, MUL, FP_RNE, {0x00800000, 0x3f000000}, {0x00400000, 0}},
    {"underflow", true, MUL, FP_RNE, {0x00800001, 0x3f000000}, {0x00400000, FP_UF | FP_NX}},
    {"tiny before, not after rounding", true, MUL, FP_RNE, {0x3f800001, 0x007fffff}, {0x00800000, FP_NX}},
    {"tiny also after rounding", true, MUL, FP_RNE, {0x3f7fffff, 0x00800000}, {0x00800000, FP_UF | FP_NX}},
    {"sqrt(-0)", false, SQRT, FP_RNE, {UINT64_C(1) << 63}, {UINT64_C(1) << 63, 0}},
    {"sqrt(-1)", false, SQRT, FP_RNE, {0xbff0000000000000}, {F64_CANONICAL_NAN, FP_NV}},
    {"sqrt(2) up", false, SQRT, FP_RUP, {0x4000000000000000}, {0x3ff6a09e667f3bcd, FP_NX}},
    {"quiet NaN", false, ADD, FP_RNE, {0xfff8000000000123, 0}, {F64_CANONICAL_NAN, 0}},
    {"signalling NaN", false, ADD, FP_RNE, {0x7ff0000000000001, 0}, {F64_CANONICAL_NAN, FP_NV}},
    {"inf × 0 + qNaN", true, MUL_ADD, FP_RNE, {0x7f800000, 0, 0x7fc00000}, {F32_CANONICAL_NAN, FP_NV}},
    {"inf × 1 - inf",
     true,
     MUL_ADD,
     FP_RNE,
     {0x7f800000, 0x3f800000, 0xff800000},
     {F32_CANONICAL_NAN, FP_NV}},
};

static void test_vectors(struct tally *t) {
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    const struct vector *v = &vectors[i];
    check(t, v->name, v->rm, v->in, v->single ? ours_f32(v->op, v->rm, v->in) : ours_f64(v->op, v->rm, v->in),
          v->want);
  }
}

int main(void) {
  struct tally t = {0, 0};
  test_vectors(&t);
  test_against_host(&t);
  test_shortcut(&t);
  test_cancellation(&t);
  test_signs(&t);
  test_ties_away(&t);
  test_to_int(&t);
  test_from_int_and_format(&t);
  test_compare(&t);
  printf("softfloat: %ld passed, %ld failed\n", t.passed, t.failed);
  return t.failed != 0;
}

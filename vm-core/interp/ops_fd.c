/* F and D on top of fp/softfloat.h: NaN boxing, rounding mode, mstatus.FS. */
#include "fp/softfloat.h"
#include "interp/ops.h"

#define BOX UINT64_C(0xffffffff00000000)

/* A single operand that is not NaN-boxed counts as the canonical NaN. */
static inline uint32_t unbox(uint64_t f) { return (f & BOX) == BOX ? (uint32_t)f : F32_CANONICAL_NAN; }
static inline uint64_t box(uint32_t single) { return BOX | single; }
static inline uint64_t plain(uint64_t value) { return value; }

enum { RM_DYNAMIC = 7, RM_LAST = 4 };

static inline unsigned rounding(const struct hart *hart, const struct op *op) {
  return op->rm == RM_DYNAMIC ? hart->frm : op->rm;
}

#define FP_ON                                                                                                \
  if (unlikely(!(hart->csr.mstatus & MSTATUS_FS))) return op_illegal(hart, op)
#define FP_DIRTY hart->csr.mstatus |= MSTATUS_FS

/* Ops with a rounding mode, without, and those that change no floating-point state. Flags make FS dirty too.
 */
#define FP_OP(name, statement)                                                                               \
  OP(name) {                                                                                                 \
    FP_ON;                                                                                                   \
    statement;                                                                                               \
    FP_DIRTY;                                                                                                \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")
#define FP_READ_OP(name, statement)                                                                          \
  OP(name) {                                                                                                 \
    FP_ON;                                                                                                   \
    statement;                                                                                               \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")
#define FP_ROUND_OP(name, statement)                                                                         \
  OP(name) {                                                                                                 \
    FP_ON;                                                                                                   \
    unsigned rm = rounding(hart, op);                                                                        \
    if (unlikely(rm > RM_LAST)) return op_illegal(hart, op);                                                 \
    statement;                                                                                               \
    FP_DIRTY;                                                                                                \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")

#define FRD   hart->f[op->rd]
#define A     hart->f[op->rs1]
#define B     hart->f[op->rs2]
#define C     hart->f[op->rs3]
#define FLAGS &hart->fflags

/* The rows that exist in both widths. `s`: suffix, `f`: library prefix, in/out: register format. */
#define BOTH_WIDTHS(s, f, in, out)                                                                           \
  FP_ROUND_OP(fadd_##s, FRD = out(f##_add(in(A), in(B), rm, FLAGS)));                                        \
  FP_ROUND_OP(fsub_##s, FRD = out(f##_sub(in(A), in(B), rm, FLAGS)));                                        \
  FP_ROUND_OP(fmul_##s, FRD = out(f##_mul(in(A), in(B), rm, FLAGS)));                                        \
  FP_ROUND_OP(fdiv_##s, FRD = out(f##_div(in(A), in(B), rm, FLAGS)));                                        \
  FP_ROUND_OP(fsqrt_##s, FRD = out(f##_sqrt(in(A), rm, FLAGS)));                                             \
  FP_ROUND_OP(fmadd_##s, FRD = out(f##_mul_add(in(A), in(B), in(C), 0, rm, FLAGS)));                         \
  FP_ROUND_OP(fmsub_##s, FRD = out(f##_mul_add(in(A), in(B), in(C), FP_NEG_ADDEND, rm, FLAGS)));             \
  FP_ROUND_OP(fnmsub_##s, FRD = out(f##_mul_add(in(A), in(B), in(C), FP_NEG_PRODUCT, rm, FLAGS)));           \
  FP_ROUND_OP(fnmadd_##s,                                                                                    \
              FRD = out(f##_mul_add(in(A), in(B), in(C), FP_NEG_PRODUCT | FP_NEG_ADDEND, rm, FLAGS)));       \
  FP_OP(fsgnj_##s, FRD = out(sign_from_##s(in(A), in(B))));                                                  \
  FP_OP(fsgnjn_##s, FRD = out(sign_from_##s(in(A), ~in(B))));                                                \
  FP_OP(fsgnjx_##s, FRD = out(sign_from_##s(in(A), in(A) ^ in(B))));                                         \
  FP_OP(fmin_##s, FRD = out(f##_min(in(A), in(B), FLAGS)));                                                  \
  FP_OP(fmax_##s, FRD = out(f##_max(in(A), in(B), FLAGS)));                                                  \
  FP_OP(feq_##s, RD = f##_eq(in(A), in(B), FLAGS));                                                          \
  FP_OP(flt_##s, RD = f##_lt(in(A), in(B), FLAGS));                                                          \
  FP_OP(fle_##s, RD = f##_le(in(A), in(B), FLAGS));                                                          \
  FP_READ_OP(fclass_##s, RD = f##_classify(in(A)));                                                          \
  FP_ROUND_OP(fcvt_w_##s, RD = (uint64_t)(int64_t)f##_to_i32(in(A), rm, FLAGS));                             \
  FP_ROUND_OP(fcvt_wu_##s, RD = word(f##_to_u32(in(A), rm, FLAGS)));                                         \
  FP_ROUND_OP(fcvt_l_##s, RD = (uint64_t)f##_to_i64(in(A), rm, FLAGS));                                      \
  FP_ROUND_OP(fcvt_lu_##s, RD = f##_to_u64(in(A), rm, FLAGS));                                               \
  FP_ROUND_OP(fcvt_##s##_l, FRD = out(f##_from_i64((int64_t)RS1, rm, FLAGS)));                               \
  FP_ROUND_OP(fcvt_##s##_lu, FRD = out(f##_from_u64(RS1, rm, FLAGS)));                                       \
  _Static_assert(1, "")

static inline uint32_t sign_from_s(uint32_t a, uint32_t b) { return (a & ~(1u << 31)) | (b & 1u << 31); }
static inline uint64_t sign_from_d(uint64_t a, uint64_t b) { return (a & ~BIT(63)) | (b & BIT(63)); }

BOTH_WIDTHS(s, f32, unbox, box);
BOTH_WIDTHS(d, f64, plain, plain);

FP_ROUND_OP(fcvt_s_w, FRD = box(f32_from_i32((int32_t)RS1, rm, FLAGS)));
FP_ROUND_OP(fcvt_s_wu, FRD = box(f32_from_u32((uint32_t)RS1, rm, FLAGS)));
FP_ROUND_OP(fcvt_d_w, FRD = f64_from_i32((int32_t)RS1));
FP_ROUND_OP(fcvt_d_wu, FRD = f64_from_u32((uint32_t)RS1));
FP_ROUND_OP(fcvt_s_d, FRD = box(f32_from_f64(A, rm, FLAGS)));
FP_ROUND_OP(fcvt_d_s, FRD = f64_from_f32(unbox(A), FLAGS));

FP_READ_OP(fmv_x_w, RD = word(A));
FP_OP(fmv_w_x, FRD = box((uint32_t)RS1));
FP_READ_OP(fmv_x_d, RD = A);
FP_OP(fmv_d_x, FRD = RS1);

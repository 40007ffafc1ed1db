/* F and D on x86-64 hosts with AVX and FMA, by the host's own exception flags.
 *
 * While hart->fp_armed is 1, mstatus.FS is Dirty, frm is to nearest, and guest's flags are hart->fflags plus
 * what MXCSR has gathered since (jit/fp_flags.c): the host raises what RISC-V raises, tininess after rounding
 * included. What differs is kept from the host or done by the op function: which NaN results, and infinity
 * times zero plus a NaN. */
#include "jit/sse.h"

#if HOST_X86

enum { RM_RNE = 0, RM_LAST = 4, RM_DYNAMIC = 7 };

bool sse_rounds_to_nearest(const struct insn *insn) { return insn->rm == RM_RNE || insn->rm == RM_DYNAMIC; }

sljit_s32 sse_operand(struct emitter *e, unsigned f, sljit_s32 temp) {
  if (e->fhost[f]) return e->fhost[f];
  struct operand from = guest_f(e, f);
  sljit_emit_fop1(e->c, SLJIT_MOV_F64, temp, 0, from.r, from.w);
  return temp;
}

sljit_s32 sse_target(const struct emitter *e, unsigned rd) { return e->fhost[rd] ? e->fhost[rd] : SLJIT_FR0; }

/* Jump taken unless all f registers of the set hold boxed singles; NULL: that is known. */
static struct sljit_jump *unless_boxed(struct emitter *e, uint32_t set) {
  sljit_s32 to = SLJIT_R0;
  set &= ~e->boxed;
  if (!set) return NULL;
  for (unsigned f = 0; f < 32; f++) {
    if (!(set >> f & 1)) continue;
    if (e->fhost[f] && to == SLJIT_R0)
      sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, e->fhost[f], to);
    else if (to == SLJIT_R0)
      op1(e, SLJIT_MOV, reg(to), guest_f(e, f));
    else if (e->fhost[f])
      sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, e->fhost[f], to);
    if (to == SLJIT_R1)
      op2(e, SLJIT_AND, reg(SLJIT_R0), reg(SLJIT_R0), e->fhost[f] ? reg(to) : guest_f(e, f));
    to = SLJIT_R1;
    e->cached = -1;
  }
  op2(e, SLJIT_ASHR, reg(SLJIT_R0), reg(SLJIT_R0), imm(32));
  if (e->fast) e->boxed |= set; /* slow code goes on after the op function did it */
  return branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(-1));
}

void sse_begin(struct emitter *e, const struct region_insn *at, uint32_t singles) {
  struct sljit_jump *state = float_state(e, FLOAT_ARMED), *unboxed = unless_boxed(e, singles);
  if (e->fast) {
    slow_jump(e, state);
    slow_jump(e, unboxed);
  } else {
    cold_op(e, state, unboxed, side_op(e, at));
  }
}

void sse_odd(struct emitter *e, struct sljit_jump *odd) {
  if (e->fast)
    slow_jump(e, odd);
  else
    e->cold[e->cold_count - 1].third = odd;
}

static void resume(struct emitter *e) {
  if (!e->fast) resume_here(e);
}

/* In slow code the op function's cold piece of the instruction is behind that of its NaN. */
static void fix_nan(struct emitter *e, sljit_s32 freg, bool single) {
  sse2(e, single ? SSE_NONE : SSE_66, SSE_UCOMIS, freg, freg);
  struct sljit_jump *nan = sse_jump(e, SLJIT_UNORDERED);
  struct cold *cold = &e->cold[e->cold_count++];
  *cold = (struct cold){.kind = COLD_NAN, .from = nan, .freg = freg, .single = single};
  cold->resume = sljit_emit_label(e->c);
}

void sse_done(struct emitter *e, unsigned rd, sljit_s32 from, enum sse_result kind) {
  bool single = kind == SSE_SINGLE || kind == SSE_NO_NAN_SINGLE;
  struct cold *op = e->fast ? NULL : &e->cold[e->cold_count - 1];
  if (kind == SSE_SINGLE || kind == SSE_DOUBLE) fix_nan(e, from, single);
  if (!e->fhost[rd]) {
    struct operand d = guest_f(e, rd);
    sljit_emit_fop1(e->c, SLJIT_MOV_F64, d.r, d.w, from, 0);
  } else {
    sse_move(e, e->fhost[rd], from);
  }
  if (op) {
    op->resume = sljit_emit_label(e->c);
    e->cached = -1;
  }
  if (single)
    e->boxed |= 1u << rd;
  else
    e->boxed &= ~(1u << rd);
}

static uint32_t singles_of(const struct insn *insn, bool single, unsigned operands) {
  if (!single) return 0;
  return 1u << insn->rs1 | (operands > 1 ? 1u << insn->rs2 : 0) | (operands > 2 ? 1u << insn->rs3 : 0);
}

/* rd = rs1 op rs2. A single's upper half is that of the second operand. */
static bool arithmetic(struct emitter *e, const struct region_insn *at, unsigned opcode, bool single) {
  const struct insn *insn = &at->insn;
  if (!sse_rounds_to_nearest(insn)) return false;
  sse_begin(e, at, singles_of(insn, single, 2));
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), b = sse_operand(e, insn->rs2, SLJIT_FR1);
  sljit_s32 d = sse_target(e, insn->rd);
  sse3(e, single ? SSE_F3 : SSE_F2, opcode, d, a, b);
  sse_done(e, insn->rd, d, single ? SSE_SINGLE : SSE_DOUBLE);
  return true;
}

static bool root(struct emitter *e, const struct region_insn *at, bool single) {
  const struct insn *insn = &at->insn;
  if (!sse_rounds_to_nearest(insn)) return false;
  sse_begin(e, at, singles_of(insn, single, 1));
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), d = sse_target(e, insn->rd);
  sse3(e, single ? SSE_F3 : SSE_F2, SSE_SQRT, d, a, a);
  sse_done(e, insn->rd, d, single ? SSE_SINGLE : SSE_DOUBLE);
  return true;
}

/* rd = +-(rs1 * rs2) +- rs3: vfmadd231sd and its relatives. Whether a NaN comes with NV is not the host's to
 * say. */
static bool multiply_add(struct emitter *e, const struct region_insn *at, unsigned opcode, bool single) {
  const struct insn *insn = &at->insn;
  if (!sse_rounds_to_nearest(insn) ||
      (!e->fhost[insn->rs1] && !e->fhost[insn->rs2] && insn->rs1 != insn->rs2))
    return false;
  sse_begin(e, at, singles_of(insn, single, 3));
  sljit_s32 c = sse_operand(e, insn->rs3, SLJIT_FR0);
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR1), b = sse_operand(e, insn->rs2, SLJIT_FR1);
  sse_move(e, SLJIT_FR0, c);
  sse_raw(e, SSE_0F38, SSE_66, !single, opcode, sse_index(SLJIT_FR0), sse_index(a), sse_index(b));
  sse2(e, single ? SSE_NONE : SSE_66, SSE_UCOMIS, SLJIT_FR0, SLJIT_FR0);
  sse_odd(e, sse_jump(e, SLJIT_UNORDERED));
  sse_done(e, insn->rd, SLJIT_FR0, single ? SSE_NO_NAN_SINGLE : SSE_NO_NAN_DOUBLE);
  return true;
}

/* R0 = 0 or 1 by the flags; eq must not hold when unordered, which sets ZF too. */
static void set_from_flags(struct emitter *e, uint8_t condition) {
  static const uint8_t ordered[] = {0x0f, 0x9b, 0xc2, 0x20, 0xd0}; /* setnp dl; and al, dl */
  static const uint8_t widen[] = {0x0f, 0xb6, 0xc0};               /* movzx eax, al */
  uint8_t set[] = {0x0f, condition, 0xc0};                         /* setcc al */
  sljit_emit_op_custom(e->c, set, sizeof set);
  if (condition == 0x94) {
    sljit_emit_op_custom(e->c, (void *)(uintptr_t)ordered, 3);
    sljit_emit_op_custom(e->c, (void *)(uintptr_t)(ordered + 3), 2);
  }
  sljit_emit_op_custom(e->c, (void *)(uintptr_t)widen, sizeof widen);
}

enum comparison {
  COMPARE_EQ = 0x94,
  COMPARE_LT = 0x97,
  COMPARE_LE = 0x93
}; /* sete; seta, setae of rs2 and rs1 */

/* feq raises NV for signalling NaNs only, as ucomis does; the others for any, as comis does. */
static bool compare(struct emitter *e, const struct region_insn *at, enum comparison how, bool single) {
  const struct insn *insn = &at->insn;
  sse_begin(e, at, singles_of(insn, single, 2));
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), b = sse_operand(e, insn->rs2, SLJIT_FR1);
  unsigned prefix = single ? SSE_NONE : SSE_66;
  if (how == COMPARE_EQ)
    sse2(e, prefix, SSE_UCOMIS, a, b);
  else
    sse2(e, prefix, SSE_COMIS, b, a);
  if (insn->rd) {
    set_from_flags(e, (uint8_t)how);
    op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R0));
  }
  resume(e);
  return true;
}

/* Ordered operands: either order of the host's minimum gives the same but for two zeros, where the signs are
 * OR-ed, for the maximum AND-ed. */
static bool extreme(struct emitter *e, const struct region_insn *at, unsigned opcode, bool single) {
  const struct insn *insn = &at->insn;
  sse_begin(e, at, singles_of(insn, single, 2));
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), b = sse_operand(e, insn->rs2, SLJIT_FR1);
  unsigned prefix = single ? SSE_F3 : SSE_F2;
  sse2(e, single ? SSE_NONE : SSE_66, SSE_UCOMIS, a, b);
  sse_odd(e, sse_jump(e, SLJIT_UNORDERED));
  sse3(e, prefix, opcode, SSE_TEMP, a, b);
  sse3(e, prefix, opcode, SLJIT_FR0, b, a);
  sse3(e, SSE_66, opcode == SSE_MIN ? SSE_OR : SSE_AND, SLJIT_FR0, SLJIT_FR0, SSE_TEMP);
  sse_done(e, insn->rd, SLJIT_FR0, single ? SSE_NO_NAN_SINGLE : SSE_NO_NAN_DOUBLE);
  return true;
}

/* The sign bit of the format in `d`. */
static void sign_mask(struct emitter *e, sljit_s32 d, bool single) {
  sse_ones(e, d);
  sse_shift(e, SSE_SHIFT_LEFT, d, 63);
  if (single) sse_shift(e, SSE_SHIFT_RIGHT, d, 32);
}

/* fsgnj 0, fsgnjn 'n', fsgnjx 'x', on the bits. */
static bool sign(struct emitter *e, const struct region_insn *at, char change, bool single) {
  const struct insn *insn = &at->insn;
  bool same = insn->rs1 == insn->rs2;
  sse_begin(e, at, singles_of(insn, single, 2));
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), b = same ? a : sse_operand(e, insn->rs2, SLJIT_FR1);
  sljit_s32 d = sse_target(e, insn->rd);
  if (same && !change) {
    sse_move(e, d, a);
  } else {
    sign_mask(e, SSE_TEMP, single);
    if (same) {
      sse3(e, SSE_66, change == 'n' ? SSE_XOR : SSE_ANDN, d, change == 'n' ? a : SSE_TEMP,
           change == 'n' ? SSE_TEMP : a);
    } else {
      if (change == 'n')
        sse3(e, SSE_66, SSE_ANDN, SLJIT_FR1, b, SSE_TEMP);
      else
        sse3(e, SSE_66, SSE_AND, SLJIT_FR1, b, SSE_TEMP);
      if (change != 'x') sse3(e, SSE_66, SSE_ANDN, SLJIT_FR0, SSE_TEMP, a);
      sse3(e, SSE_66, SSE_XOR, d, change == 'x' ? a : SLJIT_FR0, SLJIT_FR1);
    }
  }
  sse_done(e, insn->rd, d, single ? SSE_NO_NAN_SINGLE : SSE_NO_NAN_DOUBLE);
  return true;
}

#define BOTH_WIDTHS(name, call)                                                                              \
  case INSN_##name##_s: single = true; return call;                                                          \
  case INSN_##name##_d: return call

bool lower_sse(struct emitter *e, const struct region_insn *at) {
  bool single = false;
  switch (at->insn.id) {
    BOTH_WIDTHS(fadd, arithmetic(e, at, SSE_ADD, single));
    BOTH_WIDTHS(fsub, arithmetic(e, at, SSE_SUB, single));
    BOTH_WIDTHS(fmul, arithmetic(e, at, SSE_MUL, single));
    BOTH_WIDTHS(fdiv, arithmetic(e, at, SSE_DIV, single));
    BOTH_WIDTHS(fsqrt, root(e, at, single));
    BOTH_WIDTHS(fmadd, multiply_add(e, at, 0xb9, single));
    BOTH_WIDTHS(fmsub, multiply_add(e, at, 0xbb, single));
    BOTH_WIDTHS(fnmsub, multiply_add(e, at, 0xbd, single));
    BOTH_WIDTHS(fnmadd, multiply_add(e, at, 0xbf, single));
    BOTH_WIDTHS(feq, compare(e, at, COMPARE_EQ, single));
    BOTH_WIDTHS(flt, compare(e, at, COMPARE_LT, single));
    BOTH_WIDTHS(fle, compare(e, at, COMPARE_LE, single));
    BOTH_WIDTHS(fmin, extreme(e, at, SSE_MIN, single));
    BOTH_WIDTHS(fmax, extreme(e, at, SSE_MAX, single));
    BOTH_WIDTHS(fsgnj, sign(e, at, 0, single));
    BOTH_WIDTHS(fsgnjn, sign(e, at, 'n', single));
    BOTH_WIDTHS(fsgnjx, sign(e, at, 'x', single));
  default: return lower_sse_convert(e, at);
  }
}

#endif

/* Conversions, moves and the flags' CSRs on x86-64 hosts (jit/lower_sse.c says how the flags are kept). */
#include <string.h>

#include "hart/csr.h"
#include "jit/sse.h"

#if HOST_X86

enum { RM_RTZ = 1, RM_LAST = 4, RM_DYNAMIC = 7, SLOT = 8 }; /* SLOT of the frame: MXCSR */

static bool rounding_exists(const struct insn *insn) { return insn->rm <= RM_LAST || insn->rm == RM_DYNAMIC; }

/* An integer register to a float register by `opcode`, or back; `wide`: 64 bits of it. */
static void with_integer(struct emitter *e, bool single, bool wide, unsigned opcode, int d, int second,
                         int third) {
  sse_raw(e, SSE_0F, single ? SSE_F3 : SSE_F2, wide, opcode, d, second, third);
}

/* Words are exact as doubles, whatever the rounding mode. An unsigned 64-bit integer must be less than 2^63.
 */
static bool from_integer(struct emitter *e, const struct region_insn *at, sljit_s32 widen, bool is_unsigned,
                         bool single) {
  const struct insn *insn = &at->insn;
  bool exact = !single && widen != SLJIT_MOV;
  if (exact ? !rounding_exists(insn) : !sse_rounds_to_nearest(insn)) return false;
  sse_begin(e, at, 0);
  op1(e, widen, reg(SLJIT_R0), guest(e, insn->rs1));
  if (is_unsigned && widen == SLJIT_MOV) sse_odd(e, branch(e, SLJIT_SIG_LESS, reg(SLJIT_R0), imm(0)));
  sse_ones(e, SLJIT_FR0); /* the upper half of a single */
  sljit_s32 d = sse_target(e, insn->rd);
  with_integer(e, single, true, SSE_FROM_INT, sse_index(d), sse_index(SLJIT_FR0),
               sljit_get_register_index(SLJIT_GP_REGISTER, SLJIT_R0));
  sse_done(e, insn->rd, d, single ? SSE_NO_NAN_SINGLE : SSE_NO_NAN_DOUBLE);
  return true;
}

/* The host answers with the least integer, and IE alone, where it cannot. */
static bool to_signed(struct emitter *e, const struct region_insn *at, bool is_word, bool single) {
  static const uint8_t least[] = {0x48, 0x83, 0xf8, 1}; /* cmp rax, 1: overflows for the least only */
  const struct insn *insn = &at->insn;
  if (insn->rm != RM_RTZ && !sse_rounds_to_nearest(insn)) return false;
  sse_begin(e, at, single ? 1u << insn->rs1 : 0);
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0);
  with_integer(e, single, !is_word, insn->rm == RM_RTZ ? SSE_TO_INT_TRUNCATED : SSE_TO_INT,
               sljit_get_register_index(SLJIT_GP_REGISTER, SLJIT_R0), 0, sse_index(a));
  sljit_emit_op_custom(e->c, (void *)(uintptr_t)(least + is_word), sizeof least - is_word);
  sse_odd(e, sse_jump(e, SLJIT_OVERFLOW));
  if (insn->rd) set_guest(e, insn->rd, is_word ? SLJIT_MOV_S32 : SLJIT_MOV, reg(SLJIT_R0));
  if (!e->fast) resume_here(e);
  return true;
}

/* Truncation of what is neither negative nor too large, judged by the bits: the host must not raise PE for
 * others. */
static bool to_unsigned(struct emitter *e, const struct region_insn *at, bool is_word, bool single) {
  const struct insn *insn = &at->insn;
  if (insn->rm != RM_RTZ) return false;
  uint64_t limit = single ? (is_word ? 0x4f800000 : 0x5f000000) : (uint64_t)(is_word ? 0x41f : 0x43e) << 52;
  sse_begin(e, at, single ? 1u << insn->rs1 : 0);
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0);
  sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, a, SLJIT_R0);
  if (single) op1(e, SLJIT_MOV_U32, reg(SLJIT_R0), reg(SLJIT_R0));
  sse_odd(e, branch(e, SLJIT_GREATER_EQUAL, reg(SLJIT_R0), imm((int64_t)limit)));
  with_integer(e, single, true, SSE_TO_INT_TRUNCATED, sljit_get_register_index(SLJIT_GP_REGISTER, SLJIT_R0),
               0, sse_index(a));
  if (insn->rd) set_guest(e, insn->rd, is_word ? SLJIT_MOV_S32 : SLJIT_MOV, reg(SLJIT_R0));
  if (!e->fast) resume_here(e);
  return true;
}

static bool narrow(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  if (!sse_rounds_to_nearest(insn)) return false;
  sse_begin(e, at, 0);
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR1), d = sse_target(e, insn->rd);
  sse_ones(e, SLJIT_FR0);
  sse3(e, SSE_F2, SSE_OTHER_WIDTH, d, SLJIT_FR0, a);
  sse_done(e, insn->rd, d, SSE_SINGLE);
  return true;
}

static bool widen(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  if (!rounding_exists(insn)) return false;
  sse_begin(e, at, 1u << insn->rs1);
  sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0), d = sse_target(e, insn->rd);
  sse3(e, SSE_F3, SSE_OTHER_WIDTH, d, a, a);
  sse_done(e, insn->rd, d, SSE_DOUBLE);
  return true;
}

static bool move_to_x(struct emitter *e, const struct region_insn *at, bool single) {
  const struct insn *insn = &at->insn;
  sse_begin(e, at, 0);
  if (insn->rd) {
    sljit_s32 a = sse_operand(e, insn->rs1, SLJIT_FR0);
    sljit_emit_fcopy(e->c, SLJIT_COPY_FROM_F64, a, SLJIT_R0);
    set_guest(e, insn->rd, single ? SLJIT_MOV_S32 : SLJIT_MOV, reg(SLJIT_R0));
  }
  if (!e->fast) resume_here(e);
  return true;
}

static bool move_from_x(struct emitter *e, const struct region_insn *at, bool single) {
  const struct insn *insn = &at->insn;
  sse_begin(e, at, 0);
  sljit_s32 d = sse_target(e, insn->rd), from = in_register(e, insn->rs1, SLJIT_R0);
  if (single) {
    sse_ones(e, d);
    sse_insert_word(e, d, from);
  } else {
    sljit_emit_fcopy(e->c, SLJIT_COPY_TO_F64, d, from);
  }
  sse_done(e, insn->rd, d, single ? SSE_NO_NAN_SINGLE : SSE_NO_NAN_DOUBLE);
  return true;
}

/* R0 = flags MXCSR has gathered, as fflags; R1 is lost. */
static void gathered(struct emitter *e) {
  static const uint8_t stmxcsr[] = {0xc5, 0xf8, 0xae, 0x5c, 0x24, SLOT}; /* vstmxcsr [rsp + SLOT] */
  sljit_emit_op_custom(e->c, (void *)(uintptr_t)stmxcsr, sizeof stmxcsr);
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){SLJIT_MEM1(SLJIT_SP), SLOT});
  op2(e, SLJIT_AND, reg(SLJIT_R0), reg(SLJIT_R0), imm(sizeof float_flags - 1));
  op1(e, SLJIT_MOV, reg(SLJIT_R1), imm((sljit_sw)float_flags));
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){SLJIT_MEM2(SLJIT_R1, SLJIT_R0), 0});
  e->cached = -1;
}

/* hart->fflags = R1; MXCSR's own bits, in R0, may stay when they are among them. */
static void set_flags(struct emitter *e) {
  static const uint8_t ldmxcsr[] = {0xc5, 0xf8, 0xae, 0x54, 0x24, SLOT}; /* vldmxcsr [rsp + SLOT] */
  op1(e, SLJIT_MOV_U32, (struct operand){HART(fflags)}, reg(SLJIT_R1));
  op2(e, SLJIT_OR, reg(SLJIT_R0), reg(SLJIT_R0), reg(SLJIT_R1));
  struct sljit_jump *same = branch(e, SLJIT_EQUAL, reg(SLJIT_R0), reg(SLJIT_R1));
  op1(e, SLJIT_MOV_U32, (struct operand){SLJIT_MEM1(SLJIT_SP), SLOT}, imm(FLOAT_MXCSR));
  sljit_emit_op_custom(e->c, (void *)(uintptr_t)ldmxcsr, sizeof ldmxcsr);
  here(e, same);
}

/* frflags, frcsr: frm is zero while armed. */
static bool read_flags(struct emitter *e, const struct region_insn *at) {
  sse_begin(e, at, 0);
  if (at->insn.rd) {
    gathered(e);
    op1(e, SLJIT_MOV_U32, reg(SLJIT_R1), (struct operand){HART(fflags)});
    op2(e, SLJIT_OR, guest(e, at->insn.rd), reg(SLJIT_R0), reg(SLJIT_R1));
  }
  if (!e->fast) resume_here(e);
  return true;
}

/* fsflags and fsflagsi; rd, which gets the old flags, is x0 nearly always. */
static bool write_flags(struct emitter *e, const struct region_insn *at, bool immediate) {
  const struct insn *insn = &at->insn;
  if (insn->rd) return false;
  sse_begin(e, at, 0);
  gathered(e);
  if (immediate)
    op1(e, SLJIT_MOV, reg(SLJIT_R1), imm(insn->rs1));
  else
    op2(e, SLJIT_AND, reg(SLJIT_R1), guest(e, insn->rs1), imm(31));
  set_flags(e);
  if (!e->fast) resume_here(e);
  return true;
}

static bool flags_csr(struct emitter *e, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  bool reads = insn->id != INSN_csrrw && insn->id != INSN_csrrwi && !insn->rs1;
  if (insn->imm == CSR_fcsr) return reads && read_flags(e, at);
  if (insn->imm != CSR_fflags) return false;
  if (reads) return read_flags(e, at);
  if (insn->id == INSN_csrrw) return write_flags(e, at, false);
  return insn->id == INSN_csrrwi && write_flags(e, at, true);
}

#define BOTH_WIDTHS(name, call)                                                                              \
  case INSN_fcvt_s_##name: single = true; return call;                                                       \
  case INSN_fcvt_d_##name: return call

/* The other way. */
#define FROM_BOTH_WIDTHS(name, call)                                                                         \
  case INSN_fcvt_##name##_s: single = true; return call;                                                     \
  case INSN_fcvt_##name##_d: return call

bool lower_sse_convert(struct emitter *e, const struct region_insn *at) {
  bool single = false;
  switch (at->insn.id) {
    BOTH_WIDTHS(w, from_integer(e, at, SLJIT_MOV_S32, false, single));
    BOTH_WIDTHS(wu, from_integer(e, at, SLJIT_MOV_U32, true, single));
    BOTH_WIDTHS(l, from_integer(e, at, SLJIT_MOV, false, single));
    BOTH_WIDTHS(lu, from_integer(e, at, SLJIT_MOV, true, single));
    FROM_BOTH_WIDTHS(w, to_signed(e, at, true, single));
    FROM_BOTH_WIDTHS(l, to_signed(e, at, false, single));
    FROM_BOTH_WIDTHS(wu, to_unsigned(e, at, true, single));
    FROM_BOTH_WIDTHS(lu, to_unsigned(e, at, false, single));
  case INSN_fcvt_s_d: return narrow(e, at);
  case INSN_fcvt_d_s: return widen(e, at);
  case INSN_fmv_x_w: return move_to_x(e, at, true);
  case INSN_fmv_x_d: return move_to_x(e, at, false);
  case INSN_fmv_w_x: return move_from_x(e, at, true);
  case INSN_fmv_d_x: return move_from_x(e, at, false);
  case INSN_csrrw:
  case INSN_csrrs:
  case INSN_csrrc:
  case INSN_csrrwi:
  case INSN_csrrsi:
  case INSN_csrrci: return flags_csr(e, at);
  default: return false;
  }
}

#endif

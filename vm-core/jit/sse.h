/* Floating-point instructions of x86 that sljit does not have, in their three-operand AVX form: host
 * registers in, host registers out. Included by the lower_sse files only. */
#ifndef JIT_SSE_H
#define JIT_SSE_H

#include "jit/emit.h"

#if HOST_X86

enum sse_prefix { SSE_NONE, SSE_66, SSE_F3, SSE_F2 }; /* packed single, packed double, single, double */
enum sse_map { SSE_0F = 1, SSE_0F38 = 2, SSE_0F3A = 3 };
enum sse_opcode {
  SSE_MOVAP = 0x28,
  SSE_FROM_INT = 0x2a,
  SSE_TO_INT_TRUNCATED = 0x2c,
  SSE_TO_INT = 0x2d,
  SSE_UCOMIS = 0x2e,
  SSE_COMIS = 0x2f,
  SSE_SQRT = 0x51,
  SSE_AND = 0x54,
  SSE_ANDN = 0x55, /* not second, and third */
  SSE_OR = 0x56,
  SSE_XOR = 0x57,
  SSE_ADD = 0x58,
  SSE_MUL = 0x59,
  SSE_OTHER_WIDTH = 0x5a,
  SSE_SUB = 0x5c,
  SSE_MIN = 0x5d,
  SSE_DIV = 0x5e,
  SSE_MAX = 0x5f,
  SSE_SHIFT = 0x73, /* of 64-bit lanes; the operation is in the register field */
  SSE_ALL_ONES = 0x76,
};
enum { SSE_SHIFT_RIGHT = 2, SSE_SHIFT_LEFT = 6 };

/* A third temporary beside FR0 and FR1: sljit's own between its instructions. */
enum { SSE_TEMP = -1, SSE_TEMP_INDEX = 4 };

static inline sljit_s32 sse_index(sljit_s32 freg) {
  if (freg == SSE_TEMP) return SSE_TEMP_INDEX;
  return sljit_get_register_index(SLJIT_FLOAT_REGISTER, freg);
}

/* The instruction with the register numbers of the encoding: d, second (0: none) and third operand. */
static inline void sse_raw(struct emitter *e, unsigned map, unsigned prefix, bool wide, unsigned opcode,
                           int d, int second, int third) {
  uint8_t code[5] = {0xc4, (uint8_t)((d < 8 ? 0x80 : 0) | 0x40 | (third < 8 ? 0x20 : 0) | (int)map),
                     (uint8_t)((wide ? 0x80 : 0) | (~second & 15) << 3 | (int)prefix), (uint8_t)opcode,
                     (uint8_t)(0xc0 | (d & 7) << 3 | (third & 7))};
  sljit_emit_op_custom(e->c, code, sizeof code);
}

/* d = second op third */
static inline void sse3(struct emitter *e, unsigned prefix, unsigned opcode, sljit_s32 d, sljit_s32 second,
                        sljit_s32 third) {
  sse_raw(e, SSE_0F, prefix, false, opcode, sse_index(d), sse_index(second), sse_index(third));
}

/* d = op from, or flags = d compared with from */
static inline void sse2(struct emitter *e, unsigned prefix, unsigned opcode, sljit_s32 d, sljit_s32 from) {
  sse_raw(e, SSE_0F, prefix, false, opcode, sse_index(d), 0, sse_index(from));
}

/* The whole register, without waiting for what it held. */
static inline void sse_move(struct emitter *e, sljit_s32 d, sljit_s32 from) {
  if (d != from) sse2(e, SSE_66, SSE_MOVAP, d, from);
}

static inline void sse_ones(struct emitter *e, sljit_s32 d) { sse3(e, SSE_66, SSE_ALL_ONES, d, d, d); }

static inline void sse_shift(struct emitter *e, unsigned operation, sljit_s32 d, uint8_t by) {
  int r = sse_index(d);
  uint8_t code[6] = {
      0xc4,      (uint8_t)(0xc0 | (r < 8 ? 0x20 : 0) | SSE_0F), (uint8_t)((~r & 15) << 3 | SSE_66),
      SSE_SHIFT, (uint8_t)(0xc0 | operation << 3 | (r & 7)),    by};
  sljit_emit_op_custom(e->c, code, sizeof code);
}

/* vpinsrd: the low 32 bits of d from an integer register; the rest of it stays. */
static inline void sse_insert_word(struct emitter *e, sljit_s32 d, sljit_s32 gp) {
  int r = sse_index(d), g = sljit_get_register_index(SLJIT_GP_REGISTER, gp);
  uint8_t code[6] = {0xc4,
                     (uint8_t)((r < 8 ? 0x80 : 0) | 0x40 | (g < 8 ? 0x20 : 0) | SSE_0F3A),
                     (uint8_t)((~r & 15) << 3 | SSE_66),
                     0x22,
                     (uint8_t)(0xc0 | (r & 7) << 3 | (g & 7)),
                     0};
  sljit_emit_op_custom(e->c, code, sizeof code);
}

/* Jump on flags that an instruction of ours has set. */
static inline struct sljit_jump *sse_jump(struct emitter *e, sljit_s32 type) {
  sljit_set_current_flags(e->c, SLJIT_SET_Z | SLJIT_CURRENT_FLAGS_SUB | SLJIT_CURRENT_FLAGS_COMPARE);
  return sljit_emit_jump(e->c, type);
}

/* jit/lower_sse_convert.c */
bool lower_sse_convert(struct emitter *e, const struct region_insn *at);

/* What every file of them needs, in jit/lower_sse.c.
 *
 * sse_begin: leave to the op function what cannot be done inline: the host's unit is not armed, or one of
 * the f registers of `singles` (bits) does not hold a NaN-boxed single.
 * sse_odd: leave it when `odd` is taken too; rd is not written yet.
 * sse_operand: host register that holds f, or `temp`.
 * sse_done: the result is in `from`, sse_target's register; a NaN in it is made canonical. */
void sse_begin(struct emitter *e, const struct region_insn *at, uint32_t singles);
void sse_odd(struct emitter *e, struct sljit_jump *odd);
sljit_s32 sse_operand(struct emitter *e, unsigned f, sljit_s32 temp);
sljit_s32 sse_target(const struct emitter *e, unsigned rd);
enum sse_result { SSE_DOUBLE, SSE_SINGLE, SSE_NO_NAN_DOUBLE, SSE_NO_NAN_SINGLE };
void sse_done(struct emitter *e, unsigned rd, sljit_s32 from, enum sse_result kind);
bool sse_rounds_to_nearest(const struct insn *insn);

#endif
#endif

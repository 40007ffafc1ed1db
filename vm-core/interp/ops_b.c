/* Bit manipulation Zba, Zbb, Zbc, Zbs and conditional zeroing Zicond. */
#include "interp/ops.h"

ALU(add_uw, (uint64_t)(uint32_t)RS1 + RS2);
ALU(slli_uw, (uint64_t)(uint32_t)RS1 << op->imm);
ALU(sh1add, (RS1 << 1) + RS2);
ALU(sh2add, (RS1 << 2) + RS2);
ALU(sh3add, (RS1 << 3) + RS2);
ALU(sh1add_uw, ((uint64_t)(uint32_t)RS1 << 1) + RS2);
ALU(sh2add_uw, ((uint64_t)(uint32_t)RS1 << 2) + RS2);
ALU(sh3add_uw, ((uint64_t)(uint32_t)RS1 << 3) + RS2);

static uint64_t rotate_right(uint64_t a, unsigned n) { return a >> (n & 63) | a << (-n & 63); }
static uint64_t rotate_right_word(uint32_t a, unsigned n) { return word(a >> (n & 31) | a << (-n & 31)); }

/* 0xff for every byte that is not zero. */
static uint64_t or_combine(uint64_t a) {
  uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
  uint64_t nonzero = (((a & low) + low) | a) & ~low;
  return (nonzero >> 7) * 0xff;
}

ALU(andn, RS1 & ~RS2);
ALU(orn, RS1 | ~RS2);
ALU(xnor, ~(RS1 ^ RS2));
ALU(clz, RS1 ? __builtin_clzll(RS1) : 64);
ALU(ctz, RS1 ? __builtin_ctzll(RS1) : 64);
ALU(cpop, __builtin_popcountll(RS1));
ALU(clzw, (uint32_t)RS1 ? __builtin_clz((uint32_t)RS1) : 32);
ALU(ctzw, (uint32_t)RS1 ? __builtin_ctz((uint32_t)RS1) : 32);
ALU(cpopw, __builtin_popcount((uint32_t)RS1));
ALU(sext_b, (int64_t)(int8_t)RS1);
ALU(sext_h, (int64_t)(int16_t)RS1);
ALU(zext_h, (uint16_t)RS1);
ALU(orc_b, or_combine(RS1));
ALU(rev8, __builtin_bswap64(RS1));
ALU(min, (int64_t)RS1 < (int64_t)RS2 ? RS1 : RS2);
ALU(minu, RS1 < RS2 ? RS1 : RS2);
ALU(max, (int64_t)RS1 > (int64_t)RS2 ? RS1 : RS2);
ALU(maxu, RS1 > RS2 ? RS1 : RS2);
ALU(rol, rotate_right(RS1, -(unsigned)RS2));
ALU(ror, rotate_right(RS1, (unsigned)RS2));
ALU(rori, rotate_right(RS1, (unsigned)op->imm));
ALU(rolw, rotate_right_word((uint32_t)RS1, -(unsigned)RS2));
ALU(rorw, rotate_right_word((uint32_t)RS1, (unsigned)RS2));
ALU(roriw, rotate_right_word((uint32_t)RS1, (unsigned)op->imm));

static uint64_t carryless(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (unsigned i = 0; i < 64; i++) product ^= (b >> i & 1) ? a << i : 0;
  return product;
}
static uint64_t carryless_high(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (unsigned i = 1; i < 64; i++) product ^= (b >> i & 1) ? a >> (64 - i) : 0;
  return product;
}
static uint64_t carryless_reversed(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (unsigned i = 0; i < 64; i++) product ^= (b >> i & 1) ? a >> (63 - i) : 0;
  return product;
}

ALU(clmul, carryless(RS1, RS2));
ALU(clmulh, carryless_high(RS1, RS2));
ALU(clmulr, carryless_reversed(RS1, RS2));

ALU(bclr, RS1 & ~BIT(RS2 & 63));
ALU(bclri, RS1 & ~BIT(op->imm));
ALU(bext, RS1 >> (RS2 & 63) & 1);
ALU(bexti, RS1 >> op->imm & 1);
ALU(binv, RS1 ^ BIT(RS2 & 63));
ALU(binvi, RS1 ^ BIT(op->imm));
ALU(bset, RS1 | BIT(RS2 & 63));
ALU(bseti, RS1 | BIT(op->imm));

ALU(czero_eqz, RS2 ? RS1 : 0);
ALU(czero_nez, RS2 ? 0 : RS1);

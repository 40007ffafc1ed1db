/* M: multiplication and division. Division by zero and overflow give the results of the manual's table, no
 * exception. */
#include "interp/ops.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

static uint64_t div64(uint64_t a, uint64_t b) {
  if (!b) return UINT64_MAX;
  if ((int64_t)b == -1) return 0 - a;
  return (uint64_t)((int64_t)a / (int64_t)b);
}
static uint64_t rem64(uint64_t a, uint64_t b) {
  if (!b) return a;
  if ((int64_t)b == -1) return 0;
  return (uint64_t)((int64_t)a % (int64_t)b);
}
static uint64_t div32(uint32_t a, uint32_t b) {
  if (!b) return UINT64_MAX;
  if ((int32_t)b == -1) return word(0 - a);
  return word((uint32_t)((int32_t)a / (int32_t)b));
}
static uint64_t rem32(uint32_t a, uint32_t b) {
  if (!b) return word(a);
  if ((int32_t)b == -1) return 0;
  return word((uint32_t)((int32_t)a % (int32_t)b));
}

ALU(mul, RS1 *RS2);
ALU(mulh, (u128)((i128)(int64_t)RS1 *(int64_t)RS2) >> 64);
ALU(mulhsu, (u128)((i128)(int64_t)RS1 *(i128)(u128)RS2) >> 64);
ALU(mulhu, (u128)RS1 *RS2 >> 64);
ALU(div, div64(RS1, RS2));
ALU(divu, RS2 ? RS1 / RS2 : UINT64_MAX);
ALU(rem, rem64(RS1, RS2));
ALU(remu, RS2 ? RS1 % RS2 : RS1);
ALU(mulw, word(RS1 *RS2));
ALU(divw, div32((uint32_t)RS1, (uint32_t)RS2));
ALU(divuw, (uint32_t)RS2 ? word((uint32_t)RS1 / (uint32_t)RS2) : UINT64_MAX);
ALU(remw, rem32((uint32_t)RS1, (uint32_t)RS2));
ALU(remuw, word((uint32_t)RS2 ? (uint32_t)RS1 % (uint32_t)RS2 : (uint32_t)RS1));

/* Compressed instructions of RV64GC (C 2.0 with F and D) as the 32-bit instructions they are short for. */
#include "isa/insn.h"

#include "base/bits.h"

enum opcode {
  OP_LOAD = 0x03,
  OP_LOAD_FP = 0x07,
  OP_IMM = 0x13,
  OP_IMM_32 = 0x1b,
  OP_STORE = 0x23,
  OP_STORE_FP = 0x27,
  OP_OP = 0x33,
  OP_LUI = 0x37,
  OP_OP_32 = 0x3b,
  OP_BRANCH = 0x63,
  OP_JALR = 0x67,
  OP_JAL = 0x6f,
  WORD_EBREAK = 0x00100073,
};

static uint32_t i_type(unsigned op, unsigned funct3, unsigned rd, unsigned rs1, int64_t imm) {
  return op | rd << 7 | funct3 << 12 | rs1 << 15 | (uint32_t)(imm & 0xfff) << 20;
}
static uint32_t s_type(unsigned op, unsigned funct3, unsigned rs1, unsigned rs2, uint32_t imm) {
  return op | (imm & 31) << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | (imm >> 5 & 0x7f) << 25;
}
static uint32_t r_type(unsigned op, unsigned funct3, unsigned funct7, unsigned rd, unsigned rs1,
                       unsigned rs2) {
  return op | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | funct7 << 25;
}

static unsigned field(uint16_t p, unsigned hi, unsigned lo) { return (unsigned)bits(p, hi, lo); }
static unsigned reg_high(uint16_t p) { return 8 + field(p, 9, 7); } /* rs1' or rd' in bits 9:7 */
static unsigned reg_low(uint16_t p) { return 8 + field(p, 4, 2); }  /* rs2' or rd' in bits 4:2 */
static int64_t imm6(uint16_t p) { return sext(field(p, 12, 12) << 5 | field(p, 6, 2), 6); }
static unsigned offset_w(uint16_t p) {
  return field(p, 12, 10) << 3 | field(p, 6, 6) << 2 | field(p, 5, 5) << 6;
}
static unsigned offset_d(uint16_t p) { return field(p, 12, 10) << 3 | field(p, 6, 5) << 6; }

static uint32_t quadrant0(uint16_t p) {
  unsigned base = reg_high(p), data = reg_low(p);
  switch (field(p, 15, 13)) {
  case 0: { /* c.addi4spn */
    unsigned imm = field(p, 10, 7) << 6 | field(p, 12, 11) << 4 | field(p, 5, 5) << 3 | field(p, 6, 6) << 2;
    return imm ? i_type(OP_IMM, 0, data, 2, imm) : 0;
  }
  case 1: return i_type(OP_LOAD_FP, 3, data, base, offset_d(p));  /* c.fld */
  case 2: return i_type(OP_LOAD, 2, data, base, offset_w(p));     /* c.lw */
  case 3: return i_type(OP_LOAD, 3, data, base, offset_d(p));     /* c.ld */
  case 5: return s_type(OP_STORE_FP, 3, base, data, offset_d(p)); /* c.fsd */
  case 6: return s_type(OP_STORE, 2, base, data, offset_w(p));    /* c.sw */
  case 7: return s_type(OP_STORE, 3, base, data, offset_d(p));    /* c.sd */
  default: return 0;
  }
}

static uint32_t c_arithmetic(uint16_t p) {
  unsigned rd = reg_high(p), rs2 = reg_low(p), shamt = field(p, 12, 12) << 5 | field(p, 6, 2);
  static const uint8_t funct3[4] = {0, 4, 6, 7}; /* sub xor or and */
  switch (field(p, 11, 10)) {
  case 0: return i_type(OP_IMM, 5, rd, rd, shamt);         /* c.srli */
  case 1: return i_type(OP_IMM, 5, rd, rd, 0x400 | shamt); /* c.srai */
  case 2: return i_type(OP_IMM, 7, rd, rd, imm6(p));       /* c.andi */
  default: break;
  }
  unsigned which = field(p, 6, 5);
  if (!field(p, 12, 12)) return r_type(OP_OP, funct3[which], which ? 0 : 0x20, rd, rd, rs2);
  if (which > 1) return 0;
  return r_type(OP_OP_32, 0, which ? 0 : 0x20, rd, rd, rs2); /* c.subw c.addw */
}

static uint32_t c_jump(uint16_t p) {
  uint32_t imm = field(p, 12, 12) << 11 | field(p, 11, 11) << 4 | field(p, 10, 9) << 8 |
                 field(p, 8, 8) << 10 | field(p, 7, 7) << 6 | field(p, 6, 6) << 7 | field(p, 5, 3) << 1 |
                 field(p, 2, 2) << 5;
  uint32_t s = (uint32_t)sext(imm, 12);
  return OP_JAL | (s >> 12 & 0xff) << 12 | (s >> 11 & 1) << 20 | (s >> 1 & 0x3ff) << 21 | (s >> 20 & 1) << 31;
}

static uint32_t c_branch(uint16_t p, unsigned funct3) {
  uint32_t imm = field(p, 12, 12) << 8 | field(p, 11, 10) << 3 | field(p, 6, 5) << 6 | field(p, 4, 3) << 1 |
                 field(p, 2, 2) << 5;
  uint32_t s = (uint32_t)sext(imm, 9);
  return OP_BRANCH | (s >> 11 & 1) << 7 | (s >> 1 & 0xf) << 8 | funct3 << 12 | reg_high(p) << 15 |
         (s >> 5 & 0x3f) << 25 | (s >> 12 & 1) << 31;
}

static uint32_t c_lui(uint16_t p) {
  unsigned rd = field(p, 11, 7);
  if (rd == 2) { /* c.addi16sp */
    int64_t imm = sext(field(p, 12, 12) << 9 | field(p, 4, 3) << 7 | field(p, 5, 5) << 6 |
                           field(p, 2, 2) << 5 | field(p, 6, 6) << 4,
                       10);
    return imm ? i_type(OP_IMM, 0, 2, 2, imm) : 0;
  }
  int64_t imm = imm6(p);
  return imm ? OP_LUI | rd << 7 | (uint32_t)imm << 12 : 0;
}

static uint32_t quadrant1(uint16_t p) {
  unsigned rd = field(p, 11, 7);
  switch (field(p, 15, 13)) {
  case 0: return i_type(OP_IMM, 0, rd, rd, imm6(p));             /* c.addi, c.nop */
  case 1: return rd ? i_type(OP_IMM_32, 0, rd, rd, imm6(p)) : 0; /* c.addiw */
  case 2: return i_type(OP_IMM, 0, rd, 0, imm6(p));              /* c.li */
  case 3: return c_lui(p);
  case 4: return c_arithmetic(p);
  case 5: return c_jump(p);
  case 6: return c_branch(p, 0);  /* c.beqz */
  default: return c_branch(p, 1); /* c.bnez */
  }
}

static uint32_t c_jr_mv_add(uint16_t p) {
  unsigned rd = field(p, 11, 7), rs2 = field(p, 6, 2);
  if (!field(p, 12, 12)) {
    if (rs2) return r_type(OP_OP, 0, 0, rd, 0, rs2); /* c.mv */
    return rd ? i_type(OP_JALR, 0, 0, rd, 0) : 0;    /* c.jr */
  }
  if (rs2) return r_type(OP_OP, 0, 0, rd, rd, rs2);       /* c.add */
  return rd ? i_type(OP_JALR, 0, 1, rd, 0) : WORD_EBREAK; /* c.jalr, c.ebreak */
}

static uint32_t quadrant2(uint16_t p) {
  unsigned rd = field(p, 11, 7), rs2 = field(p, 6, 2);
  unsigned load_w = field(p, 12, 12) << 5 | field(p, 6, 4) << 2 | field(p, 3, 2) << 6;
  unsigned load_d = field(p, 12, 12) << 5 | field(p, 6, 5) << 3 | field(p, 4, 2) << 6;
  unsigned store_w = field(p, 12, 9) << 2 | field(p, 8, 7) << 6;
  unsigned store_d = field(p, 12, 10) << 3 | field(p, 9, 7) << 6;
  switch (field(p, 15, 13)) {
  case 0: return i_type(OP_IMM, 1, rd, rd, field(p, 12, 12) << 5 | rs2); /* c.slli */
  case 1: return i_type(OP_LOAD_FP, 3, rd, 2, load_d);                   /* c.fldsp */
  case 2: return rd ? i_type(OP_LOAD, 2, rd, 2, load_w) : 0;             /* c.lwsp */
  case 3: return rd ? i_type(OP_LOAD, 3, rd, 2, load_d) : 0;             /* c.ldsp */
  case 4: return c_jr_mv_add(p);
  case 5: return s_type(OP_STORE_FP, 3, 2, rs2, store_d); /* c.fsdsp */
  case 6: return s_type(OP_STORE, 2, 2, rs2, store_w);    /* c.swsp */
  default: return s_type(OP_STORE, 3, 2, rs2, store_d);   /* c.sdsp */
  }
}

uint32_t rvc_expand(uint16_t parcel) {
  switch (parcel & 3) {
  case 0: return quadrant0(parcel);
  case 1: return quadrant1(parcel);
  case 2: return quadrant2(parcel);
  default: return 0;
  }
}

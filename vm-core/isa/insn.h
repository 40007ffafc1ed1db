/* Decoded instructions. The table isa/insn.def is the one truth for match, mask, format and flags. */
#ifndef ISA_INSN_H
#define ISA_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum insn_id {
#define INSN(name, match, mask, format, extension, flags) INSN_##name,
#include "isa/insn.def"
#undef INSN
  INSN_ILLEGAL, /* no row matches */
  INSN_COUNT = INSN_ILLEGAL,
};

/* Operands of a row. x: integer register, f: floating-point register. */
enum insn_format {
  FORMAT_R,      /* x rd, x rs1, x rs2 */
  FORMAT_R1,     /* x rd, x rs1 */
  FORMAT_I,      /* x rd, x rs1, imm 11:0 */
  FORMAT_L,      /* x rd, imm(x rs1) */
  FORMAT_S,      /* x rs2, imm(x rs1) */
  FORMAT_B,      /* x rs1, x rs2, pc-relative imm */
  FORMAT_U,      /* x rd, imm 31:12 */
  FORMAT_J,      /* x rd, pc-relative imm */
  FORMAT_SH6,    /* x rd, x rs1, shamt 5:0 */
  FORMAT_SH5,    /* x rd, x rs1, shamt 4:0 */
  FORMAT_CSR,    /* x rd, csr, x rs1 */
  FORMAT_CSRI,   /* x rd, csr, uimm in rs1 */
  FORMAT_LR,     /* x rd, (x rs1) */
  FORMAT_AMO,    /* x rd, x rs2, (x rs1) */
  FORMAT_FENCE,  /* imm = pred, succ and fm bits */
  FORMAT_NONE,   /* nothing */
  FORMAT_SFENCE, /* x rs1, x rs2 */
  FORMAT_CBO,    /* (x rs1) */
  FORMAT_FL,     /* f rd, imm(x rs1) */
  FORMAT_FS,     /* f rs2, imm(x rs1) */
  FORMAT_FR,     /* f rd, f rs1, f rs2 */
  FORMAT_FRM,    /* f rd, f rs1, f rs2, rm */
  FORMAT_FRM1,   /* f rd, f rs1, rm */
  FORMAT_FR4,    /* f rd, f rs1, f rs2, f rs3, rm */
  FORMAT_FCMP,   /* x rd, f rs1, f rs2 */
  FORMAT_FTOX,   /* x rd, f rs1 */
  FORMAT_FTOXRM, /* x rd, f rs1, rm */
  FORMAT_XTOF,   /* f rd, x rs1 */
  FORMAT_XTOFRM, /* f rd, x rs1, rm */
};

enum insn_flags { INSN_END = 1, INSN_LOAD = 2, INSN_STORE = 4, INSN_FP = 8, INSN_SYSTEM = 16 };

struct insn_row {
  const char *name;
  uint32_t match, mask;
  uint8_t format, flags;
  const char *extension;
};

extern const struct insn_row insn_table[INSN_COUNT];

struct insn {
  uint16_t id;    /* enum insn_id */
  uint8_t length; /* 2 or 4 bytes */
  uint8_t rd, rs1, rs2, rs3, rm;
  int64_t imm;  /* sign-extended; CSR number for CSR formats */
  uint32_t raw; /* the instruction's own bits, 16 or 32 of them: tval of an illegal instruction */
};

/* Rows by major opcode and funct3, in table order. Filled once by its owner (an engine, a test), read-only
 * afterwards. */
struct insn_index {
  uint16_t start[257]; /* rows of bucket b: row[start[b]] .. row[start[b + 1] - 1] */
  uint8_t row[1024];
};
void insn_index_init(struct insn_index *index);

/* Decode the instruction whose first 16 bits are the low half of `word`; the high half matters only when the
 * low two bits are 11. Never fails: unknown encodings give id INSN_ILLEGAL. */
struct insn insn_decode(const struct insn_index *index, uint32_t word);

/* The 32-bit instruction a compressed parcel stands for, 0 when it is reserved (RV64C with D). */
uint32_t rvc_expand(uint16_t parcel);

/* The mnemonic with its dots ("amoadd.w"), into buffer. */
void insn_mnemonic(char *buffer, unsigned size, unsigned id);

/* Text of a decoded instruction at pc into buffer, always terminated; returns the length snprintf would. */
int insn_disasm(char *buffer, unsigned size, const struct insn *insn, uint64_t pc);

#endif

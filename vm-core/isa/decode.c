#include "isa/insn.h"

#include "base/bits.h"

enum { END = INSN_END, LOAD = INSN_LOAD, STORE = INSN_STORE, FP = INSN_FP, SYSTEM = INSN_SYSTEM };

const struct insn_row insn_table[INSN_COUNT] = {
#define INSN(name, match, mask, format, extension, flags)                                                    \
  {#name, match, mask, FORMAT_##format, flags, #extension},
#include "isa/insn.def"
#undef INSN
};

_Static_assert(INSN_COUNT <= 256, "insn_index keeps row numbers in bytes");

static unsigned bucket_of(uint32_t word) { return (word >> 2 & 31) << 3 | (word >> 12 & 7); }

void insn_index_init(struct insn_index *index) {
  unsigned used = 0;
  for (unsigned bucket = 0; bucket < 256; bucket++) {
    index->start[bucket] = (uint16_t)used;
    uint32_t word = (bucket >> 3) << 2 | (bucket & 7) << 12 | 3;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
      uint32_t mask = insn_table[id].mask & 0x707f;
      bool belongs = (word & mask) == (insn_table[id].match & mask);
      if (belongs && used < sizeof index->row) index->row[used++] = (uint8_t)id;
    }
  }
  index->start[256] = (uint16_t)used;
}

static int64_t imm_i(uint32_t w) { return (int32_t)w >> 20; }
static int64_t imm_s(uint32_t w) { return (int64_t)((int32_t)w >> 25) * 32 + (w >> 7 & 31); }

static int64_t imm_b(uint32_t w) {
  uint32_t imm = (w >> 31) << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 0x3f) << 5 | (w >> 8 & 0xf) << 1;
  return sext(imm, 13);
}

static int64_t imm_j(uint32_t w) {
  uint32_t imm = (w >> 31) << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 | (w >> 21 & 0x3ff) << 1;
  return sext(imm, 21);
}

static int64_t immediate(unsigned format, uint32_t w) {
  switch (format) {
  case FORMAT_I:
  case FORMAT_L:
  case FORMAT_FL: return imm_i(w);
  case FORMAT_S:
  case FORMAT_FS: return imm_s(w);
  case FORMAT_B: return imm_b(w);
  case FORMAT_U: return (int32_t)(w & 0xfffff000);
  case FORMAT_J: return imm_j(w);
  case FORMAT_SH6: return w >> 20 & 63;
  case FORMAT_SH5: return w >> 20 & 31;
  case FORMAT_CSR:
  case FORMAT_CSRI:
  case FORMAT_FENCE: return w >> 20;
  default: return 0;
  }
}

struct insn insn_decode(const struct insn_index *index, uint32_t word) {
  bool compressed = (word & 3) != 3;
  uint32_t raw = compressed ? word & 0xffff : word;
  uint32_t w = compressed ? rvc_expand((uint16_t)word) : word;
  struct insn insn = {.id = INSN_ILLEGAL, .length = compressed ? 2 : 4, .raw = raw};
  if ((w & 3) != 3) return insn;
  unsigned bucket = bucket_of(w);
  for (unsigned i = index->start[bucket]; i < index->start[bucket + 1]; i++) {
    const struct insn_row *row = &insn_table[index->row[i]];
    if ((w & row->mask) != row->match) continue;
    insn.id = index->row[i];
    insn.rd = w >> 7 & 31;
    insn.rs1 = w >> 15 & 31;
    insn.rs2 = w >> 20 & 31;
    insn.rs3 = w >> 27 & 31;
    insn.rm = w >> 12 & 7;
    insn.imm = immediate(row->format, w);
    break;
  }
  return insn;
}

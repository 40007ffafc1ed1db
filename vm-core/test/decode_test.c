/* The decode table: no two rows overlap, every row decodes to itself, every compressed parcel is classified.
 */
#include "isa/csr.h"
#include "isa/insn.h"
#include "test/rig.h"

/* Two rows overlap when some word matches both: their matches agree where both masks look. */
static void test_overlap(struct rig *t) {
  for (unsigned a = 0; a < INSN_COUNT; a++) {
    const struct insn_row *ra = &insn_table[a];
    CHECK(t, !(ra->match & ~ra->mask), "%s: match has bits outside its mask", ra->name);
    CHECK(t, (ra->match & 3) == 3, "%s: not a 32-bit encoding", ra->name);
    for (unsigned b = a + 1; b < INSN_COUNT; b++) {
      const struct insn_row *rb = &insn_table[b];
      bool overlap = !((ra->match ^ rb->match) & ra->mask & rb->mask);
      CHECK(t, !overlap, "%s and %s overlap", ra->name, rb->name);
    }
  }
}

static void test_rows(struct rig *t, const struct insn_index *index) {
  uint64_t seed = 1;
  for (unsigned id = 0; id < INSN_COUNT; id++) {
    const struct insn_row *row = &insn_table[id];
    for (unsigned i = 0; i < 200; i++) {
      uint32_t word = row->match | ((uint32_t)rig_random(&seed) & ~row->mask);
      struct insn insn = insn_decode(index, word);
      CHECK(t, insn.id == id && insn.raw == word && insn.length == 4, "%08x is %s, decoded as %u", word,
            row->name, insn.id);
    }
  }
}

/* The index must agree with a search of the whole table, for words of every kind. */
static void test_index(struct rig *t, const struct insn_index *index) {
  uint64_t seed = 2;
  for (unsigned i = 0; i < 200000; i++) {
    uint32_t word = (uint32_t)rig_random(&seed) | 3;
    unsigned want = 0;
    while (want < INSN_COUNT && (word & insn_table[want].mask) != insn_table[want].match) want++;
    CHECK(t, insn_decode(index, word).id == want, "%08x", word);
  }
}

/* Reserved RV64C encodings, from the tables of the manual's chapter "C", independently of isa/rvc.c. */
static bool parcel_reserved(uint16_t p) {
  unsigned funct3 = p >> 13, rd = p >> 7 & 31, imm5 = p >> 2 & 31, bit12 = p >> 12 & 1;
  switch ((p & 3) << 3 | funct3) {
  case 0: return (p >> 5 & 0xff) == 0;                            /* c.addi4spn, and all zeros */
  case 4: return true;                                            /* quadrant 0, funct3 100 */
  case 8 + 1: return rd == 0;                                     /* c.addiw */
  case 8 + 3: return bit12 == 0 && imm5 == 0;                     /* c.lui, c.addi16sp */
  case 8 + 4: return bit12 && (p >> 10 & 3) == 3 && (p >> 6 & 1); /* behind c.subw and c.addw */
  case 16 + 2:
  case 16 + 3: return rd == 0;                        /* c.lwsp, c.ldsp */
  case 16 + 4: return !bit12 && imm5 == 0 && rd == 0; /* c.jr x0 */
  default: return false;
  }
}

static void test_parcels(struct rig *t, const struct insn_index *index) {
  for (uint32_t parcel = 0; parcel < 65536; parcel++) {
    if ((parcel & 3) == 3) {
      CHECK(t, rvc_expand((uint16_t)parcel) == 0, "%04x is no parcel", parcel);
      continue;
    }
    struct insn insn = insn_decode(index, parcel | 0xabcd0000);
    bool reserved = parcel_reserved((uint16_t)parcel);
    CHECK(t, (insn.id == INSN_ILLEGAL) == reserved, "%04x: decoded as %u, reserved %d", parcel, insn.id,
          reserved);
    CHECK(t, insn.length == 2 && insn.raw == parcel, "%04x: length or raw bits", parcel);
  }
}

struct text_case {
  uint32_t word;
  const char *text;
};

static const struct text_case texts[] = {
    {0x00150513, "addi a0, a0, 1"},
    {0xfe0598e3, "bne a1, zero, 0xff0"},
    {0x00c5b02f, "amoadd.d zero, a2, (a1)"},
    {0x0c0777af, "amoswap.d.missing"},
    {0x34011173, "csrrw sp, mscratch, sp"},
    {0x30047073, "csrrci zero, mstatus, 8"},
    {0x12000073, "sfence.vma zero, zero"},
    {0x02a58553, "fadd.d f10, f11, f10, rne"},
    {0x00008067, "jalr zero, ra, 0"},
    {0x8082, "jalr zero, ra, 0"},
    {0x1141, "addi sp, sp, -16"},
    {0x0000, "illegal 0x0"},
    {0x000017b7, "lui a5, 0x1"},
};

static void test_disasm(struct rig *t, const struct insn_index *index) {
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char text[64];
    struct insn insn = insn_decode(index, texts[i].word);
    if (strstr(texts[i].text, ".missing")) {
      CHECK(t, insn.id == INSN_ILLEGAL, "%08x must be illegal", texts[i].word);
      continue;
    }
    insn_disasm(text, sizeof text, &insn, 0x1000);
    CHECK(t, !strcmp(text, texts[i].text), "%08x: \"%s\", not \"%s\"", texts[i].word, text, texts[i].text);
  }
  CHECK(t, csr_name(0x300) && !strcmp(csr_name(0x300), "mstatus"), "csr_name(0x300)");
  CHECK(t, !csr_name(0x7ff), "csr_name(0x7ff)");
  for (unsigned number = 0; number < 0x1100; number++)
    CHECK(t, csr_exists(number) == (csr_name(number) != NULL), "csr_exists(0x%x)", number);
}

int main(void) {
  struct rig t = {0};
  struct insn_index index;
  insn_index_init(&index);
  test_overlap(&t);
  test_rows(&t, &index);
  test_index(&t, &index);
  test_parcels(&t, &index);
  test_disasm(&t, &index);
  return rig_finish(&t);
}

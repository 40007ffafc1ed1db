/* Address translation as a table: every combination of leaf bits, privilege, SUM, MXR, ADUE and access, in
 * Sv39 and Sv48 and at every leaf level, against a model written from the specification's steps. */
#include "test/rig.h"

enum { ROOT_PAGE = 16, DATA_OFFSET = 4 << 20 };

struct setting {
  unsigned mode, level, priv;
  bool sum, mxr, adue;
  uint64_t leaf; /* low 8 bits of the leaf */
  enum access access;
};

static uint64_t table_page(unsigned depth) { return RIG_BASE + (ROOT_PAGE + depth) * 4096; }

/* Page tables mapping va by a leaf at `level` to RAM; returns the leaf's address. */
static uint64_t map(struct rig *t, uint64_t va, const struct setting *s, uint64_t leaf_high) {
  unsigned top = s->mode == SATP_SV48 ? 3 : 2, depth = 0;
  uint64_t at = 0;
  for (unsigned level = top;; level--, depth++) {
    at = table_page(depth) + bits(va, 20 + 9 * level, 12 + 9 * level) * 8;
    if (level == s->level) break;
    rig_dword(t, at, table_page(depth + 1) >> 12 << 10 | PTE_V);
  }
  /* A superpage must be aligned: 2 MB and above start at the RAM's base rounded down. */
  uint64_t target = (RIG_BASE + DATA_OFFSET) & ~(BIT(12 + 9 * s->level) - 1);
  rig_dword(t, at, (target >> 12 << 10) | s->leaf | leaf_high);
  return at;
}

static void enter_mode(struct rig *t, const struct setting *s) {
  struct hart *hart = &t->hart;
  uint64_t status = hart->csr.mstatus & ~(MSTATUS_SUM | MSTATUS_MXR);
  if (s->sum) status |= MSTATUS_SUM;
  if (s->mxr) status |= MSTATUS_MXR;
  csr_write(hart, CSR_mstatus, status);
  csr_write(hart, CSR_menvcfg, s->adue ? ENVCFG_ADUE : 0);
  csr_write(hart, CSR_satp, (uint64_t)s->mode << 60 | table_page(0) >> 12);
  hart_set_priv(hart, s->priv);
  tlb_fence(hart, NULL, NULL);
}

/* Does the access go through? */
static bool model_allows(const struct setting *s) {
  uint64_t p = s->leaf;
  if (!(p & PTE_V) || (!(p & PTE_R) && (p & PTE_W))) return false;
  if (!(p & (PTE_R | PTE_X))) return false; /* a pointer at the last level, or to nothing */
  if (s->access == ACCESS_LOAD && !(p & PTE_R) && !(s->mxr && (p & PTE_X))) return false;
  if (s->access == ACCESS_STORE && !(p & PTE_W)) return false;
  if (s->access == ACCESS_FETCH && !(p & PTE_X)) return false;
  if (s->priv == PRIV_U && !(p & PTE_U)) return false;
  if (s->priv == PRIV_S && (p & PTE_U) && (s->access == ACCESS_FETCH || !s->sum)) return false;
  bool need_update = !(p & PTE_A) || (s->access == ACCESS_STORE && !(p & PTE_D));
  return s->adue || !need_update;
}

static bool do_access(struct hart *hart, enum access access, uint64_t va) {
  uint64_t gpa;
  hart->trap.raised = false;
  if (access == ACCESS_LOAD) return mem_load(hart, va, 4);
  if (access == ACCESS_STORE) return mem_store(hart, va, 4, 0x1234);
  return mem_fetch_address(hart, va, &gpa);
}

static const uint64_t page_fault[] = {CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE};

static void check_one(struct rig *t, const struct setting *s) {
  struct hart *hart = &t->hart;
  uint64_t va = UINT64_C(0x12345678) << 6 & ~UINT64_C(0xfff);
  va |= s->level ? (RIG_BASE + DATA_OFFSET) & (BIT(12 + 9 * s->level) - 1) & PAGE_MASK : 0;
  if (s->level)
    va = (va & ~(BIT(12 + 9 * s->level) - 1)) | ((RIG_BASE + DATA_OFFSET) & (BIT(12 + 9 * s->level) - 1));
  va |= 0x120;
  uint64_t at = map(t, va, s, 0);
  enter_mode(t, s);
  bool want = model_allows(s);
  bool got = do_access(hart, s->access, va);
  uint64_t leaf = rig_read(t, at) & 0xff;
  CHECK(t, got == want,
        "mode %u level %u priv %u sum %d mxr %d adue %d leaf %02" PRIx64 " access %d: allowed %d", s->mode,
        s->level, s->priv, s->sum, s->mxr, s->adue, s->leaf, s->access, got);
  if (!got) {
    CHECK(t, hart->trap.cause == page_fault[s->access] && hart->trap.tval == va,
          "cause %" PRIu64 " tval %" PRIx64, hart->trap.cause, hart->trap.tval);
    CHECK(t, leaf == s->leaf, "a refused access changed the leaf");
  } else {
    uint64_t expected = s->leaf | PTE_A | (s->access == ACCESS_STORE ? PTE_D : 0);
    CHECK(t, leaf == expected, "leaf %02" PRIx64 " became %02" PRIx64, s->leaf, leaf);
    CHECK(t, do_access(hart, s->access, va), "the second access must hit");
  }
  hart->trap.raised = false;
}

static void test_table(struct rig *t) {
  static const unsigned modes[] = {SATP_SV39, SATP_SV48};
  for (unsigned bits_low = 0; bits_low < 256; bits_low++) {
    for (unsigned k = 0; k < 2 * 2 * 2 * 2 * 2 * 3; k++) {
      struct setting s = {.mode = modes[k & 1],
                          .priv = k >> 1 & 1,
                          .sum = k >> 2 & 1,
                          .mxr = k >> 3 & 1,
                          .adue = k >> 4 & 1,
                          .access = (enum access)(k >> 5),
                          .leaf = bits_low};
      unsigned levels = s.mode == SATP_SV48 ? 4 : 3;
      for (s.level = 0; s.level < levels; s.level++) {
        bool pointer = (s.leaf & PTE_V) && !(s.leaf & (PTE_R | PTE_W | PTE_X));
        if (s.level && pointer) continue;
        check_one(t, &s);
      }
    }
  }
}

/* Reserved and extension bits of a leaf, and non-canonical addresses. */
struct shape_case {
  const char *name;
  uint64_t high, menvcfg;
  unsigned level;
  bool allowed;
};

static void test_shapes(struct rig *t) {
  static const struct shape_case cases[] = {
      {"reserved bit 54", BIT(54), ENVCFG_ADUE, 0, false},
      {"reserved bit 60", BIT(60), ENVCFG_ADUE | ENVCFG_PBMTE, 0, false},
      {"PBMT off", BIT(61), ENVCFG_ADUE, 0, false},
      {"PBMT NC", BIT(61), ENVCFG_ADUE | ENVCFG_PBMTE, 0, true},
      {"PBMT IO", BIT(62), ENVCFG_ADUE | ENVCFG_PBMTE, 0, true},
      {"PBMT reserved", BIT(61) | BIT(62), ENVCFG_ADUE | ENVCFG_PBMTE, 0, false},
      {"NAPOT 64K", BIT(63) | UINT64_C(8) << 10, ENVCFG_ADUE, 0, true},
      {"NAPOT wrong size", BIT(63) | UINT64_C(4) << 10, ENVCFG_ADUE, 0, false},
      {"NAPOT superpage", BIT(63) | UINT64_C(8) << 10, ENVCFG_ADUE, 1, false},
      {"misaligned superpage", UINT64_C(1) << 10, ENVCFG_ADUE, 1, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct setting s = {
        .mode = SATP_SV39, .level = cases[i].level, .priv = PRIV_S, .adue = true, .leaf = 0xcf};
    uint64_t va = 0x40000120;
    map(t, va, &s, cases[i].high);
    enter_mode(t, &s);
    csr_write(&t->hart, CSR_menvcfg, cases[i].menvcfg);
    tlb_fence(&t->hart, NULL, NULL);
    bool got = do_access(&t->hart, ACCESS_LOAD, va);
    CHECK(t, got == cases[i].allowed, "%s: allowed %d", cases[i].name, got);
    CHECK(t, got || t->hart.trap.cause == CAUSE_LOAD_PAGE, "%s: cause %" PRIu64, cases[i].name,
          t->hart.trap.cause);
  }
  static const uint64_t outside[] = {UINT64_C(0x4000000000), UINT64_C(0x8000000000000000),
                                     UINT64_C(0xffffff8000000000) ^ BIT(62)};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    CHECK(t, !do_access(&t->hart, ACCESS_LOAD, outside[i]) && t->hart.trap.cause == CAUSE_LOAD_PAGE,
          "non-canonical %" PRIx64, outside[i]);
  }
}

/* sfence.vma by address and ASID, global pages, and superpages flushed through any of their addresses. */
static void test_fences(struct rig *t) {
  struct hart *hart = &t->hart;
  struct setting s = {.mode = SATP_SV39, .priv = PRIV_S, .adue = true, .leaf = 0xcf};
  uint64_t va = 0x40000120, other = va + 4096, asid = 5, wrong = 6;
  uint64_t at = map(t, va, &s, 0);
  enter_mode(t, &s);
  csr_write(hart, CSR_satp, (uint64_t)SATP_SV39 << 60 | asid << 44 | table_page(0) >> 12);
  CHECK(t, do_access(hart, ACCESS_LOAD, va), "mapped");
  rig_dword(t, at, 0);
  CHECK(t, do_access(hart, ACCESS_LOAD, va), "still cached");
  tlb_fence(hart, &other, NULL);
  tlb_fence(hart, &va, &wrong);
  tlb_fence(hart, NULL, &wrong);
  CHECK(t, do_access(hart, ACCESS_LOAD, va), "fences that do not cover the page leave it");
  tlb_fence(hart, &va, &asid);
  CHECK(t, !do_access(hart, ACCESS_LOAD, va), "flushed by address and ASID");
  rig_dword(t, at, (RIG_BASE + DATA_OFFSET) >> 12 << 10 | 0xcf | PTE_G);
  CHECK(t, do_access(hart, ACCESS_LOAD, va), "global page mapped");
  rig_dword(t, at, 0);
  tlb_fence(hart, &va, &asid);
  tlb_fence(hart, NULL, &asid);
  CHECK(t, do_access(hart, ACCESS_LOAD, va), "an ASID fence leaves global pages");
  tlb_fence(hart, &va, NULL);
  CHECK(t, !do_access(hart, ACCESS_LOAD, va), "flushed by address");
  s.level = 1;
  at = map(t, 0x40000000, &s, 0);
  uint64_t inside = 0x40000000 + 0x5000, elsewhere = 0x40000000 + 0x123000;
  CHECK(t, do_access(hart, ACCESS_LOAD, inside), "superpage mapped");
  rig_dword(t, at, 0);
  tlb_fence(hart, &elsewhere, NULL);
  CHECK(t, !do_access(hart, ACCESS_LOAD, inside), "any address of a superpage flushes it");
}

/* A misaligned access over a page boundary faults on the right page and changes nothing. */
static void test_across(struct rig *t) {
  struct hart *hart = &t->hart;
  struct setting s = {.mode = SATP_SV39, .priv = PRIV_S, .adue = true, .leaf = 0xcf};
  uint64_t va = 0x40000ffc;
  uint64_t at = map(t, va, &s, 0);
  enter_mode(t, &s);
  rig_dword(t, at + 8, 0);
  rig_dword(t, RIG_BASE + DATA_OFFSET + 0xff8, 0x1111111111111111);
  hart->trap.raised = false;
  CHECK(t, !mem_store(hart, va, 8, 0) && hart->trap.cause == CAUSE_STORE_PAGE && hart->trap.tval == va + 4,
        "tval %" PRIx64, hart->trap.tval);
  CHECK(t, rig_read(t, RIG_BASE + DATA_OFFSET + 0xff8) == 0x1111111111111111, "half a store was done");
  rig_dword(t, at + 8, (RIG_BASE + DATA_OFFSET + 0x1000) >> 12 << 10 | 0xcf);
  CHECK(t, mem_store(hart, va, 8, UINT64_C(0x8877665544332211)), "store over the boundary");
  CHECK(t, mem_load(hart, va, 8) && hart->load_value == UINT64_C(0x8877665544332211), "%" PRIx64,
        hart->load_value);
}

int main(void) {
  struct rig t;
  rig_init(&t, NULL);
  test_table(&t);
  test_shapes(&t);
  test_fences(&t);
  test_across(&t);
  rig_destroy(&t);
  return rig_finish(&t);
}

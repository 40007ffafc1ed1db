/* Physical memory protection: every address mode, permission, lock, priority and partial match. */
#include "test/rig.h"

enum { R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, LOCK = 0x80 };

static void clear(struct rig *t) {
  memset(t->hart.csr.pmpcfg, 0, sizeof t->hart.csr.pmpcfg); /* also undoes locks */
  for (unsigned i = 0; i < PMP_ENTRIES; i++) csr_write(&t->hart, CSR_pmpaddr0 + i, 0);
  csr_write(&t->hart, CSR_pmpcfg0, 0);
  csr_write(&t->hart, CSR_pmpcfg2, 0);
}

static void entry(struct rig *t, unsigned i, uint64_t address, uint8_t config) {
  unsigned csr = i < 8 ? CSR_pmpcfg0 : CSR_pmpcfg2, shift = 8 * (i & 7);
  csr_write(&t->hart, CSR_pmpaddr0 + i, address);
  uint64_t value = csr_read(&t->hart, csr) & ~(UINT64_C(0xff) << shift);
  csr_write(&t->hart, csr, value | (uint64_t)config << shift);
}

static uint64_t napot(uint64_t base, uint64_t size) { return base >> 2 | ((size >> 3) - 1); }

static bool allowed(struct rig *t, uint64_t gpa, unsigned size, enum access access, unsigned priv) {
  return pmp_allows(&t->hart, gpa, size, access, priv);
}

static void test_permissions(struct rig *t) {
  for (unsigned rwx = 0; rwx < 8; rwx++) {
    if ((rwx & 3) == W) continue;
    for (unsigned lock = 0; lock < 2; lock++) {
      clear(t);
      entry(t, 0, napot(RIG_BASE, 0x1000), (uint8_t)(NAPOT | rwx | (lock ? LOCK : 0)));
      static const uint8_t bit[] = {[ACCESS_LOAD] = R, [ACCESS_STORE] = W, [ACCESS_FETCH] = X};
      for (enum access access = ACCESS_LOAD; access <= ACCESS_FETCH; access++) {
        bool granted = rwx & bit[access];
        CHECK(t, allowed(t, RIG_BASE + 8, 4, access, PRIV_S) == granted, "S rwx %u access %d", rwx, access);
        CHECK(t, allowed(t, RIG_BASE + 8, 4, access, PRIV_U) == granted, "U rwx %u access %d", rwx, access);
        CHECK(t, allowed(t, RIG_BASE + 8, 4, access, PRIV_M) == (granted || !lock), "M rwx %u lock %u", rwx,
              lock);
        CHECK(t, !allowed(t, RIG_BASE + 0x1000, 4, access, PRIV_S), "no entry matches");
        CHECK(t, allowed(t, RIG_BASE + 0x1000, 4, access, PRIV_M), "no entry matches, M");
      }
    }
  }
}

struct range_case {
  const char *name;
  uint64_t previous, address;
  uint8_t mode;
  uint64_t first, last; /* inclusive bytes, within one page of RAM; first > last: empty */
};

static void test_ranges(struct rig *t) {
  const struct range_case cases[] = {
      {"NA4", 0, (RIG_BASE + 0x20) >> 2, NA4, 0x20, 0x23},
      {"NAPOT 8", 0, napot(RIG_BASE + 0x40, 8), NAPOT, 0x40, 0x47},
      {"NAPOT 64", 0, napot(RIG_BASE + 0x40, 64), NAPOT, 0x40, 0x7f},
      {"TOR", (RIG_BASE + 0x10) >> 2, (RIG_BASE + 0x30) >> 2, TOR, 0x10, 0x2f},
      {"TOR from zero", 0, (RIG_BASE + 0x30) >> 2, TOR, 0, 0x2f},
      {"TOR empty", (RIG_BASE + 0x30) >> 2, (RIG_BASE + 0x30) >> 2, TOR, 1, 0},
      {"TOR reversed", (RIG_BASE + 0x40) >> 2, (RIG_BASE + 0x30) >> 2, TOR, 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    clear(t);
    entry(t, 2, cases[i].previous, 0);
    entry(t, 3, cases[i].address, cases[i].mode | R);
    for (uint64_t offset = 0; offset < 0x90; offset++) {
      for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t last = offset + size - 1;
        bool inside = cases[i].first <= cases[i].last && offset >= cases[i].first && last <= cases[i].last;
        bool got = allowed(t, RIG_BASE + offset, size, ACCESS_LOAD, PRIV_S);
        CHECK(t, got == inside, "%s: offset %" PRIx64 " size %u", cases[i].name, offset, size);
      }
    }
  }
}

static void test_priority(struct rig *t) {
  clear(t);
  entry(t, 4, napot(RIG_BASE, 16), NAPOT);
  entry(t, 5, napot(RIG_BASE, 0x1000), NAPOT | R | W | X);
  CHECK(t, !allowed(t, RIG_BASE + 8, 8, ACCESS_LOAD, PRIV_S), "the lower entry decides");
  CHECK(t, allowed(t, RIG_BASE + 16, 8, ACCESS_LOAD, PRIV_S), "the higher entry behind it");
  CHECK(t, !allowed(t, RIG_BASE + 12, 8, ACCESS_LOAD, PRIV_M), "a partial match fails even in M");
}

static void test_locks(struct rig *t) {
  struct hart *hart = &t->hart;
  clear(t);
  entry(t, 1, 0x1000, 0);
  entry(t, 2, 0x2000, TOR | R | LOCK);
  csr_write(hart, CSR_pmpaddr2, 0x3000);
  CHECK(t, csr_read(hart, CSR_pmpaddr2) == 0x2000, "locked address");
  csr_write(hart, CSR_pmpaddr1, 0x1234);
  CHECK(t, csr_read(hart, CSR_pmpaddr1) == 0x1000, "the address below a locked TOR entry");
  csr_write(hart, CSR_pmpcfg0, 0);
  CHECK(t, (csr_read(hart, CSR_pmpcfg0) >> 16 & 0xff) == (TOR | R | LOCK), "locked configuration");
  clear(t);
  csr_write(hart, CSR_pmpcfg0, W);
  CHECK(t, csr_read(hart, CSR_pmpcfg0) == 0, "W without R is not kept");
}

/* Through the memory path: a page divided by PMP is checked access by access. */
static void test_divided_page(struct rig *t) {
  struct hart *hart = &t->hart;
  uint64_t page = RIG_BASE + 0x10000;
  clear(t);
  entry(t, 0, napot(page + 0x100, 8), NAPOT);
  entry(t, 1, napot(RIG_BASE, RIG_SIZE), NAPOT | R | W | X);
  hart_set_priv(hart, PRIV_S);
  CHECK(t, mem_load(hart, page, 8), "beside the forbidden bytes");
  CHECK(t, !mem_load(hart, page + 0x100, 4) && hart->trap.cause == CAUSE_LOAD_ACCESS, "forbidden load");
  CHECK(t, !mem_load(hart, page + 0xfc, 8) && hart->trap.tval == page + 0xfc, "half forbidden");
  CHECK(t, !mem_store(hart, page + 0x104, 1, 0) && hart->trap.cause == CAUSE_STORE_ACCESS, "forbidden store");
  uint64_t gpa;
  CHECK(t, !mem_fetch_address(hart, page + 0x100, &gpa) && hart->trap.cause == CAUSE_FETCH_ACCESS,
        "forbidden fetch");
  hart->trap.raised = false;
  hart_set_priv(hart, PRIV_M);
}

int main(void) {
  struct rig t;
  rig_init(&t, NULL);
  test_permissions(&t);
  test_ranges(&t);
  test_priority(&t);
  test_locks(&t);
  test_divided_page(&t);
  rig_destroy(&t);
  return rig_finish(&t);
}

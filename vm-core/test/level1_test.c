/* Level 1 of the software TLB against level 2: whatever is filled, switched, fenced, protected and dropped,
 * an entry that is still there says what level 2 says, and nothing that had to go is there. */
#include "test/rig.h"

/* Sv39 with leaves for SPACES address spaces of PAGES pages at VA; the even pages are global. */
enum { SPACES = 7, PAGES = 16, ROOTS = 16, FRAMES = 512 };
#define VA UINT64_C(0x40000000)

static uint64_t table(unsigned space, unsigned depth) {
  return RIG_BASE + (ROOTS + space * 3 + depth) * 4096;
}

/* Global pages are the same everywhere. */
static uint64_t frame(unsigned space, unsigned page) {
  return RIG_BASE + (FRAMES + (page % 2 ? space * PAGES : 0) + page) * 4096;
}

static void make_space(struct rig *t, unsigned space) {
  rig_dword(t, table(space, 0) + 8 * bits(VA, 38, 30), table(space, 1) >> 12 << 10 | PTE_V);
  rig_dword(t, table(space, 1) + 8 * bits(VA, 29, 21), table(space, 2) >> 12 << 10 | PTE_V);
  for (unsigned page = 0; page < PAGES; page++)
    rig_dword(t, table(space, 2) + 8 * page, frame(space, page) >> 12 << 10 | (page % 2 ? 0xcf : 0xef));
}

static void enter_space(struct rig *t, unsigned space) {
  csr_write(&t->hart, CSR_satp,
            (uint64_t)SATP_SV39 << 60 | (uint64_t)(space + 1) << 44 | table(space, 0) >> 12);
}

static void init(struct rig *t) {
  rig_init(t, NULL);
  csr_write(&t->hart, CSR_menvcfg, ENVCFG_ADUE);
  hart_set_priv(&t->hart, PRIV_S);
  for (unsigned space = 0; space < SPACES; space++) make_space(t, space);
  enter_space(t, 0);
}

static const struct tlb_entry *probe(struct rig *t, uint64_t va, bool write) {
  const struct tlb_set *set = t->hart.tlb_data;
  const struct tlb_entry *entry = write ? &set->write[tlb_index(va)] : &set->read[tlb_index(va)];
  return entry->tag == (va & PAGE_MASK) ? entry : NULL;
}

static const uint8_t *host_of(const struct rig *t, uint64_t gpa) { return t->ram + (gpa - RIG_BASE); }

static uint64_t page_va(unsigned page) { return VA + page * 4096; }

static void test_banks(struct rig *t) {
  for (unsigned space = 0; space < 2; space++) {
    enter_space(t, space);
    CHECK(t, !probe(t, page_va(1), false), "a new address space begins empty");
    mem_load(&t->hart, page_va(1), 8);
  }
  enter_space(t, 0);
  const struct tlb_entry *kept = probe(t, page_va(1), false);
  CHECK(t, kept && (uint8_t *)(page_va(1) + kept->addend) == host_of(t, frame(0, 1)), "kept over a switch");
  uint64_t asid = 2;
  tlb_fence(&t->hart, NULL, &asid);
  CHECK(t, probe(t, page_va(1), false), "another space's fence");
  enter_space(t, 1);
  CHECK(t, !probe(t, page_va(1), false), "a fence reaches a space that is not present");
  uint64_t va = page_va(1);
  tlb_fence(&t->hart, &va, NULL);
  enter_space(t, 0);
  mem_load(&t->hart, va, 8);
  enter_space(t, 1);
  tlb_fence(&t->hart, &va, NULL);
  enter_space(t, 0);
  CHECK(t, !probe(t, va, false), "so does one of a page");
}

/* The same page through many entries: other spaces, other addresses, other modes. */
static void test_protect(struct rig *t) {
  struct hart *hart = &t->hart;
  for (unsigned space = 0; space < 3; space++) {
    enter_space(t, space);
    CHECK(t, mem_store(hart, page_va(2), 8, space) && probe(t, page_va(2), true), "a writable entry");
  }
  CHECK(t, mem_store(hart, page_va(4), 8, 1), "a page with one writable entry");
  tlb_protect_page(hart, host_of(t, frame(0, 2)));
  for (unsigned space = 0; space < 3; space++) {
    enter_space(t, space);
    CHECK(t, !probe(t, page_va(2), true), "protected in every space");
  }
  CHECK(t, probe(t, page_va(4), true), "another page stays writable");
  tlb_protect_page(hart, host_of(t, frame(0, 4)));
  CHECK(t, !probe(t, page_va(4), true), "the one entry of a page");
}

/* More entries than are remembered one by one; without translation every page of RAM has one. */
static void test_many(struct rig *t) {
  struct hart *hart = &t->hart;
  csr_write(hart, CSR_satp, 0);
  for (unsigned i = 0; i < RIG_SIZE / PAGE_SIZE; i++)
    mem_store(hart, RIG_BASE + i * 4096ul, 8, rig_read(t, RIG_BASE + i * 4096ul));
  CHECK(t, probe(t, RIG_BASE, true) && probe(t, RIG_BASE + RIG_SIZE - 4096, true), "filled");
  tlb_protect_page(hart, host_of(t, RIG_BASE + 4096));
  CHECK(t, !probe(t, RIG_BASE + 4096, true) && probe(t, RIG_BASE + 8192, true), "one of many");
  tlb_drop_writable(hart);
  for (unsigned i = 0; i < RIG_SIZE / PAGE_SIZE; i++)
    CHECK(t, !probe(t, RIG_BASE + i * 4096ul, true), "page %u is still writable", i);
  enter_space(t, 0);
}

static void test_jumps(struct rig *t) {
  struct hart *hart = &t->hart;
  uint64_t va = page_va(6) + 0x120, gpa;
  struct code_page *page = (struct code_page *)t->ram; /* only compared */
  const struct tlb_jump *jump = &hart->tlb_exec->jumps[tlb_jump_index(va)];
  CHECK(t, mem_fetch_address(hart, va, &gpa), "executable");
  tlb_fill_code(hart, va, page);
  tlb_fill_jump(hart, va, t);
  CHECK(t, jump->tag == va && jump->native == t, "remembered");
  tlb_fill_code(hart, va + TLB_CODE_SIZE * 4096ul, page);
  CHECK(t, jump->tag != va, "a jump goes with its page's code entry");
  tlb_fill_code(hart, va, page);
  tlb_fill_jump(hart, va, t);
  tlb_fence(hart, &va, NULL);
  CHECK(t, jump->tag != va, "and with a fence");
}

/* Random life: every entry found must be what the page tables, which never change, say. */
static void test_random(struct rig *t) {
  struct hart *hart = &t->hart;
  uint64_t state = 1;
  unsigned space = 0, hits = 0;
  for (unsigned i = 0; i < 200000; i++) {
    uint64_t r = rig_random(&state), asid = 1 + (r >> 8) % SPACES;
    unsigned page = (unsigned)(r >> 16) % PAGES;
    uint64_t va = page_va(page) + (r >> 24) % 4096 / 8 * 8;
    bool write = r >> 40 & 1;
    switch (r % 64) {
    case 0: tlb_fence(hart, &va, r >> 50 & 1 ? &asid : NULL); break;
    case 1: tlb_fence(hart, NULL, r >> 50 & 3 ? &asid : NULL); break;
    case 2: tlb_drop_writable(hart); break;
    case 3: tlb_protect_page(hart, host_of(t, frame(space, page))); break;
    case 4:
    case 5:
    case 6: enter_space(t, space = (unsigned)asid - 1); break;
    default: break;
    }
    if (r >> 41 & 1)
      CHECK(t, mem_refill(hart, va, 8, write) == (probe(t, va, write) != NULL), "refill at %u", i);
    const struct tlb_entry *entry = probe(t, va, write);
    hits += entry != NULL;
    if (entry)
      CHECK(t, (uint8_t *)(va + entry->addend) == host_of(t, frame(space, page)) + va % 4096, "step %u", i);
    if (write)
      mem_store(hart, va, 8, i);
    else
      mem_load(hart, va, 8);
    CHECK(t, probe(t, va, write), "filled at %u", i);
  }
  CHECK(t, hits > 20000, "only %u hits", hits);
}

int main(void) {
  struct rig t;
  init(&t);
  test_banks(&t);
  test_protect(&t);
  test_many(&t);
  test_jumps(&t);
  test_random(&t);
  rig_destroy(&t);
  return rig_finish(&t);
}

/* Hostile programs: random code, CSR values and page tables. Two harts run each, one whole, one cut into
 * pieces with its derived state (level-1 TLB, decoded blocks) thrown away at random; they must agree on every
 * register and byte of RAM. With SANITIZE=1 this also looks for undefined behaviour. LINUXSQL_TEST_SCALE
 * multiplies the number of programs. */
#include "hart/state.h"
#include "interp/block.h"
#include "test/rig.h"

enum {
  PROGRAMS = 150,
  RUN_INSNS = 6000,
  CODE_WORDS = 3 << 10,     /* three pages of code */
  HANDLER_OFFSET = 0x10000, /* trap handlers, M then S */
  TABLE_OFFSET = 0x20000,   /* eight pages of page table */
  DATA_OFFSET = 0x40000,
};

/* Hart-visible state that TLB and blocks may not leak into: thrown away on one of the two. */
static void forget_derived(struct rig *t, uint64_t how) {
  if (how & 1) tlb_drop_level1(&t->hart);
  if (how & 2) mmu_drop_writable(&t->hart);
  if (how & 4) block_flush(t->phys.engine);
}

static uint32_t random_csr(uint64_t r) {
  static const uint16_t numbers[] = {
      CSR_mstatus, CSR_sstatus,    CSR_mie,     CSR_sie,           CSR_mip,      CSR_sip,      CSR_satp,
      CSR_medeleg, CSR_mideleg,    CSR_menvcfg, CSR_stimecmp,      CSR_stimecmp, CSR_frm,      CSR_fflags,
      CSR_fcsr,    CSR_time,       CSR_instret, CSR_minstret,      CSR_sscratch, CSR_sepc,     CSR_pmpaddr0,
      CSR_pmpcfg0, CSR_mcounteren, CSR_senvcfg, CSR_mcountinhibit, CSR_stvec,    CSR_mscratch, CSR_cycle};
  return numbers[r % (sizeof numbers / sizeof *numbers)];
}

/* A word that is mostly a valid instruction, with operands that keep the program alive for a while. */
static uint32_t random_word(uint64_t *seed) {
  uint64_t r = rig_random(seed), kind = rig_random(seed) % 100;
  if (kind < 2) return (uint32_t)r;
  if (kind < 12) return (uint32_t)(r & 0xffff0000) | (uint32_t)(r >> 32 & 0xffff);
  const struct insn_row *row = &insn_table[r % INSN_COUNT];
  uint32_t word = row->match | ((uint32_t)rig_random(seed) & ~row->mask);
  if (row->format == FORMAT_CSR || row->format == FORMAT_CSRI) {
    word = (word & 0xfffff) | random_csr(rig_random(seed)) << 20;
  }
  if (row->format == FORMAT_B) word &= 0x81fff0ff; /* short branches */
  if (row->format == FORMAT_J) word = (word & 0xfff) | (word & 0x80000000) | (word & 0x03e00000);
  return word;
}

static void write_handlers(struct rig *t) {
  static const uint32_t machine[] = {
      0x341022f3, 0x00428293, 0x34129073, 0x30200073, /* mepc += 4; mret */
  };
  static const uint32_t supervisor[] = {
      0x141022f3, 0x00428293, 0x14129073, 0x10200073, /* sepc += 4; sret */
  };
  memcpy(t->ram + HANDLER_OFFSET, machine, sizeof machine);
  memcpy(t->ram + HANDLER_OFFSET + 0x100, supervisor, sizeof supervisor);
}

/* A three-level table whose entries lead to RAM or to each other, with bits of every kind. */
static void write_tables(struct rig *t, uint64_t *seed) {
  for (unsigned i = 0; i < 8 * 512; i++) {
    uint64_t r = rig_random(seed), target = RIG_BASE;
    bool pointer = r % 4 == 0;
    if (pointer)
      target += TABLE_OFFSET + (r >> 8 & 7) * 4096;
    else
      target += (r >> 8 & 0x7f) * 4096;
    uint64_t pte = target >> 12 << 10 | (pointer ? PTE_V : (r >> 16 & 0xff) | PTE_V | PTE_R | PTE_X);
    if ((r >> 40) % 64 == 0) pte |= r & PTE_N;
    rig_dword(t, RIG_BASE + TABLE_OFFSET + i * 8, pte);
  }
}

static void set_up(struct rig *t, uint64_t seed) {
  struct hart *hart = &t->hart;
  rig_init(t, NULL);
  write_handlers(t);
  write_tables(t, &seed);
  for (unsigned i = 0; i < CODE_WORDS; i++) rig_word(t, RIG_BASE + 4 * i, random_word(&seed));
  for (unsigned i = 1; i < 32; i++) {
    uint64_t r = rig_random(&seed);
    hart->x[i] = i % 3 ? RIG_BASE + (r % (i % 2 ? CODE_WORDS * 4 : DATA_OFFSET)) : r;
    hart->f[i] = rig_random(&seed);
  }
  csr_write(hart, CSR_mtvec, RIG_BASE + HANDLER_OFFSET);
  csr_write(hart, CSR_stvec, RIG_BASE + HANDLER_OFFSET + 0x100);
  csr_write(hart, CSR_medeleg, rig_random(&seed));
  csr_write(hart, CSR_mideleg, rig_random(&seed));
  csr_write(hart, CSR_mie, rig_random(&seed));
  csr_write(hart, CSR_menvcfg, rig_random(&seed));
  csr_write(hart, CSR_stimecmp, rig_random(&seed) % 80);
  csr_write(hart, CSR_satp, (uint64_t)SATP_SV39 << 60 | (RIG_BASE + TABLE_OFFSET) >> 12);
  csr_write(hart, CSR_mstatus, rig_random(&seed));
  if (seed & 1) hart_set_priv(hart, PRIV_S);
}

static bool finished(enum stop_reason reason) { return reason != STOP_BUDGET; }

static void run_pieces(struct rig *t, uint64_t seed) {
  uint64_t random = seed ^ 0x5555;
  while (hart_instret(&t->hart) < RUN_INSNS) {
    struct run_limits limits = RUN_LIMITS_NONE;
    uint64_t next = hart_instret(&t->hart) + rig_random(&random) % 30;
    limits.stop_at_instret = next < RUN_INSNS ? next : RUN_INSNS;
    if (finished(run_hart(t->engine, &limits))) return;
    if (rig_random(&random) % 4 == 0) forget_derived(t, rig_random(&random));
  }
}

static void test_program(struct rig *t, uint64_t seed) {
  static uint64_t whole[HART_STATE_WORDS], pieces[HART_STATE_WORDS];
  struct rig a, b;
  set_up(&a, seed);
  set_up(&b, seed);
  struct run_limits limits = RUN_LIMITS_NONE;
  limits.stop_at_instret = RUN_INSNS;
  run_hart(a.engine, &limits);
  run_pieces(&b, seed);
  hart_state_save(&a.hart, whole);
  hart_state_save(&b.hart, pieces);
  unsigned word = 0;
  while (word < HART_STATE_WORDS && whole[word] == pieces[word]) word++;
  CHECK(t, word == HART_STATE_WORDS, "seed %" PRIu64 ": state word %u is %" PRIx64 " and %" PRIx64, seed,
        word, whole[word % HART_STATE_WORDS], pieces[word % HART_STATE_WORDS]);
  CHECK(t, !memcmp(a.ram, b.ram, RIG_SIZE), "seed %" PRIu64 ": RAM differs", seed);
  t->hart.idle_ns += hart_instret(&a.hart); /* instructions in all, for the summary */
  rig_destroy(&a);
  rig_destroy(&b);
}

int main(void) {
  struct rig t = {0};
  const char *scale = getenv("LINUXSQL_TEST_SCALE");
  double factor = scale ? atof(scale) : 1;
  uint64_t programs = (uint64_t)(PROGRAMS * (factor > 0 ? factor : 1));
  for (uint64_t seed = 1; seed <= programs; seed++) test_program(&t, seed);
  printf("%" PRIu64 " instructions of %" PRIu64 " programs\n", t.hart.idle_ns, programs);
  return rig_finish(&t);
}

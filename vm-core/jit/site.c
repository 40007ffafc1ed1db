/* Sites in machine code: a load or store asks what it found last (mmu/sites.c) before it asks level 1.
 *
 * RISC-V has short displacements and immediates, and registers to spare: there the key is in a register,
 * another one reaches the sites of a bank, of which each region has one, and the addresses of open windows
 * stay in registers too. */
#include "jit/emit.h"
#include "mmu/tlb.h"

enum { SITE_MASK = -(1 << SITE_SHIFT), ADDEND = offsetof(struct site, addend) };

#if HOST_RISCV
enum { BANK_BYTES = 4096, BANK_PAIRS = BANK_BYTES / sizeof(struct site_pair) - 1, WINDOW_HOSTS = 2 };

static unsigned bank_first(unsigned bank) {
  size_t least = (bank + 1) * BANK_BYTES - BANK_BYTES / 2 - offsetof(struct hart, sites);
  return (unsigned)((least + sizeof(struct site_pair) - 1) / sizeof(struct site_pair));
}

void sites_begin(struct emitter *e) {
  struct jit *jit = e->jit;
  if (jit->sites[0] >= BANK_PAIRS || jit->sites[1] >= BANK_PAIRS) {
    jit->sites[0] = jit->sites[1] = 0;
    jit->bank++;
    if (bank_first(jit->bank) + BANK_PAIRS > SITES) jit->bank = 0;
  }
  e->bank = jit->bank;
  for (unsigned i = 0; i < e->region->insn_count; i++) {
    const struct insn *insn = &e->region->insns[i].insn;
    e->uses_sites |= insn->id != INSN_ILLEGAL && (insn_table[insn->id].flags & (INSN_LOAD | INSN_STORE));
  }
}

void sites_base(struct emitter *e) {
  if (e->uses_sites) op2(e, SLJIT_ADD, reg(HOST_SITES), reg(HOST_HART), imm((e->bank + 1) * BANK_BYTES));
}

static struct operand new_site(struct emitter *e, bool write) {
  unsigned index = bank_first(e->bank) + e->jit->sites[write]++ % BANK_PAIRS;
  size_t at = offsetof(struct hart, sites) + index * sizeof(struct site_pair);
  if (write) at += offsetof(struct site_pair, store);
  return (struct operand){SLJIT_MEM1(HOST_SITES), (sljit_sw)at - (sljit_sw)((e->bank + 1) * BANK_BYTES)};
}

static struct operand site_key(void) { return reg(HOST_KEY); }
static sljit_s32 window_host(unsigned w) { return HOST_WINDOW(w % WINDOW_HOSTS); }

void windows_forget(struct emitter *e) {
  for (unsigned w = 0; w < e->window_count; w++) e->windows[w].open = false;
}
#else
static struct operand new_site(struct emitter *e, bool write) {
  size_t at = offsetof(struct hart, sites) + e->jit->sites[write]++ % SITES * sizeof(struct site_pair);
  if (write) at += offsetof(struct site_pair, store);
  return (struct operand){SLJIT_MEM1(HOST_HART), (sljit_sw)at};
}

static struct operand site_key(void) { return (struct operand){HART(site_key)}; }
#endif

static struct operand further(struct operand place, sljit_sw by) {
  return (struct operand){place.r, place.w + by};
}

/* R1 = what a site says is to be added to guest addresses from base + first on, span bytes further aligned to
 * grain all the way, all in one page. */
static void ask_site(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain,
                     bool write) {
  struct site_miss *site = &e->sites[e->site_count++];
  *site = (struct site_miss){.base = guest(e, base),
                             .first = first,
                             .span = span,
                             .grain = (int32_t)grain,
                             .write = write,
                             .slow = slow_add(e, NULL),
                             .site = new_site(e, write)};
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1), at = site->base;
  struct operand mask = imm(SITE_MASK | (int32_t)(grain - 1));
  if (first || span || !e->now.host[base]) {
    add(e, r0, at, first);
    at = r0;
  }
  if (span) {
    add(e, r1, r0, span);
    op2(e, SLJIT_XOR, r1, r1, r0);
#if HOST_RISCV
    op2(e, SLJIT_LSHR, r1, r1, imm(SITE_SHIFT));
    site->crosses = branch(e, SLJIT_NOT_EQUAL, r1, imm(0));
#else
    site->crosses = branch(e, SLJIT_GREATER_EQUAL, r1, imm(1 << SITE_SHIFT));
#endif
  }
  op2(e, SLJIT_AND, r0, at, mask);
  op2(e, SLJIT_XOR, r0, r0, site_key());
#if HOST_RISCV /* before the branch: for an emulator of this host both loads are in one block */
  op1(e, SLJIT_MOV, r1, further(site->site, ADDEND));
#endif
  site->miss = branch(e, SLJIT_NOT_EQUAL, r0, site->site);
  site->hit = sljit_emit_label(e->c);
#if !HOST_RISCV
  op1(e, SLJIT_MOV, r1, further(site->site, ADDEND));
#endif
}

/* The same from level 1, for code that is in no loop: so much of it runs between two turns that sites would
 * be others' by then. */
static void ask_level1(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain,
                       bool write) {
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1);
  unsigned set = probe_set(write);
  add(e, r0, guest(e, base), first);
  if (span) {
    add(e, r1, r0, span);
    op2(e, SLJIT_XOR, r1, r1, r0);
    slow_jump(e, branch(e, SLJIT_GREATER_EQUAL, r1, imm(PAGE_SIZE)));
  }
  probe_entry(e, write);
  slow_jump(e, probe_compare(e, set, -PAGE_SIZE | (int32_t)(grain - 1)));
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
}

/* A probe of level 1 has no short form on RISC-V. */
static void ask(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain, bool write) {
  if (HOST_RISCV || e->region->insns[e->node->insn[e->index]].weight > 1)
    ask_site(e, base, first, span, grain, write);
  else
    ask_level1(e, base, first, span, grain, write);
}

/* Level 1 is asked. Of a window that crosses into the next of what sites speak of, but not into another page,
 * it is the first part that is remembered. */
#if HOST_RISCV
static void site_missed(struct emitter *e, const struct site_miss *site) {
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1), addend = reg(HOST_T2);
  here(e, site->miss);
  if (site->crosses) here(e, site->crosses);
  add(e, r0, site->base, site->first);
  probe_entry(e, site->write);
  if (site->span) add(e, r0, r0, site->span);
  op2(e, SLJIT_AND, r0, r0, imm(-PAGE_SIZE | (site->grain - 1)));
  op1(e, SLJIT_MOV, addend, (struct operand){SLJIT_MEM1(SLJIT_R1), offsetof(struct tlb_entry, addend)});
  e->slow[site->slow].jump = branch(e, SLJIT_NOT_EQUAL, r0, (struct operand){SLJIT_MEM1(SLJIT_R1), 0});
  add(e, r0, site->base, site->first);
  op2(e, SLJIT_AND, r0, r0, imm(SITE_MASK));
  op2(e, SLJIT_XOR, r0, r0, site_key());
  op1(e, SLJIT_MOV, site->site, r0);
  op1(e, SLJIT_MOV, further(site->site, ADDEND), addend);
  op1(e, SLJIT_MOV, r1, addend);
  sljit_set_label(sljit_emit_jump(e->c, SLJIT_JUMP), site->hit);
}
#else
static void site_missed(struct emitter *e, const struct site_miss *site) {
  unsigned set = probe_set(site->write);
  struct operand r0 = reg(SLJIT_R0), entry = {SLJIT_MEM1(SLJIT_R1), (sljit_sw)set};
  here(e, site->miss);
  if (site->crosses) here(e, site->crosses);
  add(e, r0, site->base, site->first);
  probe_entry(e, site->write);
  if (site->span) add(e, r0, r0, site->span);
  e->slow[site->slow].jump = probe_compare(e, set, -PAGE_SIZE | (site->grain - 1));
  op1(e, SLJIT_MOV, r0, entry);
  op2(e, SLJIT_XOR, r0, r0, site_key());
  op1(e, SLJIT_MOV, site->site, r0);
  op1(e, SLJIT_MOV, r0, further(entry, (sljit_sw)offsetof(struct tlb_entry, addend)));
  op1(e, SLJIT_MOV, further(site->site, ADDEND), r0);
  sljit_set_label(sljit_emit_jump(e->c, SLJIT_JUMP), site->hit);
}
#endif

void site_misses(struct emitter *e) {
  for (unsigned i = 0; i < e->site_count; i++) site_missed(e, &e->sites[i]);
}

static struct operand place_alone(struct emitter *e, const struct insn *insn, unsigned size, bool write) {
  sljit_s32 base = e->now.host[insn->rs1];
  e->cached = -1;
  ask(e, insn->rs1, (int32_t)insn->imm, 0, size, write);
  if (base && !insn->imm && !HOST_RISCV) return (struct operand){SLJIT_MEM2(SLJIT_R1, base), 0};
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), guest(e, insn->rs1));
  return (struct operand){SLJIT_MEM1(SLJIT_R1), insn->imm};
}

/* Where host addresses of open windows' bases are kept. */
static struct operand place_in_window(struct emitter *e, int w, const struct insn *insn) {
  struct window *window = &e->windows[w];
  int32_t grain = window->granule, first = window->first & -grain, last = window->last & -grain;
  struct operand r1 = reg(SLJIT_R1);
  bool opens = !window->open;
  if (opens) ask(e, window->base, first, last - first, window->granule, window->write);
#if HOST_RISCV
  if (opens) {
    for (unsigned v = 0; v < e->window_count; v++)
      if (window_host(v) == window_host((unsigned)w)) e->windows[v].open = false;
    op2(e, SLJIT_ADD, reg(window_host((unsigned)w)), r1, guest(e, window->base));
  }
  window->open = true;
  return (struct operand){SLJIT_MEM1(window_host((unsigned)w)), insn->imm};
#else
  struct operand slot = {SLJIT_MEM1(SLJIT_SP), WINDOW_SLOT + 8 * w};
  if (opens) {
    op2(e, SLJIT_ADD, r1, r1, guest(e, window->base));
    op1(e, SLJIT_MOV, slot, r1);
  } else if (e->cached != w) {
    op1(e, SLJIT_MOV, r1, slot);
  }
  window->open = true;
  e->cached = w;
  return (struct operand){SLJIT_MEM1(SLJIT_R1), insn->imm};
#endif
}

/* Nothing that wants the address in R0. */
static bool is_plain(const struct insn *insn) {
  unsigned format = insn_table[insn->id].format;
  return insn->rs1 && format != FORMAT_AMO && format != FORMAT_LR;
}

struct operand access_place(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also) {
  int w = e->fast ? e->window_of[e->index] : -1;
  if (!e->fast || !is_plain(&at->insn)) return probe_access(e, at, write, size, also);
  slow_jump(e, also);
  if (w < 0 || e->windows[w].uses < 2) return place_alone(e, &at->insn, size, write);
  return place_in_window(e, w, &at->insn);
}

void access_done(struct emitter *e) {
  if (!e->fast) resume_here(e);
}

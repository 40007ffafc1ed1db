#include <string.h>

#include "jit/emit.h"
#include "mmu/tlb.h"

/* Jump taken unless (R0 & mask) is the tag of the entry R1 points to; R0 and R1
 * survive. */
static struct sljit_jump *compare_tag(struct emitter *e, unsigned set, int32_t mask) {
#if HOST_X86
  /* mov rdx, rax; and rdx, mask; cmp rdx, [rsi + set] */
  uint8_t code[3 + 7 + 7] = {0x48, 0x89, 0xc2, 0x48, 0x81, 0xe2, 0, 0, 0, 0, 0x48, 0x3b, 0x96};
  int32_t displacement = (int32_t)set;
  memcpy(code + 6, &mask, 4);
  memcpy(code + 13, &displacement, 4);
  sljit_emit_op_custom(e->c, code, 3);
  sljit_emit_op_custom(e->c, code + 3, 7);
  sljit_emit_op_custom(e->c, code + 10, 7);
  sljit_set_current_flags(e->c, SLJIT_SET_Z | SLJIT_CURRENT_FLAGS_SUB | SLJIT_CURRENT_FLAGS_COMPARE);
  return sljit_emit_jump(e->c, SLJIT_NOT_EQUAL);
#else
  sljit_emit_op2(e->c, SLJIT_AND, HOST_T2, 0, SLJIT_R0, 0, SLJIT_IMM, mask);
  return sljit_emit_cmp(e->c, SLJIT_NOT_EQUAL, HOST_T2, 0, SLJIT_MEM1(SLJIT_R1), set);
#endif
}

static unsigned set_of(bool write) {
  return write ? offsetof(struct tlb_set, write) : offsetof(struct tlb_set, read);
}

/* R1 = TLB entry of R0, less its set. */
static void find_entry(struct emitter *e) {
  sljit_emit_op2(e->c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT - 4);
  sljit_emit_op2(e->c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, (TLB_SIZE - 1) << 4);
  sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_data));
}

/* Returns its index in e->slow. */
static unsigned add_slow(struct emitter *e, struct sljit_jump *jump) {
  struct slow_jump *slow = &e->slow[e->slow_count];
  *slow = (struct slow_jump){jump, (uint16_t)e->node_index, (uint16_t)e->index, e->fresh, e->now, {0}};
  memcpy(slow->last, e->last, sizeof slow->last);
  return e->slow_count++;
}

void slow_jump(struct emitter *e, struct sljit_jump *jump) {
  if (jump) add_slow(e, jump);
}

/* R0 = host address of one access. */
static struct operand single(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                             struct sljit_jump *also) {
  unsigned set = set_of(write);
  struct sljit_label *retry = e->fast ? NULL : sljit_emit_label(e->c);
  e->cached = -1;
  add(e, reg(SLJIT_R0), guest(e, at->insn.rs1), at->insn.imm);
  find_entry(e);
  struct sljit_jump *miss = compare_tag(e, set, (int32_t)(-PAGE_SIZE | (int)(size - 1)));
  if (e->fast) {
    slow_jump(e, miss);
    slow_jump(e, also);
  } else {
    cold_access(e, miss, also, retry, write ? -(sljit_sw)size : (sljit_sw)size, side_op(e, at));
  }
  sljit_emit_op2(e->c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
  return (struct operand){SLJIT_MEM1(SLJIT_R0), 0};
}

static struct operand hart_at(sljit_sw offset) { return (struct operand){SLJIT_MEM1(HOST_HART), offset}; }

static sljit_sw new_site(struct jit *jit, bool write) {
  size_t sites = write ? offsetof(struct hart, store_site) : offsetof(struct hart, load_site);
  return (sljit_sw)(sites + jit->sites[write]++ % SITES * sizeof(struct site));
}

/* R1 = what a site says is to be added to guest addresses from base + first on, span bytes further aligned to
 * grain all the way, all in one page. */
static void ask_site(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain,
                     bool write) {
  struct site_miss *site = &e->sites[e->site_count++];
  *site = (struct site_miss){.base = guest(e, base),
                             .first = first,
                             .span = span,
                             .mask = -PAGE_SIZE | (int32_t)(grain - 1),
                             .set = set_of(write),
                             .slow = add_slow(e, NULL),
                             .site = new_site(e->jit, write)};
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1);
  if (first || span || !e->now.host[base]) {
    add(e, r0, site->base, first);
    if (span) {
      add(e, r1, r0, span);
      op2(e, SLJIT_XOR, r1, r1, r0);
      site->crosses = branch(e, SLJIT_GREATER_EQUAL, r1, imm(PAGE_SIZE));
    }
    op2(e, SLJIT_AND, r0, r0, imm(site->mask));
  } else {
    op2(e, SLJIT_AND, r0, site->base, imm(site->mask));
  }
  op2(e, SLJIT_XOR, r0, r0, (struct operand){HART(site_key)});
  site->miss = branch(e, SLJIT_NOT_EQUAL, r0, hart_at(site->site));
  site->hit = sljit_emit_label(e->c);
  op1(e, SLJIT_MOV, r1, hart_at(site->site + (sljit_sw)offsetof(struct site, addend)));
}

/* The same from level 1, for code that is in no loop: so much of it runs between two turns that sites would
 * be others' by then. */
static void ask_level1(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain,
                       bool write) {
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1);
  unsigned set = set_of(write);
  add(e, r0, guest(e, base), first);
  if (span) {
    add(e, r1, r0, span);
    op2(e, SLJIT_XOR, r1, r1, r0);
    slow_jump(e, branch(e, SLJIT_GREATER_EQUAL, r1, imm(PAGE_SIZE)));
  }
  find_entry(e);
  slow_jump(e, compare_tag(e, set, -PAGE_SIZE | (int32_t)(grain - 1)));
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
}

static void ask(struct emitter *e, unsigned base, int32_t first, int32_t span, unsigned grain, bool write) {
  if (e->region->insns[e->node->insn[e->index]].weight > 1)
    ask_site(e, base, first, span, grain, write);
  else
    ask_level1(e, base, first, span, grain, write);
}

static void site_missed(struct emitter *e, const struct site_miss *site) {
  struct operand r0 = reg(SLJIT_R0), entry = {SLJIT_MEM1(SLJIT_R1), (sljit_sw)site->set};
  here(e, site->miss);
  if (site->crosses) here(e, site->crosses);
  add(e, r0, site->base, site->first);
  find_entry(e);
  if (site->span) add(e, r0, r0, site->span);
  e->slow[site->slow].jump = compare_tag(e, site->set, site->mask);
  op1(e, SLJIT_MOV, r0, entry);
  op2(e, SLJIT_XOR, r0, r0, (struct operand){HART(site_key)});
  op1(e, SLJIT_MOV, hart_at(site->site), r0);
  entry.w += (sljit_sw)offsetof(struct tlb_entry, addend);
  op1(e, SLJIT_MOV, r0, entry);
  op1(e, SLJIT_MOV, hart_at(site->site + (sljit_sw)offsetof(struct site, addend)), r0);
  sljit_set_label(sljit_emit_jump(e->c, SLJIT_JUMP), site->hit);
}

void site_misses(struct emitter *e) {
  for (unsigned i = 0; i < e->site_count; i++) site_missed(e, &e->sites[i]);
}

static struct operand place_alone(struct emitter *e, const struct insn *insn, unsigned size, bool write) {
  sljit_s32 base = e->now.host[insn->rs1];
  e->cached = -1;
  ask(e, insn->rs1, (int32_t)insn->imm, 0, size, write);
  if (base && !insn->imm) return (struct operand){SLJIT_MEM2(SLJIT_R1, base), 0};
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), guest(e, insn->rs1));
  return (struct operand){SLJIT_MEM1(SLJIT_R1), insn->imm};
}

/* R1 = host address of the window's base. */
static void open_window(struct emitter *e, struct window *window, int slot) {
  int32_t grain = window->granule, first = window->first & -grain, last = window->last & -grain;
  ask(e, window->base, first, last - first, window->granule, window->write);
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), guest(e, window->base));
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_MEM1(SLJIT_SP), slot, SLJIT_R1, 0);
  window->open = true;
}

/* Nothing that wants the address in R0. */
static bool is_plain(const struct insn *insn) {
  unsigned format = insn_table[insn->id].format;
  return insn->rs1 && format != FORMAT_AMO && format != FORMAT_LR;
}

struct operand access_place(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also) {
  int w = e->fast ? e->window_of[e->index] : -1;
  if (!e->fast || !is_plain(&at->insn)) return single(e, at, write, size, also);
  slow_jump(e, also);
  if (w < 0 || e->windows[w].uses < 2) return place_alone(e, &at->insn, size, write);
  int slot = WINDOW_SLOT + 8 * w;
  if (!e->windows[w].open)
    open_window(e, &e->windows[w], slot);
  else if (e->cached != w)
    sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_SP), slot);
  e->cached = w;
  return (struct operand){SLJIT_MEM1(SLJIT_R1), at->insn.imm};
}

void access_done(struct emitter *e) {
  if (!e->fast) resume_here(e);
}

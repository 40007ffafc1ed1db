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

void slow_jump(struct emitter *e, struct sljit_jump *jump) {
  if (!jump) return;
  e->slow[e->slow_count++] =
      (struct slow_jump){jump, (uint16_t)e->node_index, (uint16_t)e->index, e->fresh, e->now};
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

/* R1 = host address of the window's base. The entry is that of its first byte:
 * when the last one lies in another page its tag cannot be there. */
static void open_window(struct emitter *e, struct window *window, int slot) {
  unsigned set = set_of(window->write);
  int32_t grain = window->granule, first = window->first & -grain, last = window->last & -grain;
  add(e, reg(SLJIT_R0), guest(e, window->base), first);
  find_entry(e);
  if (last != first) op2(e, SLJIT_ADD, reg(SLJIT_R0), reg(SLJIT_R0), imm(last - first));
  slow_jump(e, compare_tag(e, set, -PAGE_SIZE | (grain - 1)));
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_MEM1(SLJIT_R1),
                 set + offsetof(struct tlb_entry, addend));
  op2(e, SLJIT_ADD, reg(SLJIT_R1), reg(SLJIT_R1), guest(e, window->base));
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_MEM1(SLJIT_SP), slot, SLJIT_R1, 0);
  window->open = true;
}

struct operand access_place(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also) {
  int w = e->fast ? e->window_of[e->index] : -1;
  if (w < 0 || e->windows[w].uses < 2) return single(e, at, write, size, also);
  slow_jump(e, also);
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

#include <stdlib.h>
#include <string.h>

#include "fp/softfloat.h"
#include "interp/build.h"
#include "jit/emit.h"
#include "mmu/tlb.h"

void check_budget(struct emitter *e, const struct region_node *node, enum cold_kind kind) {
  struct sljit_jump *spent = sljit_emit_cmp(e->c, SLJIT_SIG_LESS, HOST_BUDGET, 0, SLJIT_IMM, node->path);
  e->cold[e->cold_count++] = (struct cold){.kind = kind, .from = spent, .node = node, .state = e->now};
}

static void unless(struct emitter *e, struct operand a, struct operand b) {
  struct sljit_jump *differs = branch(e, SLJIT_NOT_EQUAL, a, b);
  e->cold[e->cold_count++] =
      (struct cold){.kind = COLD_CROSS, .from = differs, .node = e->node, .state = e->now};
}

/* To the interpreter unless the page behind this one is the one that e->node's instruction went on in, as it
 * was. */
static void check_across(struct emitter *e) {
  enum { CODE = offsetof(struct tlb_set, code), PAGE = offsetof(struct tlb_code_entry, page) };
  const struct phys *phys = e->jit->hart->mmu->phys;
  uint64_t number = e->page->cross_number;
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1), entry = {SLJIT_MEM1(SLJIT_R1), CODE};
  add(e, r0, (struct operand){HART(code_page)}, PAGE_SIZE);
  op2(e, SLJIT_LSHR, r1, r0, imm(PAGE_SHIFT - 4));
  op2(e, SLJIT_AND, r1, r1, imm((TLB_CODE_SIZE - 1) << 4));
  op2(e, SLJIT_ADD, r1, r1, (struct operand){HART(tlb_exec)});
  unless(e, r0, entry);
  entry.w += PAGE;
  op1(e, SLJIT_MOV, r0, imm((sljit_sw)e->jit->store->pages[number]));
  unless(e, r0, entry);
  op1(e, SLJIT_MOV_U16, r0, (struct operand){SLJIT_MEM0(), (sljit_sw)(phys->ram + (number << PAGE_SHIFT))});
  unless(e, r0, imm(e->page->cross_raw >> 16));
}

/* Takes the node off first, which spares hosts without flags a constant. */
static void charge_checked(struct emitter *e) {
  enum { FLAG = HOST_RISCV ? 0 : SLJIT_SET_SIG_LESS };
  struct operand budget = reg(HOST_BUDGET);
  op2(e, SLJIT_SUB | FLAG, budget, budget, imm(e->node->count));
  struct sljit_jump *spent =
      FLAG ? sljit_emit_jump(e->c, SLJIT_SIG_LESS) : branch(e, SLJIT_SIG_LESS, budget, imm(0));
  e->cold[e->cold_count++] =
      (struct cold){.kind = COLD_CHARGED, .from = spent, .node = e->node, .state = e->now};
}

void charge_node(struct emitter *e) {
  const struct region_node *node = e->node;
  if (node->header && node->path == node->count && !node->crosses) {
    charge_checked(e);
    return;
  }
  if (node->header) check_budget(e, node, COLD_BUDGET);
  if (node->crosses) check_across(e);
  op2(e, SLJIT_SUB, reg(HOST_BUDGET), reg(HOST_BUDGET), imm(node->count));
}

static void jump_fixed(struct emitter *e, sljit_uw address) {
  sljit_set_target(sljit_emit_jump(e->c, SLJIT_JUMP), address);
}

/* Nothing is to be stored any more. */
static void exit_before(struct emitter *e, unsigned offset, sljit_uw stub) {
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)offset);
  jump_fixed(e, stub);
}

/* R1 = the jump entry R0 would have, less tlb_set.jumps; a jump that is taken unless it is there. */
static struct sljit_jump *compare_jump(struct emitter *e) {
  enum { JUMPS = offsetof(struct tlb_set, jumps) };
  struct sljit_compiler *c = e->c;
#if HOST_X86
  /* mov edx, eax; and edx, mask; cmp rax, [rsi + rdx * 8 + JUMPS] */
  uint8_t code[2 + 6 + 8] = {0x89, 0xc2, 0x81, 0xe2, 0, 0, 0, 0, 0x48, 0x3b, 0x84, 0xd6};
  const int32_t mask = (TLB_JUMPS_SIZE - 1) << 1, displacement = JUMPS;
  memcpy(code + 4, &mask, 4);
  memcpy(code + 12, &displacement, 4);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, HART(tlb_exec));
  sljit_emit_op_custom(c, code, 2);
  sljit_emit_op_custom(c, code + 2, 6);
  sljit_emit_op_custom(c, code + 8, 8);
  sljit_set_current_flags(c, SLJIT_SET_Z | SLJIT_CURRENT_FLAGS_SUB | SLJIT_CURRENT_FLAGS_COMPARE);
  return sljit_emit_jump(c, SLJIT_NOT_EQUAL);
#elif HOST_RISCV
  enum { ABOVE = 64 - 15 }; /* of the bits that choose the entry */
  _Static_assert(TLB_JUMPS_SIZE == 1 << 14 && sizeof(struct tlb_jump) == 16, "the shifts");
  sljit_emit_op2(c, SLJIT_SHL, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, ABOVE);
  sljit_emit_op2(c, SLJIT_LSHR, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, ABOVE - 3);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_exec));
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, JUMPS);
  return sljit_emit_cmp(c, SLJIT_NOT_EQUAL, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1), 0);
#else
  sljit_emit_op2(c, SLJIT_AND, SLJIT_R1, 0, SLJIT_R0, 0, SLJIT_IMM, (TLB_JUMPS_SIZE - 1) << 1);
  sljit_emit_op2(c, SLJIT_SHL, SLJIT_R1, 0, SLJIT_R1, 0, SLJIT_IMM, 3);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R1, 0, SLJIT_R1, 0, HART(tlb_exec));
  return sljit_emit_cmp(c, SLJIT_NOT_EQUAL, SLJIT_R0, 0, SLJIT_MEM1(SLJIT_R1), JUMPS);
#endif
}

/* Jump to what compare_jump found. */
static void follow_jump(struct emitter *e) {
  enum { NATIVE = offsetof(struct tlb_set, jumps) + offsetof(struct tlb_jump, native) };
#if HOST_X86
  uint8_t code[7] = {0xff, 0xa4, 0xd6}; /* jmp [rsi + rdx * 8 + NATIVE] */
  const int32_t displacement = NATIVE;
  memcpy(code + 3, &displacement, 4);
  sljit_emit_op_custom(e->c, code, sizeof code);
#elif HOST_RISCV
  sljit_emit_ijump(e->c, SLJIT_JUMP, SLJIT_MEM1(SLJIT_R1), offsetof(struct tlb_jump, native));
#else
  sljit_emit_ijump(e->c, SLJIT_JUMP, SLJIT_MEM1(SLJIT_R1), NATIVE);
#endif
}

/* R0: virtual address, bit 0 clear. */
void exit_to_address(struct emitter *e) {
  struct sljit_compiler *c = e->c;
  edges_leave(e);
  sljit_set_target(compare_jump(e), e->jit->stubs.find);
#if HOST_RISCV
  sljit_emit_op2(c, SLJIT_LSHR, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT);
  sljit_emit_op2(c, SLJIT_SHL, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, PAGE_SHIFT);
#else
  sljit_emit_op2(c, SLJIT_AND, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, -PAGE_SIZE);
#endif
  sljit_emit_op1(c, SLJIT_MOV, HART(code_page), SLJIT_R0, 0);
  follow_jump(e);
}

/* A static target: inside the region, elsewhere in the page, or in another
 * page. */
void exit_to_offset(struct emitter *e, int64_t offset) {
  struct sljit_compiler *c = e->c;
  int node = region_node_at(e->region, offset);
  if (node >= 0) {
    edges_go(e, (unsigned)node);
    return;
  }
  if (offset >= 0 && offset < PAGE_SIZE) {
    edges_leave(e);
    sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, offset);
    sljit_emit_ijump(c, SLJIT_JUMP, SLJIT_MEM0(), (sljit_sw)&e->page->native[offset >> 1]);
    return;
  }
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HART(code_page));
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, SLJIT_IMM, offset);
  exit_to_address(e);
}

void exit_at_end(struct emitter *e, int64_t offset) {
  unsigned next = e->node_index + 1;
  if (next < e->region->node_count && e->moved[next]) next++;
  if (region_node_at(e->region, offset) == (int)next && e->fast && !e->late)
    e->falls = true;
  else
    exit_to_offset(e, offset);
}

void exit_with_op(struct emitter *e, const struct op *side) {
  edges_leave(e);
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)side);
  jump_fixed(e, e->jit->stubs.side);
}

/* Host registers survive; of guest registers the op changes its destination alone. */
static void call_from(struct emitter *e, const struct register_state *state, const struct op *side) {
  unsigned rd = side[1].rd;
  registers_store(e, state);
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_IMM, (sljit_sw)side);
  e->calls[e->call_count++] = sljit_emit_jump(e->c, SLJIT_FAST_CALL);
  if (state->host[rd])
    op1(e, SLJIT_MOV, reg(state->host[rd]), (struct operand){HART(x) + (sljit_sw)(8 * rd)});
  windows_forget(e);
}

void call_op(struct emitter *e, const struct op *side) { call_from(e, &e->now, side); }

/* Run the op function of R1 on state in memory; leave the region unless it asks
 * to go on. */
static void call_stub(struct emitter *e) {
  struct sljit_compiler *c = e->c;
  sljit_sw calls = (sljit_sw)&e->jit->counters.op_calls;
  if (!e->call_count) return;
  struct sljit_label *label = sljit_emit_label(c);
  for (unsigned i = 0; i < e->call_count; i++) sljit_set_label(e->calls[i], label);
  sljit_emit_op_dst(c, SLJIT_FAST_ENTER, SLJIT_MEM1(SLJIT_SP), 0);
  registers_store_f(e);
  stubs_keep(e, false, false);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_MEM0(), calls, SLJIT_MEM0(), calls, SLJIT_IMM, 1);
  sljit_emit_op1(c, SLJIT_MOV, HART(budget), HOST_BUDGET, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HOST_HART, 0);
  if (e->jit->host_flags)
    sljit_emit_icall(c, SLJIT_CALL, SLJIT_ARGS2(W, W, W), SLJIT_IMM, SLJIT_FUNC_ADDR(float_call));
  else
    sljit_emit_icall(c, SLJIT_CALL, SLJIT_ARGS2(W, W, W), SLJIT_MEM1(SLJIT_R1), offsetof(struct op, fn));
  struct sljit_jump *left =
      sljit_emit_cmp(c, SLJIT_NOT_EQUAL, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)&jit_continue);
  load_key(e);
  stubs_keep(e, true, false);
  registers_load_f(e);
  sljit_emit_op_src(c, SLJIT_FAST_RETURN, SLJIT_MEM1(SLJIT_SP), 0);
  sljit_set_label(left, sljit_emit_label(c));
  jump_fixed(e, e->jit->stubs.null);
}

void cold_op(struct emitter *e, struct sljit_jump *from, struct sljit_jump *also, const struct op *side) {
  e->cold[e->cold_count++] =
      (struct cold){.kind = COLD_OP, .from = from, .also = also, .side = side, .state = e->now};
}

void cold_access(struct emitter *e, struct sljit_jump *miss, struct sljit_jump *also,
                 struct sljit_label *retry, sljit_sw access, const struct op *side) {
  cold_op(e, miss, also, side);
  struct cold *cold = &e->cold[e->cold_count - 1];
  cold->kind = COLD_ACCESS;
  cold->retry = retry;
  cold->access = access;
}

void resume_here(struct emitter *e) {
  e->cold[e->cold_count - 1].resume = sljit_emit_label(e->c);
  e->cached = -1;
  windows_forget(e);
}

static void canonical_nan(struct emitter *e, const struct cold *cold) {
  uint64_t bits = cold->single ? UINT64_C(0xffffffff00000000) | F32_CANONICAL_NAN : F64_CANONICAL_NAN;
  op1(e, SLJIT_MOV, reg(SLJIT_R0), imm((int64_t)bits));
  sljit_emit_fcopy(e->c, SLJIT_COPY_TO_F64, cold->freg, SLJIT_R0);
}

static void cold_piece(struct emitter *e, struct cold *cold) {
  struct sljit_compiler *c = e->c;
  if (cold->from) here(e, cold->from);
  if (cold->kind == COLD_ACCESS) {
    sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_IMM, cold->access);
    sljit_set_target(sljit_emit_jump(c, SLJIT_FAST_CALL), e->jit->stubs.refill[e->uses_f]);
    sljit_set_label(sljit_emit_cmp(c, SLJIT_NOT_EQUAL, SLJIT_R1, 0, SLJIT_IMM, 0), cold->retry);
  }
  if (cold->also) here(e, cold->also);
  if (cold->third) here(e, cold->third);
  if (cold->kind <= COLD_CROSS) {
    const struct jit_stubs *stubs = &e->jit->stubs;
    if (cold->kind == COLD_CHARGED)
      op2(e, SLJIT_ADD, reg(HOST_BUDGET), reg(HOST_BUDGET), imm(cold->node->count));
    if (cold->kind != COLD_ENTRY) edges_leave_from(e, cold->state);
    exit_before(e, cold->node->offset, cold->kind == COLD_CROSS ? stubs->miss : stubs->spent);
    return;
  }
  if (cold->kind == COLD_NAN)
    canonical_nan(e, cold);
  else
    call_from(e, &cold->state, cold->side);
  sljit_set_label(sljit_emit_jump(c, SLJIT_JUMP), cold->resume);
}

void cold_code(struct emitter *e) {
  for (unsigned i = 0; i < e->cold_count; i++) cold_piece(e, &e->cold[i]);
  call_stub(e);
}

/* Two ops that live as long as the region; without memory for them there will be no region. */
static struct op *new_side(struct emitter *e) {
  if (!e->sides || e->sides->used == SIDE_OPS) {
    struct side_ops *more = malloc(sizeof *more);
    if (!more) {
      e->failed = true;
      return e->nowhere;
    }
    more->next = e->sides;
    more->used = 0;
    e->sides = more;
  }
  e->sides->used += 2;
  return &e->sides->ops[e->sides->used - 2];
}

const struct op *side_op(struct emitter *e, const struct region_insn *at) {
  struct op *side = new_side(e);
  side[0] = block_make_op(&at->insn, at->offset);
  side[0].left = (uint16_t)(e->node->count - e->index);
  bool is_float = at->insn.id != INSN_ILLEGAL && (insn_table[at->insn.id].flags & INSN_FP);
  side[1] = (struct op){.fn = jit_op_return, .imm = is_float, .rd = e->uses.writes[at - e->region->insns]};
  return side;
}

/* CSR instructions the kernel executes all the time: plain words, sstatus and time. In the fast code of a
 * node only; what is not allowed, or would end the block, is done by the op function. */
#include "hart/csr.h"
#include "jit/emit.h"

struct csr_insn {
  unsigned rd, number;
  enum csr_action form;
  bool writes;
  struct operand source;
};

struct csr_word {
  uint16_t number, member; /* offset in struct hart */
  uint64_t mask;
};

static const struct csr_word *find_word(unsigned number) {
  static const struct csr_word words[] = {
#define CSR_WORD(number, name, member, mask)                                                                 \
  {number, offsetof(struct hart, csr) + offsetof(struct csr_state, member), mask},
#define CSR_HOOK(number, name)
#define CSR_ZERO(first, last, name)
#define CSR_FIXED(number, name, value)
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
  };
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
    if (words[i].number == number) return &words[i];
  return NULL;
}

static struct csr_insn describe(struct emitter *e, const struct insn *insn) {
  static const uint8_t forms[] = {CSR_SWAP, CSR_SET, CSR_CLEAR};
  bool immediate = insn->id >= INSN_csrrwi;
  enum csr_action form = forms[insn->id - (immediate ? INSN_csrrwi : INSN_csrrw)];
  return (struct csr_insn){.rd = insn->rd,
                           .number = (unsigned)insn->imm,
                           .form = form,
                           .writes = form == CSR_SWAP || insn->rs1,
                           .source = immediate ? imm(insn->rs1) : guest(e, insn->rs1)};
}

static void need_privilege(struct emitter *e, unsigned number) {
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(priv)});
  slow_jump(e, branch(e, SLJIT_LESS, reg(SLJIT_R0), imm(number >> 8 & 3)));
}

static void set_result(struct emitter *e, unsigned rd, sljit_s32 from) {
  if (rd) op1(e, SLJIT_MOV, guest(e, rd), reg(from));
}

/* R0 = what to write, from R1 = the old value. */
static void combine(struct emitter *e, const struct csr_insn *csr, uint64_t mask) {
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1), writable = imm((int64_t)mask);
  op1(e, SLJIT_MOV, r0, csr->source);
  if (csr->form == CSR_SWAP) {
    if (mask == UINT64_MAX) return;
    op2(e, SLJIT_XOR, r0, r0, r1);
    op2(e, SLJIT_AND, r0, r0, writable);
    op2(e, SLJIT_XOR, r0, r0, r1);
    return;
  }
  if (mask != UINT64_MAX) op2(e, SLJIT_AND, r0, r0, writable);
  if (csr->form == CSR_CLEAR) op2(e, SLJIT_XOR, r0, r0, imm(-1));
  op2(e, csr->form == CSR_SET ? SLJIT_OR : SLJIT_AND, r0, r0, r1);
}

static bool plain_word(struct emitter *e, const struct csr_insn *csr, const struct csr_word *word) {
  struct operand member = {SLJIT_MEM1(HOST_HART), word->member};
  need_privilege(e, csr->number);
  op1(e, SLJIT_MOV, reg(SLJIT_R1), member);
  if (csr->writes) {
    combine(e, csr, word->mask);
    op1(e, SLJIT_MOV, member, reg(SLJIT_R0));
  }
  set_result(e, csr->rd, SLJIT_R1);
  return true;
}

/* rd = sstatus. SD is set when FS is Dirty: then adding one to the field carries out of it. */
static void read_sstatus(struct emitter *e, unsigned rd) {
  enum { FS_LOW = 13, FS_CARRY = 15 };
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1);
  if (!rd) return;
  op1(e, SLJIT_MOV, r1, (struct operand){HART(csr.mstatus)});
  op2(e, SLJIT_AND, r0, r1, imm((int64_t)MSTATUS_FS));
  op2(e, SLJIT_ADD, r0, r0, imm(1 << FS_LOW));
  op2(e, SLJIT_LSHR, r0, r0, imm(FS_CARRY));
  op2(e, SLJIT_SHL, r0, r0, imm(63));
  op2(e, SLJIT_AND, r1, r1, imm((int64_t)(SSTATUS_MASK & ~MSTATUS_SD)));
  op2(e, SLJIT_OR, r1, r1, r0);
  set_result(e, rd, SLJIT_R1);
}

/* Nothing can become pending and enabled: no line or bit of mip that mie has, and the timer's instant, if
 * there is one, lies ahead. */
static void need_quiet(struct emitter *e) {
  op1(e, SLJIT_MOV, reg(SLJIT_R0), (struct operand){HART(csr.mip_lines)});
  op2(e, SLJIT_OR, reg(SLJIT_R0), reg(SLJIT_R0), (struct operand){HART(csr.mip_soft)});
  op2(e, SLJIT_AND, reg(SLJIT_R0), reg(SLJIT_R0), (struct operand){HART(csr.mie)});
  slow_jump(e, branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(0)));
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(stimer.queued)});
  slow_jump(e, branch(e, SLJIT_EQUAL, reg(SLJIT_R0), imm(0)));
}

/* Interrupts on or off, by a constant. */
static bool switch_interrupts(struct emitter *e, const struct csr_insn *csr) {
  struct operand status = {HART(csr.mstatus)};
  need_privilege(e, csr->number);
  if (csr->form == CSR_SET) need_quiet(e);
  read_sstatus(e, csr->rd);
  if (csr->form == CSR_SET)
    op2(e, SLJIT_OR, status, status, imm((int64_t)MSTATUS_SIE));
  else
    op2(e, SLJIT_AND, status, status, imm(~(int64_t)MSTATUS_SIE));
  return true;
}

static bool sstatus(struct emitter *e, const struct csr_insn *csr) {
  if (!csr->writes) {
    need_privilege(e, csr->number);
    read_sstatus(e, csr->rd);
    return true;
  }
  bool constant = csr->source.r == SLJIT_IMM && csr->form != CSR_SWAP;
  if (constant && csr->source.w == (sljit_sw)MSTATUS_SIE) return switch_interrupts(e, csr);
  op1(e, SLJIT_MOV, reg(SLJIT_R0), csr->source);
  op1(e, SLJIT_MOV, reg(SLJIT_R1), imm(csr->form));
  sljit_set_target(sljit_emit_jump(e->c, SLJIT_FAST_CALL), e->jit->stubs.status[e->uses_f]);
  slow_jump(e, branch(e, SLJIT_EQUAL, reg(SLJIT_R1), imm(0)));
  if (csr->rd) {
    op1(e, SLJIT_MOV, reg(SLJIT_R0), (struct operand){HART(load_value)});
    set_result(e, csr->rd, SLJIT_R0);
  }
  return true;
}

/* mtime = (budget_end - budget - what is not retired yet + idle_ns) / 100; a quarter of it times 2^66 / 25,
 * rounded up, has the quotient in its high half, times four. */
static bool read_time(struct emitter *e, const struct csr_insn *csr) {
  enum { TIME = 1 << (CSR_time & 31) };
  const sljit_sw reciprocal = 0x28f5c28f5c28f5c3;
  struct operand r0 = reg(SLJIT_R0), r1 = reg(SLJIT_R1);
  _Static_assert(NS_PER_TICK == 100, "the reciprocal");
  op1(e, SLJIT_MOV, r0, (struct operand){HART(csr.mcounteren)});
  op2(e, SLJIT_AND, r0, r0, (struct operand){HART(csr.scounteren)});
  op2(e, SLJIT_AND, r0, r0, imm(TIME));
  slow_jump(e, branch(e, SLJIT_EQUAL, r0, imm(0)));
  op1(e, SLJIT_MOV, r0, (struct operand){HART(budget_end)});
  op2(e, SLJIT_ADD, r0, r0, (struct operand){HART(idle_ns)});
  op2(e, SLJIT_SUB, r0, r0, reg(HOST_BUDGET));
  op2(e, SLJIT_SUB, r0, r0, imm(e->node->count - e->index));
  op2(e, SLJIT_LSHR, r0, r0, imm(2));
  op1(e, SLJIT_MOV, r1, imm(reciprocal));
  sljit_emit_op0(e->c, SLJIT_LMUL_UW);
  op2(e, SLJIT_LSHR, r1, r1, imm(2));
  set_result(e, csr->rd, SLJIT_R1);
  return true;
}

bool lower_system(struct emitter *e, const struct region_insn *at) {
  if (!e->fast || at->insn.id < INSN_csrrw || at->insn.id > INSN_csrrci) return false;
  struct csr_insn csr = describe(e, &at->insn);
  const struct csr_word *word = find_word(csr.number);
  if (word) return plain_word(e, &csr, word);
  if (csr.number == CSR_sstatus) return sstatus(e, &csr);
  if (csr.number == CSR_time && !csr.writes) return read_time(e, &csr);
  return false;
}

/* What machine code knows of mstatus.FS, frm and fflags, and how the host's sticky exception flags become
 * fflags. */
#include "fp/softfloat.h"
#include "jit/emit.h"

#if HOST_X86
#include <immintrin.h>

/* By the low bits of MXCSR: IE, DE (RISC-V has none), ZE, OE, UE, PE. */
#define IE(n)      ((n)&1 ? FP_NV : 0)
#define ZE(n)      ((n)&4 ? FP_DZ : 0)
#define OE(n)      ((n)&8 ? FP_OF : 0)
#define UE(n)      ((n)&16 ? FP_UF : 0)
#define PE(n)      ((n)&32 ? FP_NX : 0)
#define ONE(n)     (IE(n) | ZE(n) | OE(n) | UE(n) | PE(n))
#define FOUR(n)    ONE(n), ONE((n) + 1), ONE((n) + 2), ONE((n) + 3)
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
const uint8_t float_flags[64] = {SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48)};

bool float_host_flags(void) { return __builtin_cpu_supports("avx") && __builtin_cpu_supports("fma"); }

static void merge(struct hart *hart) { hart->fflags |= float_flags[_mm_getcsr() & (sizeof float_flags - 1)]; }
static void clear(void) {
  if (_mm_getcsr() != FLOAT_MXCSR) _mm_setcsr(FLOAT_MXCSR);
}
#else
bool float_host_flags(void) { return false; }
static void merge(struct hart *hart) { (void)hart; }
static void clear(void) {}
#endif

void float_enter(struct hart *hart) {
  hart->fp_dirty = (hart->csr.mstatus & MSTATUS_FS) == MSTATUS_FS;
  hart->fp_fast = hart->fp_dirty && !hart->frm && (hart->fflags & FP_NX);
}

void float_leave(struct hart *hart) {
  if (hart->fp_armed == FLOAT_IS_ARMED) merge(hart);
  hart->fp_armed = FLOAT_IS_OFF;
}

void float_status(struct hart *hart) {
  float_enter(hart);
  if (!hart->fp_dirty) float_leave(hart);
}

const struct block *float_call(struct hart *hart, const struct op *op) {
  if (hart->fp_armed == FLOAT_IS_ARMED) {
    merge(hart);
    hart->fp_armed = FLOAT_IS_MERGED;
  }
  return op->fn(hart, op);
}

void float_return(struct hart *hart, bool arm) {
  float_enter(hart);
  bool armed = (arm || hart->fp_armed) && hart->fp_dirty && !hart->frm && hart->jit->host_flags;
  if (armed) clear();
  hart->fp_armed = armed ? FLOAT_IS_ARMED : FLOAT_IS_OFF;
}

struct sljit_jump *float_state(struct emitter *e, enum float_knowledge want) {
  if (e->fast) {
    if (e->float_known >= want) return NULL;
    if (e->float_wanted > want) want = e->float_wanted;
    e->float_known = want;
  }
  if (want == FLOAT_DIRTY) {
    op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(fp_dirty)});
    return branch(e, SLJIT_EQUAL, reg(SLJIT_R0), imm(0));
  }
  op1(e, SLJIT_MOV_U8, reg(SLJIT_R0), (struct operand){HART(fp_armed)});
  return branch(e, SLJIT_NOT_EQUAL, reg(SLJIT_R0), imm(FLOAT_IS_ARMED));
}

/* Arithmetic is worth one check of everything for the whole node; loads, stores and moves alone need less. */
void float_begin_node(struct emitter *e) {
  e->float_known = e->float_wanted = FLOAT_UNKNOWN;
  e->boxed = 0;
  if (!e->jit->host_flags) return;
  for (unsigned i = 0; i < e->node->count; i++) {
    const struct insn *insn = &e->region->insns[e->node->insn[i]].insn;
    if (insn->id == INSN_ILLEGAL) continue;
    unsigned flags = insn_table[insn->id].flags;
    if ((flags & INSN_FP) && !(flags & (INSN_LOAD | INSN_STORE))) e->float_wanted = FLOAT_ARMED;
  }
}

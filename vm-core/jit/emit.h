/* What lowering is made of. Included by the .c files of jit only.
 *
 * Host registers: S0 = hart, S1 = budget, R0 and R1 (and HOST_T2 where it
 * exists) are free between instructions, all others hold guest registers. Which
 * ones changes from instruction to instruction (struct register_state); every
 * node has one state it is entered with, and edges that come with another pay
 * for the difference. Between regions the core registers are in their own host
 * registers and all others in memory.
 */
#ifndef JIT_EMIT_H
#define JIT_EMIT_H

#include <sljitLir.h>
#include <stddef.h>
#include <stdio.h>

#include "jit/code_cache.h"
#include "jit/jit.h"
#include "jit/region.h"
#include "jit/scratch.h"

#if defined(SLJIT_CONFIG_X86_64) && SLJIT_CONFIG_X86_64
#define HOST_X86 1
#else
#define HOST_X86 0
#define HOST_T2  SLJIT_R2
#endif
#if defined(SLJIT_CONFIG_RISCV_64) && SLJIT_CONFIG_RISCV_64
#define HOST_RISCV     1
#define HOST_KEY       SLJIT_S(10)
#define HOST_SITES     SLJIT_S(11)
#define HOST_WINDOW(n) (SLJIT_NUMBER_OF_REGISTERS + 5 + (sljit_s32)(n)) /* two in which sljit keeps flags */
#else
#define HOST_RISCV 0
#endif

/* FR0 and FR1 are free between instructions. */
#define HOST_FLOATS  SLJIT_NUMBER_OF_SCRATCH_FLOAT_REGISTERS
#define HOST_HART    SLJIT_S0
#define HOST_BUDGET  SLJIT_S1
#define HART(member) SLJIT_MEM1(HOST_HART), (sljit_sw)offsetof(struct hart, member)
#define HOST_ENTER                                                                                           \
  0, SLJIT_ARGS2(W, W, W), SLJIT_NUMBER_OF_SCRATCH_REGISTERS | SLJIT_ENTER_FLOAT(HOST_FLOATS),               \
      SLJIT_NUMBER_OF_SAVED_REGISTERS, LOCAL_BYTES

enum { CORE_REGS = HOST_RISCV ? 10 : 3 };

/* Addresses in the fixed part of the code cache; HOST state as machine code has
 * it. */
struct jit_stubs {
  const struct op *(*enter)(struct hart *hart, const void *native);
  sljit_uw miss;  /* R0: page offset nothing was translated at */
  sljit_uw spent; /* R0: page offset where the budget does not cover the way on */
  sljit_uw side;  /* R0: op to go on with */
  sljit_uw null;  /* everything is in `hart`: look around */
  sljit_uw find;  /* R0: virtual address no jump is known for; machine code is looked for */
  /* Called by machine code, R0: virtual address of an access, R1: its size, negated for a store. R1 becomes 0
   * when the probe would miss again; the one for regions with f registers in host registers is [1]. */
  sljit_uw refill[2];
  /* The same with R0: operand of a CSR instruction on sstatus, R1: enum csr_action. R1 becomes 0 when the op
   * function must do it. */
  sljit_uw status[2];
};

struct jit {
  struct hart *hart;
  struct block_store *store;
  struct code_cache cache;
  struct scratch scratch; /* of sljit */
  struct jit_stubs stubs;
  struct jit_counters counters;
  bool host_flags;             /* the guest's fflags are kept in the host's */
  bool rewritten;              /* decoded code was dropped since machine code was entered */
  bool same[INSN_COUNT];       /* the host has the instruction, too (jit/lower_same.c) */
  FILE *dump;                  /* NULL: off */
  unsigned sites[2], bank;     /* given out so far: for loads, for stores (jit/site.c) */
  struct region *region;       /* scratch of the compiler */
  struct emitter *emitter;     /* the same */
  void *no_native[PAGE_SLOTS]; /* stubs.miss everywhere */
};

struct operand {
  sljit_s32 r;
  sljit_sw w;
};

/* Which guest registers are in host registers. */
struct register_state {
  uint8_t host[32]; /* 0: in memory */
  uint32_t dirty;   /* newer than memory */
};

enum cold_kind {
  COLD_ENTRY,   /* the same where the region is entered, with registers as between regions */
  COLD_BUDGET,  /* the budget does not cover the way to the next check */
  COLD_CHARGED, /* the same after the node was charged to it */
  COLD_CROSS,   /* what is in the next page is not what was translated */
  COLD_ACCESS,  /* level 1 has no entry: refill and `retry`, or else COLD_OP */
  COLD_OP,      /* the op function does what the inline code could not; then resume */
  COLD_NAN,     /* the NaN in freg becomes the canonical one */
};

struct cold {
  enum cold_kind kind;
  struct sljit_jump *from, *also, *third; /* NULL: none */
  struct sljit_label *resume, *retry;
  sljit_sw access; /* for jit_stubs.refill */
  sljit_s32 freg;
  bool single;
  const struct op *side;
  const struct region_node *node;
  struct register_state state;
};

struct node_jump {
  struct sljit_jump *jump;
  uint16_t node, next; /* next: index + 1 of another jump to the node */
  struct register_state state;
};

enum { COLD_MAX = 3 * (REGION_MAX_INSNS + 1) + 2 * REGION_MAX_NODES };

/* Accesses of one node off one unchanged register. One probe proves that all of
 * them are aligned and lie in one page; after it they need none. */
struct window {
  uint8_t base;
  bool write, open;
  uint8_t granule; /* largest access */
  uint16_t uses;
  int32_t first, last; /* offsets from base: of the first byte, of the last */
};

enum { WINDOWS_MAX = 12, WINDOW_SLOT = 16, LOCAL_BYTES = WINDOW_SLOT + 8 * WINDOWS_MAX };

/* A probe of the fast code of a node that failed: the slow code goes on at that
 * instruction. */
struct slow_jump {
  struct sljit_jump *jump;
  uint16_t node, index;
  uint32_t fresh;
  struct register_state state;
  uint8_t last[32];
};

/* Distance in instructions to the next read of a value; FAR: it is overwritten or the region left before. */
enum { USE_FAR = UINT16_MAX, USE_LEAVING_LOOP = 2048, USE_UNLIKELY = 512 };

struct use_edges {
  int to[2]; /* nodes */
  uint16_t more[2];
  uint8_t count;
  bool leaves; /* the region, or may */
};

/* What the allocator knows of a region before it begins. */
struct register_uses {
  uint32_t reads[REGION_MAX_INSNS];        /* bits */
  uint8_t writes[REGION_MAX_INSNS];        /* 0: none */
  uint16_t distance[REGION_MAX_NODES][32]; /* from the beginning of the node */
  struct use_edges edges[REGION_MAX_NODES];
  uint32_t node_writes[REGION_MAX_NODES]; /* bits */
  uint16_t runs[REGION_MAX_NODES];        /* of the node so far, as the interpreter counted them */
  uint8_t ways_in[REGION_MAX_NODES];      /* edges to the node, at most 255 */
  uint16_t
      loop_end[REGION_MAX_NODES]; /* index + 1 of the last node with an edge back here that is not rare */
};

/* A site that does not hold what its access wants: level 1 is asked, and the site filled. */
struct site_miss {
  struct sljit_jump *miss, *crosses; /* crosses: NULL or where the window does not lie in one page */
  struct sljit_label *hit;
  struct operand base;
  int32_t first, span, grain;
  bool write;
  unsigned slow; /* index in emitter.slow */
  struct operand site;
};

/* What a node's fast code knows of the floating-point state; each level includes the ones before it. */
enum float_knowledge {
  FLOAT_UNKNOWN,
  FLOAT_DIRTY, /* mstatus.FS is Dirty */
  FLOAT_ARMED, /* and frm is to nearest, and the host's sticky flags are the guest's (jit/lower_sse.c) */
};

/* hart->fp_armed */
enum float_armed { FLOAT_IS_OFF, FLOAT_IS_ARMED, FLOAT_IS_MERGED /* while an op function runs */ };

struct emitter {
  struct jit *jit;
  struct sljit_compiler *c;
  const struct region *region;
  struct code_page *page;
  const struct region_node *node; /* being lowered */
  unsigned node_index, index;     /* of the node, of the instruction in it */
  struct register_state now;
  uint8_t last[32];             /* host register a guest register had, so that it gets the same again */
  uint32_t fresh;               /* has a host register, but no value yet */
  uint16_t after[32];           /* distances from the end of the node */
  bool moved[REGION_MAX_NODES]; /* lowered behind all others */
  bool late;                    /* that is now */
  bool falls;                   /* the node before goes on here */
  bool failed;
  struct sljit_label *part[5];       /* behind the nodes, for the dump */
  bool fixed[REGION_MAX_NODES];      /* its state is chosen */
  uint16_t coming[REGION_MAX_NODES]; /* index + 1 of a jump to the node */
  sljit_s32 fhost[32];               /* f register to host register, 0: in memory */
  bool uses_f;                       /* any f register is in a host register */
  uint32_t fwritten;                 /* f registers it writes */
  enum float_knowledge float_known, float_wanted;
  uint32_t boxed; /* f registers known to hold boxed singles here */
  struct side_ops *sides;
  struct op nowhere[2]; /* when there is no memory for others */
  unsigned cold_count, jump_count, jumps_done, call_count;
  struct sljit_label *label[REGION_MAX_NODES], *entry[REGION_MAX_NODES];
  /* A node is lowered up to twice: fast, with windows and without slow ways
   * back into it, and slow, behind the region, with a probe for each access. */
  bool fast;
  unsigned done; /* index of an instruction that was lowered with the one before it */
  int cached;    /* window whose host address is in R1, -1: none */
  unsigned window_count, slow_count, site_count, bank;
  bool uses_sites;
  struct window windows[WINDOWS_MAX];
  int8_t window_of[BLOCK_MAX_INSNS];
  /* From here on nothing is cleared for a region. */
  struct register_uses uses;
  struct register_state state[REGION_MAX_NODES]; /* a node is entered with, once it is fixed */
  struct cold cold[COLD_MAX];
  struct node_jump jumps[4 * REGION_MAX_NODES];
  struct site_miss sites[REGION_MAX_INSNS];
  struct slow_jump slow[4 * REGION_MAX_INSNS];
  struct sljit_jump *calls[2 * COLD_MAX]; /* to the region's op-calling stub */
};

/* jit/uses.c: distances to next uses. */
void uses_find(struct emitter *e);
void uses_begin_node(struct emitter *e);
/* The way from one node to another was taken by few of those who could have; false when too few were counted.
 */
bool uses_unlikely(const struct emitter *e, unsigned from, unsigned to);
unsigned uses_next(const struct emitter *e, unsigned x, unsigned index);

/* jit/registers.c: which guest register lives where. */
void registers_choose(struct emitter *e);   /* f registers */
struct register_state registers_core(void); /* between regions */
sljit_s32 registers_home(unsigned x);       /* host register of a core register, or 0 */
/* Before and after an instruction of e->node is lowered. Until it is done, memory or the state before has
 * what its destination held. */
void registers_prepare(struct emitter *e, unsigned index);
void registers_done(struct emitter *e);
bool registers_want(struct emitter *e, unsigned x); /* at the end of e->node: x in a host register */
void registers_load(struct emitter *e, const struct register_state *state);
void registers_store(struct emitter *e, const struct register_state *state);
void registers_load_f(struct emitter *e);
void registers_store_f(struct emitter *e);
unsigned registers_pool(const sljit_s32 **pool);

/* jit/edges.c: from state to state. */
void edges_enter(struct emitter *e, unsigned node); /* choose the state of a node that begins here */
void edges_jump(struct emitter *e, struct sljit_jump *jump, unsigned node);
void edges_go(struct emitter *e, unsigned node); /* unconditionally */
void edges_leave(struct emitter *e);             /* as between regions; R0 survives, R1 does not */
void edges_leave_from(struct emitter *e, struct register_state state);
void edges_come(struct emitter *e, unsigned node);        /* from between regions */
bool edges_plain(const struct emitter *e, unsigned node); /* entered as between regions */
void edges_finish(struct emitter *e);

/* jit/stubs.c: the fixed part. false: no memory. */
enum { STUBS_BYTES = 8192 };
bool stubs_build(struct jit *jit);
/* Around a call: put aside, or take back, what it may change of the host registers that guest ones are in. */
void stubs_keep(struct emitter *e, bool load, bool floats);

/* The lower_ files: one instruction each; false: not theirs, the op function is
 * called instead. */
bool lower_integer(struct emitter *e, const struct region_insn *at);
bool lower_multiply(struct emitter *e, const struct region_insn *at);
bool lower_bits(struct emitter *e, const struct region_insn *at);
bool lower_memory(struct emitter *e, const struct region_insn *at);
bool lower_atomic(struct emitter *e, const struct region_insn *at);
bool lower_float(struct emitter *e, const struct region_insn *at);
bool lower_system(struct emitter *e, const struct region_insn *at);
#if HOST_X86
bool lower_sse(struct emitter *e, const struct region_insn *at); /* for lower_float if jit->host_flags */
#else
static inline bool lower_sse(struct emitter *e, const struct region_insn *at) {
  return (void)e, (void)at, false;
}
#endif
#if HOST_RISCV
bool lower_same(struct emitter *e, const struct insn *insn); /* before all others */
void same_find(struct jit *jit);
#else
static inline bool lower_same(struct emitter *e, const struct insn *insn) {
  return (void)e, (void)insn, false;
}
static inline void same_find(struct jit *jit) { (void)jit; }
#endif
bool lower_jump(struct emitter *e, const struct region_insn *at);
/* Of a branch taken when `type` holds. */
bool lower_select(struct emitter *e, const struct region_insn *at, sljit_s32 type);

/* The slow way of the present instruction begins where `from` (and `also`)
 * jump; it ends at resume_here. */
void cold_op(struct emitter *e, struct sljit_jump *from, struct sljit_jump *also, const struct op *side);
void resume_here(struct emitter *e);
/* The same for an access whose probe, begun at `retry` with the address in R0, missed. */
void cold_access(struct emitter *e, struct sljit_jump *miss, struct sljit_jump *also,
                 struct sljit_label *retry, sljit_sw access, const struct op *side);

/* jit/probe.c: level 1. The entry for the address in R0, less its set, in R1; a jump taken unless (R0 & mask)
 * is that entry's tag, R0 and R1 survive; an access by it, R0 becoming its host address. */
unsigned probe_set(bool write);
void probe_entry(struct emitter *e, bool write);
struct sljit_jump *probe_compare(struct emitter *e, unsigned set, int32_t mask);
struct operand probe_access(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also);
/* In fast code: where `jump` goes the node's slow code does the present instruction. The index in e->slow. */
void slow_jump(struct emitter *e, struct sljit_jump *jump);
unsigned slow_add(struct emitter *e, struct sljit_jump *jump);

/* jit/site.c: where the present load or store (rs1 + imm, `size` bytes) is in host memory; uses R0, R1 and
 * T2. `also`: NULL or another reason to take the slow way. */
struct operand access_place(struct emitter *e, const struct region_insn *at, bool write, unsigned size,
                            struct sljit_jump *also);
/* At the end of an access. */
void access_done(struct emitter *e);
/* Behind all fast code. */
void site_misses(struct emitter *e);
#if HOST_RISCV
void sites_begin(struct emitter *e);    /* before a region */
void sites_base(struct emitter *e);     /* where it is entered */
void windows_forget(struct emitter *e); /* what kept their addresses has changed */
#else
static inline void sites_begin(struct emitter *e) { (void)e; }
static inline void sites_base(struct emitter *e) { (void)e; }
static inline void windows_forget(struct emitter *e) { (void)e; }
#endif

/* jit/float_state.c.
 *
 * float_host_flags: this host can keep the guest's flags in its own.
 * float_enter, float_leave: around machine code. float_status: machine code has changed mstatus. float_call:
 * calls an op function from machine code, and float_return follows; `arm`: it was a floating-point one. C
 * code that machine code calls otherwise must not use floating point. float_state: jump taken unless what is
 * wanted holds, NULL when fast code knows; uses R0. float_begin_node: forget what is known. */
enum { FLOAT_MXCSR = 0x1f80 }; /* no flag, all masked, to nearest */
extern const uint8_t float_flags[64];
bool float_host_flags(void);
void float_enter(struct hart *hart);
void float_leave(struct hart *hart);
void float_status(struct hart *hart);
const struct block *float_call(struct hart *hart, const struct op *op);
void float_return(struct hart *hart, bool arm);
struct sljit_jump *float_state(struct emitter *e, enum float_knowledge want);
void float_begin_node(struct emitter *e);

/* jit/window.c: find the windows of e->node. */
void windows_plan(struct emitter *e);

/* jit/exits.c: leaving a node. */
/* To the interpreter at `node` when the budget does not cover the way from there to the next check. */
void check_budget(struct emitter *e, const struct region_node *node, enum cold_kind kind);
/* What e->node begins with: its instructions are taken off the budget, which is checked if it is a header. */
void charge_node(struct emitter *e);
void exit_to_offset(struct emitter *e, int64_t offset);
void exit_at_end(struct emitter *e, int64_t offset); /* the last thing of a node: the next node follows */
void exit_to_address(struct emitter *e);
void exit_with_op(struct emitter *e, const struct op *side);
void call_op(struct emitter *e, const struct op *side);
void cold_code(struct emitter *e);

/* The op of the present instruction, followed by one that returns here. */
const struct op *side_op(struct emitter *e, const struct region_insn *at);

/* jit/runtime.c */
const void *jit_find(struct hart *hart, uint64_t va);
sljit_sw jit_status(struct hart *hart, uint64_t source, sljit_sw action);
sljit_sw jit_refill(struct hart *hart, uint64_t va, sljit_sw access);
/* Go on at hart->pc, by reason: one of the first three. */
extern const struct op jit_go_op[JIT_EXIT_LOOKUP + 1];
extern const struct block jit_continue;
const struct block *jit_op_return(struct hart *hart, const struct op *op);
const struct block *jit_op_hot(struct hart *hart, const struct op *op);
const struct block *jit_op_native(struct hart *hart, const struct op *op);

/* jit/compile.c: translate the region around a hot block; true:
 * code_page.native has its entry. */
bool jit_compile(struct jit *jit, struct code_page *page, unsigned offset);

static inline struct operand reg(sljit_s32 r) { return (struct operand){r, 0}; }
static inline struct operand imm(int64_t value) { return (struct operand){SLJIT_IMM, value}; }

/* Guest register as operand. x0 reads as zero; nothing may be written to it. */
static inline struct operand guest(const struct emitter *e, unsigned x) {
  if (!x) return imm(0);
  if (e->now.host[x]) return reg(e->now.host[x]);
  return (struct operand){SLJIT_MEM1(HOST_HART), (sljit_sw)(offsetof(struct hart, x) + 8 * x)};
}

static inline struct operand guest_f(const struct emitter *e, unsigned f) {
  if (e->fhost[f]) return reg(e->fhost[f]);
  return (struct operand){SLJIT_MEM1(HOST_HART), (sljit_sw)(offsetof(struct hart, f) + 8 * f)};
}

/* A register that holds x, or `temp` after loading it. */
static inline sljit_s32 in_register(struct emitter *e, unsigned x, sljit_s32 temp) {
  struct operand from = guest(e, x);
  if (x && e->now.host[x]) return e->now.host[x];
  sljit_emit_op1(e->c, SLJIT_MOV, temp, 0, from.r, from.w);
  return temp;
}

static inline void op1(struct emitter *e, sljit_s32 op, struct operand d, struct operand a) {
  sljit_emit_op1(e->c, op, d.r, d.w, a.r, a.w);
}
static inline void op2(struct emitter *e, sljit_s32 op, struct operand d, struct operand a,
                       struct operand b) {
  sljit_emit_op2(e->c, op, d.r, d.w, a.r, a.w, b.r, b.w);
}

/* d = a + constant */
static inline void add(struct emitter *e, struct operand d, struct operand a, int64_t constant) {
  if (constant)
    op2(e, SLJIT_ADD, d, a, imm(constant));
  else
    op1(e, SLJIT_MOV, d, a);
}

/* rd = move(from), where the move may narrow: to memory it would store only as
 * many bytes. */
static inline void set_guest(struct emitter *e, unsigned rd, sljit_s32 move, struct operand from) {
  if (e->now.host[rd]) {
    op1(e, move, reg(e->now.host[rd]), from);
    return;
  }
  op1(e, move, reg(SLJIT_R0), from);
  op1(e, SLJIT_MOV, guest(e, rd), reg(SLJIT_R0));
}

/* Where machine code begins or goes on after C code. */
static inline void load_key(struct emitter *e) {
#if HOST_RISCV
  op1(e, SLJIT_MOV, reg(HOST_KEY), (struct operand){HART(site_key)});
#else
  (void)e;
#endif
}

static inline struct sljit_jump *branch(struct emitter *e, sljit_s32 type, struct operand a,
                                        struct operand b) {
  return sljit_emit_cmp(e->c, type, a.r, a.w, b.r, b.w);
}
static inline void here(struct emitter *e, struct sljit_jump *jump) {
  sljit_set_label(jump, sljit_emit_label(e->c));
}

#endif

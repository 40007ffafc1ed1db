/* The architectural state of one RISC-V hart (RV64GC, M/S/U) and the calls other modules make on it.
 *
 * Owner: the hart thread. Only `attention` may be touched by another thread.
 * Instruction counting: instret = budget_end - budget - pending. The engine takes a whole block off `budget`
 * when it enters the block; `pending` is the part of that block not yet retired, set before any call that can
 * look at time (memory slow path, CSR access, trap) and zero between blocks. */
#ifndef HART_HART_H
#define HART_HART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "hart/events.h"
#include "isa/priv.h"

struct block;
struct hart;
struct jit;
struct mmu;
struct telemetry;
struct sha256;
struct tlb_set;

/* mtime runs at 10 MHz: one tick is 100 ns of virtual time. */
enum { NS_PER_TICK = 100, PMP_ENTRIES = 16 };

/* Why run_hart returned; see exec/run.h. */
enum stop_reason {
  STOP_NONE,       /* still running */
  STOP_BUDGET,     /* stop_at_instret reached */
  STOP_BREAKPOINT, /* before the instruction at a breakpoint */
  STOP_FIRST_USER, /* before the first instruction in U-mode */
  STOP_FAULT,      /* after a page or access fault of interest was taken */
  STOP_ECALL,      /* after an ecall of interest from U-mode was taken */
  STOP_REQUESTED,  /* `attention` or hart_request_stop(h, STOP_REQUESTED) */
  STOP_IDLE,       /* WFI with nothing near, limits->stop_on_idle */
  STOP_HALTED,     /* WFI (or a trap loop without progress) and no event will ever come */
  STOP_POWEROFF,   /* a device asked: syscon */
  STOP_REBOOT,
  STOP_HTIF,     /* tohost carries an exit code */
  STOP_DIVERGED, /* --engine lockstep: the engines differ */
};

/* What changed in the translation context; argument of hart_hooks.context_changed. */
enum context_change {
  CONTEXT_MODE = 1,  /* priv, MPRV, MPP or SUM: another set of TLB entries applies */
  CONTEXT_PERMS = 2, /* MXR, menvcfg.PBMTE/ADUE or PMP: cached permissions are void */
  CONTEXT_SATP = 4,  /* satp written */
};

/* The exception an instruction raised; taken by exec/run.c. */
struct trap {
  bool raised;
  uint64_t cause;
  uint64_t tval;
};

/* Calls from the hart to the layers above it, set up by mmu and exec. */
struct hart_hooks {
  /* The block reached a place where a breakpoint may be; true: stop before the instruction at pc. */
  bool (*breakpoint)(void *opaque, uint64_t pc);
  void *opaque; /* of breakpoint */
  void (*context_changed)(struct hart *hart, unsigned changes);
};

struct csr_state {
  uint64_t mstatus, misa, medeleg, mideleg, mie, mip_lines, mip_soft, mtvec, mcounteren, mcountinhibit,
      menvcfg;
  uint64_t mscratch, mepc, mcause, mtval;
  uint64_t stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, satp, stimecmp;
  uint64_t mcycle_offset,
      minstret_offset; /* CSR value = instret + offset, or the offset itself while inhibited */
  uint64_t pmpaddr[PMP_ENTRIES];
  uint8_t pmpcfg[PMP_ENTRIES];
};

/* What one load or store of machine code found last (mmu/sites.c): its page, combined with hart.site_key, and
 * host address - virtual address. */
struct site {
  uint64_t tag, addend;
};
struct site_pair {
  struct site load,
      store; /* side by side, so that a base register reaches as many of the one as of the other */
};
enum { SITES = 1024 };

struct hart {
  /* Hot: touched by nearly every instruction. x[0] stays 0; decoded writes to x0 go to x[32]. */
  uint64_t x[33];
  int64_t budget;              /* instructions until the run loop must look around */
  uint64_t code_page;          /* virtual address of the page the running block lies in */
  const struct block *block;   /* the running block */
  struct tlb_set *tlb_data;    /* entries for loads and stores in the present mode (MPRV included) */
  struct tlb_set *tlb_exec;    /* entries for fetches in the present mode */
  struct tlb_entry *tlb_write; /* those of tlb_data for stores */
  uint64_t load_value;         /* result of a slow-path load */
  bool leave;                  /* leave the block after this instruction: interrupt, stop or time changed */
  uint8_t priv;                /* enum priv */
  uint8_t frm;                 /* fcsr.frm */
  uint32_t fflags;             /* fcsr.fflags, low 5 bits */
  bool fp_dirty, fp_fast;      /* of the JIT, derived: FS is Dirty; and frm is RNE, and NX is set */
  uint8_t fp_armed;            /* of the JIT: enum float_armed; zero outside machine code */
  uint32_t pending;            /* see above */
  uint64_t f[32];              /* singles are NaN-boxed */
  uint64_t pc;                 /* valid between blocks */
  uint64_t host_kept[32];      /* of the JIT: host registers while it calls a helper */
  uint64_t host_kept_f[32];

  uint64_t budget_end; /* instret when budget and pending are zero */
  uint64_t idle_ns;    /* virtual time that passed in WFI */
  struct trap trap;
  struct csr_state csr;

  /* LR/SC: physical address and width of the reservation. Broken by any SC, by a trap and by xRET, never by
   * other stores of this hart and always by DMA to its 64-byte line: a fixed rule, the same on every engine.
   */
  bool reservation_valid;
  uint64_t reservation; /* physical address */
  uint8_t reservation_size;

  uint64_t site_key; /* which sites hold: changes when any may not, and with the mode of loads and stores */
  struct site_pair sites[SITES];

  struct event *events; /* sorted by at_ns */
  struct event stimer;  /* Sstc */
  enum stop_reason stop_request;

  struct mmu *mmu;
  struct jit *jit;             /* NULL: none */
  struct telemetry *telemetry; /* NULL: off */
  struct hart_hooks hooks;
  bool waiting;            /* in WFI */
  bool fetching;           /* the next fetch was walked for: `attention` waits until something has run */
  bool stop_on_first_user; /* copied from run_limits: checked when privilege drops to U */

  /* Any thread: run_hart returns STOP_REQUESTED soon, at the latest after 2^18 instructions. */
  _Atomic uint32_t attention;
};

/* Reset state (priv M, pc 0, everything the specification leaves open is zero). `hart` may hold anything
 * before. */
void hart_init(struct hart *hart);

static inline uint64_t hart_instret(const struct hart *hart) {
  return hart->budget_end - (uint64_t)hart->budget - hart->pending;
}
static inline uint64_t hart_time_ns(const struct hart *hart) { return hart_instret(hart) + hart->idle_ns; }
static inline uint64_t hart_mtime(const struct hart *hart) { return hart_time_ns(hart) / NS_PER_TICK; }

/* Drive interrupt line `mip_bit` (IRQ_MSI, IRQ_MTI, IRQ_MEI, IRQ_SEI; IRQ_SSI is ORed with software's bit).
 * Takes effect before the next instruction. */
void hart_set_irq(struct hart *hart, unsigned mip_bit, bool level);

/* mip as software reads it. */
uint64_t hart_mip(const struct hart *hart);

/* Highest-priority interrupt to take now (its cause number), or -1. */
int hart_pending_interrupt(const struct hart *hart);

/* True when WFI must fall through: an interrupt is pending and enabled in mie, whatever mstatus says. */
bool hart_wfi_ready(const struct hart *hart);

/* Ask run_hart to return `reason` right after the present instruction. Hart thread (device callbacks). */
void hart_request_stop(struct hart *hart, enum stop_reason reason);

/* Ask from any thread. */
static inline void hart_request_attention(struct hart *hart) {
  atomic_store_explicit(&hart->attention, 1, memory_order_release);
}

/* Set the pending exception of the running instruction; returns false so that callers can `return` it. */
static inline bool hart_raise(struct hart *hart, uint64_t cause, uint64_t tval) {
  hart->trap = (struct trap){true, cause, tval};
  return false;
}

/* Feed the whole architectural state into a hash, in a fixed order (hart/state.c). */
void hart_hash(const struct hart *hart, struct sha256 *hash);

/* Change privilege and tell the MMU. */
void hart_set_priv(struct hart *hart, unsigned priv);

#endif

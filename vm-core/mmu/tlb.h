/* Software TLB. Two levels, both part of the one choke point for writes.
 *
 * Level 1 (struct tlb_set, mmu/level1.c) is what engines probe inline: direct-mapped, entries {tag, addend},
 * one set for M mode and, in each of a few banks, one for each other mode. A bank belongs to an address
 * space, so that a switch back finds it filled. Level 1 holds only what level 2 holds (inclusion), except in
 * modes without translation. Level 2 (struct l2_entry) keeps translations by virtual page with ASID; which
 * translations are cached, and so whether a stale one may still be used, is a function of the guest's
 * accesses alone: dropping any level-1 entry at any time cannot be seen by the guest. Instruction and data
 * translations live in separate level-2 tables for the same reason: engines differ in how often they look up
 * a fetch they have already done. */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "hart/hart.h"
#include "mmu/mmu.h"
#include "mmu/phys.h"

struct code_page;

enum { TLB_SIZE = 4096, TLB_CODE_SIZE = 4096, TLB_JUMPS_SIZE = 16384 };
enum { L2_DATA_SIZE = 8192, L2_FETCH_SIZE = 4096 };

/* A tag nothing matches: bits 11:3 of a masked address are always zero, and so is bit 0 of an instruction's.
 */
#define TLB_NO_TAG UINT64_MAX

struct tlb_entry {
  uint64_t tag;    /* virtual page address, or TLB_NO_TAG */
  uint64_t addend; /* host address - virtual address */
};

struct tlb_code_entry {
  uint64_t tag;
  struct code_page *page;
};

/* Where machine code for an address begins. It is there only while the code entry of its page is. */
struct tlb_jump {
  uint64_t tag; /* virtual address, or TLB_NO_TAG */
  const void *native;
};

/* The parts of a set. Each remembers which entries were filled since it was last emptied, so that emptying
 * costs what was used; with more than TLB_FILLED_MAX it forgets which. */
enum tlb_part { TLB_READ, TLB_WRITE, TLB_CODE, TLB_JUMPS, TLB_PARTS };
enum { TLB_FILLED_MAX = 1024 };
struct tlb_filled {
  bool local; /* some are of pages that are not global: a fence of the ASID reaches them */
  unsigned count;
  uint16_t index[TLB_FILLED_MAX];
};

struct tlb_set {
  struct tlb_entry read[TLB_SIZE];
  struct tlb_entry write[TLB_SIZE];
  struct tlb_code_entry code[TLB_CODE_SIZE];
  struct tlb_jump jumps[TLB_JUMPS_SIZE];
  struct tlb_filled filled[TLB_PARTS];
  uint32_t jumped[TLB_CODE_SIZE]; /* by code entry: bit n: there may be jumps to bytes 128n.. of its page */
};

/* Sets of a bank. SUM makes no difference to fetches: they use the set without. */
enum tlb_mode { TLB_USER, TLB_SUPERVISOR, TLB_SUPERVISOR_SUM, TLB_MODES };
enum { TLB_BANKS = 4, TLB_MACHINE = TLB_BANKS * TLB_MODES, TLB_SETS };

/* Keys of banks: an ASID, or one of these. */
enum { TLB_KEY_BARE = 1 << 16, TLB_KEY_NONE };

struct tlb_bank {
  uint32_t key;
  uint64_t used; /* when it was last chosen, in switches */
};

enum access { ACCESS_LOAD, ACCESS_STORE, ACCESS_FETCH };

struct l2_entry {
  uint64_t vpn;
  uint64_t page;  /* guest-physical page address */
  uint64_t stamp; /* flush clock when it was made */
  uint16_t asid;
  uint16_t pte; /* low bits of the leaf: V R W X U G A D; 0: empty */
};

struct pmp_range {
  uint64_t first, last; /* inclusive */
  uint8_t config;
};

struct mmu {
  struct hart *hart;
  struct phys *phys;
  struct pmp_range pmp[PMP_ENTRIES]; /* the PMP entries that match anything, in order */
  unsigned pmp_count;
  struct mmu_counters counters;
  /* Flush clock. An entry is alive when its stamp is not older than the flushes that cover it. */
  uint64_t clock, flushed_all;
  uint64_t *flushed_asid; /* [65536] */
  /* Superpage and NAPOT leaves seen since the last full flush, by hash of their virtual prefix: an sfence.vma
   * of one address that may lie in one flushes everything. */
  uint64_t seen_large[4][64];
  struct l2_entry data[L2_DATA_SIZE];
  struct l2_entry fetch[L2_FETCH_SIZE];
  struct tlb_set sets[TLB_SETS];
  struct tlb_bank banks[TLB_BANKS];
  unsigned bank; /* of the present address space, which is that of `satp` */
  uint64_t satp;
  bool global; /* what was translated last is a global page */
  uint64_t switches;
  /* By RAM page: the one writable entry it may have, as number + 1; 0: none; WRITERS_MANY. */
  uint16_t *writers;
  uint64_t page_count;
};

static inline unsigned tlb_index(uint64_t va) { return va >> PAGE_SHIFT & (TLB_SIZE - 1); }
static inline unsigned tlb_code_index(uint64_t va) { return va >> PAGE_SHIFT & (TLB_CODE_SIZE - 1); }
static inline unsigned tlb_jump_index(uint64_t va) { return va >> 1 & (TLB_JUMPS_SIZE - 1); }

/* Result of a translation: where, and what the leaf allows. */
struct translation {
  uint64_t page; /* guest-physical page address */
  uint16_t pte;  /* low bits of the leaf */
};

/* Effective privilege of an access: MPRV applies to loads and stores. */
unsigned mmu_effective_priv(const struct hart *hart, enum access access);

/* Translate va's page for an access with all permission checks. false: page or access fault raised, with
 * tval. */
bool mmu_translate(struct hart *hart, uint64_t va, enum access access, struct translation *out);

/* The same where level 2 (or no translation) has the answer; false: nothing was done, mmu_translate may know
 * more. */
bool mmu_translate_known(struct hart *hart, uint64_t va, enum access access, struct translation *out);

/* Walk the page table (mmu/walk.c); updates A and D. false: fault raised. */
struct walk_result {
  uint64_t page;
  uint16_t pte;
  uint8_t level; /* 0: 4 KB; 1: 2 MB; 2: 1 GB; 3: 512 GB; 4: a 64 KB NAPOT range */
};
bool mmu_walk(struct hart *hart, uint64_t va, enum access access, unsigned priv, struct walk_result *out);

/* True when the leaf bits allow the access for this privilege under SUM and MXR. */
bool pte_allows(const struct hart *hart, uint64_t pte, enum access access, unsigned priv);

/* Level-1 fills after a successful translation. */
void tlb_fill_read(struct hart *hart, uint64_t va, const uint8_t *host);
void tlb_fill_write(struct hart *hart, uint64_t va, uint8_t *host);
void tlb_fill_code(struct hart *hart, uint64_t va, struct code_page *page);
/* The code entry of va's page is there. */
void tlb_fill_jump(struct hart *hart, uint64_t va, const void *native);

/* Put a translation into level 2 as a walk would have (mmu/tlb_state.c). Level 1 is empty. */
void tlb_put(struct mmu *mmu, const struct l2_entry *entry, enum access access);

/* sfence.vma and sinval.vma: by address (NULL: all) and ASID (NULL: all, with global pages). */
void tlb_fence(struct hart *hart, const uint64_t *va, const uint64_t *asid);

/* Drop level-1 entries: writable ones everywhere; code ones everywhere; jumps (machine code they name is
 * about to go) everywhere, to one page; those of S and U modes; everything. */
void tlb_drop_writable(struct hart *hart);
void tlb_drop_code(struct hart *hart);
void tlb_drop_jumps(struct hart *hart);
void tlb_drop_jumps_to(struct hart *hart, const struct code_page *page);
void tlb_drop_translated(struct hart *hart);
void tlb_drop_level1(struct hart *hart);

/* Level 1 of a new, zeroed struct mmu. */
void tlb_create_level1(struct hart *hart);

/* How many bytes a site speaks of, as a power of two: a page, or as much as an immediate operand of the host
 * can mask. */
#ifdef __riscv
enum { SITE_SHIFT = 11 };
#else
enum { SITE_SHIFT = PAGE_SHIFT };
#endif

/* Sites (mmu/sites.c) hold some of what level 1 held: no longer when entries of it are dropped, though longer
 * than those replaced by others. Drop all; another set is hart->tlb_data; a new hart. */
void sites_drop(struct hart *hart);
void sites_select(struct hart *hart);
void sites_forget(struct hart *hart);

/* Drop what S and U modes have of the page of va, as data or as code, in the address space of an ASID (NULL:
 * in all). */
void tlb_drop_page(struct mmu *mmu, uint64_t va, const uint16_t *asid, bool code);

/* Drop what S and U modes have of pages that are not global in the address space of an ASID. */
void tlb_drop_asid(struct mmu *mmu, uint16_t asid);

/* The first of the sets of S and U modes in the present address space. */
struct tlb_set *tlb_present_sets(struct hart *hart);

/* Drop the writable level-1 entries whose addend maps to host page `host` (it now carries code). */
void tlb_protect_page(struct hart *hart, const uint8_t *host);

/* PMP. Call pmp_update whenever its CSRs changed. */
void pmp_update(struct hart *hart);

/* Permission of [gpa, gpa + size) for the access; whether the whole page of gpa has one answer. */
bool pmp_allows(const struct hart *hart, uint64_t gpa, unsigned size, enum access access, unsigned priv);
bool pmp_page_uniform(const struct hart *hart, uint64_t gpa);

#endif

/* The memory side of one hart: physical space and software TLB. Created once for each hart, hart thread. */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <stdbool.h>
#include <stdint.h>

struct blob;
struct blob_reader;
struct hart;
struct phys;

/* Plain counts since the start; the guest cannot see them. Fills are of level 1. */
struct mmu_counters {
  uint64_t fill_read, fill_write, fill_fetch, walks, flush_all, flush_page, mmio_reads, mmio_writes;
};

/* Attach a TLB and the given physical space to the hart, and set the hart's context hook. false: no memory.
 */
bool mmu_attach(struct hart *hart, struct phys *phys);
void mmu_detach(struct hart *hart);

/* Drop every writable entry (a new epoch begins: the next write to each page passes the choke point again).
 * Invisible to the guest. */
void mmu_drop_writable(struct hart *hart);

/* Drop all cached translations and physical pointers; called when phys changes (RAM replaced, checkpoint
 * restored). */
void mmu_flush_all(struct hart *hart);

/* The translations the guest has cached: part of a saved machine, as it may use stale ones until it fences.
 * Load: into a TLB whose hart's state is in place; flushes first. false: no translations. Copy: one to
 * another. */
void mmu_save(const struct hart *hart, struct blob *out);
bool mmu_load(struct hart *hart, struct blob_reader *in);
bool mmu_copy(struct hart *to, const struct hart *from);

/* Translate without side effects, with S-mode rights and no permission checks but V and leaf shape: for
 * debuggers. false: not mapped, or mapped outside RAM. */
bool mmu_debug_translate(const struct hart *hart, uint64_t va, uint64_t *gpa);

#endif

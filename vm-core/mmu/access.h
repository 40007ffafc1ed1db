/* Memory accesses the inline TLB probe did not answer. Hart thread; hart->pending must be set so that time is
 * exact.
 *
 * All return false (or NULL) after raising the exception in hart->trap. Misaligned accesses to RAM are done;
 * across a page boundary both pages are checked first, so a fault leaves memory untouched and tval names the
 * page that faulted. */
#ifndef MMU_ACCESS_H
#define MMU_ACCESS_H

#include "hart/hart.h"
#include "mmu/tlb.h"

/* Zero-extended value into hart->load_value; size 1, 2, 4 or 8. */
bool mem_load(struct hart *hart, uint64_t va, unsigned size);
bool mem_store(struct hart *hart, uint64_t va, unsigned size, uint64_t value);

/* For engines whose probe missed: fill level 1 for this access from what level 2 knows, so that the same
 * probe hits now. false: nothing was done, the access must go its full way (a walk, a device, a page that is
 * watched or carries code, an access that is not aligned). */
bool mem_refill(struct hart *hart, uint64_t va, unsigned size, bool write);

/* Host address for an atomic access, naturally aligned, RAM only; *gpa receives the physical address.
 * ACCESS_STORE pointers may be written; call mem_stored after doing so. */
uint8_t *mem_atomic(struct hart *hart, uint64_t va, unsigned size, enum access access, uint64_t *gpa);
void mem_stored(struct hart *hart, uint64_t gpa, unsigned size);

/* cbo.zero on the 64-byte block of va; cbo.clean, flush and inval only check permission. */
enum { CACHE_BLOCK = 64 };
bool mem_zero_block(struct hart *hart, uint64_t va);
bool mem_manage_block(struct hart *hart, uint64_t va);

/* Physical address of the instruction parcel at va after all checks of a 2-byte fetch. */
bool mem_fetch_address(struct hart *hart, uint64_t va, uint64_t *gpa);

#endif

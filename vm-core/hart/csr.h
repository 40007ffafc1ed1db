/* CSR access with privilege, enables and WARL rules. Hart thread. */
#ifndef HART_CSR_H
#define HART_CSR_H

#include "hart/hart.h"
#include "isa/csr.h"

/* True when the present mode may access the CSR this way; false: illegal instruction. */
bool csr_allowed(const struct hart *hart, unsigned number, bool write);

/* The value software reads. Only after csr_allowed. */
uint64_t csr_read(const struct hart *hart, unsigned number);

/* The value a set or clear instruction starts from: csr_read, but mip.SEIP without the external line. */
uint64_t csr_read_for_update(const struct hart *hart, unsigned number);

/* Write with all side effects; sets hart->leave where the block must not go on. Only after csr_allowed. */
void csr_write(struct hart *hart, unsigned number, uint64_t value);

/* What csrrw, csrrs and csrrc make of the old value and their operand. */
enum csr_action { CSR_SWAP, CSR_SET, CSR_CLEAR };

/* Such an instruction on sstatus, when it is allowed, changes neither MXR nor an interrupt's chance and so
 * does not end the block: done, with the value read in hart->load_value. false: nothing was done. Does not
 * look at time: hart->stimer.queued says that the timer is not due. */
bool csr_change_sstatus(struct hart *hart, enum csr_action action, uint64_t source);

/* mstatus and its parts used outside csr.c. */
void hart_write_mstatus(struct hart *hart, uint64_t value);
void hart_mark_fp_dirty(struct hart *hart);

/* Leave the block when an interrupt can be taken now. After every change of mip, mie, mideleg or mstatus. */
void hart_check_interrupts(struct hart *hart);

/* Re-arm the Sstc event after stimecmp, menvcfg or the clock changed. */
void hart_arm_stimer(struct hart *hart);

#define CSR_WORD(number, name, member, mask)
#define CSR_HOOK(number, name)                                                                               \
  uint64_t csr_read_##name(const struct hart *hart);                                                         \
  void csr_write_##name(struct hart *hart, uint64_t value);
#define CSR_ZERO(first, last, name)
#define CSR_FIXED(number, name, value)
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED

#endif

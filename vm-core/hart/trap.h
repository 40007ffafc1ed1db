/* Trap entry and return. Hart thread; trap entry is called by exec/run.c only. */
#ifndef HART_TRAP_H
#define HART_TRAP_H

#include "hart/hart.h"

/* Enter the handler for hart->trap; hart->pc is the instruction that raised it. Clears hart->trap. */
void hart_take_exception(struct hart *hart);

/* Enter the handler for interrupt `irq`; hart->pc is the next instruction. */
void hart_take_interrupt(struct hart *hart, unsigned irq);

/* xRET: set privilege, interrupt enables and hart->pc. The caller has checked privilege and TSR. */
void hart_mret(struct hart *hart);
void hart_sret(struct hart *hart);

#endif

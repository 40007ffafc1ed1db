/* fcsr, counters and timers. */
#include "hart/csr.h"

enum { INHIBIT_CY = 1, INHIBIT_IR = 4 };

void hart_mark_fp_dirty(struct hart *hart) { hart->csr.mstatus |= MSTATUS_FS; }

uint64_t csr_read_fflags(const struct hart *hart) { return hart->fflags; }
uint64_t csr_read_frm(const struct hart *hart) { return hart->frm; }
uint64_t csr_read_fcsr(const struct hart *hart) { return (uint64_t)hart->frm << 5 | hart->fflags; }

void csr_write_fflags(struct hart *hart, uint64_t value) {
  hart->fflags = value & 31;
  hart_mark_fp_dirty(hart);
}

void csr_write_frm(struct hart *hart, uint64_t value) {
  hart->frm = value & 7;
  hart_mark_fp_dirty(hart);
}

void csr_write_fcsr(struct hart *hart, uint64_t value) {
  hart->fflags = value & 31;
  csr_write_frm(hart, value >> 5);
}

static uint64_t counter_read(const struct hart *hart, uint64_t offset, unsigned inhibit) {
  return (hart->csr.mcountinhibit & inhibit) ? offset : hart_instret(hart) + offset;
}

/* The next instruction reads exactly `value`: the writing instruction itself is not counted. */
static uint64_t counter_offset(const struct hart *hart, uint64_t value, unsigned inhibit) {
  return (hart->csr.mcountinhibit & inhibit) ? value : value - (hart_instret(hart) + 1);
}

uint64_t csr_read_mcycle(const struct hart *hart) {
  return counter_read(hart, hart->csr.mcycle_offset, INHIBIT_CY);
}
uint64_t csr_read_minstret(const struct hart *hart) {
  return counter_read(hart, hart->csr.minstret_offset, INHIBIT_IR);
}
uint64_t csr_read_cycle(const struct hart *hart) { return csr_read_mcycle(hart); }
uint64_t csr_read_instret(const struct hart *hart) { return csr_read_minstret(hart); }
uint64_t csr_read_time(const struct hart *hart) { return hart_mtime(hart); }

void csr_write_mcycle(struct hart *hart, uint64_t value) {
  hart->csr.mcycle_offset = counter_offset(hart, value, INHIBIT_CY);
}
void csr_write_minstret(struct hart *hart, uint64_t value) {
  hart->csr.minstret_offset = counter_offset(hart, value, INHIBIT_IR);
}

/* Read-only numbers: csr_allowed refuses before these are reached. */
void csr_write_cycle(struct hart *hart, uint64_t value) { (void)hart, (void)value; }
void csr_write_time(struct hart *hart, uint64_t value) { (void)hart, (void)value; }
void csr_write_instret(struct hart *hart, uint64_t value) { (void)hart, (void)value; }

uint64_t csr_read_mcountinhibit(const struct hart *hart) { return hart->csr.mcountinhibit; }

void csr_write_mcountinhibit(struct hart *hart, uint64_t value) {
  uint64_t cycle = csr_read_mcycle(hart), instret = csr_read_minstret(hart);
  uint64_t now = hart_instret(hart);
  hart->csr.mcountinhibit = value & (INHIBIT_CY | INHIBIT_IR);
  hart->csr.mcycle_offset = (value & INHIBIT_CY) ? cycle : cycle - now;
  hart->csr.minstret_offset = (value & INHIBIT_IR) ? instret : instret - now;
}

uint64_t csr_read_stimecmp(const struct hart *hart) { return hart->csr.stimecmp; }

void csr_write_stimecmp(struct hart *hart, uint64_t value) {
  hart->csr.stimecmp = value;
  hart_arm_stimer(hart);
}

void hart_arm_stimer(struct hart *hart) {
  uint64_t cmp = hart->csr.stimecmp;
  bool due = hart_mtime(hart) >= cmp;
  bool far = cmp > EVENT_NEVER / NS_PER_TICK;
  event_schedule(hart, &hart->stimer, due || far ? EVENT_NEVER : cmp * NS_PER_TICK);
  hart_check_interrupts(hart);
}

#include "hart/hart.h"

#include <string.h>

#include "hart/csr.h"

#define MISA_RV64        (UINT64_C(2) << 62)
#define MISA_EXT(letter) BIT((letter) - 'A')

static void no_context_hook(struct hart *hart, unsigned changes) { (void)hart, (void)changes; }

/* mip.STIP is a comparison, so firing only has to make the run loop look. */
static void stimer_fire(void *opaque) { hart_check_interrupts(opaque); }

void hart_init(struct hart *hart) {
  memset(hart, 0, sizeof *hart);
  hart->priv = PRIV_M;
  hart->hooks.context_changed = no_context_hook;
  hart->stimer = (struct event){.at_ns = EVENT_NEVER, .fire = stimer_fire, .opaque = hart};
  hart->csr.misa = MISA_RV64 | MISA_EXT('I') | MISA_EXT('M') | MISA_EXT('A') | MISA_EXT('F') | MISA_EXT('D') |
                   MISA_EXT('C') | MISA_EXT('S') | MISA_EXT('U') | MISA_EXT('B');
  hart->csr.mstatus = MSTATUS_UXL | MSTATUS_SXL;
  hart->csr.stimecmp = UINT64_MAX;
  /* Firmware older than Svadu (OpenSBI 1.1) does not know the bit and expects A and D to be updated. */
  hart->csr.menvcfg = ENVCFG_ADUE;
}

void hart_set_priv(struct hart *hart, unsigned priv) {
  hart->priv = (uint8_t)priv;
  hart->hooks.context_changed(hart, CONTEXT_MODE);
}

void hart_request_stop(struct hart *hart, enum stop_reason reason) {
  hart->stop_request = reason;
  hart->leave = true;
}

/* Saved words of a hart, checked: reserved bits and reserved values never were in a register. */
#include <stdio.h>
#include <stdlib.h>

#include "hart/csr.h"
#include "hart/state.h"

#define MSTATUS_ALL                                                                                          \
  (MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP | MSTATUS_FS |        \
   MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR | MSTATUS_UXL |         \
   MSTATUS_SXL)
#define SENVCFG_ALL   (ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE)
#define MENVCFG_ALL   (SENVCFG_ALL | ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE)
#define INHIBIT_ALL   UINT64_C(5)
#define PMP_ADDRESSES (BIT(54) - 1)
enum { PMP_CFG_ALL = 0x9f, PMP_W_ONLY = 2, PMP_RW = 3 };

static bool envcfg_good(uint64_t value, uint64_t all) { return !(value & ~all) && bits(value, 5, 4) != 2; }

static bool mstatus_good(uint64_t value) {
  return !(value & ~MSTATUS_ALL) && (value & (MSTATUS_UXL | MSTATUS_SXL)) == (MSTATUS_UXL | MSTATUS_SXL) &&
         bits(value, 12, 11) != 2;
}

static bool satp_good(uint64_t value) {
  return value >> 60 == SATP_BARE || value >> 60 == SATP_SV39 || value >> 60 == SATP_SV48;
}

/* Registers whose writable bits csr.def tells; misa has none, its value is fixed. */
static const char *bad_plain(const struct csr_state *csr) {
#define CSR_WORD(number, name, member, mask)                                                                 \
  if ((uint64_t)(mask) && csr->member & ~(uint64_t)(mask)) return "csr." #name;
#define CSR_HOOK(number, name)
#define CSR_ZERO(first, last, name)
#define CSR_FIXED(number, name, value)
#include "isa/csr.def"
#undef CSR_WORD
#undef CSR_HOOK
#undef CSR_ZERO
#undef CSR_FIXED
  return NULL;
}

static const char *bad_csr(const struct csr_state *csr, uint64_t misa) {
  if (csr->misa != misa) return "csr.misa";
  if (!mstatus_good(csr->mstatus)) return "csr.mstatus";
  if (csr->mideleg & ~MIP_S_MASK) return "csr.mideleg";
  if (csr->mie & ~(MIP_S_MASK | MIP_M_MASK)) return "csr.mie";
  if (csr->mip_lines & ~(MIP_S_MASK | MIP_M_MASK)) return "csr.mip_lines";
  if (csr->mip_soft & ~MIP_S_MASK) return "csr.mip_soft";
  if (csr->mcountinhibit & ~INHIBIT_ALL) return "csr.mcountinhibit";
  if (!envcfg_good(csr->menvcfg, MENVCFG_ALL)) return "csr.menvcfg";
  if (!envcfg_good(csr->senvcfg, SENVCFG_ALL)) return "csr.senvcfg";
  if (!satp_good(csr->satp)) return "csr.satp";
  for (unsigned i = 0; i < PMP_ENTRIES; i++) {
    if (csr->pmpaddr[i] & ~PMP_ADDRESSES) return "csr.pmpaddr";
    if (csr->pmpcfg[i] & ~PMP_CFG_ALL || (csr->pmpcfg[i] & PMP_RW) == PMP_W_ONLY) return "csr.pmpcfg";
  }
  return bad_plain(csr);
}

/* What the words lose on their way through the hart's narrower fields. */
static bool fits(const struct hart *hart, const uint64_t words[HART_STATE_WORDS]) {
  uint64_t again[HART_STATE_WORDS];
  hart_state_save(hart, again);
  for (unsigned i = 0; i < HART_STATE_WORDS; i++)
    if (again[i] != words[i]) return false;
  return true;
}

static const char *bad_field(const struct hart *hart) {
  if (hart->pc & 1) return "pc";
  if (hart->priv != PRIV_U && hart->priv != PRIV_S && hart->priv != PRIV_M) return "priv";
  if (hart->frm > 7) return "frm";
  if (hart->fflags > 31) return "fflags";
  unsigned size = hart->reservation_size;
  if (size != 0 && size != 4 && size != 8) return "reservation_size";
  return NULL;
}

bool hart_state_check(const uint64_t words[HART_STATE_WORDS], char name[HART_STATE_NAME]) {
  struct hart *hart = malloc(sizeof *hart);
  const char *bad = "(no memory)";
  if (hart) {
    hart_init(hart);
    uint64_t misa = hart->csr.misa;
    hart_state_load(hart, words);
    bad = bad_field(hart);
    if (!bad) bad = bad_csr(&hart->csr, misa);
    if (!bad && !fits(hart, words)) bad = "a word too wide";
  }
  free(hart);
  snprintf(name, HART_STATE_NAME, "%s", bad ? bad : "");
  return !bad;
}

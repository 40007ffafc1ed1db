#include "hart/state.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "hart/csr.h"

/* The one list of state words. */
/* clang-format off */
#define HART_STATE_FIELDS(X)                                                                                 \
  X(pc) X(priv) X(frm) X(fflags) X(idle_ns) X(waiting)                                                       \
  X(reservation_valid) X(reservation) X(reservation_size)                                                    \
  X(csr.mstatus) X(csr.misa) X(csr.medeleg) X(csr.mideleg) X(csr.mie) X(csr.mip_lines) X(csr.mip_soft)       \
  X(csr.mtvec) X(csr.mcounteren) X(csr.mcountinhibit) X(csr.menvcfg)                                         \
  X(csr.mscratch) X(csr.mepc) X(csr.mcause) X(csr.mtval)                                                     \
  X(csr.stvec) X(csr.scounteren) X(csr.senvcfg) X(csr.sscratch) X(csr.sepc) X(csr.scause) X(csr.stval)       \
  X(csr.satp) X(csr.stimecmp) X(csr.mcycle_offset) X(csr.minstret_offset)
/* clang-format on */

#define COUNT_FIELD(field) +1
enum {
  FIELD_WORDS = 0 HART_STATE_FIELDS(COUNT_FIELD),
  USED_WORDS = 31 + 32 + 1 + FIELD_WORDS + 2 * PMP_ENTRIES,
};
_Static_assert((int)USED_WORDS <= (int)HART_STATE_WORDS, "room for every word");

void hart_state_save(const struct hart *hart, uint64_t words[HART_STATE_WORDS]) {
  uint64_t *word = words;
  memset(words, 0, HART_STATE_WORDS * sizeof *words);
  for (unsigned i = 1; i < 32; i++) *word++ = hart->x[i];
  for (unsigned i = 0; i < 32; i++) *word++ = hart->f[i];
  *word++ = hart_instret(hart);
#define SAVE_FIELD(field) *word++ = (uint64_t)hart->field;
  HART_STATE_FIELDS(SAVE_FIELD)
#undef SAVE_FIELD
  for (unsigned i = 0; i < PMP_ENTRIES; i++) *word++ = hart->csr.pmpaddr[i];
  for (unsigned i = 0; i < PMP_ENTRIES; i++) *word++ = hart->csr.pmpcfg[i];
}

void hart_state_load(struct hart *hart, const uint64_t words[HART_STATE_WORDS]) {
  const uint64_t *word = words;
  for (unsigned i = 1; i < 32; i++) hart->x[i] = *word++;
  for (unsigned i = 0; i < 32; i++) hart->f[i] = *word++;
  hart->budget_end = *word++;
  hart->budget = 0;
  hart->pending = 0;
  hart->trap.raised = false;
#define LOAD_FIELD(field) hart->field = (__typeof__(hart->field))*word++;
  HART_STATE_FIELDS(LOAD_FIELD)
#undef LOAD_FIELD
  for (unsigned i = 0; i < PMP_ENTRIES; i++) hart->csr.pmpaddr[i] = *word++;
  for (unsigned i = 0; i < PMP_ENTRIES; i++) hart->csr.pmpcfg[i] = (uint8_t)*word++;
  hart_arm_stimer(hart);
}

void hart_state_name(unsigned word, char name[HART_STATE_NAME]) {
#define FIELD_NAME(field) #field,
  static const char *const fields[] = {HART_STATE_FIELDS(FIELD_NAME)};
#undef FIELD_NAME
  static const struct {
    const char *format;
    unsigned first, count;
  } groups[] = {{"x%u", 1, 31},
                {"f%u", 0, 32},
                {"instret", 0, 1},
                {NULL, 0, FIELD_WORDS},
                {"csr.pmpaddr%u", 0, PMP_ENTRIES},
                {"csr.pmpcfg%u", 0, PMP_ENTRIES}};
  *name = 0;
  for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
    if (word >= groups[i].count) {
      word -= groups[i].count;
      continue;
    }
    if (groups[i].format)
      snprintf(name, HART_STATE_NAME, groups[i].format, groups[i].first + word);
    else
      snprintf(name, HART_STATE_NAME, "%s", fields[word]);
    return;
  }
}

void hart_hash(const struct hart *hart, struct sha256 *sha) {
  uint64_t words[HART_STATE_WORDS];
  hart_state_save(hart, words);
  sha256_update(sha, words, sizeof words);
}

#include "dev/plic.h"

#include <string.h>

enum {
  PENDING = 0x1000,
  ENABLE = 0x2000,
  ENABLE_STRIDE = 0x80,
  CONTEXT = 0x200000,
  CONTEXT_STRIDE = 0x1000,
};

static bool test(const uint32_t *words, unsigned n) { return words[n / 32] >> n % 32 & 1; }

static void assign(uint32_t *words, unsigned n, bool value) {
  uint32_t mask = UINT32_C(1) << n % 32;
  words[n / 32] = value ? words[n / 32] | mask : words[n / 32] & ~mask;
}

/* Highest priority first, lowest number among equals; 0 when none is above the threshold. */
static unsigned best(const struct plic *plic, unsigned context) {
  unsigned found = 0;
  uint32_t priority = plic->state.threshold[context];
  for (unsigned word = 0; word < PLIC_WORDS; word++) {
    uint32_t candidates = plic->state.pending[word] & plic->state.enable[context][word];
    for (; candidates; candidates &= candidates - 1) {
      unsigned source = word * 32 + (unsigned)__builtin_ctz(candidates);
      if (plic->state.priority[source] > priority) {
        priority = plic->state.priority[source];
        found = source;
      }
    }
  }
  return found;
}

static void update(struct plic *plic) {
  hart_set_irq(plic->hart, IRQ_MEI, best(plic, 0) != 0);
  hart_set_irq(plic->hart, IRQ_SEI, best(plic, 1) != 0);
}

void plic_set_line(struct plic *plic, unsigned source, bool level) {
  if (source == 0 || source >= PLIC_SOURCES || test(plic->state.level, source) == level) return;
  assign(plic->state.level, source, level);
  if (!test(plic->state.claimed, source)) assign(plic->state.pending, source, level);
  update(plic);
}

static unsigned claim(struct plic *plic, unsigned context) {
  unsigned source = best(plic, context);
  if (source) {
    assign(plic->state.pending, source, false);
    assign(plic->state.claimed, source, true);
    update(plic);
  }
  return source;
}

static void complete(struct plic *plic, unsigned context, uint64_t source) {
  if (source == 0 || source >= PLIC_SOURCES) return;
  unsigned n = (unsigned)source;
  if (!test(plic->state.enable[context], n) || !test(plic->state.claimed, n)) return;
  assign(plic->state.claimed, n, false);
  assign(plic->state.pending, n, test(plic->state.level, n));
  update(plic);
}

/* The word an offset names, or NULL. Claim and complete registers are not among them. */
static uint32_t *word_at(struct plic *plic, uint64_t offset) {
  uint64_t index = offset / 4;
  if (offset < PENDING) return index < PLIC_SOURCES ? &plic->state.priority[index] : NULL;
  if (offset < ENABLE) {
    index -= PENDING / 4;
    return index < PLIC_WORDS ? &plic->state.pending[index] : NULL;
  }
  if (offset < CONTEXT) {
    uint64_t context = (offset - ENABLE) / ENABLE_STRIDE, word = (offset - ENABLE) % ENABLE_STRIDE / 4;
    return context < PLIC_CONTEXTS && word < PLIC_WORDS ? &plic->state.enable[context][word] : NULL;
  }
  uint64_t context = (offset - CONTEXT) / CONTEXT_STRIDE;
  bool threshold = (offset - CONTEXT) % CONTEXT_STRIDE == 0;
  return context < PLIC_CONTEXTS && threshold ? &plic->state.threshold[context] : NULL;
}

/* The context whose claim/complete register lies at offset, or -1. */
static int claim_context(uint64_t offset) {
  if (offset < CONTEXT || (offset - CONTEXT) % CONTEXT_STRIDE != 4) return -1;
  uint64_t context = (offset - CONTEXT) / CONTEXT_STRIDE;
  return context < PLIC_CONTEXTS ? (int)context : -1;
}

static bool plic_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct plic *plic = opaque;
  if (size != 4) return false;
  int context = claim_context(offset);
  const uint32_t *word = word_at(plic, offset);
  *value = context >= 0 ? claim(plic, (unsigned)context) : word ? *word : 0;
  return true;
}

static bool plic_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct plic *plic = opaque;
  if (size != 4) return false;
  int context = claim_context(offset);
  if (context >= 0) {
    complete(plic, (unsigned)context, value);
    return true;
  }
  uint32_t *word = word_at(plic, offset);
  bool pending = offset >= PENDING && offset < ENABLE;
  if (!word || pending || offset == 0) return true;
  if (offset >= ENABLE && offset < CONTEXT)
    *word = (uint32_t)value & ((offset & (ENABLE_STRIDE - 1)) == 0 ? ~UINT32_C(1) : ~UINT32_C(0));
  else
    *word = (uint32_t)value & PLIC_MAX_PRIORITY;
  update(plic);
  return true;
}

static const struct mmio_ops plic_ops = {plic_read, plic_write};

static void plic_reset(void *opaque) {
  struct plic *plic = opaque;
  memset(&plic->state, 0, sizeof plic->state);
  update(plic);
}

static bool plic_load(void *opaque, struct blob_reader *in) {
  const struct plic *plic = opaque;
  (void)in;
  for (unsigned i = 0; i < PLIC_SOURCES; i++)
    if (plic->state.priority[i] > PLIC_MAX_PRIORITY) return false;
  for (unsigned context = 0; context < PLIC_CONTEXTS; context++)
    if (plic->state.threshold[context] > PLIC_MAX_PRIORITY || test(plic->state.enable[context], 0))
      return false;
  return !test(plic->state.level, 0) && !test(plic->state.pending, 0) && !test(plic->state.claimed, 0);
}

bool plic_init(struct plic *plic, struct bus *bus, uint64_t base, uint64_t size) {
  memset(plic, 0, sizeof *plic);
  plic->hart = bus->hart;
  return bus_add(bus, &(struct device){.name = "plic",
                                       .base = base,
                                       .size = size,
                                       .ops = &plic_ops,
                                       .opaque = plic,
                                       .state = &plic->state,
                                       .state_size = sizeof plic->state,
                                       .reset = plic_reset,
                                       .load = plic_load});
}

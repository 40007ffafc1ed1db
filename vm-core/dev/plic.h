/* Platform-level interrupt controller: level-triggered sources, contexts 0 (M) and 1 (S) of hart 0.
 * RISC-V PLIC specification 1.0.0. A source's pending bit follows its line until it is claimed; after
 * completion a line still high is pending again. Hart thread. */
#ifndef DEV_PLIC_H
#define DEV_PLIC_H

#include "dev/bus.h"

enum { PLIC_SOURCES = 96, PLIC_WORDS = PLIC_SOURCES / 32, PLIC_CONTEXTS = 2, PLIC_MAX_PRIORITY = 7 };

struct plic {
  struct hart *hart;
  struct {
    uint32_t priority[PLIC_SOURCES];
    uint32_t level[PLIC_WORDS];
    uint32_t pending[PLIC_WORDS];
    uint32_t claimed[PLIC_WORDS];
    uint32_t enable[PLIC_CONTEXTS][PLIC_WORDS];
    uint32_t threshold[PLIC_CONTEXTS];
  } state;
};

bool plic_init(struct plic *plic, struct bus *bus, uint64_t base, uint64_t size);

/* Drive the line of a source, 1..PLIC_SOURCES-1. */
void plic_set_line(struct plic *plic, unsigned source, bool level);

#endif

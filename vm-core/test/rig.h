/* A hart with RAM and an engine for unit tests, and counted checks. */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/run.h"
#include "hart/csr.h"
#include "mmu/access.h"
#include "mmu/mmu.h"

#define RIG_BASE UINT64_C(0x80000000)
enum { RIG_SIZE = 8 << 20, REPORTED = 20 };

struct rig {
  struct hart hart;
  struct phys phys;
  struct engine *engine;
  uint8_t *ram;
  long passed, failed;
};

/* Count one check; print the first failures. */
#define CHECK(rig, condition, ...)                                                                           \
  do {                                                                                                       \
    if (condition) {                                                                                         \
      (rig)->passed++;                                                                                       \
    } else if ((rig)->failed++ < REPORTED) {                                                                 \
      printf("%s:%d: ", __FILE__, __LINE__);                                                                 \
      printf(__VA_ARGS__);                                                                                   \
      printf("\n");                                                                                          \
    }                                                                                                        \
  } while (0)

static inline void rig_init(struct rig *rig, const struct run_owner *owner) {
  const char *error = "no memory";
  memset(rig, 0, sizeof *rig);
  rig->ram = aligned_alloc(4096, RIG_SIZE);
  bool ok = rig->ram && phys_init(&rig->phys) && phys_add_ram(&rig->phys, RIG_BASE, RIG_SIZE, rig->ram);
  if (ok) {
    memset(rig->ram, 0, RIG_SIZE);
    hart_init(&rig->hart);
    rig->hart.pc = RIG_BASE;
    ok = mmu_attach(&rig->hart, &rig->phys);
    csr_write(&rig->hart, CSR_pmpaddr0, UINT64_MAX); /* as firmware does: all memory open to S and U */
    csr_write(&rig->hart, CSR_pmpcfg0, 0x1f);
  }
  if (ok) rig->engine = engine_create(&rig->hart, ENGINE_INTERP, owner, &error);
  if (!rig->engine) {
    printf("rig: %s\n", error);
    exit(1);
  }
}

/* Another engine in place of the interpreter. */
static inline void rig_use(struct rig *rig, enum engine_kind kind, const struct run_owner *owner) {
  const char *error = NULL;
  engine_destroy(rig->engine);
  rig->engine = engine_create(&rig->hart, kind, owner, &error);
  if (!rig->engine) {
    printf("engine %d: %s\n", kind, error);
    exit(1);
  }
}

static inline void rig_destroy(struct rig *rig) {
  engine_destroy(rig->engine);
  mmu_detach(&rig->hart);
  phys_destroy(&rig->phys);
  free(rig->ram);
}

static inline int rig_finish(const struct rig *rig) {
  printf("%ld passed, %ld failed\n", rig->passed, rig->failed);
  return rig->failed != 0;
}

static inline void rig_word(struct rig *rig, uint64_t gpa, uint32_t word) {
  memcpy(rig->ram + (gpa - RIG_BASE), &word, sizeof word);
}
static inline void rig_dword(struct rig *rig, uint64_t gpa, uint64_t value) {
  memcpy(rig->ram + (gpa - RIG_BASE), &value, sizeof value);
}
static inline uint64_t rig_read(const struct rig *rig, uint64_t gpa) {
  uint64_t value;
  memcpy(&value, rig->ram + (gpa - RIG_BASE), sizeof value);
  return value;
}

static inline uint64_t rig_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

#endif

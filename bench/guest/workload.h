/*
 * Workloads of the benchmarks: what each one is, and what all of them share.
 *
 * Every workload is a function of its scale alone: same scale, same checksum, on any machine that executes it
 * correctly. (With floating point the compiler may fuse multiply and add where the target can, so checksums
 * of FLOATING workloads agree among emulators of one target, not with the host's.) They run in a child
 * process of their own, one thread.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

enum workload_kind { INTEGER, FLOATING, SYSTEM, DISK };

struct workload {
  const char *name;
  const char *title;
  enum workload_kind kind;
  uint32_t scale; /* default amount of work */
  uint64_t (*run)(uint32_t scale);
};

#define WORKLOAD(name, title, kind, units) uint64_t workload_##name(uint32_t scale);
#include "workloads.def"
#undef WORKLOAD

/* Ends the process with one line on standard error: the workload could not do its work. */
_Noreturn void workload_fail(const char *what);

/* Zeroed memory that lives as long as the process; fails the workload when there is none. */
void *workload_alloc(size_t bytes);

/* xorshift64*: the workloads' only source of variety. */
static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1DULL;
}

/* One step of a 64-bit FNV-1a over whole words. */
static inline uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x100000001B3ULL; }

#define MIX_START 0xCBF29CE484222325ULL

#endif

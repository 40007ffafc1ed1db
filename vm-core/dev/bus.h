/* The devices of one machine: where they sit, how they are reset, and the words that make up their state.
 *
 * Everything runs on the hart thread. A device's `state` is plain bytes without pointers or padding noise:
 * with the hart and RAM it is the whole guest-visible machine (state hash, checkpoints). */
#ifndef DEV_BUS_H
#define DEV_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hart/hart.h"
#include "mmu/phys.h"

struct sha256;

struct device {
  const char *name;
  uint64_t base, size;
  const struct mmio_ops *ops;
  void *opaque;
  const void *state;
  size_t state_size;
  void (*reset)(void *opaque); /* power-on state; cancels the device's events */
};

enum { BUS_DEVICES = 24 };

struct bus {
  struct hart *hart;
  struct phys *phys;
  unsigned count;
  struct device devices[BUS_DEVICES];
};

void bus_init(struct bus *bus, struct hart *hart, struct phys *phys);

/* Register a device and its address range. false: no room, or the range overlaps another. */
bool bus_add(struct bus *bus, const struct device *device);

/* Reset every device, in the order they were added. */
void bus_reset(struct bus *bus);

/* Feed every device's state to the hash, in the order they were added. */
void bus_hash(const struct bus *bus, struct sha256 *hash);

#endif

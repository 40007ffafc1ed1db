/* The devices of one machine: where they sit, how they are reset, and the words that make up their state.
 *
 * Everything runs on the hart thread. A device's `state` is plain bytes without pointers or padding noise:
 * with the hart and RAM it is the whole guest-visible machine (state hash, checkpoints).
 *
 * A saved device is its `state` and what `save` appends: requests in flight, whose bytes are not in guest RAM
 * yet. `load` is called with `state` put in place after a reset. It checks every field of it, reads exactly
 * what `save` wrote, and makes again what is derived: events, pointers. Interrupt lines need nothing, the
 * PLIC's state has them. false: no device was ever in such a state. A device whose bytes may be anything
 * needs neither. */
#ifndef DEV_BUS_H
#define DEV_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hart/hart.h"
#include "mmu/phys.h"

struct blob;
struct blob_reader;
struct sha256;

struct device {
  const char *name;
  uint64_t base, size;
  const struct mmio_ops *ops;
  void *opaque;
  void *state;
  size_t state_size;
  void (*reset)(void *opaque); /* power-on state; cancels the device's events */
  uint32_t version;            /* of the saved form; raised when `state` or what `save` writes changes */
  void (*save)(void *opaque, struct blob *out);
  bool (*load)(void *opaque, struct blob_reader *in);
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

/* Save every device; may wait for the store. Load: the hart's state is in place and the devices have been
 * reset. false with one line in `error`: the bytes are no state of these devices, which are now in none. */
void bus_save(const struct bus *bus, struct blob *out);
bool bus_load(struct bus *bus, struct blob_reader *in, char *error, size_t error_size);

#endif

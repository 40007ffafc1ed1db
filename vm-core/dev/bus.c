#include "dev/bus.h"

#include <string.h>

#include "base/sha256.h"

void bus_init(struct bus *bus, struct hart *hart, struct phys *phys) {
  memset(bus, 0, sizeof *bus);
  bus->hart = hart;
  bus->phys = phys;
}

bool bus_add(struct bus *bus, const struct device *device) {
  if (bus->count == BUS_DEVICES) return false;
  if (device->ops && !phys_add_mmio(bus->phys, device->base, device->size, device->ops, device->opaque))
    return false;
  bus->devices[bus->count++] = *device;
  return true;
}

void bus_reset(struct bus *bus) {
  for (unsigned i = 0; i < bus->count; i++)
    if (bus->devices[i].reset) bus->devices[i].reset(bus->devices[i].opaque);
}

void bus_hash(const struct bus *bus, struct sha256 *hash) {
  for (unsigned i = 0; i < bus->count; i++)
    if (bus->devices[i].state) sha256_update(hash, bus->devices[i].state, bus->devices[i].state_size);
}

#include "dev/bus.h"

#include <stdio.h>
#include <string.h>

#include "base/blob.h"
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

void bus_save(const struct bus *bus, struct blob *out) {
  blob_u32(out, bus->count);
  for (unsigned i = 0; i < bus->count; i++) {
    const struct device *device = &bus->devices[i];
    size_t name = blob_begin(out);
    blob_put(out, device->name, strlen(device->name));
    blob_end(out, name);
    blob_u32(out, device->version);
    size_t state = blob_begin(out);
    blob_put(out, device->state, device->state_size);
    blob_end(out, state);
    size_t rest = blob_begin(out);
    if (device->save) device->save(device->opaque, out);
    blob_end(out, rest);
  }
}

static bool load_device(struct device *device, struct blob_reader *in, char *error, size_t error_size) {
  struct blob_reader name = blob_get_part(in);
  uint32_t version = blob_get_u32(in);
  struct blob_reader state = blob_get_part(in), rest = blob_get_part(in);
  if (in->bad || name.left != strlen(device->name) || memcmp(name.at, device->name, name.left) != 0) {
    snprintf(error, error_size, "the saved state has other devices than this machine: no %s", device->name);
    return false;
  }
  if (version != device->version || state.left != device->state_size) {
    snprintf(error, error_size, "the saved state of %s is of version %u, not %u", device->name, version,
             device->version);
    return false;
  }
  if (state.left) memcpy(device->state, state.at, state.left);
  bool good = device->load ? device->load(device->opaque, &rest) && blob_done(&rest) : rest.left == 0;
  if (!good) snprintf(error, error_size, "the saved state of %s is damaged", device->name);
  return good;
}

bool bus_load(struct bus *bus, struct blob_reader *in, char *error, size_t error_size) {
  uint32_t count = blob_get_u32(in);
  if (count != bus->count) {
    snprintf(error, error_size, "the saved state has %u devices, this machine has %u", count, bus->count);
    return false;
  }
  for (unsigned i = 0; i < count; i++)
    if (!load_device(&bus->devices[i], in, error, error_size)) return false;
  return true;
}

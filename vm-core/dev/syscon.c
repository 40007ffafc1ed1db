#include "dev/syscon.h"

enum { PASS = 0x5555, FAIL = 0x3333, RESET = 0x7777 };

static bool syscon_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  (void)opaque, (void)offset, (void)size;
  *value = 0;
  return true;
}

static bool syscon_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct syscon *syscon = opaque;
  if (offset != 0 || size < 2) return true;
  switch (value & 0xffff) {
  case FAIL: syscon->failure_code = (uint32_t)value >> 16; __attribute__((fallthrough));
  case PASS: hart_request_stop(syscon->hart, STOP_POWEROFF); break;
  case RESET: hart_request_stop(syscon->hart, STOP_REBOOT); break;
  }
  return true;
}

static const struct mmio_ops syscon_ops = {syscon_read, syscon_write};

static void syscon_reset(void *opaque) { ((struct syscon *)opaque)->failure_code = 0; }

bool syscon_init(struct syscon *syscon, struct bus *bus, uint64_t base, uint64_t size) {
  syscon->hart = bus->hart;
  syscon->failure_code = 0;
  return bus_add(bus, &(struct device){.name = "syscon",
                                       .base = base,
                                       .size = size,
                                       .ops = &syscon_ops,
                                       .opaque = syscon,
                                       .reset = syscon_reset});
}

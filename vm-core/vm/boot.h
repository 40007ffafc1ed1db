/* Puts firmware, kernel, initrd and device tree into guest RAM and says where the hart starts. Hart thread,
 * at reset.
 *
 * RAM: firmware at its start, kernel at +2 MiB, device tree near the top (below 4 GiB of guest-physical
 * address space's first 3 GiB, as boot code of 32-bit habits likes it), initrd below the device tree.
 * fw_dynamic_info (OpenSBI, include/sbi/fw_dynamic.h) lies in the boot ROM, a small read-only device. */
#ifndef VM_BOOT_H
#define VM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/bus.h"

struct boot_blob {
  const uint8_t *data; /* NULL: none */
  uint64_t size;
};

struct boot_images {
  struct boot_blob firmware, kernel, initrd, dtb; /* dtb: NULL takes the board's own */
  const char *bootargs;                           /* NULL: what the device tree says */
  uint8_t rng_seed[32];                           /* for /chosen/rng-seed */
};

enum { BOOT_ROM_WORDS = 8 };

struct boot_rom {
  uint64_t words[BOOT_ROM_WORDS]; /* struct fw_dynamic_info */
};

bool boot_rom_init(struct boot_rom *rom, struct bus *bus);

/* Load into RAM (which must read as zeros) and set the hart's registers. false with one line in `error`. */
bool boot_load(struct boot_rom *rom, struct bus *bus, const struct boot_images *images, char *error,
               size_t error_size);

#endif

#include "vm/boot.h"

#include <stdio.h>
#include <string.h>

#include "gen/board.h"
#include "gen/board_dtb.h"
#include "mmu/dma.h"
#include "vm/fdt.h"

enum {
  DTB_ALIGN = 0x200000,
  DTB_SLACK = 0x10000, /* OpenSBI grows the tree in place */
  PAGE = 4096,
};
#define LOW_TOP (BOARD_RAM_BASE + (UINT64_C(1) << 30)) /* boot data lies below this address */

/* Header of a RISC-V kernel Image, Documentation/riscv/boot-image-header.rst. */
struct image_header {
  uint32_t code[2];
  uint64_t text_offset, image_size, flags;
  uint32_t version, reserved1;
  uint64_t reserved2;
  char magic[8];
  char magic2[4];
  uint32_t reserved3;
};
_Static_assert(sizeof(struct image_header) == 64, "image_header");

enum { FW_DYNAMIC_VERSION = 2, FW_DYNAMIC_NEXT_S = 1 };
#define FW_DYNAMIC_MAGIC UINT64_C(0x4942534f)

/* Where things go; guest-physical. */
struct placement {
  uint64_t kernel, kernel_end, initrd, initrd_end, dtb;
};

static bool rom_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  const struct boot_rom *rom = opaque;
  *value = 0;
  if (offset < sizeof rom->words) memcpy(value, (const uint8_t *)rom->words + offset, size);
  return true;
}

static bool rom_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  (void)opaque, (void)offset, (void)size, (void)value;
  return false;
}

bool boot_rom_init(struct boot_rom *rom, struct bus *bus) {
  static const struct mmio_ops ops = {rom_read, rom_write};
  memset(rom, 0, sizeof *rom);
  return bus_add(bus, &(struct device){.name = "rom",
                                       .base = BOARD_ROM_BASE,
                                       .size = BOARD_ROM_SIZE,
                                       .ops = &ops,
                                       .opaque = rom,
                                       .state = rom,
                                       .state_size = sizeof *rom});
}

static bool fail(char *error, size_t size, const char *what) {
  snprintf(error, size, "%s", what);
  return false;
}

/* Bytes the kernel occupies once it runs, or 0. */
static uint64_t kernel_size(const struct boot_blob *kernel, char *error, size_t error_size) {
  struct image_header header;
  if (kernel->size < sizeof header) {
    fail(error, error_size, "the kernel is no RISC-V Image: it is shorter than the header");
    return 0;
  }
  memcpy(&header, kernel->data, sizeof header);
  if (memcmp(header.magic2, "RSC\x05", 4) != 0) {
    fail(error, error_size,
         "the kernel is no RISC-V Image: wrong magic number (a compressed one must be unpacked)");
    return 0;
  }
  if (header.flags & 1 || header.text_offset != BOARD_KERNEL_OFFSET) {
    fail(error, error_size, "the kernel is no little-endian 64-bit RISC-V Image");
    return 0;
  }
  return header.image_size > kernel->size ? header.image_size : kernel->size;
}

static bool place(const struct bus *bus, const struct boot_images *images, uint32_t dtb_size,
                  struct placement *out, char *error, size_t error_size) {
  const struct phys *phys = bus->phys;
  uint64_t ram_end = phys->ram_base + phys->ram_size, top = ram_end < LOW_TOP ? ram_end : LOW_TOP;
  uint64_t kernel = kernel_size(&images->kernel, error, error_size);
  if (kernel == 0) return false;
  if (images->firmware.size == 0 || images->firmware.size > BOARD_KERNEL_OFFSET - BOARD_FIRMWARE_OFFSET)
    return fail(error, error_size, "the firmware is empty or larger than 2 MiB");
  out->kernel = phys->ram_base + BOARD_KERNEL_OFFSET;
  uint64_t below = top - out->kernel;
  if (kernel > below || dtb_size + DTB_SLACK > below - kernel)
    return fail(error, error_size, "the kernel does not fit into guest memory");
  out->kernel_end = out->kernel + kernel;
  out->dtb = (top - dtb_size - DTB_SLACK) & ~(uint64_t)(DTB_ALIGN - 1);
  if (out->dtb < out->kernel_end) out->dtb = (top - dtb_size - DTB_SLACK) & ~(uint64_t)(PAGE - 1);
  if (out->dtb < out->kernel_end) return fail(error, error_size, "the kernel does not fit into guest memory");
  if (images->initrd.size > out->dtb - out->kernel_end)
    return fail(error, error_size, "kernel and initrd do not fit into guest memory");
  out->initrd = (out->dtb - images->initrd.size) & ~(uint64_t)(PAGE - 1);
  if (out->initrd < out->kernel_end)
    return fail(error, error_size, "kernel and initrd do not fit into guest memory");
  out->initrd_end = out->initrd + images->initrd.size;
  return true;
}

static bool patch_tree(uint8_t *tree, const struct bus *bus, const struct boot_images *images,
                       const struct placement *at, char *error, size_t error_size) {
  uint64_t memory[2] = {bus->phys->ram_base, bus->phys->ram_size};
  if (!fdt_set_u64(tree, "/memory", "reg", memory, 2))
    return fail(error, error_size, "the device tree has no /memory reg of two cells each");
  if (images->bootargs &&
      !fdt_set_bytes(tree, "/chosen", "bootargs", images->bootargs, strlen(images->bootargs) + 1))
    return fail(error, error_size, "the kernel command line is longer than the device tree has room for");
  if (!images->initrd.data) {
    fdt_remove(tree, "/chosen", "linux,initrd-start");
    fdt_remove(tree, "/chosen", "linux,initrd-end");
  } else if (!fdt_set_u64(tree, "/chosen", "linux,initrd-start", &at->initrd, 1) ||
             !fdt_set_u64(tree, "/chosen", "linux,initrd-end", &at->initrd_end, 1)) {
    return fail(error, error_size, "the device tree has no place for an initrd");
  }
  fdt_set_bytes(tree, "/chosen", "rng-seed", images->rng_seed, sizeof images->rng_seed);
  return true;
}

/* The tree is patched inside guest RAM: nobody else runs yet. */
static bool load_tree(struct bus *bus, const struct boot_images *images, const struct boot_blob *tree,
                      const struct placement *at, char *error, size_t error_size) {
  uint32_t size = fdt_size(tree->data, tree->size);
  if (!dma_write(bus->hart, at->dtb, tree->data, size))
    return fail(error, error_size, "the device tree does not fit");
  return patch_tree(bus->phys->ram + (at->dtb - bus->phys->ram_base), bus, images, at, error, error_size);
}

static void start_hart(struct boot_rom *rom, struct bus *bus, const struct placement *at) {
  uint64_t info[] = {FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, at->kernel, FW_DYNAMIC_NEXT_S, 0, 0};
  memcpy(rom->words, info, sizeof info);
  struct hart *hart = bus->hart;
  hart->pc = bus->phys->ram_base + BOARD_FIRMWARE_OFFSET;
  hart->x[10] = 0; /* hart id */
  hart->x[11] = at->dtb;
  hart->x[12] = BOARD_ROM_BASE;
}

bool boot_load(struct boot_rom *rom, struct bus *bus, const struct boot_images *images, char *error,
               size_t error_size) {
  struct boot_blob tree = images->dtb;
  if (!tree.data) tree = (struct boot_blob){board_dtb, BOARD_DTB_BYTES};
  uint32_t dtb_size = fdt_size(tree.data, tree.size);
  if (dtb_size == 0) return fail(error, error_size, "the device tree is malformed");
  struct placement at;
  if (!place(bus, images, dtb_size, &at, error, error_size)) return false;
  struct hart *hart = bus->hart;
  if (!dma_write(hart, bus->phys->ram_base + BOARD_FIRMWARE_OFFSET, images->firmware.data,
                 images->firmware.size) ||
      !dma_write(hart, at.kernel, images->kernel.data, images->kernel.size) ||
      (images->initrd.data && !dma_write(hart, at.initrd, images->initrd.data, images->initrd.size)))
    return fail(error, error_size, "the images do not fit into guest memory");
  if (!load_tree(bus, images, &tree, &at, error, error_size)) return false;
  start_hart(rom, bus, &at);
  return true;
}

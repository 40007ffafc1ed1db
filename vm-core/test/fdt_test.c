/* Device tree patching: the board's own tree, and mutated ones that must not lead outside the blob. */
#include "vm/fdt.h"

#include "gen/board.h"
#include "gen/board_dtb.h"
#include "test/rig.h"

enum { MUTATIONS = 200000 };

static void test_board(struct rig *t) {
  uint8_t *tree = malloc(BOARD_DTB_BYTES);
  uint32_t length;
  memcpy(tree, board_dtb, BOARD_DTB_BYTES);
  CHECK(t, fdt_size(tree, BOARD_DTB_BYTES) == BOARD_DTB_BYTES, "size");
  CHECK(t, fdt_size(tree, BOARD_DTB_BYTES - 1) == 0, "a cut tree was accepted");
  const uint64_t memory[2] = {BOARD_RAM_BASE, UINT64_C(0x123456000)};
  CHECK(t, fdt_set_u64(tree, "/memory", "reg", memory, 2), "memory");
  const uint8_t want[] = {0, 0, 0, 1, 0x23, 0x45, 0x60, 0};
  const uint8_t *value = fdt_property(tree, "/memory@80000000", "reg", &length);
  CHECK(t, value && length == 16 && memcmp(value + 8, want, 8) == 0, "memory reg");
  CHECK(t, !fdt_set_u64(tree, "/memory", "reg", memory, 1), "a value of another length");
  CHECK(t, fdt_set_bytes(tree, "/chosen", "bootargs", "quiet", 6), "bootargs");
  value = fdt_property(tree, "/chosen", "bootargs", &length);
  CHECK(t, value && length == BOARD_BOOTARGS_CAPACITY && strcmp((const char *)value, "quiet") == 0,
        "bootargs value");
  CHECK(t, !fdt_set_bytes(tree, "/chosen", "bootargs", board_dtb, BOARD_BOOTARGS_CAPACITY + 1),
        "overlong bootargs");
  CHECK(t, fdt_property(tree, "/cpus/cpu/interrupt-controller", "phandle", &length) != NULL, "a deep path");
  CHECK(t, fdt_property(tree, "", "model", &length) != NULL, "the root");
  CHECK(t, !fdt_property(tree, "/cpus", "phandle", &length), "a property of a child");
  CHECK(t, !fdt_property(tree, "/chosen/none", "bootargs", &length), "a node that does not exist");
  CHECK(t, fdt_remove(tree, "/chosen", "linux,initrd-start"), "remove");
  CHECK(t, !fdt_property(tree, "/chosen", "linux,initrd-start", &length), "still there");
  CHECK(t, fdt_property(tree, "/chosen", "linux,initrd-end", &length) != NULL, "its neighbour went too");
  CHECK(t, fdt_property(tree, "/soc/serial", "clock-frequency", &length) != NULL, "the rest went too");
  free(tree);
}

static void test_mutations(struct rig *t) {
  uint8_t *tree = malloc(BOARD_DTB_BYTES); /* exactly as large: a sanitizer sees every byte outside */
  uint64_t seed = 7;
  long refused = 0;
  for (unsigned i = 0; i < MUTATIONS; i++) {
    memcpy(tree, board_dtb, BOARD_DTB_BYTES);
    for (unsigned n = 1 + (unsigned)(rig_random(&seed) % 8); n; n--) {
      uint64_t r = rig_random(&seed);
      uint64_t at = r % 3 ? r / 3 % BOARD_DTB_BYTES : r / 3 % 64;
      tree[at] = (uint8_t)(rig_random(&seed) % 4 ? rig_random(&seed) : 0xff);
    }
    uint32_t length;
    const uint64_t values[2] = {1, 2};
    if (fdt_size(tree, BOARD_DTB_BYTES) == 0) {
      refused++;
      continue;
    }
    fdt_property(tree, "/cpus/cpu@0/interrupt-controller", "phandle", &length);
    fdt_set_u64(tree, "/memory", "reg", values, 2);
    fdt_set_bytes(tree, "/chosen", "bootargs", "console=ttyS0", 14);
    fdt_remove(tree, "/chosen", "linux,initrd-start");
    fdt_property(tree, "/none", "none", &length);
  }
  CHECK(t, refused > 0, "no mutation was refused");
  free(tree);
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  test_board(t);
  test_mutations(t);
  int status = rig_finish(t);
  free(t);
  return status;
}

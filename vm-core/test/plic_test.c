/* PLIC: priorities, thresholds, enables, claim and completion, level-triggered gateways, both contexts. */
#include "test/board_rig.h"

static void put(struct board *b, uint64_t offset, uint32_t value) {
  board_write(b, BOARD_PLIC_BASE + offset, 4, value);
}
static uint32_t get(struct board *b, uint64_t offset) {
  return (uint32_t)board_read(b, BOARD_PLIC_BASE + offset, 4);
}
static uint32_t claim(struct board *b, unsigned context) { return get(b, 0x200004 + 0x1000 * context); }
static void complete(struct board *b, unsigned context, uint32_t source) {
  put(b, 0x200004 + 0x1000 * context, source);
}
static bool pending(struct board *b, unsigned irq) { return hart_mip(&b->rig.hart) & BIT(irq); }

static void setup(struct board *b) {
  for (unsigned source = 1; source < PLIC_SOURCES; source++) plic_set_line(&b->plic, source, false);
  bus_reset(&b->bus);
  for (unsigned source = 1; source <= 12; source++) put(b, 4 * source, 1);
  put(b, 0x2080, 0xffffffff); /* context 1 */
}

static void test_claim(struct board *b) {
  struct rig *t = &b->rig;
  setup(b);
  plic_set_line(&b->plic, 10, true);
  CHECK(t, pending(b, IRQ_SEI) && !pending(b, IRQ_MEI), "context 1 alone is enabled");
  CHECK(t, get(b, 0x1000) == 1 << 10, "pending bits");
  CHECK(t, claim(b, 0) == 0, "context 0 claims nothing");
  CHECK(t, claim(b, 1) == 10 && claim(b, 1) == 0, "claimed once");
  CHECK(t, !pending(b, IRQ_SEI), "pending after the claim");
  complete(b, 1, 10);
  CHECK(t, pending(b, IRQ_SEI), "the line is still high: pending again");
  CHECK(t, claim(b, 1) == 10, "claimed again");
  plic_set_line(&b->plic, 10, false);
  complete(b, 1, 10);
  CHECK(t, !pending(b, IRQ_SEI) && claim(b, 1) == 0, "low after completion");
  plic_set_line(&b->plic, 10, true);
  plic_set_line(&b->plic, 10, false);
  CHECK(t, !pending(b, IRQ_SEI), "a line that fell before its claim");
}

static void test_order(struct board *b) {
  struct rig *t = &b->rig;
  setup(b);
  put(b, 4 * 7, 5);
  for (unsigned source = 3; source <= 8; source++) plic_set_line(&b->plic, source, true);
  CHECK(t, claim(b, 1) == 7, "highest priority first");
  CHECK(t, claim(b, 1) == 3 && claim(b, 1) == 4, "lowest number among equals");
  put(b, 0x201000, 1);
  CHECK(t, !pending(b, IRQ_SEI) && claim(b, 1) == 0, "priority must exceed the threshold");
  put(b, 0x201000, 0);
  put(b, 4 * 5, 0);
  CHECK(t, claim(b, 1) == 6, "priority 0 never interrupts");
  complete(b, 1, 95);
  complete(b, 1, 1000);
  complete(b, 0, 7);
  CHECK(t, claim(b, 1) == 8 && claim(b, 1) == 0, "completions that name nothing change nothing");
}

static void test_bounds(struct board *b) {
  struct rig *t = &b->rig;
  setup(b);
  uint64_t value;
  plic_set_line(&b->plic, 0, true);
  plic_set_line(&b->plic, PLIC_SOURCES, true);
  plic_set_line(&b->plic, UINT32_MAX, true);
  put(b, 0, 7);
  CHECK(t, get(b, 0) == 0, "source 0 has a priority");
  put(b, 4, 0xffffffff);
  CHECK(t, get(b, 4) == PLIC_MAX_PRIORITY, "priority bits");
  put(b, 0x2000, 0xffffffff);
  CHECK(t, get(b, 0x2000) == 0xfffffffe, "source 0 can be enabled");
  put(b, 0x1000, 0xffffffff);
  CHECK(t, get(b, 0x1000) == 0, "pending bits can be written");
  CHECK(t, !phys_mmio_read(&t->phys, BOARD_PLIC_BASE, 8, &value), "8-byte load");
  for (uint64_t offset = 0; offset < BOARD_PLIC_SIZE; offset += 4)
    phys_mmio_write(&t->phys, BOARD_PLIC_BASE + offset, 4, ~0u);
  CHECK(t, true, "every register written");
}

int main(void) {
  struct board *b = calloc(1, sizeof *b);
  board_init(b);
  test_claim(b);
  test_order(b);
  test_bounds(b);
  int status = rig_finish(&b->rig);
  board_destroy(b);
  free(b);
  return status;
}

/* Virtqueues: well-formed chains of every shape are served, malformed ones are refused, counted and survived.
 */
#include "dev/virtio/rng.h"
#include "test/board_rig.h"

enum { BUFFER = RIG_SIZE / 2 };
#define DATA (RIG_BASE + BUFFER)

static const struct virtio_slot slot = {BOARD_VIRTIO2_BASE, BOARD_VIRTIO2_SIZE, BOARD_VIRTIO2_IRQ};

struct setup {
  struct board board;
  struct rng rng;
  struct driver driver;
};

static void start(struct setup *s, uint64_t without) {
  s->driver = (struct driver){.board = &s->board, .base = slot.base, .rings = RIG_BASE + 0x10000, .size = 16};
  driver_start(&s->driver, without, 0);
}

static bool filled(const struct setup *s, uint64_t gpa, size_t size) {
  const uint8_t *bytes = s->board.rig.ram + (gpa - RIG_BASE);
  for (size_t i = 0; i < size; i++)
    if (bytes[i]) return true;
  return false;
}

/* A request for entropy over the chain at head is answered with `want` bytes. */
static void expect_served(struct setup *s, uint16_t head, uint32_t want, const char *what) {
  struct rig *t = &s->board.rig;
  uint32_t used_head = 99, written = 99;
  driver_kick(&s->driver, 0, head);
  bool used = driver_used(&s->driver, &used_head, &written);
  CHECK(t, used && used_head == head && written == want, "%s: used %d head %u written %u", what, used,
        used_head, written);
  CHECK(t, !(driver_read(&s->driver, V_STATUS) & V_NEEDS_RESET), "%s: needs reset", what);
}

static void test_shapes(struct setup *s) {
  struct rig *t = &s->board.rig;
  start(s, 0);
  driver_desc(&s->driver, 0, DATA, 32, V_WRITE, 0);
  expect_served(s, 0, 32, "one buffer");
  CHECK(t, filled(s, DATA, 32), "no bytes arrived");
  driver_desc(&s->driver, 3, DATA + 100, 5, V_WRITE | V_NEXT, 7);
  driver_desc(&s->driver, 7, DATA + 200, 1, V_WRITE | V_NEXT, 1);
  driver_desc(&s->driver, 1, DATA + 300, 100, V_WRITE, 0);
  expect_served(s, 3, 106, "three buffers");
  CHECK(t, filled(s, DATA + 300, 100), "no bytes in the third");
  driver_desc(&s->driver, 5, RIG_BASE + 0x20000, 32, V_INDIRECT, 0);
  driver_desc_at(&s->driver, RIG_BASE + 0x20000, 0, DATA + 500, 8, V_WRITE | V_NEXT, 1);
  driver_desc_at(&s->driver, RIG_BASE + 0x20000, 1, DATA + 600, 8, V_WRITE, 0);
  expect_served(s, 5, 16, "indirect table");
  driver_desc(&s->driver, 0, RIG_BASE + RIG_SIZE - 64, 64, V_WRITE, 0);
  expect_served(s, 0, 64, "last bytes of RAM");
  for (unsigned i = 0; i < 100; i++) {
    driver_desc(&s->driver, i % 16, DATA, 4, V_WRITE, 0);
    expect_served(s, i % 16, 4, "wrapping rings");
  }
}

/* With EVENT_IDX an interrupt comes exactly when the used index passes used_event; without, unless
 * NO_INTERRUPT. */
static void test_interrupts(struct setup *s) {
  struct rig *t = &s->board.rig;
  start(s, 0);
  driver_desc(&s->driver, 0, DATA, 4, V_WRITE, 0);
  for (unsigned i = 0; i < 10; i++) {
    driver_store16(&s->driver, s->driver.rings + 0x2000 + 4 + 2 * s->driver.size, 7);
    driver_write(&s->driver, V_ACK, 3);
    expect_served(s, 0, 4, "event index");
    CHECK(t, board_line(&s->board, slot.irq) == (i == 7), "event index 7, element %u", i);
  }
  start(s, VIRTIO_F_EVENT_IDX);
  driver_desc(&s->driver, 0, DATA, 4, V_WRITE, 0);
  for (unsigned quiet = 0; quiet < 2; quiet++) {
    driver_store16(&s->driver, s->driver.rings + 0x2000, (uint16_t)quiet);
    expect_served(s, 0, 4, "flags");
    CHECK(t, board_line(&s->board, slot.irq) == !quiet, "NO_INTERRUPT %u", quiet);
    CHECK(t, driver_read(&s->driver, V_INTERRUPT) == !quiet, "interrupt status");
    driver_write(&s->driver, V_ACK, 3);
    CHECK(t, !board_line(&s->board, slot.irq), "line still high after the acknowledgement");
  }
}

static void bad_loop(struct driver *d) {
  driver_desc(d, 0, DATA, 4, V_WRITE | V_NEXT, 1);
  driver_desc(d, 1, DATA, 4, V_WRITE | V_NEXT, 0);
}
static void bad_next(struct driver *d) { driver_desc(d, 0, DATA, 4, V_WRITE | V_NEXT, 16); }
static void bad_outside(struct driver *d) { driver_desc(d, 0, RIG_BASE + RIG_SIZE - 4, 8, V_WRITE, 0); }
static void bad_wrap(struct driver *d) { driver_desc(d, 0, UINT64_MAX - 3, 8, V_WRITE, 0); }
static void bad_device(struct driver *d) { driver_desc(d, 0, BOARD_PLIC_BASE, 4, V_WRITE, 0); }
static void bad_empty(struct driver *d) { driver_desc(d, 0, DATA, 0, V_WRITE, 0); }
static void bad_order(struct driver *d) {
  driver_desc(d, 0, DATA, 4, V_WRITE | V_NEXT, 1);
  driver_desc(d, 1, DATA, 4, 0, 0);
}
static void bad_flags(struct driver *d) { driver_desc(d, 0, DATA, 4, V_WRITE | 0x8000, 0); }
static void bad_nested(struct driver *d) {
  driver_desc(d, 0, RIG_BASE + 0x20000, 32, V_INDIRECT, 0);
  driver_desc_at(d, RIG_BASE + 0x20000, 0, RIG_BASE + 0x20000, 32, V_INDIRECT, 0);
}
static void bad_indirect_next(struct driver *d) {
  driver_desc(d, 0, RIG_BASE + 0x20000, 32, V_INDIRECT | V_NEXT, 1);
  driver_desc_at(d, RIG_BASE + 0x20000, 0, DATA, 4, V_WRITE, 0);
}
static void bad_indirect_size(struct driver *d) { driver_desc(d, 0, RIG_BASE + 0x20000, 17, V_INDIRECT, 0); }
static void bad_indirect_empty(struct driver *d) { driver_desc(d, 0, RIG_BASE + 0x20000, 0, V_INDIRECT, 0); }
static void bad_indirect_huge(struct driver *d) {
  driver_desc(d, 0, RIG_BASE + 0x20000, 257 * 16, V_INDIRECT, 0);
}
static void bad_indirect_loop(struct driver *d) {
  driver_desc(d, 0, RIG_BASE + 0x20000, 32, V_INDIRECT, 0);
  driver_desc_at(d, RIG_BASE + 0x20000, 0, DATA, 4, V_WRITE | V_NEXT, 1);
  driver_desc_at(d, RIG_BASE + 0x20000, 1, DATA, 4, V_WRITE | V_NEXT, 1);
}
static void bad_direction(struct driver *d) { driver_desc(d, 0, DATA, 4, 0, 0); }
static void bad_avail(struct driver *d) {
  driver_desc(d, 0, DATA, 4, V_WRITE, 0);
  d->avail = (uint16_t)(d->avail + d->size + 3);
}

static void test_malformed(struct setup *s) {
  static const struct {
    const char *what;
    void (*build)(struct driver *);
    uint16_t head;
  } cases[] = {
      {"loop", bad_loop, 0},
      {"next outside the table", bad_next, 0},
      {"head outside the table", bad_empty, 16},
      {"head far outside the table", bad_empty, 65535},
      {"buffer outside RAM", bad_outside, 0},
      {"buffer wraps around", bad_wrap, 0},
      {"buffer in a device", bad_device, 0},
      {"empty buffer", bad_empty, 0},
      {"readable after writable", bad_order, 0},
      {"unknown flag", bad_flags, 0},
      {"nested indirect", bad_nested, 0},
      {"indirect with next", bad_indirect_next, 0},
      {"indirect table of odd size", bad_indirect_size, 0},
      {"empty indirect table", bad_indirect_empty, 0},
      {"overlong indirect table", bad_indirect_huge, 0},
      {"loop in an indirect table", bad_indirect_loop, 0},
      {"wrong direction", bad_direction, 0},
      {"available index jumps", bad_avail, 0},
  };
  struct rig *t = &s->board.rig;
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    start(s, 0);
    uint64_t bad = board_counter(&s->board, COUNTER_VIRTIO_BAD_CHAINS);
    uint32_t head, written;
    cases[i].build(&s->driver);
    driver_kick(&s->driver, 0, cases[i].head);
    CHECK(t, driver_read(&s->driver, V_STATUS) & V_NEEDS_RESET, "%s: accepted", cases[i].what);
    CHECK(t, !driver_used(&s->driver, &head, &written), "%s: used", cases[i].what);
    CHECK(t, board_counter(&s->board, COUNTER_VIRTIO_BAD_CHAINS) == bad + 1, "%s: not counted",
          cases[i].what);
    CHECK(t, driver_read(&s->driver, V_INTERRUPT) == 2, "%s: no configuration interrupt", cases[i].what);
  }
  start(s, VIRTIO_F_INDIRECT_DESC);
  driver_desc(&s->driver, 0, RIG_BASE + 0x20000, 32, V_INDIRECT, 0);
  driver_kick(&s->driver, 0, 0);
  CHECK(t, driver_read(&s->driver, V_STATUS) & V_NEEDS_RESET, "indirect that was not negotiated: accepted");
}

static void test_registers(struct setup *s) {
  struct rig *t = &s->board.rig;
  struct driver *d = &s->driver;
  start(s, 0);
  CHECK(t, driver_read(d, 0) == 0x74726976 && driver_read(d, 4) == 2 && driver_read(d, 8) == 4,
        "identification");
  CHECK(t, driver_read(d, 0x34) == 256, "queue size");
  driver_write(d, V_QUEUE_SEL, 1);
  CHECK(t, driver_read(d, 0x34) == 0, "a queue that does not exist");
  driver_write(d, V_STATUS, 0);
  driver_write(d, V_STATUS, 3);
  driver_write(d, V_DRIVER_FEATURES_SEL, 1);
  driver_write(d, V_DRIVER_FEATURES, 0x80000001);
  driver_write(d, V_STATUS, 0xb);
  CHECK(t, driver_read(d, V_STATUS) == 3, "a feature that was not offered");
  start(s, VIRTIO_F_VERSION_1);
  CHECK(t, !(driver_read(d, V_STATUS) & 8), "a legacy driver");
  for (unsigned bad = 0; bad < 5; bad++) {
    start(s, 0);
    driver_write(d, V_QUEUE_SEL, 0);
    driver_write(d, V_QUEUE_READY, 0);
    driver_write(d, V_QUEUE_SIZE, bad == 0 ? 0 : bad == 1 ? 3 : bad == 2 ? 512 : 16);
    driver_write(d, V_DESC, d->rings + (bad == 3 ? 8 : 0));
    driver_write(d, V_AVAIL, d->rings + 0x2000);
    driver_write(d, V_USED, bad == 4 ? RIG_BASE + RIG_SIZE - 8 : d->rings + 0x3000);
    driver_write(d, V_QUEUE_READY, 1);
    CHECK(t, driver_read(d, V_QUEUE_READY) == 0 && driver_read(d, V_STATUS) & V_NEEDS_RESET, "bad queue %u",
          bad);
  }
  uint64_t value;
  CHECK(t, !phys_mmio_read(&t->phys, slot.base, 2, &value), "a 2-byte register load was let through");
}

int main(void) {
  struct setup *s = calloc(1, sizeof *s);
  static const uint8_t seed[SEED_BYTES] = {1};
  board_init(&s->board);
  if (!rng_init(&s->rng, &s->board.bus, &s->board.plic, s->board.telemetry, &slot)) return 1;
  rng_seed(&s->rng, seed, 1);
  test_shapes(s);
  test_interrupts(s);
  test_malformed(s);
  test_registers(s);
  int status = rig_finish(&s->board.rig);
  board_destroy(&s->board);
  free(s);
  return status;
}

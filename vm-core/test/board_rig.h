/* A hart with RAM, interrupt controllers and telemetry for device tests, and a driver's side of a virtqueue.
 */
#ifndef TEST_BOARD_RIG_H
#define TEST_BOARD_RIG_H

#include "dev/bus.h"
#include "dev/plic.h"
#include "dev/virtio/mmio.h"
#include "gen/board.h"
#include "gen/telemetry.h"
#include "telemetry/telemetry.h"
#include "test/rig.h"

struct board {
  struct rig rig;
  struct bus bus;
  struct plic plic;
  struct telemetry *telemetry;
};

static inline void board_init(struct board *board) {
  const char *error = "";
  rig_init(&board->rig, NULL);
  bus_init(&board->bus, &board->rig.hart, &board->rig.phys);
  board->telemetry = telemetry_create(RIG_BASE, RIG_SIZE, &error);
  if (!board->telemetry || !plic_init(&board->plic, &board->bus, BOARD_PLIC_BASE, BOARD_PLIC_SIZE)) {
    printf("board: %s\n", error);
    exit(1);
  }
}

static inline void board_destroy(struct board *board) {
  telemetry_destroy(board->telemetry);
  rig_destroy(&board->rig);
}

/* Device registers as the guest reaches them. */
static inline uint64_t board_read(struct board *board, uint64_t gpa, unsigned size) {
  uint64_t value = UINT64_MAX;
  CHECK(&board->rig, phys_mmio_read(&board->rig.phys, gpa, size, &value), "load at %" PRIx64 " refused", gpa);
  return value;
}
static inline void board_write(struct board *board, uint64_t gpa, unsigned size, uint64_t value) {
  CHECK(&board->rig, phys_mmio_write(&board->rig.phys, gpa, size, value), "store at %" PRIx64 " refused",
        gpa);
}

static inline bool board_line(const struct board *board, unsigned source) {
  return board->plic.state.level[source / 32] >> source % 32 & 1;
}

static inline uint64_t board_counter(const struct board *board, unsigned counter) {
  return atomic_load(&board->telemetry->counters[counter]);
}

/* Let guest time pass without instructions. */
static inline void board_pass(struct board *board, uint64_t ns) {
  board->rig.hart.idle_ns += ns;
  event_fire_due(&board->rig.hart);
}

/* virtio-mmio registers a driver writes, and a queue laid out in RAM: descriptors, avail and used rings. */
enum {
  V_FEATURES = 0x10,
  V_FEATURES_SEL = 0x14,
  V_DRIVER_FEATURES = 0x20,
  V_DRIVER_FEATURES_SEL = 0x24,
  V_QUEUE_SEL = 0x30,
  V_QUEUE_SIZE = 0x38,
  V_QUEUE_READY = 0x44,
  V_NOTIFY = 0x50,
  V_INTERRUPT = 0x60,
  V_ACK = 0x64,
  V_STATUS = 0x70,
  V_DESC = 0x80,
  V_AVAIL = 0x90,
  V_USED = 0xa0,
  V_CONFIG = 0x100,
};
enum { V_NEXT = 1, V_WRITE = 2, V_INDIRECT = 4, V_NEEDS_RESET = 0x40, V_DRIVER_OK = 0xf };

struct driver {
  struct board *board;
  uint64_t base;  /* of the slot's registers */
  uint64_t rings; /* guest-physical: desc at +0, avail at +0x2000, used at +0x3000 */
  unsigned size;
  uint16_t avail, used;
};

static inline void driver_write(struct driver *driver, uint64_t offset, uint64_t value) {
  board_write(driver->board, driver->base + offset, 4, value);
}
static inline uint32_t driver_read(struct driver *driver, uint64_t offset) {
  return (uint32_t)board_read(driver->board, driver->base + offset, 4);
}

static inline void driver_queue(struct driver *driver, unsigned queue) {
  memset(driver->board->rig.ram + (driver->rings - RIG_BASE), 0, 0x4000);
  driver->avail = driver->used = 0;
  driver_write(driver, V_QUEUE_SEL, queue);
  driver_write(driver, V_QUEUE_SIZE, driver->size);
  driver_write(driver, V_DESC, driver->rings);
  driver_write(driver, V_AVAIL, driver->rings + 0x2000);
  driver_write(driver, V_USED, driver->rings + 0x3000);
  driver_write(driver, V_QUEUE_READY, 1);
}

/* Reset, negotiate every feature but those in `without`, set up queue 0, go. */
static inline void driver_start(struct driver *driver, uint64_t without, unsigned queue) {
  uint64_t features = 0;
  driver_write(driver, V_STATUS, 0);
  driver_write(driver, V_STATUS, 3);
  for (unsigned half = 0; half < 2; half++) {
    driver_write(driver, V_FEATURES_SEL, half);
    features |= (uint64_t)driver_read(driver, V_FEATURES) << 32 * half;
  }
  features &= ~without;
  for (unsigned half = 0; half < 2; half++) {
    driver_write(driver, V_DRIVER_FEATURES_SEL, half);
    driver_write(driver, V_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
  }
  driver_write(driver, V_STATUS, 0xb);
  driver_queue(driver, queue);
  driver_write(driver, V_STATUS, V_DRIVER_OK);
}

static inline void driver_desc_at(struct driver *driver, uint64_t table, unsigned index, uint64_t gpa,
                                  uint32_t length, unsigned flags, unsigned next) {
  uint64_t at = table + index * 16;
  rig_dword(&driver->board->rig, at, gpa);
  rig_dword(&driver->board->rig, at + 8, length | (uint64_t)flags << 32 | (uint64_t)next << 48);
}
static inline void driver_desc(struct driver *driver, unsigned index, uint64_t gpa, uint32_t length,
                               unsigned flags, unsigned next) {
  driver_desc_at(driver, driver->rings, index, gpa, length, flags, next);
}

static inline void driver_store16(struct driver *driver, uint64_t gpa, uint16_t value) {
  memcpy(driver->board->rig.ram + (gpa - RIG_BASE), &value, sizeof value);
}

/* Make the chain at `head` available and kick. */
static inline void driver_kick(struct driver *driver, unsigned queue, uint16_t head) {
  driver_store16(driver, driver->rings + 0x2000 + 4 + 2 * (driver->avail % driver->size), head);
  driver_store16(driver, driver->rings + 0x2000 + 2, ++driver->avail);
  driver_write(driver, V_NOTIFY, queue);
}

/* Next used element; false when there is none. */
static inline bool driver_used(struct driver *driver, uint32_t *head, uint32_t *written) {
  const uint8_t *used = driver->board->rig.ram + (driver->rings + 0x3000 - RIG_BASE);
  uint16_t index;
  memcpy(&index, used + 2, sizeof index);
  if (index == driver->used) return false;
  memcpy(head, used + 4 + 8 * (driver->used % driver->size), sizeof *head);
  memcpy(written, used + 8 + 8 * (driver->used % driver->size), sizeof *written);
  driver->used++;
  return true;
}

#endif

/* Virtio devices under random rings, descriptors, registers and resets: no crash, no hang, no undefined
 * behaviour (run it with SANITIZE=1), and after any of it a reset brings a working device back. At any moment
 * the devices can be saved and loaded, which changes nothing; bytes that were spoiled are refused, or load
 * into a state that can be run. Seeded; LINUXSQL_TEST_SCALE multiplies the rounds. */
#include <time.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/sha256.h"
#include "dev/clint.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/rng.h"
#include "test/board_rig.h"

enum { ROUNDS = 20000, DISK_BYTES = 1 << 20, SECONDS = 20 };
#define DATA (RIG_BASE + RIG_SIZE / 2)

struct setup {
  struct board board;
  struct uart uart;
  struct clint clint;
  struct rtc rtc;
  struct blk blk;
  struct virtio_console console;
  struct rng rng;
  struct net net;
  struct driver driver;
  uint64_t seed, output, frames;
};

static uint64_t pick(struct setup *s, uint64_t n) { return rig_random(&s->seed) % n; }

static void ignore_waiting(void *opaque, bool waiting) { (void)opaque, (void)waiting; }
static void lost(void *opaque) { CHECK(&((struct setup *)opaque)->board.rig, false, "the disk was lost"); }
static void output(void *opaque, enum console_device device, const uint8_t *bytes, size_t size) {
  (void)device, (void)bytes;
  ((struct setup *)opaque)->output += size;
}

static void transmit(void *opaque, const uint8_t *frame, size_t size) {
  struct setup *s = opaque;
  CHECK(&s->board.rig, size >= NET_FRAME_MIN && size <= NET_FRAME_MAX, "a frame of %zu bytes", size);
  for (size_t i = 0; i < size; i++) s->output += frame[i];
  s->frames++;
}

/* Mostly plausible addresses and lengths, so that walks get somewhere. */
static uint64_t random_gpa(struct setup *s) {
  switch (pick(s, 8)) {
  case 0: return rig_random(&s->seed);
  case 1: return RIG_BASE + RIG_SIZE - pick(s, 64);
  case 2: return s->driver.rings + pick(s, 0x4000);
  default: return DATA + pick(s, RIG_SIZE / 4);
  }
}

static uint32_t random_length(struct setup *s) {
  static const uint32_t lengths[] = {1, 16, 512, 4096, 65536, 0, UINT32_MAX};
  uint64_t kind = pick(s, 12);
  return kind < 7 ? lengths[kind] : (uint32_t)pick(s, 9000);
}

static void random_desc(struct setup *s, uint64_t table, unsigned index) {
  unsigned flags = (unsigned)(pick(s, 20) ? pick(s, 4) : pick(s, 65536));
  bool indirect = pick(s, 10) == 0;
  if (indirect) {
    driver_desc_at(&s->driver, table, index, RIG_BASE + 0x20000 + 16 * pick(s, 8), 16 * (uint32_t)pick(s, 40),
                   V_INDIRECT, (unsigned)pick(s, 20));
    return;
  }
  driver_desc_at(&s->driver, table, index, random_gpa(s), random_length(s), flags, (unsigned)pick(s, 18));
}

/* A plausible block request: header, data, status; now and then spoiled by random_desc afterwards. */
static void block_chain(struct setup *s, unsigned head) {
  static const uint32_t types[] = {0, 1, 4, 8, 11, 13, 99};
  uint64_t header = DATA + 64 * head;
  uint32_t type = types[pick(s, 7)];
  rig_dword(&s->board.rig, header, type);
  rig_dword(&s->board.rig, header + 8, pick(s, 4) ? pick(s, DISK_BYTES / 512) : rig_random(&s->seed));
  driver_desc(&s->driver, head, header, 16, V_NEXT, (head + 1) % s->driver.size);
  driver_desc(&s->driver, (head + 1) % s->driver.size, DATA + 0x10000 + pick(s, 1 << 16),
              512 * (uint32_t)(1 + pick(s, 20)), V_NEXT | (type == 0 || type == 8 ? V_WRITE : 0),
              (head + 2) % s->driver.size);
  driver_desc(&s->driver, (head + 2) % s->driver.size, DATA + 0x8000, 1, V_WRITE, 0);
}

/* A plausible frame to send, or a buffer for one. */
static void net_chain(struct setup *s, unsigned head, unsigned queue) {
  uint32_t length = 12 + (uint32_t)pick(s, 1600);
  driver_desc(&s->driver, head, DATA + pick(s, RIG_SIZE / 4), length, queue ? 0 : V_WRITE, 0);
}

static void random_register(struct setup *s) {
  static const uint16_t registers[] = {V_FEATURES_SEL,
                                       V_DRIVER_FEATURES,
                                       V_DRIVER_FEATURES_SEL,
                                       V_QUEUE_SEL,
                                       V_QUEUE_SIZE,
                                       V_QUEUE_READY,
                                       V_NOTIFY,
                                       V_ACK,
                                       V_STATUS,
                                       V_DESC,
                                       V_AVAIL,
                                       V_USED,
                                       V_CONFIG,
                                       V_DESC + 4};
  uint64_t value = pick(s, 3) ? pick(s, 20) : rig_random(&s->seed), read;
  phys_mmio_write(&s->board.rig.phys, s->driver.base + registers[pick(s, 14)], 4, value);
  phys_mmio_read(&s->board.rig.phys, s->driver.base + (pick(s, 0x200) & ~UINT64_C(3)), 4, &read);
}

static void digest(struct setup *s, char hex[65]) {
  struct sha256 hash;
  sha256_init(&hash);
  bus_hash(&s->board.bus, &hash);
  for (const struct event *event = s->board.rig.hart.events; event; event = event->next)
    sha256_update(&hash, &event->at_ns, sizeof event->at_ns);
  sha256_update(&hash, &s->blk.flight_bytes, sizeof s->blk.flight_bytes);
  sha256_final_hex(&hash, hex);
}

static bool load_saved(struct setup *s, const struct blob *saved, uint64_t mip_lines) {
  char error[256];
  struct blob_reader in = {saved->bytes, saved->size, false};
  bus_reset(&s->board.bus);
  s->board.rig.hart.csr.mip_lines = mip_lines; /* the hart's state comes first */
  return bus_load(&s->board.bus, &in, error, sizeof error) && blob_done(&in);
}

/* Other devices have something to save, too. */
static void random_board(struct setup *s) {
  switch (pick(s, 4)) {
  case 0: board_write(&s->board, BOARD_CLINT_BASE + 0x4000, 8, rig_random(&s->seed) >> pick(s, 64)); break;
  case 1:
    board_write(&s->board, BOARD_RTC_BASE + 4 * pick(s, 8), 4, rig_random(&s->seed) >> pick(s, 64));
    break;
  case 2: board_write(&s->board, BOARD_UART_BASE + pick(s, 8), 1, rig_random(&s->seed) & 0xff); break;
  default: uart_input(&s->uart, (const uint8_t *)"typed", pick(s, 6)); break;
  }
}

static void save_and_load(struct setup *s) {
  struct blob saved = {0};
  char before[65], after[65];
  struct rig *t = &s->board.rig;
  random_board(s);
  uint64_t lines = t->hart.csr.mip_lines;
  digest(s, before);
  bus_save(&s->board.bus, &saved);
  uint64_t spoilt = pick(s, saved.size);
  uint8_t byte = saved.bytes[spoilt];
  saved.bytes[spoilt] ^= (uint8_t)(1 + pick(s, 255));
  if (load_saved(s, &saved, lines)) board_pass(&s->board, pick(s, 100000));
  saved.bytes[spoilt] = byte;
  struct blob cut = saved;
  cut.size = pick(s, saved.size);
  CHECK(t, !load_saved(s, &cut, lines), "a state cut short was taken");
  CHECK(t, load_saved(s, &saved, lines), "a saved state was refused");
  digest(s, after);
  CHECK(t, strcmp(before, after) == 0, "loading a saved state changed it");
  blob_free(&saved);
}

static void round_of(struct setup *s, const struct virtio_slot *slot, unsigned queue) {
  s->driver =
      (struct driver){.board = &s->board, .base = slot->base, .rings = RIG_BASE + 0x10000, .size = 16};
  driver_start(&s->driver, pick(s, 2) ? VIRTIO_F_EVENT_IDX : 0, queue);
  for (unsigned i = 0; i < 40; i++) random_desc(s, RIG_BASE + 0x20000, i);
  for (unsigned i = 0; i < 16; i++) random_desc(s, s->driver.rings, i);
  for (unsigned step = 0, steps = (unsigned)pick(s, 12) + 1; step < steps; step++) {
    unsigned head = (unsigned)pick(s, pick(s, 10) ? 16 : 65536);
    if (pick(s, 2)) block_chain(s, head % 16);
    if (pick(s, 2) && slot->irq == BOARD_VIRTIO3_IRQ) net_chain(s, head % 16, queue);
    if (pick(s, 3) == 0) random_desc(s, s->driver.rings, (unsigned)pick(s, 16));
    if (pick(s, 30) == 0) s->driver.avail = (uint16_t)rig_random(&s->seed);
    driver_kick(&s->driver, queue, (uint16_t)head);
    if (pick(s, 6) == 0) random_register(s);
    if (pick(s, 2)) board_pass(&s->board, pick(s, 100000));
    if (pick(s, 4) == 0) virtio_console_input(&s->console, (const uint8_t *)"fuzz", 4);
    if (pick(s, 24) == 0) save_and_load(s);
    static const uint8_t frame[NET_FRAME_MAX];
    if (pick(s, 2) && net_has_room(&s->net))
      net_receive(&s->net, frame, NET_FRAME_MIN + pick(s, NET_FRAME_MAX - NET_FRAME_MIN + 1));
  }
  if (pick(s, 3)) board_pass(&s->board, 10000000);
}

static const struct virtio_slot blk_slot = {BOARD_VIRTIO0_BASE, BOARD_VIRTIO0_SIZE, BOARD_VIRTIO0_IRQ};
static const struct virtio_slot console_slot = {BOARD_VIRTIO1_BASE, BOARD_VIRTIO1_SIZE, BOARD_VIRTIO1_IRQ};
static const struct virtio_slot rng_slot = {BOARD_VIRTIO2_BASE, BOARD_VIRTIO2_SIZE, BOARD_VIRTIO2_IRQ};
static const struct virtio_slot net_slot = {BOARD_VIRTIO3_BASE, BOARD_VIRTIO3_SIZE, BOARD_VIRTIO3_IRQ};

/* After anything, a reset device answers an honest request. */
static void check_alive(struct setup *s) {
  struct rig *t = &s->board.rig;
  uint32_t head = 99, written = 0;
  s->driver =
      (struct driver){.board = &s->board, .base = blk_slot.base, .rings = RIG_BASE + 0x10000, .size = 16};
  driver_start(&s->driver, 0, 0);
  rig_dword(t, DATA, 0);
  rig_dword(t, DATA + 8, 1);
  driver_desc(&s->driver, 0, DATA, 16, V_NEXT, 1);
  driver_desc(&s->driver, 1, DATA + 512, 512, V_NEXT | V_WRITE, 2);
  driver_desc(&s->driver, 2, DATA + 2048, 1, V_WRITE, 0);
  t->ram[RIG_SIZE / 2 + 2048] = 0xff;
  driver_kick(&s->driver, 0, 0);
  board_pass(&s->board, 1000000);
  bool used = driver_used(&s->driver, &head, &written);
  CHECK(t, used && head == 0 && written == 513 && t->ram[RIG_SIZE / 2 + 2048] == 0, "block device: %d %u %u",
        used, head, written);
}

static struct block_device *open_disk(void) {
  char path[] = "/tmp/linuxsql-fuzz-XXXXXX", reason[256] = "no temporary file";
  int fd = mkstemp(path);
  struct block_device *device = NULL;
  if (fd >= 0 && ftruncate(fd, DISK_BYTES) == 0) device = block_file_open(path, false, reason, sizeof reason);
  if (fd >= 0) close(fd), unlink(path);
  if (!device) printf("%s\n", reason), exit(1);
  return device;
}

int main(void) {
  struct setup *s = calloc(1, sizeof *s);
  static const uint8_t seed[SEED_BYTES];
  const char *scale = getenv("LINUXSQL_TEST_SCALE");
  long rounds = ROUNDS * (scale && atoi(scale) > 0 ? atoi(scale) : 1);
  struct block_device *device = open_disk();
  struct blk_owner owner = {ignore_waiting, lost, s};
  struct console_port port = {output, s};
  struct net_port net_port = {transmit, s};
  const struct virtio_slot *const slots[] = {&blk_slot, &console_slot, &rng_slot, &net_slot};
  board_init(&s->board);
  struct bus *bus = &s->board.bus;
  bool built =
      uart_init(&s->uart, bus, &s->board.plic, BOARD_UART_IRQ, BOARD_UART_BASE, BOARD_UART_SIZE, &port) &&
      clint_init(&s->clint, bus, BOARD_CLINT_BASE, BOARD_CLINT_SIZE) &&
      rtc_init(&s->rtc, bus, &s->board.plic, BOARD_RTC_IRQ, BOARD_RTC_BASE, BOARD_RTC_SIZE) &&
      blk_init(&s->blk, bus, &s->board.plic, s->board.telemetry, &blk_slot, device, &owner) &&
      virtio_console_init(&s->console, bus, &s->board.plic, s->board.telemetry, &console_slot, &port) &&
      rng_init(&s->rng, bus, &s->board.plic, s->board.telemetry, &rng_slot) &&
      net_init(&s->net, bus, &s->board.plic, s->board.telemetry, &net_slot, &net_port);
  if (!built) return 1;
  bus_reset(bus); /* as before every boot */
  rng_seed(&s->rng, seed, 1);
  time_t end = time(NULL) + SECONDS * rounds / ROUNDS;
  for (long i = 0; i < rounds && time(NULL) < end; i++) {
    s->seed = (uint64_t)i;
    round_of(s, slots[i % 4], i % 2 ? (unsigned)pick(s, 2) : 0);
    if (i % 10 == 0) check_alive(s);
  }
  check_alive(s);
  CHECK(&s->board.rig, board_counter(&s->board, COUNTER_VIRTIO_BAD_CHAINS) > 100,
        "the fuzz reached no bad chain");
  CHECK(&s->board.rig, board_counter(&s->board, COUNTER_BLK_WRITES) > 10, "the fuzz reached no good write");
  CHECK(&s->board.rig, s->frames > 100, "the fuzz sent only %" PRIu64 " frames", s->frames);
  CHECK(&s->board.rig, board_counter(&s->board, COUNTER_NET_RECEIVED_FRAMES) > 100,
        "the fuzz received no frames");
  int status = rig_finish(&s->board.rig);
  blk_destroy(&s->blk);
  block_close(device);
  board_destroy(&s->board);
  free(s);
  return status;
}

/* The network card and what stands around it: frames in and out, their bounds, what the guest may send to the
 * stack, the option's text, the queue. */
#include <arpa/inet.h>

#include "dev/virtio/net.h"
#include "net/filter.h"
#include "test/board_rig.h"
#include "vm/network_option.h"
#include "vm/packet_queue.h"

enum { RECEIVE = 0, TRANSMIT = 1, HEADER = 12 };
#define DATA    (RIG_BASE + RIG_SIZE / 2)
#define NO_RING (UINT64_C(1) << 28 | UINT64_C(1) << 29)

struct setup {
  struct board board;
  struct net net;
  struct driver driver;
  unsigned sent;
  size_t sent_bytes;
  uint8_t last[NET_FRAME_MAX];
};

static void transmit(void *opaque, const uint8_t *frame, size_t size) {
  struct setup *s = opaque;
  s->sent++;
  s->sent_bytes += size;
  memcpy(s->last, frame, size);
}

static const struct virtio_slot slot = {BOARD_VIRTIO3_BASE, BOARD_VIRTIO3_SIZE, BOARD_VIRTIO3_IRQ};

static void start(struct setup *s, unsigned queue) {
  s->driver = (struct driver){.board = &s->board, .base = slot.base, .rings = RIG_BASE + 0x10000, .size = 16};
  driver_start(&s->driver, NO_RING, queue);
}

static void test_identity(struct setup *s) {
  struct rig *t = &s->board.rig;
  CHECK(t, board_read(&s->board, slot.base + 8, 4) == 1, "device id");
  static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
  for (unsigned i = 0; i < 6; i++)
    CHECK(t, board_read(&s->board, slot.base + V_CONFIG + i, 1) == mac[i], "mac byte %u", i);
  CHECK(t, board_read(&s->board, slot.base + V_CONFIG + 6, 2) == 1, "the link is up");
}

static void test_transmit(struct setup *s) {
  struct rig *t = &s->board.rig;
  uint32_t head, written;
  start(s, TRANSMIT);
  for (unsigned i = 0; i < 60; i++) s->board.rig.ram[RIG_SIZE / 2 + HEADER + i] = (uint8_t)(i + 1);
  driver_desc(&s->driver, 0, DATA, HEADER, V_NEXT, 1); /* the header may stand apart */
  driver_desc(&s->driver, 1, DATA + HEADER, 60, 0, 0);
  driver_kick(&s->driver, TRANSMIT, 0);
  CHECK(t, s->sent == 1 && s->sent_bytes == 60 && s->last[0] == 1 && s->last[59] == 60, "one frame of 60");
  CHECK(t, driver_used(&s->driver, &head, &written) && head == 0 && written == 0, "given back");
  CHECK(t, board_line(&s->board, slot.irq), "interrupt");
  static const struct {
    uint32_t length;
    bool sent;
  } sizes[] = {{HEADER + NET_FRAME_MAX, true},
               {HEADER + NET_FRAME_MIN, true},
               {HEADER + NET_FRAME_MAX + 1, false},
               {HEADER + NET_FRAME_MIN - 1, false},
               {HEADER, false},
               {1 << 20, false}};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    unsigned before = s->sent;
    uint64_t dropped = board_counter(&s->board, COUNTER_NET_DROPPED_FRAMES);
    driver_desc(&s->driver, 0, DATA, sizes[i].length, 0, 0);
    driver_kick(&s->driver, TRANSMIT, 0);
    CHECK(t, s->sent - before == sizes[i].sent, "%u bytes", sizes[i].length);
    CHECK(t, board_counter(&s->board, COUNTER_NET_DROPPED_FRAMES) - dropped == !sizes[i].sent, "counted");
    CHECK(t, driver_used(&s->driver, &head, &written), "given back");
  }
  driver_desc(&s->driver, 0, DATA, HEADER - 1, 0, 0);
  driver_kick(&s->driver, TRANSMIT, 0);
  CHECK(t, driver_read(&s->driver, V_STATUS) & V_NEEDS_RESET, "a chain without a header");
}

static void test_receive(struct setup *s) {
  struct rig *t = &s->board.rig;
  uint8_t frame[NET_FRAME_MAX];
  uint32_t head, written;
  for (unsigned i = 0; i < sizeof frame; i++) frame[i] = (uint8_t)(i * 7);
  driver_write(&s->driver, V_STATUS, 0);
  CHECK(t, !net_listening(&s->net) && !net_has_room(&s->net), "no driver");
  net_receive(&s->net, frame, sizeof frame);
  start(s, RECEIVE);
  CHECK(t, net_listening(&s->net) && !net_has_room(&s->net), "no buffer");
  net_receive(&s->net, frame, sizeof frame);
  CHECK(t, !driver_used(&s->driver, &head, &written), "nothing was taken");
  driver_desc(&s->driver, 3, DATA, HEADER, V_WRITE | V_NEXT, 4);
  driver_desc(&s->driver, 4, DATA + 4096, NET_FRAME_MAX, V_WRITE, 0);
  driver_kick(&s->driver, RECEIVE, 3);
  CHECK(t, net_has_room(&s->net), "a buffer");
  net_receive(&s->net, frame, 1000);
  CHECK(t, driver_used(&s->driver, &head, &written) && head == 3 && written == HEADER + 1000, "used");
  CHECK(t, memcmp(t->ram + RIG_SIZE / 2 + 4096, frame, 1000) == 0, "the frame");
  static const uint8_t header[HEADER] = {[10] = 1}; /* num_buffers */
  CHECK(t, memcmp(t->ram + RIG_SIZE / 2, header, HEADER) == 0, "the header");
  CHECK(t, !net_has_room(&s->net), "the buffer is gone");
  driver_desc(&s->driver, 0, DATA, HEADER + 999, V_WRITE, 0);
  driver_kick(&s->driver, RECEIVE, 0);
  net_receive(&s->net, frame, 1000);
  CHECK(t, driver_read(&s->driver, V_STATUS) & V_NEEDS_RESET && !net_has_room(&s->net), "a short buffer");
}

static void ipv4_to(uint8_t *frame, const char *address) {
  memset(frame, 0, 64);
  frame[12] = 8;
  frame[14] = 0x45;
  frame[17] = 20;
  inet_pton(AF_INET, address, frame + 30);
}

static void test_filter(struct rig *t) {
  static const struct {
    const char *address;
    bool isolated, beyond;
  } cases[] = {
      {"10.0.2.2", true, true},      {"10.0.2.255", true, true},        {"255.255.255.255", true, true},
      {"10.0.3.2", false, true},     {"192.0.2.1", false, true},        {"127.0.0.1", false, false},
      {"127.255.0.1", false, false}, {"0.0.0.0", false, false},         {"169.254.169.254", false, false},
      {"224.0.0.251", false, false}, {"239.255.255.250", false, false}, {"240.0.0.1", false, false},
  };
  uint8_t frame[2048];
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    ipv4_to(frame, cases[i].address);
    CHECK(t, net_allows(NET_ISOLATED, frame, 64) == cases[i].isolated, "isolated: %s", cases[i].address);
    CHECK(t, net_allows(NET_OUTSIDE, frame, 64) == cases[i].beyond, "outside: %s", cases[i].address);
    CHECK(t, net_allows(NET_HOST, frame, 64) == cases[i].beyond, "host: %s", cases[i].address);
  }
  ipv4_to(frame, "10.0.2.2");
  CHECK(t, !net_allows(NET_HOST, frame, 33) && !net_allows(NET_HOST, frame, 13), "too short");
  CHECK(t, net_allows(NET_HOST, frame, 1514) && !net_allows(NET_HOST, frame, 1515), "too long");
  for (unsigned i = 0; i < 3; i++) {
    static const uint8_t bad[3][3] = {
        {14, 0x46}, {14, 0x65}, {20, 0x20}}; /* options, version 6, more fragments */
    ipv4_to(frame, "10.0.2.2");
    frame[bad[i][0]] = bad[i][1];
    CHECK(t, !net_allows(NET_HOST, frame, 64), "bad header %u", i);
  }
  ipv4_to(frame, "10.0.2.2");
  frame[21] = 1;
  CHECK(t, !net_allows(NET_HOST, frame, 64), "a later fragment");
  frame[20] = 0x40, frame[21] = 0;
  CHECK(t, net_allows(NET_HOST, frame, 64), "not to be fragmented");
  frame[17] = 51;
  CHECK(t, !net_allows(NET_HOST, frame, 64), "longer than its frame");
  frame[17] = 19;
  CHECK(t, !net_allows(NET_HOST, frame, 64), "shorter than its header");
  frame[14] = 0x65;
  CHECK(t, !net_allows(NET_HOST, frame, 64), "not version 4");
  frame[12] = 0x86, frame[13] = 0xdd;
  CHECK(t, !net_allows(NET_HOST, frame, 64), "IPv6");
  frame[12] = 8, frame[13] = 6;
  CHECK(t, net_allows(NET_ISOLATED, frame, 42), "ARP");
}

static void test_options(struct rig *t) {
  struct network_options o;
  char error[256];
  CHECK(t, network_parse(&o, "user", error, sizeof error) && o.access == NET_ISOLATED && o.count == 0,
        "user");
  CHECK(t,
        network_parse(&o, "user,access=host,hostfwd=tcp::5433-:5432,hostfwd=tcp:0.0.0.0:1-:65535", error,
                      sizeof error),
        "%s", error);
  CHECK(t, o.access == NET_HOST && o.count == 2, "values");
  CHECK(t, o.forwards[0].host_address == htonl(INADDR_LOOPBACK) && o.forwards[0].host_port == 5433,
        "default");
  CHECK(t, o.forwards[0].guest_port == 5432 && o.forwards[1].guest_port == 65535, "ports");
  CHECK(t, o.forwards[1].host_address == 0 && o.forwards[1].host_port == 1, "address");
  static const char *const bad[] = {"",
                                    "tap",
                                    "user,",
                                    "user,access=all",
                                    "user,access=",
                                    "user,hostfwd=",
                                    "user,hostfwd=udp::1-:2",
                                    "user,hostfwd=tcp::0-:1",
                                    "user,hostfwd=tcp::65536-:1",
                                    "user,hostfwd=tcp::1-:0",
                                    "user,hostfwd=tcp::1-:",
                                    "user,hostfwd=tcp::-:1",
                                    "user,hostfwd=tcp:1-:1",
                                    "user,hostfwd=tcp:localhost:1-:1",
                                    "user,hostfwd=tcp::1-2:3",
                                    "user,hostfwd=tcp::1x-:3",
                                    "user,hostfwd=tcp::+1-:3",
                                    "user,hostfwd=tcp::000001-:3",
                                    "users"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK(t, !network_parse(&o, bad[i], error, sizeof error) && strstr(error, "network: "), "%s", bad[i]);
  char many[4096] = "user";
  for (unsigned i = 0; i <= NETWORK_FORWARDS_MAX; i++) strcat(many, ",hostfwd=tcp::1-:1");
  CHECK(t, !network_parse(&o, many, error, sizeof error), "too many forwards");
}

static void test_queue(struct rig *t) {
  struct packet_queue queue;
  struct packet packet;
  uint8_t frame[NET_FRAME_MAX + 1] = {0};
  CHECK(t, packet_queue_init(&queue), "memory");
  CHECK(t, !packet_queue_put(&queue, frame, NET_FRAME_MIN - 1), "too short");
  CHECK(t, !packet_queue_put(&queue, frame, NET_FRAME_MAX + 1), "too long");
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < PACKET_QUEUE_FRAMES; i++) {
      frame[0] = (uint8_t)i;
      CHECK(t, packet_queue_put(&queue, frame, NET_FRAME_MIN + i % 1500), "room for %u", i);
    }
    CHECK(t, !packet_queue_put(&queue, frame, NET_FRAME_MAX), "full");
    for (unsigned i = 0; i < PACKET_QUEUE_FRAMES - round; i++) {
      packet_queue_peek(&queue, &packet);
      packet_queue_drop(&queue);
      CHECK(t, packet.frame[0] == (uint8_t)i && packet.size == NET_FRAME_MIN + i % 1500, "order: %u", i);
    }
    CHECK(t, packet_queue_count(&queue) == round, "%u left", round);
    packet_queue_clear(&queue);
    CHECK(t, packet_queue_count(&queue) == 0, "cleared");
  }
  packet_queue_destroy(&queue);
}

int main(void) {
  struct setup *s = calloc(1, sizeof *s);
  struct net_port port = {transmit, s};
  board_init(&s->board);
  if (!net_init(&s->net, &s->board.bus, &s->board.plic, s->board.telemetry, &slot, &port)) return 1;
  test_identity(s);
  test_transmit(s);
  test_receive(s);
  test_filter(&s->board.rig);
  test_options(&s->board.rig);
  test_queue(&s->board.rig);
  int status = rig_finish(&s->board.rig);
  board_destroy(&s->board);
  free(s);
  return status;
}
